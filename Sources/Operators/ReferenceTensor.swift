// SPDX-License-Identifier: Apache-2.0
import Graph
package import Tensors

/// A tensor as references compute on it: floating-point elements widened to float64, integers and booleans to 64 bits.
package struct ReferenceTensor: Sendable {
    package enum Elements: Sendable {
        case floats([Double])
        /// Booleans are 0 and 1. A uint64 is held by its bit pattern.
        case integers([Int64])
        case strings([String])
        /// Real and imaginary part in turn.
        case complex([Double])
    }

    package var dataType: DataType
    package var shape: [Int]
    package var elements: Elements

    /// `elements` must be the kind that `dataType` takes, and as many as `shape` has; references see to it.
    package init(_ dataType: DataType, _ shape: [Int], _ elements: Elements) {
        self.dataType = dataType
        self.shape = shape
        self.elements = elements
    }

    package var count: Int {
        switch elements {
        case .floats(let values): values.count
        case .integers(let values): values.count
        case .strings(let values): values.count
        case .complex(let values): values.count / 2
        }
    }

    package var floats: [Double] {
        switch elements {
        case .floats(let values): values
        case .integers(let values): dataType == .uint64 ? values.map { Double(UInt64(bitPattern: $0)) } : values.map(Double.init)
        case .complex(let values): values
        case .strings: []
        }
    }

    package var integers: [Int64] {
        if case .integers(let values) = elements { return values }
        return []
    }

    /// The elements at `indices` (flat, row-major, in this order) under a new shape: what every movement operator comes down to.
    package func gathered(_ indices: [Int], shape: [Int]) -> ReferenceTensor {
        switch elements {
        case .floats(let values): ReferenceTensor(dataType, shape, .floats(indices.map { values[$0] }))
        case .integers(let values): ReferenceTensor(dataType, shape, .integers(indices.map { values[$0] }))
        case .strings(let values): ReferenceTensor(dataType, shape, .strings(indices.map { values[$0] }))
        case .complex(let values): ReferenceTensor(dataType, shape, .complex(indices.flatMap { values[2 * $0...2 * $0 + 1] }))
        }
    }

    package func reshaped(_ shape: [Int]) -> ReferenceTensor { ReferenceTensor(dataType, shape, elements) }

    /// Broadcast to `shape`, which must be reachable by NumPy's rules.
    package func broadcast(to shape: [Int]) -> ReferenceTensor {
        if self.shape == shape { return self }
        return gathered(broadcastIndices(from: self.shape, to: shape), shape: shape)
    }
}

/// For every element of `target`, row-major, the flat index of the element of `source` that broadcasting puts there.
package func broadcastIndices(from source: [Int], to target: [Int]) -> [Int] {
    let padded = [Int](repeating: 1, count: target.count - source.count) + source
    let strides = zip(denseStrides(padded), padded).map { $1 == 1 ? 0 : $0 }
    return stridedIndices(shape: target, strides: strides)
}

/// Flat offsets of a strided walk over `shape` in row-major order, starting at `offset`.
package func stridedIndices(shape: [Int], strides: [Int], offset: Int = 0) -> [Int] {
    var indices = [offset]
    for (size, stride) in zip(shape, strides) {
        var next: [Int] = []
        next.reserveCapacity(indices.count * size)
        for base in indices { for step in 0..<size { next.append(base + step * stride) } }
        indices = next
    }
    return indices
}

/// What a reference computes from.
package struct ReferenceContext: Sendable {
    package let attributes: NodeAttributes
    package let inputs: [ReferenceTensor?]
    /// What `infer` said about each output.
    package let outputs: [InferredOutput]

    package init(attributes: NodeAttributes, inputs: [ReferenceTensor?], outputs: [InferredOutput]) {
        self.attributes = attributes
        self.inputs = inputs
        self.outputs = outputs
    }

    package var version: Int { attributes.version }
    package func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

    package func input(_ index: Int) throws(OperatorError) -> ReferenceTensor {
        guard index < inputs.count, let input = inputs[index] else { throw .invalid("input \(index) is missing") }
        return input
    }

    /// Type and shape that output `index` must have (an upper bound where the shape depends on data).
    package func output(_ index: Int) -> ConcreteType {
        switch outputs[index] {
        case .known(let type): type
        case .bounded(let dataType, let shape): ConcreteType(dataType, shape)
        }
    }
}

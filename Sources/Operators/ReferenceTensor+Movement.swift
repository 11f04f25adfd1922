// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// A source position that stands for "no element": the operator puts a padding value there. Far enough below zero to stay negative
/// when the offsets of other axes are added to it.
let noElement = Int.min / 2

/// Flat source offsets of every element of a tensor whose coordinate `c` on axis `a` reads `axes[a][c]` (already multiplied by the axis's
/// stride), in row-major order. One entry of `noElement` makes the sum negative.
func combinedOffsets(_ axes: [[Int]]) -> [Int] {
    var offsets = [0]
    for axis in axes {
        var next: [Int] = []
        next.reserveCapacity(offsets.count * axis.count)
        for base in offsets { for offset in axis { next.append(max(base + offset, noElement)) } }
        offsets = next
    }
    return offsets
}

/// The product of a shape that inference has checked.
func product(_ shape: some Sequence<Int>) -> Int { shape.reduce(1, *) }

extension ReferenceTensor {
    /// `shape` full of zeros (false, the empty string).
    static func zeros(_ dataType: DataType, _ shape: [Int]) -> ReferenceTensor {
        let count = product(shape)
        let elements: Elements =
            switch dataType.kind {
            case .float: .floats(Array(repeating: 0, count: count))
            case .complex: .complex(Array(repeating: 0, count: 2 * count))
            case .signedInteger, .unsignedInteger, .bool: .integers(Array(repeating: 0, count: count))
            case .string: .strings(Array(repeating: "", count: count))
            }
        return ReferenceTensor(dataType, shape, elements)
    }

    /// The elements of this tensor followed by those of `others`, which hold the same kind: a pool to gather from.
    func pooled(with others: [ReferenceTensor]) -> ReferenceTensor {
        let count = others.reduce(self.count) { $0 + $1.count }
        switch elements {
        case .floats(var all):
            for case .floats(let values) in others.map(\.elements) { all += values }
            return ReferenceTensor(dataType, [count], .floats(all))
        case .integers(var all):
            for case .integers(let values) in others.map(\.elements) { all += values }
            return ReferenceTensor(dataType, [count], .integers(all))
        case .strings(var all):
            for case .strings(let values) in others.map(\.elements) { all += values }
            return ReferenceTensor(dataType, [count], .strings(all))
        case .complex(var all):
            for case .complex(let values) in others.map(\.elements) { all += values }
            return ReferenceTensor(dataType, [count], .complex(all))
        }
    }

    /// Like `gathered`, with the one element of `padding` wherever an index is negative.
    func gathered(_ indices: [Int], padding: ReferenceTensor, shape: [Int]) -> ReferenceTensor {
        let last = count
        return pooled(with: [padding]).gathered(indices.map { $0 < 0 ? last : $0 }, shape: shape)
    }

    /// The elements of all `runs`, one after the other, under a new shape.
    func gathered(runs: [Range<Int>], shape: [Int]) -> ReferenceTensor {
        let result: Elements =
            switch elements {
            case .floats(let values): .floats(collect(values, runs, scale: 1))
            case .integers(let values): .integers(collect(values, runs, scale: 1))
            case .strings(let values): .strings(collect(values, runs, scale: 1))
            case .complex(let values): .complex(collect(values, runs, scale: 2))
            }
        return ReferenceTensor(dataType, shape, result)
    }

    /// The axes in the order `permutation`.
    func transposed(_ permutation: [Int]) -> ReferenceTensor {
        let strides = denseStrides(shape)
        let shape = permutation.map { self.shape[$0] }
        return gathered(stridedIndices(shape: shape, strides: permutation.map { strides[$0] }), shape: shape)
    }
}

private func collect<Element>(_ values: [Element], _ runs: [Range<Int>], scale: Int) -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(runs.reduce(0) { $0 + $1.count } * scale)
    for run in runs { result.append(contentsOf: values[run.lowerBound * scale..<run.upperBound * scale]) }
    return result
}

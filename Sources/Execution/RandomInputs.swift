// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// A tensor for an input that the user left out: normal deviates for floating-point types, small whole numbers for the others, the same for the same
/// seed and name on any machine (`docs/random.md`).
package func randomInput(_ value: Value, seed: UInt64) throws(ExecutionError) -> HostTensor {
    guard let type = value.type, let dimensions = type.shape else {
        throw .input("input '\(value.name)' has no declared shape: give it with --input \(value.name)=FILE")
    }
    let shape = dimensions.map { dimension in
        if case .known(let size) = dimension { size } else { 1 }
    }
    guard let count = elementCount(shape), let size = type.dataType.byteCount(of: count), size < 1 << 34 else {
        throw .input("input '\(value.name)' of shape \(type.shapeDescription) is too large to be made")
    }
    let random = CounterRandom(seed: seed, case: "run", tensor: value.name)
    do {
        switch type.dataType.kind {
        case .float: return try HostTensor(type.dataType, shape, doubles: (0..<count).map { random.normal(UInt64($0)) })
        case .complex: return try HostTensor(type.dataType, shape, doubles: (0..<2 * count).map { random.normal(UInt64($0)) })
        case .bool: return try HostTensor(type.dataType, shape, integers: (0..<count).map { Int64(random.integer(UInt64($0), below: 2)) })
        case .signedInteger, .unsignedInteger:
            return try HostTensor(type.dataType, shape, integers: (0..<count).map { Int64(random.integer(UInt64($0), below: 2)) })
        case .string: return try HostTensor(strings: [String](repeating: "", count: count), shape: shape)
        }
    } catch {
        throw .input("input '\(value.name)': \(error)")
    }
}

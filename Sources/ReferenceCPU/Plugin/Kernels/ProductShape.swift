// SPDX-License-Identifier: Apache-2.0
import PluginKit

/// How two stacks of matrices are multiplied, by NumPy's rules: vectors get an axis that the output loses, leading axes broadcast.
struct ProductShape {
    let m, n, k: Int
    /// For every matrix of the output, which matrix of each operand it is made of.
    let left, right: [Int]

    init(_ a: [Int], _ b: [Int]) throws(Refusal) {
        try require(!a.isEmpty && !b.isEmpty, .shape, "a scalar")
        let first = a.count == 1 ? [1] + a : a
        let second = b.count == 1 ? b + [1] : b
        (m, k, n) = (first[first.count - 2], first[first.count - 1], second[second.count - 1])
        try require(second[second.count - 2] == k, .shape, "inner sizes that differ")
        let (leading, others) = (Array(first.dropLast(2)), Array(second.dropLast(2)))
        var batch = [Int](repeating: 1, count: max(leading.count, others.count))
        for shape in [leading, others] {
            for (axis, size) in zip(batch.indices.suffix(shape.count), shape) where size != 1 {
                try require(batch[axis] == 1 || batch[axis] == size, .shape, "batches that do not fit")
                batch[axis] = size
            }
        }
        left = places(try broadcast(leading, to: batch), batch)
        right = places(try broadcast(others, to: batch), batch)
    }
}

/// What a row-major walk over `shape` with `strides` visits, in order.
private func places(_ strides: [Int], _ shape: [Int]) -> [Int] {
    var result = [0]
    for (stride, size) in zip(strides, shape) { result = result.flatMap { start in (0..<size).map { start + $0 * stride } } }
    return result
}

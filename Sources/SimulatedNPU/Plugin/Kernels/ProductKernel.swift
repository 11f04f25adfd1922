// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import Tensors

extension LoweredKernel {
    /// A kernel of products of floats: one declaration for 16 bits, and one for each way of multiplying float32.
    static func floatProduct(
        _ operatorName: String, since: Int, prefer: (@Sendable (NodeView, Profile) -> Layouts?)? = nil,
        problem: @escaping @Sendable (NodeView, Profile) throws(Refusal) -> ProductProblem
    ) -> [LoweredKernel] {
        let flags: KernelFlags = prefer == nil ? .deterministic : [.deterministic, .layouts]
        let wide = Profile.Float32.allCases.map { way in
            LoweredKernel(
                operatorName, name: "\(operatorName).\(way)", since: since, types: [.float32], flags: flags,
                numerics: sb_numerics(
                    size: MemoryLayout<sb_numerics>.size, accumulator_type: SB_TYPE_FLOAT32, input_bits: way.inputBits,
                    flags: SB_NUMERICS_FLUSHES_DENORMALS, reserved: 0, function_error: 0, value_type: 0, reserved2: 0),
                fusion: .product(problem), prefer: prefer
            ) { node, profile throws(Refusal) in
                try require(profile.float32 == way, .other, "the option 'float32' asks for the other way of multiplying float32")
                return try problem(node, profile).lower(profile)
            }
        }
        return wide + [
            LoweredKernel(
                operatorName, since: since, types: [.float16, .bfloat16], flags: flags, fusion: .product(problem), prefer: prefer
            ) { node, profile throws(Refusal) in
                try problem(node, profile).lower(profile)
            }
        ]
    }
}

extension NodeView {
    /// An input or output that is there, else nil.
    func optional(input index: Int) throws(Refusal) -> Operand? { input(index) == nil ? nil : try operand(input: index) }

    /// A zero point of an integer operand: none, one, or one per row or column.
    func zeroPoint(_ index: Int, of type: DataType, count: Int) throws(Refusal) -> ProductOperand.ZeroPoint? {
        guard let zero = try optional(input: index) else { return nil }
        try require(zero.type == type, .dataType, "a zero point of another type")
        try require(zero.count == 1 || zero.count == count, .shape, "a zero point that is neither one nor one per row or column")
        return ProductOperand.ZeroPoint(input: index, type: type, count: zero.count)
    }
}

/// How two stacks of matrices are multiplied, by NumPy's rules: vectors get an axis that the output loses, leading axes broadcast.
struct StackedProduct {
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
        try require(batch.reduce(1, *) <= 1 << 16, .shape, "more than 65536 products")
        left = Self.places(leading, batch)
        right = Self.places(others, batch)
    }

    /// Which matrix of a stack of `shape` each of a stack of `batch` is.
    private static func places(_ shape: [Int], _ batch: [Int]) -> [Int] {
        var (strides, step) = ([Int](repeating: 0, count: batch.count), 1)
        for (axis, size) in zip(batch.indices.suffix(shape.count), shape).reversed() {
            if size != 1 { strides[axis] = step }
            step *= size
        }
        var result = [0]
        for (stride, size) in zip(strides, batch) { result = result.flatMap { start in (0..<size).map { start + $0 * stride } } }
        return result
    }
}

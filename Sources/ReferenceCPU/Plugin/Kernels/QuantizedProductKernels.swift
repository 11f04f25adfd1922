// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

let bytes = TypeSet(.int8, .uint8)

/// Products of 8-bit matrices with exact sums in int32.
let quantizedProductKernels = [
    TunedKernel("MatMulInteger", since: 10, types: bytes) { node, device throws(Refusal) in
        try product(node, a: 0, b: 1, zeroA: 2, zeroB: 3, scales: nil, device)
    },
    TunedKernel("QLinearMatMul", since: 10, types: bytes, widens: true) { node, device throws(Refusal) in
        for index in [1, 4, 6] { try require(try node.present(input: index).type == .float32, .dataType, "scales of another type") }
        return try product(node, a: 0, b: 3, zeroA: 2, zeroB: 5, scales: (a: 1, b: 4, y: 6, zeroY: 7), device)
    },
]

/// Positions of the inputs that say how sums become 8 bits again.
private typealias ScaleInputs = (a: Int, b: Int, y: Int, zeroY: Int)

private func product(
    _ node: NodeView, a: Int, b: Int, zeroA: Int, zeroB: Int, scales: ScaleInputs?, _ device: CPUDevice
) throws(Refusal) -> TunedKernel.Plan {
    let (left, right, y) = (try node.present(input: a), try node.present(input: b), try node.present(output: 0))
    let shape = try ProductShape(left.shape, right.shape)
    try require(bytes.contains(left.type) && bytes.contains(right.type), .dataType, "elements of more than 8 bits")
    try require(y.view.count > 0, .shape, "no element")
    func operand(_ index: Int, _ type: DataType, zero: Int, lines: Int) throws(Refusal) -> PreparedQuantizedProduct.Operand {
        let zeros = node.input(zero)?.count ?? 0
        try require(zeros <= 1 || zeros == lines, .shape, "zero points that do not fit")
        return .init(input: index, zeros: zero, zeroCount: zeros, isSigned: type == .int8)
    }
    var rescaling: PreparedQuantizedProduct.Rescaling?
    if let scales {
        try require(bytes.contains(y.type), .dataType, "an output of more than 8 bits")
        let counts = (try node.present(input: scales.a).view.count, try node.present(input: scales.b).view.count)
        try require([1, shape.m].contains(counts.0) && [1, shape.n].contains(counts.1), .shape, "scales that do not fit")
        rescaling = .init(inputs: scales, countA: counts.0, countB: counts.1, isSigned: y.type == .int8)
    }
    let kernel = PreparedQuantizedProduct(
        shape, try operand(a, left.type, zero: zeroA, lines: shape.m), try operand(b, right.type, zero: zeroB, lines: shape.n), rescaling,
        device)
    return TunedKernel.Plan(kernel: kernel, workspace: kernel.workspace)
}

private final class PreparedQuantizedProduct: PreparedKernel {
    struct Operand {
        let input, zeros, zeroCount: Int
        let isSigned: Bool
    }

    struct Rescaling {
        let inputs: ScaleInputs
        let countA, countB: Int
        let isSigned: Bool
    }

    private let shape: ProductShape
    private let a, b: Operand
    private let rescaling: Rescaling?
    private let products: QuantizedProduct
    private let pool: ThreadPool

    init(_ shape: ProductShape, _ a: Operand, _ b: Operand, _ rescaling: Rescaling?, _ device: CPUDevice) {
        self.shape = shape
        (self.a, self.b) = (a, b)
        self.rescaling = rescaling
        pool = device.pool
        products = QuantizedProduct(rows: shape.m, depth: shape.k, columns: shape.n, pool: device.pool)
    }

    var workspace: Int { products.rowBytes + products.columnBytes + (rescaling == nil ? 0 : products.sumBytes) }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let memory = try launch.hostWorkspace(atLeast: workspace)
        let (packedA, packedB) = (
            memory.assumingMemoryBound(to: Int16.self), (memory + products.rowBytes).assumingMemoryBound(to: Int16.self)
        )
        let y = try launch.output(0).hostElements()
        var how = cpu_requantization()
        if let rescaling {
            how.row_scales = UnsafeRawPointer(try launch.input(rescaling.inputs.a).hostElements())
            how.column_scales = UnsafeRawPointer(try launch.input(rescaling.inputs.b).hostElements())
            (how.row_scale_count, how.column_scale_count) = (Int64(rescaling.countA), Int64(rescaling.countB))
            how.scale = try launch.input(rescaling.inputs.y).hostElements().loadUnaligned(as: Float.self)
            how.zero = try launch.byte(rescaling.inputs.zeroY, isSigned: rescaling.isSigned)
            how.is_signed = rescaling.isSigned
        }
        var (left, right) = (try matrix(a, launch), try matrix(b, launch))
        (left.row_stride, left.column_stride, right.row_stride, right.column_stride) = (Int64(shape.k), 1, Int64(shape.n), 1)
        let (startA, startB) = (left.elements!, right.elements!)
        let count = shape.m * shape.n
        for index in 0..<shape.left.count {
            if index == 0 || shape.left[index] != shape.left[index - 1] {
                left.elements = startA + shape.left[index] * shape.m * shape.k
                products.packRows(left, packedA)
            }
            if index == 0 || shape.right[index] != shape.right[index - 1] {
                right.elements = startB + shape.right[index] * shape.k * shape.n
                products.packColumns(right, packedB)
            }
            if rescaling == nil {
                let sums = (y + index * count * 4).assumingMemoryBound(to: Int32.self)
                products.multiply(packedA, packedB, columns: shape.n, into: sums, leading: shape.n)
            } else {
                let sums = (memory + products.rowBytes + products.columnBytes).assumingMemoryBound(to: Int32.self)
                products.multiply(packedA, packedB, columns: shape.n, into: sums, leading: shape.n)
                products.requantize(how, sums, columns: shape.n, leading: shape.n, into: y + index * count, leading: shape.n)
            }
        }
    }

    private func matrix(_ operand: Operand, _ launch: LaunchView) throws(PluginFailure) -> cpu_quantized_matrix {
        var matrix = cpu_quantized_matrix()
        matrix.elements = UnsafeRawPointer(try launch.input(operand.input).hostElements())
        if operand.zeroCount > 0 { matrix.zeros = UnsafeRawPointer(try launch.input(operand.zeros).hostElements()) }
        matrix.zero_count = Int64(operand.zeroCount)
        matrix.is_signed = operand.isSigned
        return matrix
    }
}

extension LaunchView {
    /// A zero point: the first element of an 8-bit input.
    func byte(_ index: Int, isSigned: Bool) throws(PluginFailure) -> Int32 {
        let address = try input(index).hostElements()
        return isSigned ? Int32(address.load(as: Int8.self)) : Int32(address.load(as: UInt8.self))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

/// Convolutions of 8-bit numbers with exact sums in int32: products over what the windows see, packed a block of columns at a time.
let quantizedConvolutionKernels = [
    TunedKernel("ConvInteger", since: 10, types: bytes) { node, device throws(Refusal) in
        try convolution(node, w: 1, zeroX: 2, zeroW: 3, scales: nil, device)
    },
    TunedKernel("QLinearConv", since: 10, types: bytes) { node, device throws(Refusal) in
        try convolution(node, w: 3, zeroX: 2, zeroW: 5, scales: (x: 1, w: 4, y: 6, zeroY: 7, bias: 8), device)
    },
]

/// Positions of the inputs that say how sums become 8 bits again.
private typealias ScaleInputs = (x: Int, w: Int, y: Int, zeroY: Int, bias: Int)

private func convolution(
    _ node: NodeView, w weights: Int, zeroX: Int, zeroW: Int, scales: ScaleInputs?, _ device: CPUDevice
) throws(Refusal) -> TunedKernel.Plan {
    let (x, w, y) = (try node.present(input: 0), try node.present(input: weights), try node.present(output: 0))
    try require(x.shape.count == w.shape.count && x.shape.count >= 3, .shape, "ranks that do not fit")
    try require(bytes.contains(x.type) && bytes.contains(w.type), .dataType, "elements of more than 8 bits")
    let groups = Int(node.int("group") ?? 1)
    try require(
        groups > 0 && x.shape[1] == w.shape[1] * groups && w.shape[0] % groups == 0 && y.view.count > 0 && w.view.count > 0, .shape,
        "channels that do not fit")
    try require(node.input(zeroX)?.count ?? 1 == 1, .shape, "more than one zero point of x")
    let filters = w.shape[0]
    let zeros = node.input(zeroW)?.count ?? 0
    try require([0, 1, filters].contains(zeros), .shape, "zero points that do not fit")
    var scaleCount = 1
    if let scales {
        scaleCount = try node.present(input: scales.w).view.count
        try require([1, filters].contains(scaleCount), .shape, "scales that do not fit")
    }
    let geometry = PreparedQuantizedConvolution.Geometry(
        window: try window(node, input: x.shape, output: y.shape, kernel: Array(w.shape.dropFirst(2))), batch: x.shape[0], groups: groups,
        channels: x.shape[1] / groups, filters: filters / groups, taps: product(w.shape.dropFirst(2)),
        inputSize: product(x.shape.dropFirst(2)), outputSize: product(y.shape.dropFirst(2)))
    let kernel = PreparedQuantizedConvolution(
        geometry, x: .init(input: 0, zero: zeroX, isSigned: x.type == .int8),
        w: .init(input: weights, zero: zeroW, isSigned: w.type == .int8),
        zeroCount: zeros, scales: scales, scaleCount: scaleCount, isSigned: y.type == .int8, device)
    return TunedKernel.Plan(kernel: kernel, workspace: kernel.workspace)
}

private final class PreparedQuantizedConvolution: PreparedKernel {
    /// `channels` and `filters` are those of one group.
    struct Geometry {
        let window: cpu_window
        let batch, groups, channels, filters, taps, inputSize, outputSize: Int
    }

    struct Operand {
        let input, zero: Int
        let isSigned: Bool
    }

    private let geometry: Geometry
    private let x, w: Operand
    private let zeroCount, scaleCount: Int
    private let scales: ScaleInputs?
    private let isSigned: Bool
    /// Weights of all groups, and the product of one group and block of columns.
    private let weights, products: QuantizedProduct

    private static let panelElements = 1 << 19

    init(
        _ geometry: Geometry, x: Operand, w: Operand, zeroCount: Int, scales: ScaleInputs?, scaleCount: Int, isSigned: Bool,
        _ device: CPUDevice
    ) {
        self.geometry = geometry
        (self.x, self.w) = (x, w)
        (self.zeroCount, self.scaleCount, self.scales, self.isSigned) = (zeroCount, scaleCount, scales, isSigned)
        let depth = geometry.channels * geometry.taps
        let columns = min(geometry.outputSize, max(Self.panelElements / depth, 256))
        weights = QuantizedProduct(rows: geometry.filters * geometry.groups, depth: depth, columns: 0, pool: device.pool)
        products = QuantizedProduct(rows: geometry.filters, depth: depth, columns: columns, pool: device.pool)
    }

    var workspace: Int { weights.rowBytes + products.columnBytes + (scales == nil ? 0 : products.sumBytes) }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let memory = try launch.hostWorkspace(atLeast: workspace)
        let packedWeights = memory.assumingMemoryBound(to: Int16.self)
        let packed = (memory + weights.rowBytes).assumingMemoryBound(to: Int16.self)
        let sums = (memory + weights.rowBytes + products.columnBytes).assumingMemoryBound(to: Int32.self)
        let input = UnsafeRawPointer(try launch.input(x.input).hostElements())
        let zero = launch.hasInput(x.zero) ? try launch.byte(x.zero, isSigned: x.isSigned) : 0
        let y = try launch.output(0).hostElements()

        var matrix = cpu_quantized_matrix()
        matrix.elements = UnsafeRawPointer(try launch.input(w.input).hostElements())
        if zeroCount > 0 { matrix.zeros = UnsafeRawPointer(try launch.input(w.zero).hostElements()) }
        matrix.zero_count = Int64(zeroCount)
        matrix.is_signed = w.isSigned
        (matrix.row_stride, matrix.column_stride) = (Int64(weights.depth), 1)
        weights.packRows(matrix, packedWeights)

        let how = try requantization(launch)
        let (filters, size) = (geometry.filters, geometry.outputSize)
        let evenDepth = (weights.depth + 1) / 2 * 2
        for index in 0..<(geometry.batch * geometry.groups) {
            let group = index % geometry.groups
            for first in stride(from: 0, to: size, by: products.columns) {
                let count = min(products.columns, size - first)
                products.packWindow(
                    geometry.window, input + index * geometry.channels * geometry.inputSize, isSigned: x.isSigned, zero: zero, first: first,
                    count: count, packed)
                let rows = UnsafePointer(packedWeights + group * filters * evenDepth)
                let start = index * filters * size + first
                if scales == nil {
                    products.multiply(
                        rows, packed, columns: count, into: (y + start * 4).assumingMemoryBound(to: Int32.self), leading: size)
                } else {
                    products.multiply(rows, packed, columns: count, into: sums, leading: products.columns)
                    products.requantize(
                        how.of(group, filters: filters), sums, columns: count, leading: products.columns, into: y + start, leading: size)
                }
            }
        }
    }

    private func requantization(_ launch: LaunchView) throws(PluginFailure) -> cpu_requantization {
        var how = cpu_requantization()
        guard let scales else { return how }
        if launch.hasInput(scales.bias) { how.bias = UnsafeRawPointer(try launch.input(scales.bias).hostElements()) }
        how.row_scales = UnsafeRawPointer(try launch.input(scales.w).hostElements())
        how.column_scales = UnsafeRawPointer(try launch.input(scales.x).hostElements())
        (how.row_scale_count, how.column_scale_count) = (Int64(scaleCount), 1)
        how.scale = try launch.input(scales.y).hostElements().loadUnaligned(as: Float.self)
        how.zero = try launch.byte(scales.zeroY, isSigned: isSigned)
        how.is_signed = isSigned
        return how
    }
}

extension cpu_requantization {
    /// Biases and scales of one group's filters.
    fileprivate func of(_ group: Int, filters: Int) -> cpu_requantization {
        var how = self
        how.bias = bias.map { $0 + group * filters * 4 }
        if row_scale_count > 1 {
            how.row_scales = row_scales + group * filters * 4
            // One filter of several: its scale is then the only one.
            how.row_scale_count = Int64(filters)
        }
        return how
    }
}

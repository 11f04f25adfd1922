// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

/// Convolution as matrix products over what the windows see, laid out a block of columns at a time; depthwise ones directly.
let convolutionKernels = [
    TunedKernel("Conv", since: 1, types: TypeSet(.float32, .float64), widens: true) { node, device throws(Refusal) in
        try convolution(node, device, chain: nil)
    },
    TunedKernel("FusedConv", domain: FusedStep.domain, since: 1, types: TypeSet(.float32, .float64)) { node, device throws(Refusal) in
        let y = try node.present(output: 0)
        return try convolution(node, device, chain: try ElementwiseChain(node, y.type, shape: y.shape, operandsFrom: 3))
    },
]

private func convolution(_ node: NodeView, _ device: CPUDevice, chain: ElementwiseChain?) throws(Refusal) -> TunedKernel.Plan {
    let (x, w, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
    try node.requireType(x.type)
    try require(x.shape.count == w.shape.count && x.shape.count >= 3, .shape, "ranks that do not fit")
    let groups = Int(node.int("group") ?? 1)
    try require(
        groups > 0 && x.shape[1] == w.shape[1] * groups && w.shape[0] % groups == 0 && y.view.count > 0 && w.view.count > 0, .shape,
        "channels that do not fit")
    let window = try window(node, input: x.shape, output: y.shape, kernel: Array(w.shape.dropFirst(2)))
    let kernel = PreparedConvolution(
        window, x.type, batch: x.shape[0], channels: x.shape[1], filters: w.shape[0], groups: groups,
        taps: product(w.shape.dropFirst(2)),
        inputSize: product(x.shape.dropFirst(2)), outputSize: product(y.shape.dropFirst(2)), chain, device)
    return TunedKernel.Plan(kernel: kernel, workspace: kernel.workspace)
}

private final class PreparedConvolution: PreparedKernel {
    private struct Unfold {
        let window: cpu_window
        let isDouble: Bool
        let x: UnsafeRawPointer
        let panel: UnsafeMutableRawPointer
        let columns, first: Int
    }

    private struct Fill {
        let bias: UnsafeRawPointer?
        let y: UnsafeMutableRawPointer
        let size: Int
        let isDouble: Bool
    }

    private struct Depthwise {
        let window: cpu_window
        let channels, multiplier: Int
        let x, weights: UnsafeRawPointer
        let bias: UnsafeRawPointer?
        let y: UnsafeMutableRawPointer
    }

    private let window: cpu_window
    private let isDouble: Bool
    private let batch, channels, filters, groups, taps, inputSize, outputSize: Int
    /// Columns that are laid out at a time: so many that the panel stays in a cache, and at least enough for the product's blocks.
    private let columns: Int
    /// Runs over each part of the output while it is still in a cache.
    private let chain: ElementwiseChain?
    private let pool: ThreadPool
    private let products: MatrixProduct

    private static let panelElements = 1 << 19

    init(
        _ window: cpu_window, _ type: DataType, batch: Int, channels: Int, filters: Int, groups: Int, taps: Int, inputSize: Int,
        outputSize: Int,
        _ chain: ElementwiseChain?, _ device: CPUDevice
    ) {
        self.chain = chain
        self.window = window
        isDouble = type == .float64
        (self.batch, self.channels, self.filters, self.groups, self.taps) = (batch, channels, filters, groups, taps)
        (self.inputSize, self.outputSize) = (inputSize, outputSize)
        columns = min(outputSize, max(Self.panelElements / (channels / groups * taps), 256))
        pool = device.pool
        products = device.products
    }

    private var isDepthwise: Bool { channels == groups && taps > 1 && !isDouble }
    private var elementBytes: Int { isDouble ? 8 : 4 }

    var workspace: Int { isDepthwise || window.isPointwise ? 0 : channels / groups * taps * columns * elementBytes }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let x = UnsafeRawPointer(try launch.input(0).hostElements())
        let w = UnsafeRawPointer(try launch.input(1).hostElements())
        let bias: UnsafeRawPointer? = launch.hasInput(2) ? UnsafeRawPointer(try launch.input(2).hostElements()) : nil
        let y = try launch.output(0).hostElements()
        let steps = try chain?.task(launch, from: y, to: y, operandsFrom: 3)
        if isDepthwise {
            let task = Depthwise(window: window, channels: filters, multiplier: filters / channels, x: x, weights: w, bias: bias, y: y)
            pool.parallel(batch * filters, grain: max(elementGrain / (outputSize * taps), 1), with: task) { task, begin, end in
                let task = task!.assumingMemoryBound(to: Depthwise.self).pointee
                withUnsafePointer(to: task.window) {
                    cpu_depthwise_float32(
                        $0, Int64(task.channels), Int64(task.multiplier), task.x, task.weights, task.bias, task.y, Int64(begin), Int64(end))
                }
            }
            if let steps { pool.run(steps, 0, batch * filters * outputSize) }
            return
        }
        let panel = workspace > 0 ? try launch.hostWorkspace(atLeast: workspace) : nil
        let (depth, rows) = (channels / groups * taps, filters / groups)
        for index in 0..<(batch * groups) {
            let group = index % groups
            let input = x + index * (channels / groups) * inputSize * elementBytes
            let output = y + index * rows * outputSize * elementBytes
            let weights = w + group * rows * depth * elementBytes
            if let bias {
                let fill = Fill(bias: bias + group * rows * elementBytes, y: output, size: outputSize, isDouble: isDouble)
                pool.parallel(rows, grain: max(elementGrain / outputSize, 1), with: fill) { context, begin, end in
                    let fill = context!.assumingMemoryBound(to: Fill.self).pointee
                    let size = Int64(fill.size)
                    if fill.isDouble {
                        cpu_fill_rows_float64(fill.bias, fill.y, size, size, Int64(begin), Int64(end))
                    } else {
                        cpu_fill_rows_float32(fill.bias, fill.y, size, size, Int64(begin), Int64(end))
                    }
                }
            }
            for first in stride(from: 0, to: outputSize, by: panel == nil ? outputSize : columns) {
                let count = panel == nil ? outputSize : min(columns, outputSize - first)
                var layout = MatrixProduct.Layout(m: rows, n: count, k: depth)
                layout.ldc = outputSize
                if let panel {
                    unfold(Unfold(window: window, isDouble: isDouble, x: input, panel: panel, columns: count, first: first), depth)
                }
                let source = panel.map { UnsafeRawPointer($0) } ?? input
                multiply(layout, weights, source, adding: bias != nil, output + first * elementBytes)
            }
            if let steps { pool.run(steps, index * rows * outputSize, (index + 1) * rows * outputSize) }
        }
    }

    private func unfold(_ task: Unfold, _ depth: Int) {
        pool.parallel(depth, grain: max(elementGrain / task.columns, 1), with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Unfold.self).pointee
            let (columns, first) = (Int64(task.columns), Int64(task.first))
            withUnsafePointer(to: task.window) {
                if task.isDouble {
                    let panel = task.panel + begin * task.columns * 8
                    cpu_im2col_float64($0, task.x, panel, columns, first, first + columns, Int64(begin), Int64(end))
                } else {
                    let panel = task.panel + begin * task.columns * 4
                    cpu_im2col_float32($0, task.x, panel, columns, first, first + columns, Int64(begin), Int64(end))
                }
            }
        }
    }

    private func multiply(
        _ layout: MatrixProduct.Layout, _ weights: UnsafeRawPointer, _ source: UnsafeRawPointer, adding: Bool,
        _ output: UnsafeMutableRawPointer
    ) {
        if isDouble {
            products.dgemm(
                layout, .single, weights.assumingMemoryBound(to: Double.self), source.assumingMemoryBound(to: Double.self),
                beta: adding ? 1 : 0, output.assumingMemoryBound(to: Double.self))
        } else {
            products.sgemm(
                layout, .single, weights.assumingMemoryBound(to: Float.self), source.assumingMemoryBound(to: Float.self),
                beta: adding ? 1 : 0, output.assumingMemoryBound(to: Float.self))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

/// Convolution as matrix products over what the windows see, laid out a block of columns at a time; depthwise ones directly.
let convolutionKernels = [
    TunedKernel("Conv", since: 1, types: TypeSet(.float32), widens: true) { node, device throws(Refusal) in
        try node.requireType(.float32)
        let (x, w, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
        try require(x.shape.count == w.shape.count && x.shape.count >= 3, .shape, "ranks that do not fit")
        let groups = Int(node.int("group") ?? 1)
        try require(
            groups > 0 && x.shape[1] == w.shape[1] * groups && w.shape[0] % groups == 0 && y.view.count > 0 && w.view.count > 0, .shape,
            "channels that do not fit")
        let window = try window(node, input: x.shape, output: y.shape, kernel: Array(w.shape.dropFirst(2)))
        let kernel = PreparedConvolution(
            window, batch: x.shape[0], channels: x.shape[1], filters: w.shape[0], groups: groups, taps: product(w.shape.dropFirst(2)),
            inputSize: product(x.shape.dropFirst(2)), outputSize: product(y.shape.dropFirst(2)), device)
        return TunedKernel.Plan(kernel: kernel, workspace: kernel.workspace)
    }
]

private final class PreparedConvolution: PreparedKernel {
    private struct Unfold {
        let window: cpu_window
        let x: UnsafeRawPointer
        let panel: UnsafeMutablePointer<Float>
        let columns, first: Int
    }

    private struct Fill {
        let bias: UnsafeRawPointer?
        let y: UnsafeMutableRawPointer
        let size: Int
    }

    private struct Depthwise {
        let window: cpu_window
        let channels, multiplier: Int
        let x, weights: UnsafeRawPointer
        let bias: UnsafeRawPointer?
        let y: UnsafeMutableRawPointer
    }

    private let window: cpu_window
    private let batch, channels, filters, groups, taps, inputSize, outputSize: Int
    /// Columns that are laid out at a time: so many that the panel stays in a cache, and at least enough for the product's blocks.
    private let columns: Int
    private let pool: ThreadPool
    private let products: MatrixProduct

    private static let panelElements = 1 << 19

    init(
        _ window: cpu_window, batch: Int, channels: Int, filters: Int, groups: Int, taps: Int, inputSize: Int, outputSize: Int,
        _ device: CPUDevice
    ) {
        self.window = window
        (self.batch, self.channels, self.filters, self.groups, self.taps) = (batch, channels, filters, groups, taps)
        (self.inputSize, self.outputSize) = (inputSize, outputSize)
        columns = min(outputSize, max(Self.panelElements / (channels / groups * taps), 256))
        pool = device.pool
        products = device.products
    }

    private var isDepthwise: Bool { channels == groups && taps > 1 }

    var workspace: Int { isDepthwise || window.isPointwise ? 0 : channels / groups * taps * columns * MemoryLayout<Float>.size }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let x = UnsafeRawPointer(try launch.input(0).hostElements())
        let w = UnsafeRawPointer(try launch.input(1).hostElements())
        let bias: UnsafeRawPointer? = launch.hasInput(2) ? UnsafeRawPointer(try launch.input(2).hostElements()) : nil
        let y = try launch.output(0).hostElements()
        if isDepthwise {
            let task = Depthwise(window: window, channels: filters, multiplier: filters / channels, x: x, weights: w, bias: bias, y: y)
            pool.parallel(batch * filters, grain: max(elementGrain / (outputSize * taps), 1), with: task) { task, begin, end in
                let task = task!.assumingMemoryBound(to: Depthwise.self).pointee
                withUnsafePointer(to: task.window) {
                    cpu_depthwise_float32(
                        $0, Int64(task.channels), Int64(task.multiplier), task.x, task.weights, task.bias, task.y, Int64(begin), Int64(end))
                }
            }
            return
        }
        let panel = workspace > 0 ? try launch.hostWorkspace(atLeast: workspace).assumingMemoryBound(to: Float.self) : nil
        let (depth, rows) = (channels / groups * taps, filters / groups)
        for index in 0..<(batch * groups) {
            let group = index % groups
            let input = x + index * (channels / groups) * inputSize * 4
            let output = y + index * rows * outputSize * 4
            let weights = (w + group * rows * depth * 4).assumingMemoryBound(to: Float.self)
            if let bias {
                pool.parallel(
                    rows, grain: max(elementGrain / outputSize, 1), with: Fill(bias: bias + group * rows * 4, y: output, size: outputSize)
                ) {
                    context, begin, end in
                    let fill = context!.assumingMemoryBound(to: Fill.self).pointee
                    cpu_fill_rows_float32(fill.bias, fill.y, Int64(fill.size), Int64(fill.size), Int64(begin), Int64(end))
                }
            }
            for first in stride(from: 0, to: outputSize, by: panel == nil ? outputSize : columns) {
                let count = panel == nil ? outputSize : min(columns, outputSize - first)
                var layout = MatrixProduct.Layout(m: rows, n: count, k: depth)
                layout.ldc = outputSize
                let source: UnsafePointer<Float>
                if let panel {
                    let task = Unfold(window: window, x: input, panel: panel, columns: count, first: first)
                    pool.parallel(depth, grain: max(elementGrain / count, 1), with: task) { context, begin, end in
                        let task = context!.assumingMemoryBound(to: Unfold.self).pointee
                        withUnsafePointer(to: task.window) {
                            cpu_im2col_float32(
                                $0, task.x, task.panel + begin * task.columns, Int64(task.columns), Int64(task.first),
                                Int64(task.first + task.columns), Int64(begin), Int64(end))
                        }
                    }
                    source = UnsafePointer(panel)
                } else {
                    source = input.assumingMemoryBound(to: Float.self)
                }
                products.sgemm(
                    layout, .single, weights, source, beta: bias == nil ? 0 : 1, (output + first * 4).assumingMemoryBound(to: Float.self))
            }
        }
    }
}

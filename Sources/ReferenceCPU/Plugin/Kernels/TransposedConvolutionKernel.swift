// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

/// Transposed convolution: the product of turned weights and input gives what every window adds to the image.
let transposedConvolutionKernels = [
    TunedKernel("ConvTranspose", since: 1, types: TypeSet(.float32), widens: true) { node, device throws(Refusal) in
        try node.requireType(.float32)
        let (x, w, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
        try require(x.shape.count == w.shape.count && x.shape.count >= 3, .shape, "ranks that do not fit")
        let automatic = node.string("auto_pad") ?? "NOTSET"
        try require(["NOTSET", "VALID", ""].contains(automatic) && node.ints("output_shape") == nil, .attribute, "pads to be found out")
        let groups = Int(node.int("group") ?? 1)
        try require(
            groups > 0 && x.shape[1] == w.shape[0] && x.shape[1] % groups == 0 && y.view.count > 0 && x.view.count > 0
                && w.view.count > 0, .shape, "channels that do not fit")
        // The window of the convolution that is turned round: it reads our output and writes our input.
        let window = try window(node, input: y.shape, output: x.shape, kernel: Array(w.shape.dropFirst(2)))
        let kernel = PreparedTransposedConvolution(
            window, batch: x.shape[0], groups: groups, inputChannels: x.shape[1] / groups, outputChannels: w.shape[1],
            taps: product(w.shape.dropFirst(2)), inputSize: product(x.shape.dropFirst(2)), outputSize: product(y.shape.dropFirst(2)), device
        )
        return TunedKernel.Plan(kernel: kernel, workspace: kernel.workspace)
    }
]

private final class PreparedTransposedConvolution: PreparedKernel {
    private struct Fold {
        let window: cpu_window
        let columns: UnsafeMutablePointer<Float>
        let bias: UnsafeRawPointer?
        let y: UnsafeMutableRawPointer
    }

    private let window: cpu_window
    /// Channels are those of one group.
    private let batch, groups, inputChannels, outputChannels, taps, inputSize, outputSize: Int
    private let pool: ThreadPool
    private let products: MatrixProduct

    init(
        _ window: cpu_window, batch: Int, groups: Int, inputChannels: Int, outputChannels: Int, taps: Int, inputSize: Int, outputSize: Int,
        _ device: CPUDevice
    ) {
        self.window = window
        (self.batch, self.groups, self.inputChannels, self.outputChannels) = (batch, groups, inputChannels, outputChannels)
        (self.taps, self.inputSize, self.outputSize) = (taps, inputSize, outputSize)
        pool = device.pool
        products = device.products
    }

    var workspace: Int { outputChannels * taps * inputSize * MemoryLayout<Float>.size }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let x = try launch.input(0).hostElements()
        let w = try launch.input(1).hostElements()
        let bias: UnsafeRawPointer? = launch.hasInput(2) ? UnsafeRawPointer(try launch.input(2).hostElements()) : nil
        let y = try launch.output(0).hostElements()
        let columns = try launch.hostWorkspace(atLeast: workspace).assumingMemoryBound(to: Float.self)
        let depth = outputChannels * taps
        let layout = MatrixProduct.Layout(m: depth, n: inputSize, k: inputChannels, transposeA: true)
        for index in 0..<(batch * groups) {
            let group = index % groups
            products.sgemm(
                layout, .single, (w + group * inputChannels * depth * 4).assumingMemoryBound(to: Float.self),
                (x + index * inputChannels * inputSize * 4).assumingMemoryBound(to: Float.self), columns)
            let task = Fold(
                window: window, columns: columns, bias: bias.map { $0 + group * outputChannels * 4 },
                y: y + index * outputChannels * outputSize * 4)
            pool.parallel(outputChannels, grain: max(elementGrain / (taps * inputSize), 1), with: task) { context, begin, end in
                let task = context!.assumingMemoryBound(to: Fold.self).pointee
                withUnsafePointer(to: task.window) { cpu_col2im_float32($0, task.columns, task.bias, task.y, Int64(begin), Int64(end)) }
            }
        }
    }
}

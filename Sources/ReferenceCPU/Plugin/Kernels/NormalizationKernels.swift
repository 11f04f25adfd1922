// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let float32 = TypeSet(.float32)

let normalizationKernels = [
    TunedKernel("BatchNormalization", since: 7, types: float32, widens: true) { node, device throws(Refusal) in
        try node.requireType(.float32)
        try node.requireOutputs(1)
        try require(node.int("training_mode") ?? 0 == 0, .attribute, "training")
        try require(node.int("spatial") ?? 1 != 0, .attribute, "statistics per element")
        let x = try node.present(input: 0)
        try require(x.shape.count >= 2, .shape, "no channels")
        return plan(
            .batchNormalization(channels: x.shape[1], size: product(x.shape.dropFirst(2)), epsilon: node.float("epsilon") ?? 1e-5),
            items: x.shape[0] * x.shape[1], size: product(x.shape.dropFirst(2)), inputs: 5, device)
    },
    TunedKernel("LRN", since: 1, types: float32, widens: true) { node, device throws(Refusal) in
        let x = try node.present(input: 0)
        try require(x.shape.count >= 2, .shape, "no channels")
        guard let window = node.int("size") else { throw Refusal(.attribute, "no size") }
        let size = product(x.shape.dropFirst(2))
        return plan(
            .lrn(
                channels: x.shape[1], size: size, window: Int(window), alpha: node.float("alpha") ?? 1e-4, beta: node.float("beta") ?? 0.75,
                bias: node.float("bias") ?? 1),
            items: x.shape[0] * size, size: x.shape[1] * Int(window), inputs: 1, device)
    },
    TunedKernel("Softmax", since: 1, types: float32, widens: true) { node, device throws(Refusal) in try softmax(node, device, logarithm: false) },
    TunedKernel("LogSoftmax", since: 1, types: float32, widens: true) { node, device throws(Refusal) in try softmax(node, device, logarithm: true) },
    TunedKernel("LayerNormalization", since: 17, types: float32, widens: true) { node, device throws(Refusal) in
        try node.requireType(.float32)
        try require(node.int("stash_type") ?? 1 == 1, .attribute, "statistics in another type")
        let (x, scale) = (try node.present(input: 0), try node.present(input: 1))
        let axis = try node.axis(Int(node.int("axis") ?? -1), rank: x.shape.count)
        let normalized = Array(x.shape[axis...])
        try require(
            scale.shape == normalized && (node.input(2)?.dimensions ?? normalized) == normalized, .shape, "scale or bias that broadcasts")
        let length = product(normalized)
        return plan(
            .layerNormalization(length: length, epsilon: node.float("epsilon") ?? 1e-5), items: product(x.shape[..<axis]), size: length,
            inputs: 3,
            device)
    },
]

private func softmax(_ node: NodeView, _ device: CPUDevice, logarithm: Bool) throws(Refusal) -> TunedKernel.Plan {
    let x = try node.present(input: 0)
    let axis = try node.axis(Int(node.int("axis") ?? (node.version < 13 ? 1 : -1)), rank: x.shape.count)
    // Before version 13 everything from the axis on is one softmax.
    let length = node.version < 13 ? product(x.shape[axis...]) : x.shape[axis]
    let inner = node.version < 13 ? 1 : product(x.shape[(axis + 1)...])
    return plan(
        .softmax(length: length, inner: inner, logarithm: logarithm), items: product(x.shape[..<axis]) * inner, size: length, inputs: 1,
        device)
}

/// The loop of one operator, with everything that does not change between launches.
private enum Loop {
    case batchNormalization(channels: Int, size: Int, epsilon: Float)
    case lrn(channels: Int, size: Int, window: Int, alpha: Float, beta: Float, bias: Float)
    case softmax(length: Int, inner: Int, logarithm: Bool)
    case layerNormalization(length: Int, epsilon: Float)
}

private func plan(_ loop: Loop, items: Int, size: Int, inputs: Int, _ device: CPUDevice) -> TunedKernel.Plan {
    TunedKernel.Plan(kernel: PreparedLoop(loop, items: items, grain: max(elementGrain / max(size, 1), 1), inputs: inputs, device))
}

private final class PreparedLoop: PreparedKernel {
    private struct Task {
        let loop: Loop
        var x: UnsafeMutableRawPointer
        var y: UnsafeMutableRawPointer
        /// The inputs and the outputs after the first; nil where left out.
        var more: (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?)
        var outputs: (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?)

        func run(_ begin: Int64, _ end: Int64) {
            switch loop {
            case .batchNormalization(let channels, let size, let epsilon):
                cpu_batch_normalization_float32(Int64(channels), Int64(size), epsilon, x, more.0, more.1, more.2, more.3, y, begin, end)
            case .lrn(let channels, let size, let window, let alpha, let beta, let bias):
                cpu_lrn_float32(Int64(channels), Int64(size), Int64(window), alpha, beta, bias, x, y, begin, end)
            case .softmax(let length, let inner, let logarithm):
                cpu_softmax_float32(Int64(length), Int64(inner), logarithm, x, y, begin, end)
            case .layerNormalization(let length, let epsilon):
                cpu_layer_normalization_float32(Int64(length), epsilon, x, more.0, more.1, y, outputs.0, outputs.1, begin, end)
            }
        }
    }

    private let loop: Loop
    private let items, grain, inputs: Int
    private let pool: ThreadPool

    init(_ loop: Loop, items: Int, grain: Int, inputs: Int, _ device: CPUDevice) {
        self.loop = loop
        (self.items, self.grain, self.inputs) = (items, grain, inputs)
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        var task = Task(
            loop: loop, x: try launch.input(0).hostElements(), y: try launch.output(0).hostElements(), more: (nil, nil, nil, nil),
            outputs: (nil, nil))
        if inputs > 1 {
            task.more.0 = launch.hasInput(1) ? try launch.input(1).hostElements() : nil
            task.more.1 = launch.hasInput(2) ? try launch.input(2).hostElements() : nil
            task.more.2 = launch.hasInput(3) ? try launch.input(3).hostElements() : nil
            task.more.3 = launch.hasInput(4) ? try launch.input(4).hostElements() : nil
        }
        task.outputs.0 = launch.hasOutput(1) ? try launch.output(1).hostElements() : nil
        task.outputs.1 = launch.hasOutput(2) ? try launch.output(2).hostElements() : nil
        pool.parallel(items, grain: grain, with: task) { task, begin, end in
            task!.assumingMemoryBound(to: Task.self).pointee.run(Int64(begin), Int64(end))
        }
    }
}

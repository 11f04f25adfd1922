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
    TunedKernel("Softmax", since: 1, types: float32, widens: true) { node, device throws(Refusal) in
        try softmax(node, device, logarithm: false)
    },
    TunedKernel("LogSoftmax", since: 1, types: float32, widens: true) { node, device throws(Refusal) in
        try softmax(node, device, logarithm: true)
    },
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
    TunedKernel("RMSNormalization", since: 23, types: float32, widens: true) { node, device throws(Refusal) in
        try node.requireType(.float32)
        try require(node.int("stash_type") ?? 1 == 1, .attribute, "statistics in another type")
        let (x, scale) = (try node.present(input: 0), try node.present(input: 1))
        let axis = try node.axis(Int(node.int("axis") ?? -1), rank: x.shape.count)
        let normalized = Array(x.shape[axis...])
        try require(scale.shape == normalized && x.view.count > 0, .shape, "a scale that broadcasts")
        let length = product(normalized)
        return plan(
            .rmsNormalization(length: length, epsilon: node.float("epsilon") ?? 1e-5), items: product(x.shape[..<axis]), size: length,
            inputs: 2, device)
    },
    TunedKernel("InstanceNormalization", since: 6, types: float32, widens: true) { node, device throws(Refusal) in
        let x = try node.present(input: 0)
        try require(x.shape.count >= 3, .shape, "no channels")
        return try groupNormalization(node, groups: x.shape[1], channelsPerScale: 1, x.shape, device)
    },
    TunedKernel("GroupNormalization", since: 18, types: float32, widens: true) { node, device throws(Refusal) in
        try require(node.int("stash_type") ?? 1 == 1, .attribute, "statistics in another type")
        let x = try node.present(input: 0)
        guard let groups = node.int("num_groups").map({ Int($0) }), groups > 0, x.shape.count >= 2, x.shape[1] % groups == 0 else {
            throw Refusal(.attribute, "groups that do not fit")
        }
        // Before version 21 scale and bias were given per group.
        return try groupNormalization(
            node, groups: groups, channelsPerScale: node.version < 21 ? max(x.shape[1] / groups, 1) : 1, x.shape, device)
    },
    TunedKernel("LpNormalization", since: 1, types: float32, widens: true) { node, device throws(Refusal) in
        let x = try node.present(input: 0)
        let (axis, p) = (try node.axis(Int(node.int("axis") ?? -1), rank: x.shape.count), node.int("p") ?? 2)
        try require(p == 1 || p == 2, .attribute, "p of \(p)")
        let inner = product(x.shape[(axis + 1)...])
        return plan(
            .lpNormalization(length: x.shape[axis], inner: inner, isEuclidean: p == 2), items: product(x.shape[..<axis]) * inner,
            size: x.shape[axis], inputs: 1, device)
    },
    TunedKernel("MeanVarianceNormalization", since: 9, types: float32, widens: true) { node, device throws(Refusal) in
        let x = try node.present(input: 0)
        try require(x.view.count > 0, .shape, "no element")
        var axes: Set<Int> = []
        for axis in node.ints("axes").map({ $0.map { Int($0) } }) ?? [0, 2, 3] { axes.insert(try node.axis(axis, rank: x.shape.count)) }
        let strides = dense(x.shape)
        let (kept, reduced) = (x.shape.indices.filter { !axes.contains($0) }, x.shape.indices.filter { axes.contains($0) })
        func walk(_ axes: [Int]) throws(Refusal) -> Walk { try Walk(axes.map { x.shape[$0] }, [axes.map { strides[$0] }]) }
        let items = product(kept.map { x.shape[$0] })
        return plan(
            .meanVarianceNormalization(kept: try walk(kept), reduced: try walk(reduced)), items: items, size: x.view.count / items,
            inputs: 1,
            device)
    },
]

private func groupNormalization(
    _ node: NodeView, groups: Int, channelsPerScale: Int, _ x: [Int], _ device: CPUDevice
) throws(Refusal) -> TunedKernel.Plan {
    try node.requireType(.float32)
    try require(x.count >= 2 && groups > 0 && x[1] % groups == 0 && !x.contains(0), .shape, "groups that do not fit")
    let (plane, channels) = (product(x.dropFirst(2)), x[1] / groups / channelsPerScale)
    return plan(
        .groupNormalization(groups: groups, channels: channels, size: plane * channelsPerScale, epsilon: node.float("epsilon") ?? 1e-5),
        items: x[0] * groups, size: x[1] / groups * plane, inputs: 3, device)
}

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
    case rmsNormalization(length: Int, epsilon: Float)
    case groupNormalization(groups: Int, channels: Int, size: Int, epsilon: Float)
    case lpNormalization(length: Int, inner: Int, isEuclidean: Bool)
    case meanVarianceNormalization(kept: Walk, reduced: Walk)
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
            case .rmsNormalization(let length, let epsilon): cpu_rms_normalization_float32(Int64(length), epsilon, x, more.0, y, begin, end)
            case .groupNormalization(let groups, let channels, let size, let epsilon):
                cpu_group_normalization_float32(Int64(groups), Int64(channels), Int64(size), epsilon, x, more.0, more.1, y, begin, end)
            case .lpNormalization(let length, let inner, let isEuclidean):
                cpu_lp_normalization_float32(Int64(length), Int64(inner), isEuclidean, x, y, begin, end)
            case .meanVarianceNormalization(let kept, let reduced):
                cpu_mean_variance_normalization_float32(kept.address, reduced.address, x, y, begin, end)
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

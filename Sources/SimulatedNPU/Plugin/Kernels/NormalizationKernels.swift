// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Mean and variance of lines of `count` elements, in two passes over the line.
private func statistics(_ x: Term, _ count: Double) -> (distance: Term, mean: Term, variance: Term) {
    let mean = Term.sum(x) / .constant(count)
    let distance = x - mean
    return (distance, mean, .reduction(NPU_V_SUM_OF_SQUARES, distance) / .constant(count))
}

private func inverseDeviation(_ variance: Term, _ node: NodeView, default epsilon: Float = 1e-5) -> Term {
    1 / .squareRoot(variance + .constant(Double(node.float("epsilon") ?? epsilon)))
}

/// Lines from `axes` of a tensor of shape `shape`, with gains and biases that have a stride (or 0) for each axis.
private func normalize(
    _ node: NodeView, _ lowering: inout VectorLowering, shape: [Int], along axes: Set<Int>, gain: [Int]?, bias: [Int]?,
    _ normalized: (Term, Double) -> (value: Term, statistics: [Term])
) throws(Refusal) {
    let (x, lines) = (try node.operand(input: 0), LineSpace(shape, along: axes))
    try require(lines.length > 0, .shape, "nothing to normalise")
    var inputs = [try lowering.input(0, x, strides: lines.denseStrides)]
    var (value, statistics) = normalized(.input(0, inputs[0].type), Double(lines.length))
    for (index, strides) in [(1, gain), (2, bias)] {
        guard let strides, node.input(index) != nil else { continue }
        inputs.append(try lowering.input(index, try node.operand(input: index), strides: lines.strides(strides)))
        let operand = Term.input(inputs.count - 1, inputs.last!.type)
        value = index == 1 ? value * operand : value + operand
    }
    var outputs = [(value, try lowering.output(0, try node.operand(output: 0), strides: lines.denseStrides))]
    for (index, statistic) in statistics.enumerated() where node.output(index + 1) != nil {
        outputs.append((statistic, try lowering.output(index + 1, try node.operand(output: index + 1), strides: lines.lineStrides)))
    }
    lowering.add(VectorPhase(lines.sizes, columns: lines.columns, inputs: inputs, outputs: outputs))
}

private func softmax(_ node: NodeView, _ lowering: inout VectorLowering, _ result: (Term) -> Term) throws(Refusal) {
    let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
    if x.count == 0 { return }
    let axis = try node.axis(default: node.version < 13 ? 1 : -1, rank: x.shape.count)
    // Before version 13 everything from the axis on is one line.
    let lines = LineSpace(x.shape, along: node.version < 13 ? Set(axis..<x.shape.count) : [axis])
    let input = try lowering.input(0, x, strides: lines.denseStrides)
    lowering.add(
        VectorPhase(
            lines.sizes, columns: lines.columns, inputs: [input],
            outputs: [(result(.input(0, input.type)), try lowering.output(0, y, strides: lines.denseStrides))]))
}

let normalizationKernels = [
    vectorKernel("Softmax", since: 1, types: floatTypes, numerics: approximateFunctions) { node, lowering throws(Refusal) in
        try softmax(node, &lowering) { x in
            let weight = Term.exp(x - .greatest(x))
            return weight / .sum(weight)
        }
    },
    vectorKernel("LogSoftmax", since: 1, types: floatTypes, numerics: approximateFunctions) { node, lowering throws(Refusal) in
        try softmax(node, &lowering) { x in
            let distance = x - .greatest(x)
            return distance - .log(.sum(.exp(distance)))
        }
    },
    vectorKernel("LayerNormalization", since: 17, types: floatTypes) { node, lowering throws(Refusal) in
        let (x, scale) = (try node.operand(input: 0), try node.operand(input: 1))
        try require(node.int("stash_type") ?? 1 == 1, .attribute, "statistics in another type")
        let axis = try node.axis(default: -1, rank: x.shape.count)
        try normalize(
            node, &lowering, shape: x.shape, along: Set(axis..<x.shape.count), gain: broadcastStrides(scale.shape, to: x.shape),
            bias: node.input(2) == nil ? nil : broadcastStrides(node.operand(input: 2).shape, to: x.shape)
        ) { x, count in
            let (distance, mean, variance) = statistics(x, count)
            let inverse = inverseDeviation(variance, node)
            return (distance * inverse, [mean, inverse])
        }
    },
    vectorKernel("RMSNormalization", since: 23, types: floatTypes) { node, lowering throws(Refusal) in
        let (x, scale) = (try node.operand(input: 0), try node.operand(input: 1))
        try require(node.int("stash_type") ?? 1 == 1, .attribute, "statistics in another type")
        let axis = try node.axis(default: -1, rank: x.shape.count)
        try normalize(
            node, &lowering, shape: x.shape, along: Set(axis..<x.shape.count), gain: broadcastStrides(scale.shape, to: x.shape), bias: nil
        ) { x, count in (x * inverseDeviation(.reduction(NPU_V_SUM_OF_SQUARES, x) / .constant(count), node), []) }
    },
    vectorKernel("InstanceNormalization", since: 6, types: floatTypes) { node, lowering throws(Refusal) in
        let shape = try node.operand(input: 0).shape
        try require(shape.count >= 3, .shape, "no channels")
        let channels = shape.indices.map { $0 == 1 ? 1 : 0 }
        try normalize(node, &lowering, shape: shape, along: Set(2..<shape.count), gain: channels, bias: channels) { x, count in
            let (distance, _, variance) = statistics(x, count)
            return (distance * inverseDeviation(variance, node), [])
        }
    },
    vectorKernel("GroupNormalization", since: 18, types: floatTypes) { node, lowering throws(Refusal) in
        let x = try node.operand(input: 0)
        try require(node.int("stash_type") ?? 1 == 1, .attribute, "statistics in another type")
        guard let groups = node.int("num_groups").map({ Int($0) }), groups > 0, x.shape.count >= 2, x.shape[1] % groups == 0 else {
            throw Refusal(.attribute, "groups that do not fit")
        }
        let size = x.shape[1] / groups
        // Before version 21 scale and bias were given per group.
        let strides = (node.version < 21 ? [0, 1, 0] : [0, size, 1]) + x.shape.dropFirst(2).map { _ in 0 }
        let shape = [x.shape[0], groups, size] + x.shape.dropFirst(2)
        try normalize(node, &lowering, shape: shape, along: Set(2..<shape.count), gain: strides, bias: strides) { x, count in
            let (distance, _, variance) = statistics(x, count)
            return (distance * inverseDeviation(variance, node), [])
        }
    },
    vectorKernel("MeanVarianceNormalization", since: 9, types: floatTypes) { node, lowering throws(Refusal) in
        let shape = try node.operand(input: 0).shape
        var axes: Set<Int> = []
        for axis in node.ints("axes").map({ $0.map { Int($0) } }) ?? [0, 2, 3] { axes.insert(try node.axis(axis, rank: shape.count)) }
        try normalize(node, &lowering, shape: shape, along: axes, gain: nil, bias: nil) { x, count in
            let (distance, _, variance) = statistics(x, count)
            return (distance / (.squareRoot(variance) + 1e-9), [])
        }
    },
    vectorKernel("LpNormalization", since: 1, types: floatTypes) { node, lowering throws(Refusal) in
        let shape = try node.operand(input: 0).shape
        let axis = try node.axis(default: -1, rank: shape.count)
        let p = node.int("p") ?? 2
        try require(p == 1 || p == 2, .attribute, "p of \(p)")
        try normalize(node, &lowering, shape: shape, along: [axis], gain: nil, bias: nil) { x, _ in
            let norm =
                p == 1 ? Term.reduction(NPU_V_SUM_OF_MAGNITUDES, x) : .squareRoot(.reduction(NPU_V_SUM_OF_SQUARES, x))
            return (x / .select(.operation(NPU_V_EQUAL, norm, 0), 1, norm), [])
        }
    },
    vectorKernel("BatchNormalization", since: 7, types: floatTypes) { node, lowering throws(Refusal) in
        try node.requireOutputs(1)
        try require(node.int("training_mode") ?? 0 == 0, .attribute, "training")
        try require(node.int("spatial") ?? 1 != 0, .attribute, "statistics per element")
        let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
        let axis = x.shape.count > 1 ? 1 : 0
        try require(!x.shape.isEmpty, .shape, "no channels")
        var inputs = [try lowering.input(0, x)]
        for index in 1...4 {
            inputs.append(
                try lowering.input(
                    index, try node.operand(input: index), strides: x.shape.indices.map { $0 == axis && x.shape.count > 1 ? 1 : 0 }))
        }
        let terms = inputs.enumerated().map { Term.input($0.offset, $0.element.type) }
        // Both constants of a channel are computed once per row, not per element.
        let factor = terms[1] * inverseDeviation(terms[4], node)
        let result = Term.operation(NPU_V_MULTIPLY_ADD, terms[0], factor, terms[2] - terms[3] * factor)
        lowering.add(VectorPhase(x.shape, inputs: inputs, outputs: [(result, try lowering.output(0, y))]))
    },
]

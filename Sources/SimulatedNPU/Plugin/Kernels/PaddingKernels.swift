// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// A stretch of an output's axis and where it is read.
private struct Stretch {
    let begin, count, from, step: Int
}

/// What of an axis comes from the input: the middle, and the borders where they repeat it.
private func stretches(_ size: Int, _ pads: (begin: Int, end: Int), mode: String) throws(Refusal) -> [Stretch] {
    let middle = Stretch(
        begin: max(pads.begin, 0), count: max(size + min(pads.begin, 0) + min(pads.end, 0), 0), from: max(-pads.begin, 0), step: 1)
    if mode == "constant" || pads == (0, 0) { return middle.count > 0 ? [middle] : [] }
    try require(pads.begin >= 0 && pads.end >= 0, .other, "negative pads of mode \(mode)")
    let end = pads.begin + size
    let borders: [Stretch]
    switch mode {
    case "edge":
        try require(size > 0, .shape, "no element")
        borders = [Stretch(begin: 0, count: pads.begin, from: 0, step: 0), Stretch(begin: end, count: pads.end, from: size - 1, step: 0)]
    case "reflect":
        try require(max(pads.begin, pads.end) < size, .other, "pads as long as the axis")
        borders = [
            Stretch(begin: 0, count: pads.begin, from: pads.begin, step: -1),
            Stretch(begin: end, count: pads.end, from: size - 2, step: -1),
        ]
    case "wrap":
        try require(max(pads.begin, pads.end) <= size, .other, "pads longer than the axis")
        borders = [
            Stretch(begin: 0, count: pads.begin, from: size - pads.begin, step: 1), Stretch(begin: end, count: pads.end, from: 0, step: 1),
        ]
    default: throw Refusal(.attribute, "mode \(mode)")
    }
    return [middle] + borders.filter { $0.count > 0 }
}

let paddingKernels = [
    vectorKernel("Pad", since: 11, types: movableTypes.filter { $0 != .float8e8m0 }, hostInputs: [1, 3]) { node, lowering throws(Refusal) in
        let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
        try require(node.input(2)?.count ?? 1 == 1, .other, "more than one value to pad with")
        let mode = node.string("mode") ?? "constant"
        // Borders longer than the axis are refused, so they must be known in time.
        try require(mode == "constant" || node.input(1)?.host != nil, .other, "pads of mode \(mode) that are not known before the run")
        guard let type = x.type.movedType, let pads = try node.integers(attribute: "pads", input: 1) else {
            throw Refusal(.other, "no pads")
        }
        var axes = Array(x.shape.indices)
        if let named = try node.integers(attribute: "", input: 3) {
            axes = []
            for axis in named { axes.append(try node.axis(axis, rank: x.shape.count)) }
        }
        try require(pads.count == 2 * axes.count, .other, "pads that do not fit")
        if y.count == 0 { return }
        var parts: [[Stretch]] = [[]]
        for axis in x.shape.indices {
            let place = axes.lastIndex(of: axis)
            let stretches = try stretches(x.shape[axis], place.map { (pads[$0], pads[$0 + axes.count]) } ?? (0, 0), mode: mode)
            parts = parts.flatMap { part in stretches.map { part + [$0] } }
        }
        if mode == "constant" {
            var (inputs, value): ([Access], Term) = ([], 0)
            if node.input(2) != nil {
                inputs.append(try lowering.input(2, try node.operand(input: 2), strides: y.shape.map { _ in 0 }, as: type))
                value = .input(0, type)
            }
            lowering.add(VectorPhase(y.shape, inputs: inputs, outputs: [(value, try lowering.output(0, y, as: type))]))
            lowering.addBarrier()
        }
        let (from, to) = (denseStrides(x.shape), denseStrides(y.shape))
        for part in parts {
            try lowering.addMove(
                part.map(\.count), from: x, input: 0, strides: zip(part, from).map { $0.step * $1 },
                offset: zip(part, from).reduce(0) { $0 + $1.0.from * $1.1 }, to: y, strides: to,
                at: zip(part, to).reduce(0) { $0 + $1.0.begin * $1.1 })
        }
    }
]

// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// One spatial axis of a window.
private struct WindowAxis {
    let input, output, kernel, stride, dilation: Int
    let pads: (begin: Int, end: Int)

    var extent: Int { (kernel - 1) * dilation + 1 }
    /// Places from the first that a window touches to the last.
    var reach: Int { (output - 1) * stride + extent }
    /// Windows stay inside the input.
    var isInside: Bool { pads.begin == 0 && reach <= input }
}

private struct Window {
    let axes: [WindowAxis]

    init(_ node: NodeView, _ x: Operand, _ y: Operand) throws(Refusal) {
        try require(x.shape.count >= 3 && x.shape.count == y.shape.count, .shape, "no spatial axes")
        let count = x.shape.count - 2
        func list(_ name: String, default value: Int, count: Int) throws(Refusal) -> [Int] {
            guard let given = node.ints(name), !given.isEmpty else { return [Int](repeating: value, count: count) }
            try require(given.count == count, .attribute, "\(given.count) \(name) for \(count) axes")
            return given.map { Int($0) }
        }
        let kernel = try list("kernel_shape", default: 1, count: count)
        let (strides, dilations) = (try list("strides", default: 1, count: count), try list("dilations", default: 1, count: count))
        let pads = try list("pads", default: 0, count: 2 * count)
        let mode = node.string("auto_pad") ?? "NOTSET"
        var axes: [WindowAxis] = []
        for axis in 0..<count {
            let (input, output, extent) = (x.shape[axis + 2], y.shape[axis + 2], (kernel[axis] - 1) * dilations[axis] + 1)
            let total = max((output - 1) * strides[axis] + extent - input, 0)
            let (begin, end) =
                switch mode {
                case "NOTSET": (pads[axis], pads[axis + count])
                case "SAME_UPPER": (total / 2, total - total / 2)
                case "SAME_LOWER": (total - total / 2, total / 2)
                default: (0, 0)
                }
            try require(begin >= 0 && end >= 0, .attribute, "negative pads")
            axes.append(
                WindowAxis(
                    input: input, output: output, kernel: kernel[axis], stride: strides[axis], dilation: dilations[axis], pads: (begin, end)
                ))
        }
        self.axes = axes
    }

    var isInside: Bool { axes.allSatisfy(\.isInside) }
    var count: Int { axes.reduce(1) { $0 * $1.kernel } }

    /// Strides over (outputs, window) from those of the plane that windows lie in.
    func strides(_ plane: [Int]) -> [Int] { zip(axes, plane).map { $0.stride * $1 } + zip(axes, plane).map { $0.dilation * $1 } }
}

extension VectorLowering {
    /// The data with as much border as the windows reach into, in memory of its own.
    fileprivate mutating func addBordered(_ x: Operand, _ window: Window, border: Term) throws(Refusal) -> Access {
        let planes = Array(x.shape[..<2])
        let bordered = workspace(planes + window.axes.map(\.reach), x.type.vectorType!)
        let sizes = planes + window.axes.map(\.reach)
        add(VectorPhase(sizes, inputs: [], outputs: [(border, bordered)]))
        addBarrier()
        var inner = bordered
        inner.address = inner.address + zip(window.axes, bordered.strides.dropFirst(2)).reduce(0) { $0 + $1.0.pads.begin * $1.1 } * x.width
        let kept = planes + window.axes.map { min($0.input, $0.reach - $0.pads.begin) }
        let input = try input(0, x)
        add(VectorPhase(kept, inputs: [input], outputs: [(.input(0, input.type), inner)]))
        addBarrier()
        return bordered
    }

    /// Ones where a place counts, zeros elsewhere: the windows' sums are the numbers of elements that a mean is over.
    fileprivate mutating func addCounted(_ window: Window, countsPads: Bool) -> Access {
        let sizes = window.axes.map(\.reach)
        let counted = workspace(sizes, NPU_FLOAT32)
        add(VectorPhase(sizes, inputs: [], outputs: [(0, counted)]))
        addBarrier()
        var inner = counted
        if !countsPads { inner.address = inner.address + zip(window.axes, counted.strides).reduce(0) { $0 + $1.0.pads.begin * $1.1 } * 4 }
        let kept = window.axes.map {
            countsPads ? min($0.pads.begin + $0.input + $0.pads.end, $0.reach) : min($0.input, $0.reach - $0.pads.begin)
        }
        add(VectorPhase(kept, inputs: [], outputs: [(1, inner)]))
        addBarrier()
        return counted
    }
}

private func pooling(
    _ name: String, since: Int, types: [DataType] = floatTypes, border: @escaping @Sendable (DataType) -> Double,
    _ result: @escaping @Sendable (NodeView, _ x: Term, _ counted: () -> Term) throws(Refusal) -> Term
) -> LoweredKernel {
    vectorKernel(name, since: since, types: types) { node, lowering throws(Refusal) in
        try node.requireOutputs(1)
        let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
        if y.count == 0 { return }
        let window = try Window(node, x, y)
        var plane =
            window.isInside ? try lowering.input(0, x) : try lowering.addBordered(x, window, border: .constant(border(x.type)))
        plane.strides = plane.strides[..<2] + window.strides(Array(plane.strides.dropFirst(2)))
        var inputs = [plane]
        let term = try result(node, .input(0, plane.type)) {
            let countsPads = node.int("count_include_pad") ?? 0 != 0
            if window.axes.allSatisfy({ $0.isInside || countsPads && $0.reach <= $0.pads.begin + $0.input + $0.pads.end }) {
                return .constant(Double(window.count))
            }
            var counted = lowering.addCounted(window, countsPads: countsPads)
            counted.strides = [0, 0] + window.strides(counted.strides)
            inputs.append(counted)
            return .sum(.input(1, NPU_FLOAT32))
        }
        lowering.add(
            VectorPhase(
                y.shape + window.axes.map(\.kernel), columns: window.axes.count, inputs: inputs,
                outputs: [(term, try lowering.output(0, y, strides: denseStrides(y.shape) + window.axes.map { _ in 0 }))]))
    }
}

private func norm(_ node: NodeView, _ x: Term) throws(Refusal) -> Term {
    switch node.int("p") ?? 2 {
    case 1: return .reduction(NPU_V_SUM_OF_MAGNITUDES, x)
    case 2: return .squareRoot(.reduction(NPU_V_SUM_OF_SQUARES, x))
    case let p: throw Refusal(.attribute, "p of \(p)")
    }
}

let poolingKernels = [
    pooling(
        "MaxPool", since: 1, types: floatTypes + [.int8, .uint8],
        border: { $0 == .int8 ? -128 : $0 == .uint8 ? 0 : -.infinity }
    ) { _, x, _ in .greatest(x) },
    pooling("AveragePool", since: 1, border: { _ in 0 }) { _, x, counted in .sum(x) / counted() },
    pooling("LpPool", since: 2, border: { _ in 0 }) { node, x, _ throws(Refusal) in try norm(node, x) },
    vectorKernel("GlobalLpPool", since: 2, types: floatTypes) { node, lowering throws(Refusal) in
        let x = try node.operand(input: 0)
        let result = try norm(node, .input(0, x.type.vectorType!))
        try lowering.addReduction(x, node.operand(output: 0), along: Set(x.shape.indices.dropFirst(2))) { _, _ in result }
    },
]

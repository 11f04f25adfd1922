import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Softmax and its relatives. Before version 13 everything from `axis` on is one line; from then on `axis` alone is.
let softmaxOperators: [OperatorDefinition] = [
    alongAxis("Softmax", numericClass: .softmax) { line in
        let greatest = line.reduce(-.infinity, propagatingMaximum)
        for index in line.indices { line[index] = exp(line[index] - greatest) }
        let sum = line.reduce(0, +)
        for index in line.indices { line[index] /= sum }
    }
    .decomposing { g throws(OperatorError) in
        let lines = try LineView(g)
        let powers = try g("Exp", lines.shifted)
        return [try (powers / powers.reduced("ReduceSum", lines.axes)).reshaped(lines.shape)]
    }
    .differentiated { g, given throws(OperatorError) in
        let (y, lines) = (try given.output(), try LineView(g))
        let (flat, weighted) = (try y.reshaped(lines.shifted.shape), try (y * given.gradient()).reshaped(lines.shifted.shape))
        return [try (weighted - flat * weighted.reduced("ReduceSum", lines.axes)).reshaped(lines.shape)]
    },
    alongAxis("LogSoftmax", numericClass: .softmax, logSoftmax)
        .decomposing { g throws(OperatorError) in
            let lines = try LineView(g)
            let sums = try g("Exp", lines.shifted).reduced("ReduceSum", lines.axes)
            return [try (lines.shifted - g("Log", sums)).reshaped(lines.shape)]
        }
        .differentiated { g, given throws(OperatorError) in
            let (y, lines) = (try given.output(), try LineView(g))
            let (flat, dy) = (try y.reshaped(lines.shifted.shape), try given.gradient().reshaped(lines.shifted.shape))
            return [try (dy - g("Exp", flat) * dy.reduced("ReduceSum", lines.axes)).reshaped(lines.shape)]
        },
    alongAxis("Hardmax", numericClass: .movement) { line in
        var best = 0
        for index in line.indices where line[index] > line[best] || line[index].isNaN && !line[best].isNaN { best = index }
        for index in line.indices { line[index] = index == best ? 1 : 0 }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.input(0)
        let axis = try lines(of: x.shape, g.attributes)
        guard axis.outer > 0 else { throw .unsupported("an empty line has no greatest element") }
        let view = try x.reshaped([axis.outer, axis.size, axis.inner])
        let best = try g("ArgMax", view, attributes: ["axis": .int(1), "keepdims": .int(0)])
        let values = try g.constant([0, 1], x.type.dataType, shape: [2])
        return [try g("OneHot", best, g.constant([axis.size], shape: []), values, attributes: ["axis": .int(1)]).reshaped(x.shape)]
    },
]

/// The lines of a softmax less their greatest elements.
private struct LineView {
    /// Of the input.
    let shape: [Int]
    /// Along which `shifted` is reduced.
    let axes: [Int]
    let shifted: Term

    init(_ g: FragmentBuilder) throws(OperatorError) {
        var x = try g.wide(0)
        shape = x.shape
        let axis = try normalizedAxis(
            g.attributes.int("axis") ?? (g.version < 13 ? 1 : -1), rank: max(x.rank, 1), inclusive: g.version < 13)
        if g.version < 13 {
            x = try x.reshaped([product(x.shape[..<axis]), product(x.shape[axis...])])
            axes = [1]
        } else {
            if x.rank == 0 { x = try x.reshaped([1]) }
            axes = [axis]
        }
        shifted = try x - x.reduced("ReduceMax", axes)
    }
}

@Sendable func logSoftmax(_ line: inout [Double]) {
    let greatest = line.reduce(-.infinity, propagatingMaximum)
    let sum = log(line.reduce(0) { $0 + exp($1 - greatest) })
    for index in line.indices { line[index] = line[index] - greatest - sum }
}

private func alongAxis(
    _ name: String, numericClass: NumericClass, _ body: @escaping @Sendable (inout [Double]) -> Void
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: [1, 11, 13], "(input: T) -> (output: T)", types: ["T": .floats], attributes: ["axis": .optional(.int)],
        numericClass: numericClass,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            _ = try lines(of: input.shape, context.attributes)
            return [.known(input)]
        },
        reference: { context throws(OperatorError) in
            let input = try context.input(0)
            return [input.mappingLines(try lines(of: input.shape, context.attributes), body)]
        }
    ).sampled(axisSamples(default: -1))
}

private func lines(of shape: [Int], _ attributes: NodeAttributes) throws(OperatorError) -> AxisSpan {
    if attributes.version < 13 {
        return AxisSpan(flattening: shape, axis: try normalizedAxis(attributes.int("axis") ?? 1, rank: shape.count, inclusive: true))
    }
    // A scalar is a line of one.
    if shape.isEmpty, [nil, -1, 0].contains(attributes.int("axis")) { return AxisSpan([1], axis: 0) }
    return AxisSpan(shape, axis: try normalizedAxis(attributes.int("axis") ?? -1, rank: shape.count))
}

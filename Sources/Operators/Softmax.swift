// SPDX-License-Identifier: Apache-2.0
import Graph
import Foundation
import Tensors

/// Softmax and its relatives. Before version 13 everything from `axis` on is one line; from then on `axis` alone is.
let softmaxOperators: [OperatorDefinition] = [
    alongAxis("Softmax", numericClass: .softmax) { line in
        let greatest = line.reduce(-.infinity, propagatingMaximum)
        for index in line.indices { line[index] = exp(line[index] - greatest) }
        let sum = line.reduce(0, +)
        for index in line.indices { line[index] /= sum }
    },
    alongAxis("LogSoftmax", numericClass: .softmax, logSoftmax),
    alongAxis("Hardmax", numericClass: .movement) { line in
        var best = 0
        for index in line.indices where line[index] > line[best] || line[index].isNaN && !line[best].isNaN { best = index }
        for index in line.indices { line[index] = index == best ? 1 : 0 }
    },
]

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

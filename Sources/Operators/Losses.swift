// SPDX-License-Identifier: Apache-2.0
import Graph
import Foundation
import Tensors

/// Losses over classes on axis 1.
let lossOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "NegativeLogLikelihoodLoss", since: [12, 13, 22], "(input: T, target: Tind, weight?: T) -> (loss: T)",
        types: ["T": .floats, "Tind": .indices], attributes: lossAttributes, numericClass: .composite,
        infer: { context throws(OperatorError) in [try inferLoss(context)] },
        reference: { context throws(OperatorError) in [try loss(context, logProbabilities: try context.input(0))] }),
    OperatorDefinition(
        "SoftmaxCrossEntropyLoss", since: [12, 13], "(scores: T, labels: Tind, weights?: T) -> (output: T, log_prob?: T)",
        types: ["T": .floats, "Tind": .indices], attributes: lossAttributes, numericClass: .composite,
        infer: { context throws(OperatorError) in [try inferLoss(context), .known(try context.input(0))] },
        reference: { context throws(OperatorError) in
            let scores = try context.input(0)
            let logProbabilities = scores.mappingLines(AxisSpan(scores.shape, axis: 1), logSoftmax)
            return [try loss(context, logProbabilities: logProbabilities), logProbabilities]
        }),
]

private let lossAttributes: [String: AttributeRule] = ["ignore_index": .optional(.int), "reduction": .string("mean")]

private func inferLoss(_ context: InferenceContext) throws(OperatorError) -> InferredOutput {
    let (scores, labels) = (try context.input(0), try context.input(1))
    try require(scores.shape.count >= 2, "the scores must have at least two axes, not shape \(scores.shape)")
    var expected = scores.shape
    let classes = expected.remove(at: 1)
    try require(labels.shape == expected, "scores of shape \(scores.shape) need labels of shape \(expected), not \(labels.shape)")
    if context.has(2) {
        let weights = try context.input(2).shape
        try require(weights == [classes], "\(classes) classes need weights of shape [\(classes)], not \(weights)")
    }
    switch context.attributes.string("reduction") {
    case "none": return .tensor(scores.dataType, labels.shape)
    case "mean", "sum": return .tensor(scores.dataType, [])
    case let other: throw .invalid("attribute 'reduction' must be 'none', 'mean' or 'sum', not '\(other ?? "")'")
    }
}

private func loss(_ context: ReferenceContext, logProbabilities: ReferenceTensor) throws(OperatorError) -> ReferenceTensor {
    let labels = try context.input(1).integers
    let weights = context.has(2) ? try context.input(2).floats : nil
    let ignored = context.attributes.int("ignore_index").map(Int64.init)
    let span = AxisSpan(logProbabilities.shape, axis: 1)
    let values = logProbabilities.floats
    var losses = [Double](repeating: 0, count: labels.count)
    var totalWeight = 0.0
    for (position, label) in labels.enumerated() where label != ignored {
        guard label >= 0, label < span.size else {
            throw .invalid("label \(label) at position \(position) is none of the \(span.size) classes")
        }
        let weight = weights?[Int(label)] ?? 1
        let (outer, inner) = (position / span.inner, position % span.inner)
        losses[position] = -values[(outer * span.size + Int(label)) * span.inner + inner] * weight
        totalWeight += weight
    }
    let output = context.output(0)
    switch context.attributes.string("reduction") {
    case "none": return ReferenceTensor(output.dataType, output.shape, .floats(losses))
    case "sum": return ReferenceTensor(output.dataType, [], .floats([losses.reduce(0, +)]))
    default: return ReferenceTensor(output.dataType, [], .floats([losses.reduce(0, +) / totalWeight]))
    }
}

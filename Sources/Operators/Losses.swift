import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Losses over classes on axis 1.
let lossOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "NegativeLogLikelihoodLoss", since: [12, 13, 22], "(input: T, target: Tind, weight?: T) -> (loss: T)",
        types: ["T": .floats, "Tind": .indices], attributes: lossAttributes, numericClass: .composite,
        infer: { context throws(OperatorError) in [try inferLoss(context)] },
        reference: { context throws(OperatorError) in [try loss(context, logProbabilities: try context.input(0))] }
    ).sampled(lossSamples)
        .decomposing(lossParts),
    OperatorDefinition(
        "SoftmaxCrossEntropyLoss", since: [12, 13], "(scores: T, labels: Tind, weights?: T) -> (output: T, log_prob?: T)",
        types: ["T": .floats, "Tind": .indices], attributes: lossAttributes, numericClass: .composite,
        infer: { context throws(OperatorError) in [try inferLoss(context), .known(try context.input(0))] },
        reference: { context throws(OperatorError) in
            let scores = try context.input(0)
            let logProbabilities = scores.mappingLines(AxisSpan(scores.shape, axis: 1), logSoftmax)
            return [try loss(context, logProbabilities: logProbabilities), logProbabilities]
        }
    ).sampled(crossEntropySamples).decomposing { g throws(OperatorError) in
        guard g.opset >= 13 else { throw .unsupported("a softmax along axis 1 alone came with operator set 13") }
        let logProbabilities = try g("LogSoftmax", g.wide(0), attributes: ["axis": .int(1)])
        let weights = g.has(2) ? try g.wide(2) : nil
        var attributes: [String: Attribute] = [:]
        for name in lossAttributes.keys { attributes[name] = g.attributes[name] }
        let arguments = [logProbabilities, try g.input(1), weights].prefix(weights == nil ? 2 : 3)
        return [try g.add("NegativeLogLikelihoodLoss", Array(arguments), attributes), logProbabilities]
    },
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

/// Labels that are ignored read class 0 and count nothing.
@Sendable private func lossParts(_ g: FragmentBuilder) throws(OperatorError) -> [Term?] {
    let (scores, labels) = (try g.wide(0), try g.input(1))
    let isIgnored = try g.attributes.int("ignore_index").map { label throws(OperatorError) in
        try g("Equal", labels, labels.same(Double(label)))
    }
    func counted(_ term: Term) throws(OperatorError) -> Term {
        guard let isIgnored else { return term }
        return try isIgnored.choose(term.same(0), term)
    }
    let classes = try counted(labels)
    let column = try classes.reshaped([labels.shape[0], 1] + labels.shape.dropFirst())
    var losses = try -g("GatherElements", scores, column, attributes: ["axis": .int(1)]).reshaped(labels.shape)
    var weights: Term?
    if g.has(2) {
        let given = try g("Gather", g.wide(2), classes)
        losses = try losses * given
        weights = try counted(given)
    } else if isIgnored != nil {
        weights = try counted(g("Expand", losses.same(1), g.constant(labels.shape)))
    }
    losses = try counted(losses)
    let axes = Array(labels.shape.indices)
    func sum(_ term: Term) throws(OperatorError) -> Term { try term.reduced("ReduceSum", axes, keepsDimensions: false) }
    switch g.attributes.string("reduction") {
    case "none": return [losses]
    case "sum": return [try sum(losses)]
    default:
        guard let weights else { return [try sum(losses) / Double(labels.count)] }
        return [try sum(losses) / sum(weights)]
    }
}

// MARK: Samples

@Sendable private func lossSamples(_ context: inout SampleContext) -> [Sample] { lossSamples(&context, wanted: [true]) }
@Sendable private func crossEntropySamples(_ context: inout SampleContext) -> [Sample] {
    lossSamples(&context, wanted: [true])
        + lossSamples(&context, wanted: [true, true]).prefix(4).map {
            Sample("log-prob-\($0.name)", $0.inputs, $0.attributes, wanted: $0.wanted)
        }
}

private func lossSamples(_ context: inout SampleContext, wanted: [Bool]) -> [Sample] {
    let type = context.type
    let (n, c) = (context.size(3...9), context.size(5...20))
    return ["none", "mean", "sum"].flatMap { reduction in
        func of(_ name: String, _ inner: [Int], weights: Bool = false, ignored: Int64? = nil, _ labels: DataType = .int64) -> Sample {
            var attributes: [String: Attribute] = ["reduction": .string(reduction)]
            if let ignored { attributes["ignore_index"] = .int(ignored) }
            return Sample(
                "\(reduction)-\(name)",
                [
                    .init(type, [n, c] + inner), .init(labels, [n] + inner, .integers(0...Int64(c - 1))),
                    weights ? .init(type, [c], .data(0.25...2)) : nil,
                ].trimmed,
                attributes, wanted: wanted)
        }
        return [
            of("plain", []), of("weights", [], weights: true), of("image", [3, 4]), of("ignored", [5], ignored: 1), of("int32", [], .int32),
            of("large", [40, 9], weights: true, ignored: 0),
        ]
    }
}

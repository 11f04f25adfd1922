import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

let flexAttentionOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "FlexAttention", domain: "ai.onnx.preview", since: [1], "(Q: T1, K: T1, V: T1) -> (Y: T1)",
        types: ["T1": .floats],
        attributes: [
            "prob_mod": .optional(.graph), "scale": .optional(.float), "score_mod": .optional(.graph),
            "softmax_precision": .optional(.int),
        ],
        numericClass: .composite,
        infer: { context throws(OperatorError) in
            let (q, k, v) = (try context.input(0), try context.input(1).shape, try context.input(2).shape)
            let shape = q.shape
            try require(
                shape.count == 4 && k.count == 4 && v.count == 4 && k[0] == shape[0] && v[0] == shape[0]
                    && k[3] == shape[3]
                    && v[..<3] == k[..<3] && k[1] > 0 && shape[1] % k[1] == 0,
                "Q, K and V of shapes \(shape), \(k) and \(v) do not belong together")
            _ = try possible([shape[0], shape[1], shape[2], k[2]])
            return [.tensor(q.dataType, try possible([shape[0], shape[1], shape[2], v[3]]))]
        },
        reference: flexAttention)
]

/// Attention whose scores and probabilities go through subgraphs, in the type that the softmax is computed in.
@Sendable private func flexAttention(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let (q, k, v) = (try context.input(0), try context.input(1), try context.input(2))
    let (queryHeads, queries, size) = (q.shape[1], q.shape[2], q.shape[3])
    let (heads, keys, valueSize) = (k.shape[1], k.shape[2], v.shape[3])
    let scale = context.attributes.float("scale") ?? 1 / Double(size).squareRoot()
    let precision = try context.inference.dataType(
        attribute: "softmax_precision", standard: q.dataType == .float64 ? .float64 : .float32, among: .floats)
    let (left, right, values) = (q.floats, k.floats, v.floats)
    /// The rows of queries, and for each where its keys begin.
    let rows = q.shape[0] * queryHeads * queries
    func firstKey(_ row: Int) -> Int {
        let head = row / queries
        return (head / queryHeads * heads + head % queryHeads / (queryHeads / heads)) * keys
    }
    func modified(_ values: [Double], _ attribute: String) throws(OperatorError) -> [Double] {
        let tensor = ReferenceTensor(precision, [q.shape[0], queryHeads, queries, keys], .floats(values))
        guard context.attributes[attribute] != nil else { return values }
        let body = try Subgraph(attribute, context.attributes, inputs: context.inputs.count)
        let results = try body.run([tensor], context.inputs)
        guard results.count == 1, results[0].shape == tensor.shape, results[0].dataType == precision else {
            throw .invalid("\(attribute) must give one \(precision.name) tensor of shape \(tensor.shape)")
        }
        return results[0].floats
    }
    var scores = [Double](repeating: 0, count: rows * keys)
    for row in 0..<rows {
        let first = firstKey(row)
        for key in 0..<keys {
            var sum = 0.0
            for entry in 0..<size { sum += left[row * size + entry] * right[(first + key) * size + entry] }
            scores[row * keys + key] = sum * scale
        }
    }
    scores = try modified(scores, "score_mod")
    for row in 0..<rows {
        var line = Array(scores[row * keys..<(row + 1) * keys])
        softmax(&line)
        scores.replaceSubrange(row * keys..<(row + 1) * keys, with: line)
    }
    scores = try modified(scores, "prob_mod")
    var y = [Double](repeating: 0, count: rows * valueSize)
    for row in 0..<rows {
        let first = firstKey(row)
        for key in 0..<keys {
            let weight = scores[row * keys + key]
            for entry in 0..<valueSize {
                y[row * valueSize + entry] += weight * values[(first + key) * valueSize + entry]
            }
        }
    }
    return [ReferenceTensor(q.dataType, context.output(0).shape, .floats(y))]
}

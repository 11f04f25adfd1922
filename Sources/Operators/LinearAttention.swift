import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators of sequence models that carry a state from step to step instead of a cache of keys.
let linearAttentionOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "LinearAttention", since: [27],
        "(query: T, key: T, value: T, past_state?: S, decay?: T, beta?: T) -> (output: T, present_state: S)",
        types: ["T": TypeSet(.float32, .float16, .bfloat16), "S": TypeSet(.float32, .float16, .bfloat16)],
        attributes: [
            "chunk_size": .int(64), "kv_num_heads": .required(.int), "q_num_heads": .required(.int), "scale": .float(0),
            "update_rule": .string("gated_delta"),
        ],
        numericClass: .composite,
        infer: { context throws(OperatorError) in
            let shapes = try LinearAttentionShapes(context)
            let query = try context.input(0)
            let state = context.has(3) ? try context.input(3).dataType : query.dataType
            return [
                .tensor(query.dataType, try possible([shapes.batch, shapes.steps, try multiplied(shapes.queryHeads, shapes.valueSize)])),
                .tensor(state, try possible(shapes.state)),
            ]
        },
        reference: linearAttention
    ).sampled(linearAttentionSamples),
    OperatorDefinition(
        "CausalConvWithState", since: [27], "(input: T, weight: T, bias?: T, past_state?: T) -> (output: T, present_state: T)",
        types: ["T": TypeSet(.float32, .float16, .bfloat16)], attributes: ["activation": .string("none")], numericClass: .composite,
        infer: { context throws(OperatorError) in
            let (input, weight) = (try context.input(0), try context.input(1))
            try require(
                input.shape.count == 3 && weight.shape.count == 3 && weight.shape[0] == input.shape[1] && weight.shape[1] == 1
                    && weight.shape[2] > 0,
                "weights of shape \(weight.shape) do not fit an input of shape \(input.shape)")
            let state = [input.shape[0], input.shape[1], weight.shape[2] - 1]
            if context.has(2) {
                let bias = try context.input(2).shape
                try require(bias == [input.shape[1]], "a bias of shape \(bias) for \(input.shape[1]) channels")
            }
            if context.has(3) {
                let past = try context.input(3).shape
                try require(past == state, "a past state of shape \(past) instead of \(state)")
            }
            let activation = context.attributes.string("activation")!
            try require(["none", "silu", "swish"].contains(activation), "activation '\(activation)' is unknown")
            return [.known(input), .tensor(input.dataType, state)]
        },
        reference: { context throws(OperatorError) in
            let input = try context.input(0)
            let (x, weights) = (input.floats, try context.input(1).floats)
            let bias = context.has(2) ? try context.input(2).floats : nil
            let past = context.has(3) ? try context.input(3).floats : nil
            let (channels, steps, taps) = (input.shape[1], input.shape[2], try context.input(1).shape[2])
            let isActivated = context.attributes.string("activation") != "none"
            var (output, state) = ([Double](), [Double]())
            for row in 0..<input.shape[0] * channels {
                let before = past.map { Array($0[row * (taps - 1)..<(row + 1) * (taps - 1)]) } ?? Array(repeating: 0, count: taps - 1)
                let line = before + x[row * steps..<(row + 1) * steps]
                for step in 0..<steps {
                    var sum = bias?[row % channels] ?? 0
                    for tap in 0..<taps { sum += weights[row % channels * taps + tap] * line[step + tap] }
                    output.append(isActivated ? sum / (1 + exp(-sum)) : sum)
                }
                state += line.suffix(taps - 1)
            }
            return [
                ReferenceTensor(input.dataType, input.shape, .floats(output)),
                ReferenceTensor(input.dataType, context.output(1).shape, .floats(state)),
            ]
        }
    ).sampled(causalConvSamples),
]

/// The sizes that take part in a linear attention, checked.
private struct LinearAttentionShapes {
    let batch: Int
    let steps: Int
    let queryHeads: Int
    let heads: Int
    let keySize: Int
    let valueSize: Int
    let isGated: Bool
    let isDelta: Bool

    var state: [Int] { [batch, heads, keySize, valueSize] }

    init(_ context: InferenceContext) throws(OperatorError) {
        let (q, k, v) = (try context.input(0).shape, try context.input(1).shape, try context.input(2).shape)
        (queryHeads, heads) = (context.attributes.int("q_num_heads") ?? 0, context.attributes.int("kv_num_heads") ?? 0)
        try require(heads > 0 && queryHeads > 0 && queryHeads % heads == 0, "\(queryHeads) query heads cannot share \(heads) key heads")
        try require(
            q.count == 3 && k.count == 3 && v.count == 3 && q[2] % queryHeads == 0 && v[2] % heads == 0 && k[2] % heads == 0
                && k[2] / heads == q[2] / queryHeads && k[..<2] == q[..<2] && v[..<2] == q[..<2],
            "query, key and value of shapes \(q), \(k) and \(v) do not belong together")
        (batch, steps, keySize, valueSize) = (q[0], q[1], q[2] / queryHeads, v[2] / heads)
        let rule = context.attributes.string("update_rule")!
        try require(["linear", "gated", "delta", "gated_delta"].contains(rule), "update_rule '\(rule)' is unknown")
        (isGated, isDelta) = (rule.hasPrefix("gated"), rule.hasSuffix("delta"))
        try require(context.has(4) == isGated, "update_rule '\(rule)' and the decay do not belong together")
        try require(context.has(5) == isDelta, "update_rule '\(rule)' and beta do not belong together")
        if context.has(3) {
            let past = try context.input(3).shape
            try require(past == state, "a past state of shape \(past) instead of \(state)")
        }
        if isGated {
            let decay = try context.input(4).shape
            try require(
                decay == [batch, steps, heads] || decay == [batch, steps, heads * keySize],
                "a decay of shape \(decay) does not fit shape \(q)")
        }
        if isDelta {
            let beta = try context.input(5).shape
            try require(beta == [batch, steps, heads] || beta == [batch, steps, 1], "a beta of shape \(beta) does not fit shape \(q)")
        }
    }
}

/// Step by step: the state decays, takes in the key's new value, and is read by the queries.
private func linearAttention(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let shapes = try LinearAttentionShapes(context.inference)
    let (q, k, v) = (try context.input(0).floats, try context.input(1).floats, try context.input(2).floats)
    let decay = shapes.isGated ? try context.input(4) : nil
    let beta = shapes.isDelta ? try context.input(5) : nil
    let (decays, betas) = (decay?.floats ?? [], beta?.floats ?? [])
    let (keySize, valueSize, heads) = (shapes.keySize, shapes.valueSize, shapes.heads)
    let given = context.attributes.float("scale")!
    let scale = given == 0 ? 1 / Double(keySize).squareRoot() : given
    var state = context.has(3) ? try context.input(3).floats : Array(repeating: 0, count: product(shapes.state))
    var output = [Double](repeating: 0, count: product(context.output(0).shape))
    var change = [Double](repeating: 0, count: valueSize)
    for batch in 0..<shapes.batch {
        for step in 0..<shapes.steps {
            let row = batch * shapes.steps + step
            for head in 0..<heads {
                let base = (batch * heads + head) * keySize * valueSize
                let (key, value) = ((row * heads + head) * keySize, (row * heads + head) * valueSize)
                if let decay {
                    let isPerKey = decay.shape[2] != heads || keySize == 1
                    for index in 0..<keySize {
                        let factor = exp(decays[isPerKey ? key + index : row * heads + head])
                        for entry in 0..<valueSize { state[base + index * valueSize + entry] *= factor }
                    }
                }
                for entry in 0..<valueSize { change[entry] = v[value + entry] }
                if let beta {
                    for index in 0..<keySize {
                        for entry in 0..<valueSize { change[entry] -= state[base + index * valueSize + entry] * k[key + index] }
                    }
                    let rate = betas[beta.shape[2] == 1 ? row : row * heads + head]
                    for entry in 0..<valueSize { change[entry] *= rate }
                }
                for index in 0..<keySize {
                    for entry in 0..<valueSize { state[base + index * valueSize + entry] += k[key + index] * change[entry] }
                }
                let shared = shapes.queryHeads / heads
                for queryHead in head * shared..<(head + 1) * shared {
                    let (query, target) = (
                        (row * shapes.queryHeads + queryHead) * keySize, (row * shapes.queryHeads + queryHead) * valueSize
                    )
                    for index in 0..<keySize {
                        for entry in 0..<valueSize {
                            output[target + entry] += scale * q[query + index] * state[base + index * valueSize + entry]
                        }
                    }
                }
            }
        }
    }
    return [
        ReferenceTensor(context.output(0).dataType, context.output(0).shape, .floats(output)),
        ReferenceTensor(context.output(1).dataType, context.output(1).shape, .floats(state)),
    ]
}

// MARK: Samples

@Sendable private func linearAttentionSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (batch, steps, size) = (2, context.size(3...7), 4)
    return [("linear", false, false), ("gated", true, false), ("delta", false, true), ("gated_delta", true, true)].flatMap {
        (rule: String, isGated: Bool, isDelta: Bool) in
        [(2, 2), (4, 2)].map { queryHeads, heads in
            let inputs: [Sample.Tensor?] = [
                .init(type, [batch, steps, queryHeads * size]), .init(type, [batch, steps, heads * size], .data(-0.5...0.5)),
                .init(type, [batch, steps, heads * size]),
                .init(type, [batch, heads, size, size]), isGated ? .init(type, [batch, steps, heads * size], .data(-1...0)) : nil,
                isDelta ? .init(type, [batch, steps, heads], .data(0...1)) : nil,
            ]
            return Sample(
                "\(rule)-\(queryHeads == heads ? "equal" : "grouped")", inputs.trimmed,
                ["update_rule": .string(rule), "q_num_heads": .int(Int64(queryHeads)), "kv_num_heads": .int(Int64(heads))],
                wanted: [true, true])
        }
    }
}

@Sendable private func causalConvSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (batch, channels, steps) = (2, context.size(3...9), context.size(5...20))
    return ["none", "silu", "swish"].map { activation in
        Sample(
            activation,
            [
                .init(type, [batch, channels, steps]), .init(type, [channels, 1, 4]), .init(type, [channels]),
                .init(type, [batch, channels, 3]),
            ],
            ["activation": .string(activation)], wanted: [true, true])
    } + [
        Sample("no-state", [.init(type, [batch, channels, steps]), .init(type, [channels, 1, 3])], wanted: [true, true]),
        Sample("large", [.init(type, [2, 17, 65]), .init(type, [17, 1, 4]), .init(type, [17])], wanted: [true, true]),
    ]
}

import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Scaled dot-product attention and the rotary position embedding that goes with it.
let attentionOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Attention", since: [23, 24, 25],
        "(Q: T1, K: T1, V: T2, attn_mask?: U, past_key?: T1, past_value?: T2, nonpad_kv_seqlen?: int64) -> (Y: T1, present_key?: T1, present_value?: T2, qk_matmul_output?: T1)",
        types: ["T1": .floats, "T2": .floats, "U": [.numeric, .bool]],
        attributes: [
            "is_causal": .int(0), "kv_num_heads": .optional(.int), "left_window_size": .int(-1), "q_num_heads": .optional(.int),
            "qk_matmul_output_mode": .int(0), "right_window_size": .int(-1), "scale": .optional(.float), "softcap": .float(0),
            "softmax_precision": .optional(.int),
        ],
        numericClass: .composite,
        infer: { context throws(OperatorError) in
            let shapes = try AttentionShapes(context)
            let (q, v) = (try context.input(0), try context.input(2))
            let output = [shapes.batch, shapes.queryHeads, shapes.queries, shapes.valueSize]
            return [
                .tensor(
                    q.dataType, try possible(q.shape.count == 4 ? output : [output[0], output[2], try multiplied(output[1], output[3])])),
                .tensor(q.dataType, try possible([shapes.batch, shapes.heads, shapes.keys, shapes.headSize])),
                .tensor(v.dataType, try possible([shapes.batch, shapes.heads, shapes.keys, shapes.valueSize])),
                .tensor(q.dataType, try possible([shapes.batch, shapes.queryHeads, shapes.queries, shapes.keys])),
            ]
        },
        reference: attention
    ).sampled(attentionSamples).decomposing(attentionParts),
    OperatorDefinition(
        "RotaryEmbedding", since: [23], "(X: T, cos_cache: T, sin_cache: T, position_ids?: int64) -> (Y: T)",
        types: ["T": TypeSet(.float32, .float16, .bfloat16)],
        attributes: ["interleaved": .int(0), "num_heads": .optional(.int), "rotary_embedding_dim": .int(0)], numericClass: .composite,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            let shapes = try RotaryShapes(context)
            let (batch, steps) = (shapes.batch, shapes.steps)
            for index in 1...2 {
                let cache = try context.input(index).shape
                try require(
                    context.has(3) ? cache.count == 2 && cache[1] == shapes.rotated / 2 : cache == [batch, steps, shapes.rotated / 2],
                    "a cache of shape \(cache) does not fit an input of shape \(x.shape) of which \(shapes.rotated) entries are turned")
            }
            if context.has(3) {
                let positions = try context.input(3).shape
                try require(positions == [batch, steps], "positions of shape \(positions) for \(batch) sequences of \(steps)")
            }
            return [.known(x)]
        },
        reference: rotaryEmbedding
    ).sampled(rotarySamples).decomposing(rotaryParts),
]

/// The sizes that take part in an attention, checked.
struct AttentionShapes {
    let batch: Int
    let queryHeads: Int
    /// Heads of key and value.
    let heads: Int
    let queries: Int
    let past: Int
    /// Keys, those of the past included.
    let keys: Int
    let headSize: Int
    let valueSize: Int

    init(_ context: InferenceContext) throws(OperatorError) {
        let (q, k, v) = (try context.input(0).shape, try context.input(1).shape, try context.input(2).shape)
        try require(
            (q.count == 3 || q.count == 4) && k.count == q.count && v.count == q.count,
            "shapes \(q), \(k) and \(v) of Q, K and V must have 3 or 4 axes alike")
        let named = (query: context.attributes.int("q_num_heads"), key: context.attributes.int("kv_num_heads"))
        func split(_ shape: [Int], _ name: String, heads: Int?) throws(OperatorError) -> [Int] {
            if shape.count == 4 {
                try require(heads == nil || heads == shape[1], "\(heads ?? 0) heads are named, but \(name) has shape \(shape)")
                return shape
            }
            guard let heads, heads > 0, shape[2] % heads == 0 else {
                throw .invalid("\(name) of shape \(shape) does not divide into \(heads ?? 0) heads")
            }
            return [shape[0], heads, shape[1], shape[2] / heads]
        }
        let (query, key) = (try split(q, "Q", heads: named.query), try split(k, "K", heads: named.key))
        let value = try split(v, "V", heads: named.key)
        (batch, queryHeads, queries, headSize) = (query[0], query[1], query[2], query[3])
        (heads, valueSize) = (key[1], value[3])
        try require(
            key[0] == batch && value[0] == batch && value[1] == heads && value[2] == key[2] && key[3] == headSize && heads > 0
                && queryHeads % heads == 0, "shapes \(q), \(k) and \(v) of Q, K and V do not belong together")
        try require(context.has(4) == context.has(5), "past_key and past_value come together or not at all")
        try require(!(context.has(4) && context.has(6)), "nonpad_kv_seqlen cannot be given beside past_key")
        past = context.has(4) ? try context.input(4).shape.dropFirst(2).first ?? 0 : 0
        if context.has(4) {
            let (pastKey, pastValue) = (try context.input(4).shape, try context.input(5).shape)
            try require(
                pastKey == [batch, heads, past, headSize] && pastValue == [batch, heads, past, valueSize],
                "past_key of shape \(pastKey) and past_value of shape \(pastValue) do not fit K of shape \(k) and V of shape \(v)")
        }
        keys = try added(past, key[2])
        if context.has(3) {
            var mask = try context.input(3).shape
            // A mask may end early (even after one key, which then is not repeated).
            if let last = mask.last, last <= keys { mask[mask.count - 1] = keys }
            let target = [batch, queryHeads, queries, keys]
            try require(broadcastShape([mask, target]) == target, "a mask of shape \(mask) does not broadcast to \(target)")
        }
        if context.has(6) {
            let lengths = try context.input(6).shape
            try require(lengths == [batch], "nonpad_kv_seqlen of shape \(lengths) for a batch of \(batch)")
        }
        for name in ["left_window_size", "right_window_size"] {
            let size = context.attributes.int(name)!
            try require(size >= -1 && size < 1 << 40, "\(name) must be -1 or a number of positions, not \(size)")
        }
        try require((0...3).contains(context.attributes.int("qk_matmul_output_mode")!), "qk_matmul_output_mode must be 0 to 3")
    }
}

/// An operand as [batch, heads, sequence, size], behind what is kept of the past.
private func cached(_ tensor: ReferenceTensor, heads: Int, past: ReferenceTensor?) -> ReferenceTensor {
    var present = tensor
    if tensor.shape.count == 3 {
        let size = tensor.shape[2] / heads
        present = tensor.reshaped([tensor.shape[0], tensor.shape[1], heads, size]).transposed([0, 2, 1, 3])
    }
    guard let past else { return present }
    let (before, after) = (past.shape[2] * past.shape[3], present.shape[2] * present.shape[3])
    var runs: [Range<Int>] = []
    for row in 0..<present.shape[0] * heads {
        runs.append(row * before..<(row + 1) * before)
        runs.append(past.count + row * after..<past.count + (row + 1) * after)
    }
    let shape = [present.shape[0], heads, past.shape[2] + present.shape[2], present.shape[3]]
    return past.pooled(with: [present]).gathered(runs: runs, shape: shape)
}

/// What is added to the score of every key of a query: minus infinity hides it.
private struct AttentionBias {
    let shapes: AttentionShapes
    let isCausal: Bool
    let left: Int
    let right: Int
    let lengths: [Int64]?
    private var mask: [Double] = []
    private var maskShape: [Int] = []
    private var maskStrides: [Int] = []

    init(_ context: ReferenceContext, _ shapes: AttentionShapes) throws(OperatorError) {
        self.shapes = shapes
        isCausal = context.attributes.flag("is_causal")
        (left, right) = (context.attributes.int("left_window_size")!, context.attributes.int("right_window_size")!)
        lengths = context.has(6) ? try context.input(6).integers : nil
        guard context.has(3) else { return }
        let given = try context.input(3)
        mask = given.dataType == .bool ? given.integers.map { $0 == 0 ? -.infinity : 0 } : given.floats
        maskShape = Array(repeating: 1, count: 4 - given.shape.count) + given.shape
        maskStrides = zip(denseStrides(maskShape), maskShape).map { $1 == 1 ? 0 : $0 }
    }

    func callAsFunction(batch: Int, head: Int, query: Int, key: Int) -> Double {
        // A query's position counts from the first key.
        let offset = lengths.map { Int($0[batch]) &- shapes.queries } ?? shapes.past
        let distance = key &- (query &+ offset)
        if isCausal && distance > 0 || left >= 0 && -distance > left || right >= 0 && distance > right { return -.infinity }
        if let lengths, Int64(key) >= lengths[batch] { return -.infinity }
        if maskShape.isEmpty { return 0 }
        // A mask that ends early hides the keys behind its end.
        if key >= maskShape[3] { return -.infinity }
        return mask[batch * maskStrides[0] + head * maskStrides[1] + query * maskStrides[2] + key]
    }
}

private func attention(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let shapes = try AttentionShapes(context.inference)
    let q = cached(try context.input(0), heads: shapes.queryHeads, past: nil).floats
    let key = cached(try context.input(1), heads: shapes.heads, past: context.has(4) ? try context.input(4) : nil)
    let value = cached(try context.input(2), heads: shapes.heads, past: context.has(5) ? try context.input(5) : nil)
    let (k, v) = (key.floats, value.floats)
    let (size, valueSize, keys) = (shapes.headSize, shapes.valueSize, shapes.keys)
    let scale = context.attributes.float("scale") ?? 1 / Double(size).squareRoot()
    let softcap = context.attributes.float("softcap")!
    let mode = context.attributes.int("qk_matmul_output_mode")!
    let bias = try AttentionBias(context, shapes)
    let is4D = try context.input(0).shape.count == 4
    var y = [Double](repeating: 0, count: product(context.output(0).shape))
    var scores = [Double](repeating: 0, count: product(context.output(3).shape))
    var row = [Double](repeating: 0, count: keys)
    for batch in 0..<shapes.batch {
        for head in 0..<shapes.queryHeads {
            let shared = batch * shapes.heads + head / (shapes.queryHeads / shapes.heads)
            for query in 0..<shapes.queries {
                let number = (batch * shapes.queryHeads + head) * shapes.queries + query
                func keep(_ values: [Double]) { for index in 0..<keys { scores[number * keys + index] = values[index] } }
                for index in 0..<keys {
                    var sum = 0.0
                    for entry in 0..<size { sum += q[number * size + entry] * k[(shared * keys + index) * size + entry] }
                    row[index] = sum * scale
                }
                if mode == 0 { keep(row) }
                if softcap > 0 { for index in 0..<keys { row[index] = softcap * tanh(row[index] / softcap) } }
                if mode == 1 { keep(row) }
                for index in 0..<keys { row[index] += bias(batch: batch, head: head, query: query, key: index) }
                if mode == 2 { keep(row) }
                softmax(&row)
                if mode == 3 { keep(row) }
                let target = is4D ? number * valueSize : ((batch * shapes.queries + query) * shapes.queryHeads + head) * valueSize
                for index in 0..<keys where row[index] != 0 {
                    for entry in 0..<valueSize { y[target + entry] += row[index] * v[(shared * keys + index) * valueSize + entry] }
                }
            }
        }
    }
    return [
        ReferenceTensor(context.output(0).dataType, context.output(0).shape, .floats(y)), key, value,
        ReferenceTensor(context.output(3).dataType, context.output(3).shape, .floats(scores)),
    ]
}

/// In place; zeros where every entry is hidden.
func softmax(_ row: inout [Double]) {
    let largest = row.reduce(-.infinity) { $0.isNaN || $0 > $1 ? $0 : $1 }
    if largest == -.infinity {
        for index in row.indices { row[index] = 0 }
        return
    }
    var sum = 0.0
    for index in row.indices {
        row[index] = exp(row[index] - largest)
        sum += row[index]
    }
    for index in row.indices { row[index] /= sum }
}

/// The sizes of a rotary embedding, checked.
struct RotaryShapes {
    let batch: Int
    let heads: Int
    let steps: Int
    let size: Int
    /// How many entries of each head are turned, in pairs.
    let rotated: Int

    init(_ context: InferenceContext) throws(OperatorError) {
        let x = try context.input(0).shape
        let heads = x.count == 4 ? x[1] : context.attributes.int("num_heads") ?? 0
        try require(
            x.count == 4 || (x.count == 3 && heads > 0 && x[2] % heads == 0), "an input of shape \(x) does not divide into \(heads) heads")
        self.heads = heads
        (batch, steps, size) = x.count == 4 ? (x[0], x[2], x[3]) : (x[0], x[1], x[2] / heads)
        let named = context.attributes.int("rotary_embedding_dim")!
        rotated = named == 0 ? size : named
        try require(rotated >= 0 && rotated <= size && rotated % 2 == 0, "\(rotated) of \(size) entries cannot be turned in pairs")
    }
}

private func rotaryEmbedding(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let shapes = try RotaryShapes(context.inference)
    let (cosines, sines) = (try context.input(1), try context.input(2).floats)
    let cosineValues = cosines.floats
    let positions = context.has(3) ? try context.input(3).integers : nil
    let isInterleaved = context.attributes.flag("interleaved")
    let half = shapes.rotated / 2
    var values = x.floats
    for batch in 0..<shapes.batch {
        for step in 0..<shapes.steps {
            var row = batch * shapes.steps + step
            if let positions {
                let position = positions[row]
                try require(
                    position >= 0 && position < Int64(cosines.shape[0]) && Int(position) < sines.count / max(half, 1) || half == 0,
                    "position \(position) is outside a cache of \(cosines.shape[0])")
                row = Int(position)
            }
            for head in 0..<shapes.heads {
                let start =
                    (x.shape.count == 4
                        ? (batch * shapes.heads + head) * shapes.steps + step : (batch * shapes.steps + step) * shapes.heads + head)
                    * shapes.size
                for pair in 0..<half {
                    let first = start + (isInterleaved ? 2 * pair : pair)
                    let second = start + (isInterleaved ? 2 * pair + 1 : pair + half)
                    let (cosine, sine) = (cosineValues[row * half + pair], sines[row * half + pair])
                    (values[first], values[second]) = (
                        cosine * values[first] - sine * values[second], sine * values[first] + cosine * values[second]
                    )
                }
            }
        }
    }
    return [ReferenceTensor(x.dataType, x.shape, .floats(values))]
}

// MARK: Samples

@Sendable private func attentionSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (batch, steps, keys, size) = (2, context.size(3...9), context.size(5...12), 8)
    func of(
        _ name: String, heads: Int = 2, keyHeads: Int? = nil, steps s: Int? = nil, keys k: Int? = nil, mask: Sample.Tensor? = nil,
        past: Int? = nil, outputs: Int = 1,
        _ attributes: [String: Attribute] = [:]
    ) -> Sample {
        let (s, k, keyHeads) = (s ?? steps, k ?? keys, keyHeads ?? heads)
        let cache = past.map { [batch, keyHeads, $0, size] }
        return Sample(
            name,
            [
                .init(type, [batch, heads, s, size]), .init(type, [batch, keyHeads, k, size]), .init(type, [batch, keyHeads, k, size]),
                mask, cache.map { .init(type, $0) },
                cache.map { .init(type, $0) },
            ].trimmed, attributes, wanted: [Bool](repeating: true, count: outputs))
    }
    /// Inputs of three axes, whose heads an attribute tells.
    func flat(_ name: String, heads: Int, keyHeads: Int, _ attributes: [String: Attribute] = [:]) -> Sample {
        Sample(
            name,
            [
                .init(type, [batch, steps, heads * size]), .init(type, [batch, keys, keyHeads * size]),
                .init(type, [batch, keys, keyHeads * size]),
            ],
            attributes.merging(["q_num_heads": .int(Int64(heads)), "kv_num_heads": .int(Int64(keyHeads))]) { $1 })
    }
    let isMasked = Sample.Tensor(.bool, [steps, keys])
    var samples = [
        of("plain"), of("causal", ["is_causal": .int(1)]), of("scale", ["scale": .float(0.25)]),
        // Scores whose exponentials overflow unless the maximum is taken off first.
        of("large-scores", ["scale": .float(40)]),
        of("softcap", ["softcap": .float(2)]), of("grouped", heads: 6, keyHeads: 2),
        of("one-key-head", heads: 3, keyHeads: 1), of("mask", mask: .init(type, [steps, keys])),
        of("mask-heads", mask: .init(type, [batch, 2, steps, keys])),
        of("mask-batch", mask: .init(type, [batch, 1, steps, keys])), of("mask-bool", mask: isMasked), of("past", past: 4, outputs: 3),
        of("past-causal", past: 4, outputs: 3, ["is_causal": .int(1)]),
        of("past-mask", mask: .init(type, [steps, keys + 4]), past: 4, outputs: 3), of("one-step", steps: 1, past: 6, outputs: 3),
        of("one-key", keys: 1), flat("flat", heads: 3, keyHeads: 3), flat("flat-grouped", heads: 4, keyHeads: 2),
        flat("flat-causal", heads: 2, keyHeads: 2, ["is_causal": .int(1)]),
        of("large", heads: 4, steps: 33, keys: 40), of("mask-and-causal", mask: .init(type, [steps, keys]), ["is_causal": .int(1)]),
        // A fully masked row became NaN (iree#24175); which one it is moved with the one allowed key (flash-attention#1930).
        of("field-masked-row", mask: .init(.bool, [steps, keys], .exactly((0..<steps * keys).map { $0 / keys == 1 ? 0 : 1 }))),
        of(
            "field-one-allowed-last", mask: .init(.bool, [steps, keys], .exactly((0..<steps * keys).map { $0 % keys == keys - 1 ? 1 : 0 }))),
        of("field-one-allowed-first", mask: .init(.bool, [steps, keys], .exactly((0..<steps * keys).map { $0 % keys == 0 ? 1 : 0 }))),
    ]
    if version >= 24 {
        samples.append(
            Sample(
                "padded-keys",
                [
                    .init(type, [batch, 2, steps, size]), .init(type, [batch, 2, keys, size]), .init(type, [batch, 2, keys, size]), nil,
                    nil, nil, .init(.int64, [batch], .integers(1...Int64(keys))),
                ]))
    }
    for mode in 0...3 {
        samples.append(
            Sample(
                "scores-\(mode)",
                [.init(type, [batch, 2, steps, size]), .init(type, [batch, 2, keys, size]), .init(type, [batch, 2, keys, size])],
                ["qk_matmul_output_mode": .int(Int64(mode)), "softcap": .float(3)], wanted: [true, false, false, true]))
    }
    return samples
}

@Sendable private func rotarySamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (batch, steps, heads, size) = (2, context.size(3...9), 3, 8)
    func of(_ name: String, _ shape: [Int], half: Int, positions: Bool, _ attributes: [String: Attribute] = [:]) -> Sample {
        let cache: [Int] = positions ? [50, half] : [batch, steps, half]
        return Sample(
            name,
            [
                .init(type, shape), .init(type, cache, .data(-1...1)), .init(type, cache, .data(-1...1)),
                positions ? .init(.int64, [batch, steps], .integers(0...49)) : nil,
            ].trimmed, attributes)
    }
    let whole = [batch, heads, steps, size]
    return [
        of("plain", whole, half: 4, positions: true), of("no-positions", whole, half: 4, positions: false),
        of("interleaved", whole, half: 4, positions: true, ["interleaved": .int(1)]),
        of("partial", whole, half: 2, positions: true, ["rotary_embedding_dim": .int(4)]),
        of("flat", [batch, steps, heads * size], half: 4, positions: true, ["num_heads": .int(3)]),
        of("large", [batch, 8, steps, 64], half: 32, positions: true),
        of("interleaved-no-positions", whole, half: 4, positions: false, ["interleaved": .int(1)]),
    ]
}

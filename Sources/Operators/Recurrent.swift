// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Recurrent layers. Their cells are in `RecurrentCells.swift`.
let recurrentOperators: [OperatorDefinition] = [
    recurrent(
        "RNN", gates: 1, "(X: T, W: T, R: T, B?: T, sequence_lens?: int32, initial_h?: T) -> (Y?: T, Y_h?: T)", since: [1, 7, 14, 22]),
    recurrent(
        "GRU", gates: 3, "(X: T, W: T, R: T, B?: T, sequence_lens?: int32, initial_h?: T) -> (Y?: T, Y_h?: T)", since: [3, 7, 14, 22],
        attributes: ["linear_before_reset": .int(0)]),
    recurrent(
        "LSTM", gates: 4,
        "(X: T, W: T, R: T, B?: T, sequence_lens?: int32, initial_h?: T, initial_c?: T, P?: T) -> (Y?: T, Y_h?: T, Y_c?: T)",
        since: [1, 7, 14, 22], attributes: ["input_forget": .int(0)]),
]

private func recurrent(
    _ name: String, gates: Int, _ signature: StaticString, since: [Int], attributes: [String: AttributeRule] = [:]
) -> OperatorDefinition {
    let common: [String: AttributeRule] = [
        "activation_alpha": .optional(.floats), "activation_beta": .optional(.floats), "activations": .optional(.strings),
        "clip": .optional(.float), "direction": .string("forward"), "hidden_size": .optional(.int), "layout": .int(0),
        "output_sequence": .int(0),
    ]
    return OperatorDefinition(
        name, since: since, signature, types: ["T": .floats], attributes: common.merging(attributes) { $1 }, numericClass: .composite,
        infer: { context throws(OperatorError) in
            let shapes = try RecurrentShapes(context, gates: gates)
            _ = try RecurrentCell(context.attributes, gates: gates, directions: shapes.directions)
            let type = try context.input(0).dataType
            let last: InferredOutput = .tensor(type, shapes.ofState)
            return [.tensor(type, try possible(shapes.ofSequence)), last] + (gates == 4 ? [last] : [])
        },
        reference: { context throws(OperatorError) in try run(context, gates: gates) }
    ).sampled { context in
        let type = context.type
        let (steps, batch, size, hidden) = (context.size(2...6), context.size(2...4), context.size(3...7), context.size(3...6))
        func of(
            _ name: String, _ direction: String = "forward", optional: Int = 0, batchFirst: Bool = false, _ extra: [String: Attribute] = [:]
        ) -> Sample {
            let directions = direction == "bidirectional" ? 2 : 1
            let state = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
            var inputs: [Sample.Tensor?] = [
                .init(type, batchFirst ? [batch, steps, size] : [steps, batch, size]),
                .init(type, [directions, gates * hidden, size], .data(-0.7...0.7)),
                .init(type, [directions, gates * hidden, hidden], .data(-0.7...0.7)),
            ]
            if optional >= 1 { inputs.append(.init(type, [directions, 2 * gates * hidden], .data(-0.5...0.5))) }
            if optional >= 2 { inputs.append(.init(.int32, [batch], .integers(1...Int64(steps)))) }
            if optional >= 3 { inputs.append(.init(type, state)) }
            if optional >= 4, gates == 4 { inputs += [.init(type, state), .init(type, [directions, 3 * hidden], .data(-0.5...0.5))] }
            var attributes = extra.merging(["hidden_size": .int(Int64(hidden)), "direction": .string(direction)]) { $1 }
            if batchFirst { attributes["layout"] = .int(1) }
            return Sample(name, inputs, attributes, wanted: [Bool](repeating: true, count: gates == 4 ? 3 : 2))
        }
        var samples = [
            of("forward"), of("reverse", "reverse", optional: 1), of("bidirectional", "bidirectional", optional: 1),
            of("lengths", optional: 2), of("state", optional: 3),
            of("all", "bidirectional", optional: 4), of("clipped", optional: 1, ["clip": .float(0.5)]),
            of("reverse-lengths", "reverse", optional: 2),
        ]
        if gates == 3 {
            samples += [
                of("linear-before-reset", optional: 3, ["linear_before_reset": .int(1)]),
                of("linear-reverse", "reverse", optional: 1, ["linear_before_reset": .int(1)]),
            ]
        }
        if gates == 4 { samples.append(of("coupled", optional: 1, ["input_forget": .int(1)])) }
        if context.version >= 14 {
            samples += [
                of("batch-first", optional: 1, batchFirst: true), of("batch-first-both", "bidirectional", optional: 3, batchFirst: true),
            ]
        }
        return samples
    }
}

/// The sizes of a recurrent layer, checked.
struct RecurrentShapes {
    let steps: Int
    let batch: Int
    let inputSize: Int
    let hiddenSize: Int
    let directions: Int
    let batchFirst: Bool

    /// The shape of Y.
    var ofSequence: [Int] { batchFirst ? [batch, steps, directions, hiddenSize] : [steps, directions, batch, hiddenSize] }
    /// The shape of the states before and after.
    var ofState: [Int] { batchFirst ? [batch, directions, hiddenSize] : [directions, batch, hiddenSize] }

    init(_ context: InferenceContext, gates: Int) throws(OperatorError) {
        let (x, w, r) = (try context.input(0).shape, try context.input(1).shape, try context.input(2).shape)
        let direction = context.attributes.string("direction")!
        try require(["forward", "reverse", "bidirectional"].contains(direction), "direction '\(direction)' is unknown")
        let count = direction == "bidirectional" ? 2 : 1
        directions = count
        batchFirst = context.attributes.flag("layout")
        try require(x.count == 3 && w.count == 3 && r.count == 3, "X, W and R of shapes \(x), \(w) and \(r) must have three axes")
        (steps, batch, inputSize) = batchFirst ? (x[1], x[0], x[2]) : (x[0], x[1], x[2])
        hiddenSize = context.attributes.int("hidden_size") ?? r[2]
        let rows = try multiplied(gates, max(hiddenSize, 0))
        try require(
            hiddenSize > 0 && w == [count, rows, inputSize] && r == [count, rows, hiddenSize],
            "weights of shapes \(w) and \(r) do not fit \(count) directions of \(hiddenSize) hidden and \(inputSize) input values")
        var expected: [Int: [Int]] = [3: [count, 2 * rows], 4: [batch], 5: ofState]
        if gates == 4 { (expected[6], expected[7]) = (ofState, [count, 3 * hiddenSize]) }
        for (index, shape) in expected where context.has(index) {
            let given = try context.input(index).shape
            try require(given == shape, "input \(index) must have shape \(shape), not \(given)")
        }
    }
}

private func run(_ context: ReferenceContext, gates: Int) throws(OperatorError) -> [ReferenceTensor?] {
    let shapes = try RecurrentShapes(context.inference, gates: gates)
    let cell = try RecurrentCell(context.attributes, gates: gates, directions: shapes.directions)
    let (hidden, batch, steps, size) = (shapes.hiddenSize, shapes.batch, shapes.steps, shapes.inputSize)
    let (x, w, r) = (try context.input(0).floats, try context.input(1).floats, try context.input(2).floats)
    func optional(_ index: Int, count: Int) throws(OperatorError) -> [Double] {
        context.has(index) ? try context.input(index).floats : Array(repeating: 0, count: count)
    }
    let stateCount = product(shapes.ofState)
    let bias = try optional(3, count: shapes.directions * 2 * gates * hidden)
    let peepholes = gates == 4 ? try optional(7, count: shapes.directions * 3 * hidden) : []
    var states = try optional(5, count: stateCount)
    var memories = gates == 4 ? try optional(6, count: stateCount) : []
    let lengths = context.has(4) ? try context.input(4).integers : Array(repeating: Int64(steps), count: batch)
    for length in lengths { try require(length >= 0 && length <= Int64(steps), "a sequence length of \(length) with \(steps) steps") }
    let isReverse = context.attributes.string("direction") == "reverse"
    var y = [Double](repeating: 0, count: product(shapes.ofSequence))
    for direction in 0..<shapes.directions {
        let weights = RecurrentCell.Weights(
            input: Array(w[direction * gates * hidden * size..<(direction + 1) * gates * hidden * size]),
            recurrence: Array(r[direction * gates * hidden * hidden..<(direction + 1) * gates * hidden * hidden]),
            bias: Array(bias[direction * 2 * gates * hidden..<(direction + 1) * 2 * gates * hidden]),
            peepholes: gates == 4 ? Array(peepholes[direction * 3 * hidden..<(direction + 1) * 3 * hidden]) : [])
        for entry in 0..<batch {
            let place = (shapes.batchFirst ? entry * shapes.directions + direction : direction * batch + entry) * hidden
            var state = Array(states[place..<place + hidden])
            var memory = gates == 4 ? Array(memories[place..<place + hidden]) : []
            let length = Int(lengths[entry])
            for count in 0..<length {
                let step = isReverse || direction == 1 ? length - 1 - count : count
                let source = (shapes.batchFirst ? entry * steps + step : step * batch + entry) * size
                cell.step(direction, Array(x[source..<source + size]), weights, state: &state, memory: &memory)
                let target =
                    (shapes.batchFirst
                        ? (entry * steps + step) * shapes.directions + direction : (step * shapes.directions + direction) * batch + entry)
                    * hidden
                for index in 0..<hidden { y[target + index] = state[index] }
            }
            states.replaceSubrange(place..<place + hidden, with: state)
            if gates == 4 { memories.replaceSubrange(place..<place + hidden, with: memory) }
        }
    }
    let type = try context.input(0).dataType
    var results: [ReferenceTensor?] = [
        ReferenceTensor(type, shapes.ofSequence, .floats(y)), ReferenceTensor(type, shapes.ofState, .floats(states)),
    ]
    if gates == 4 { results.append(ReferenceTensor(type, shapes.ofState, .floats(memories))) }
    return results
}

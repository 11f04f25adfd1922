// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// How the inputs and outputs of a Scan lie: states first, then what is read or written slice by slice.
struct ScanLayout {
    let body: Subgraph
    let states: Int
    let length: Int
    let inputAxes: [Int]
    /// Not yet counted from the front: the rank is the body's.
    let outputAxes: [Int]
    let isReversedInput: [Bool]
    let isReversedOutput: [Bool]

    init(_ context: InferenceContext) throws(OperatorError) {
        let attributes = context.attributes
        body = try Subgraph("body", attributes, inputs: context.inputs.count)
        let scanned = attributes.int("num_scan_inputs") ?? 0
        try require(scanned > 0 && scanned <= body.inputCount, "\(scanned) scan inputs of \(body.inputCount) inputs")
        states = body.inputCount - scanned
        let stacked = body.graph.outputs.count - states
        try require(stacked >= 0, "the body gives \(body.graph.outputs.count) values for \(states) states")
        func list(_ name: String, count: Int) throws(OperatorError) -> [Int] {
            let list = attributes.ints(name) ?? Array(repeating: 0, count: count)
            try require(list.count == count, "attribute '\(name)' has \(list.count) entries instead of \(count)")
            return list
        }
        var (axes, lengths) = ([Int](), Set<Int>())
        for (index, axis) in try list("scan_input_axes", count: scanned).enumerated() {
            let shape = try context.input(states + index).shape
            axes.append(try normalizedAxis(axis, rank: shape.count))
            lengths.insert(shape[axes[index]])
        }
        guard lengths.count == 1, let only = lengths.first else {
            throw .invalid("the scan inputs have different lengths: \(lengths.sorted())")
        }
        (length, inputAxes) = (only, axes)
        outputAxes = try list("scan_output_axes", count: stacked)
        isReversedInput = try list("scan_input_directions", count: scanned).map { $0 == 1 }
        isReversedOutput = try list("scan_output_directions", count: stacked).map { $0 == 1 }
    }

    /// What the body gives in each round. Throws if a state's type would change from round to round.
    func bodyOutputs(_ context: InferenceContext) throws(OperatorError) -> [ConcreteType] {
        var arguments: [ConcreteType] = []
        for index in 0..<body.inputCount {
            var type = try context.input(index)
            if index >= states { type.shape.remove(at: inputAxes[index - states]) }
            arguments.append(type)
        }
        let inference = try body.inferred(arguments, context)
        var outputs: [ConcreteType] = []
        for output in body.graph.outputs {
            guard let type = inference.concreteType(output) else {
                throw .unsupported("the shape of '\(body.graph[output].name)' depends on data")
            }
            outputs.append(type)
        }
        for (state, output) in zip(arguments.prefix(states), outputs) where state != output {
            throw .invalid("a state of shape \(state.shape) becomes one of shape \(output.shape)")
        }
        return outputs
    }
}

@Sendable func runScan(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let layout = try ScanLayout(context.inference)
    var states: [ReferenceTensor] = []
    for index in 0..<layout.states { states.append(try context.input(index)) }
    var slices: [(tensor: ReferenceTensor, span: AxisSpan, shape: [Int])] = []
    for (index, axis) in layout.inputAxes.enumerated() {
        let tensor = try context.input(layout.states + index)
        var shape = tensor.shape
        shape.remove(at: axis)
        slices.append((tensor, AxisSpan(tensor.shape, axis: axis), shape))
    }
    var stacks = [[ReferenceTensor]](repeating: [], count: layout.outputAxes.count)
    for round in 0..<layout.length {
        var arguments = states
        for (index, (tensor, span, shape)) in slices.enumerated() {
            let place = layout.isReversedInput[index] ? layout.length - 1 - round : round
            let runs = (0..<span.outer).map {
                ($0 * span.size + place) * span.inner..<($0 * span.size + place + 1) * span.inner
            }
            arguments.append(tensor.gathered(runs: runs, shape: shape))
        }
        let results = try layout.body.run(arguments, context.inputs)
        states = Array(results[..<layout.states])
        for (index, result) in results.dropFirst(layout.states).enumerated() { stacks[index].append(result) }
    }
    var outputs: [ReferenceTensor?] = states
    for (index, stack) in stacks.enumerated() {
        let type = context.output(layout.states + index)
        guard let first = stack.first else {
            outputs.append(.zeros(type.dataType, type.shape))
            continue
        }
        let axis = try normalizedAxis(layout.outputAxes[index], rank: type.shape.count)
        let order = layout.isReversedOutput[index] ? stack.reversed() : stack
        let pool = order[0].pooled(with: Array(order.dropFirst()))
        let span = AxisSpan(type.shape, axis: axis)
        var runs: [Range<Int>] = []
        for outer in 0..<span.outer {
            for place in 0..<span.size {
                let start = place * first.count + outer * span.inner
                runs.append(start..<start + span.inner)
            }
        }
        outputs.append(pool.gathered(runs: runs, shape: type.shape))
    }
    return outputs
}

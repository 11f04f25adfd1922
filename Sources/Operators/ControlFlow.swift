// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that run subgraphs. The stack runs them itself.
let controlFlowOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "If", since: [1, 11, 13, 16, 19, 21, 23, 24, 25], "(cond: bool) -> (outputs: V*)", types: ["V": .any],
        attributes: ["then_branch": .required(.graph), "else_branch": .required(.graph)], numericClass: .composite,
        isHostOperator: true,
        infer: { context throws(OperatorError) in
            func types(_ branch: String) throws(OperatorError) -> [InferredOutput] {
                let body = try Subgraph(branch, context.attributes, inputs: context.inputs.count)
                let inference = try body.inferred([], context)
                return body.graph.outputs.compactMap { inference.types[$0.index] }
            }
            if (try? context.value(0)) != nil { return try types(try taken(context.value(0))) }
            if let one = try? types("then_branch"), let other = try? types("else_branch"), one == other { return one }
            throw .needsValue(input: 0)
        },
        reference: { context throws(OperatorError) in
            let branch = try Subgraph(try taken(context.input(0)), context.attributes, inputs: context.inputs.count)
            return try branch.run([], context.inputs)
        }),
    OperatorDefinition(
        "Loop", since: [1, 11, 13, 16, 19, 21, 23, 24, 25],
        "(M?: int64, cond?: bool, v_initial: V*) -> (v_final_and_scan_outputs: V*)",
        types: ["V": .any], attributes: ["body": .required(.graph)], numericClass: .composite, isHostOperator: true,
        infer: inferLoop, reference: runLoop),
    OperatorDefinition(
        "Scan", since: [9, 11, 16, 19, 21, 23, 24, 25],
        "(initial_state_and_scan_inputs: V*) -> (final_state_and_scan_outputs: V*)",
        types: ["V": .any],
        attributes: [
            "body": .required(.graph), "num_scan_inputs": .required(.int), "scan_input_axes": .optional(.ints),
            "scan_input_directions": .optional(.ints), "scan_output_axes": .optional(.ints),
            "scan_output_directions": .optional(.ints),
        ],
        numericClass: .composite, isHostOperator: true,
        infer: { context throws(OperatorError) in
            let scan = try ScanLayout(context)
            let outputs = try scan.bodyOutputs(context)
            var types = outputs.prefix(scan.states).map(InferredOutput.known)
            for (index, output) in outputs.dropFirst(scan.states).enumerated() {
                var shape = output.shape
                shape.insert(scan.length, at: try normalizedAxis(scan.outputAxes[index], rank: shape.count + 1))
                types.append(.tensor(output.dataType, try possible(shape)))
            }
            return types
        },
        reference: runScan),
]

private func taken(_ condition: ReferenceTensor) throws(OperatorError) -> String {
    try require(condition.count == 1, "the condition must hold one element, not have shape \(condition.shape)")
    return condition.integers[0] != 0 ? "then_branch" : "else_branch"
}

/// More rounds than this are taken for an endless loop.
private let roundLimit = 100_000

/// Known where every round leaves the carried values' types as they are, and M alone tells the number of rounds (else that is a bound).
/// Where types change from round to round only a run tells them.
@Sendable private func inferLoop(_ context: InferenceContext) throws(OperatorError) -> [InferredOutput] {
    let body = try Subgraph("body", context.attributes, inputs: context.inputs.count)
    guard let (carried, stacked, isEndless) = try steadyTypes(of: body, context) else {
        var inputs: [ReferenceTensor?] = []
        for index in context.inputs.indices { inputs.append(context.has(index) ? try context.value(index) : nil) }
        let results = try runLoop(ReferenceContext(attributes: context.attributes, inputs: inputs, outputs: []))
        return results.compactMap { $0.map { .tensor($0.dataType, $0.shape) } }
    }
    var types = carried.map(InferredOutput.known)
    if stacked.isEmpty { return types }
    guard context.has(0) else { throw .unsupported("a Loop without M gives no bound for its stacked outputs") }
    var rounds = max(try context.integer(0), 0)
    if isEndless, context.has(1), try context.integer(1) == 0 { rounds = 0 }
    for output in stacked {
        let shape = try possible([rounds] + output.shape)
        types.append(isEndless ? .tensor(output.dataType, shape) : .bounded(output.dataType, shape))
    }
    return types
}

/// Types of the carried values and of one round's stacked outputs, and whether the body never ends the loop; nil if they change from round to round.
private func steadyTypes(
    of body: Subgraph, _ context: InferenceContext
) throws(OperatorError) -> (carried: [ConcreteType], stacked: [ConcreteType], isEndless: Bool)? {
    var carried: [ConcreteType] = []
    for index in 2..<max(body.inputCount, 2) { carried.append(try context.input(index)) }
    guard let going = try? HostTensor(.bool, [], integers: [1]) else { return nil }
    var inference: GraphInference
    do throws(OperatorError) {
        inference = try body.inferred(
            [ConcreteType(.int64, []), ConcreteType(.bool, [])] + carried, values: [1: going], context)
    } catch {
        // The shapes in the body depend on what a round computes.
        guard case .invalid = error else { throw error }
        return nil
    }
    var outputs: [ConcreteType] = []
    for output in body.graph.outputs.dropFirst() {
        guard let type = inference.concreteType(output) else { return nil }
        outputs.append(type)
    }
    guard outputs.count >= carried.count, Array(outputs.prefix(carried.count)) == carried else { return nil }
    let isEndless = (try? inference.value(of: body.graph.outputs[0]).decodedIntegers()) == [1]
    return (carried, Array(outputs.dropFirst(carried.count)), isEndless)
}

@Sendable private func runLoop(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let body = try Subgraph("body", context.attributes, inputs: context.inputs.count)
    let limit = context.has(0) && body.inputCount > 0 ? try context.inference.integer(0) : Int.max
    var isGoing = context.has(1) && body.inputCount > 1 ? try context.inference.integer(1) != 0 : true
    var carried: [ReferenceTensor] = []
    for index in 2..<max(body.inputCount, 2) { carried.append(try context.input(index)) }
    let (given, first) = (body.graph.outputs.count, carried)
    try require(given > carried.count, "the body gives \(given) values for \(carried.count) that it carries")
    var stacks = [[ReferenceTensor]](repeating: [], count: given - 1 - carried.count)
    var round = 0
    while isGoing, round < limit {
        guard round < roundLimit else { throw .unsupported("the loop has not ended after \(roundLimit) rounds") }
        let number = ReferenceTensor(.int64, [], .integers([Int64(round)]))
        let results = try body.run([number, ReferenceTensor(.bool, [], .integers([1]))] + carried, context.inputs)
        isGoing = results[0].integers.first == 1
        carried = Array(results[1..<1 + carried.count])
        for (index, result) in results.dropFirst(1 + carried.count).enumerated() { stacks[index].append(result) }
        round += 1
    }
    var outputs: [ReferenceTensor?] = carried
    guard !stacks.isEmpty else { return outputs }
    if round > 0 { return outputs + (try stacks.map { stack throws(OperatorError) in try stacked(stack) }) }
    // No round has told the stacked outputs' types.
    let types = [ConcreteType(.int64, []), ConcreteType(.bool, [])] + first.map { ConcreteType($0.dataType, $0.shape) }
    let inference = try body.inferred(types, context.inference)
    for output in body.graph.outputs.dropFirst(1 + first.count) {
        guard let type = inference.concreteType(output) else {
            throw .unsupported("the shape of an empty stack depends on data")
        }
        outputs.append(.zeros(type.dataType, [0] + type.shape))
    }
    return outputs
}

/// Tensors of one type and shape under a new first axis.
private func stacked(_ tensors: [ReferenceTensor]) throws(OperatorError) -> ReferenceTensor {
    let first = tensors[0]
    if let other = tensors.first(where: { $0.dataType != first.dataType || $0.shape != first.shape }) {
        throw .invalid("shapes \(first.shape) and \(other.shape) of different rounds cannot be stacked")
    }
    return first.pooled(with: Array(tensors.dropFirst())).reshaped([tensors.count] + first.shape)
}

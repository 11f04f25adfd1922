// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// The body of a control-flow operator: what it takes from the node that holds it, and how it is inferred and run.
struct Subgraph {
    let graph: Graph
    /// Where the node's inputs end and its captures begin.
    let inputCount: Int
    private let captures: [(value: ValueID, source: Int)]

    init(_ attribute: String, _ attributes: NodeAttributes, inputs: Int) throws(OperatorError) {
        guard case .graph(let graph)? = attributes[attribute] else {
            throw .invalid("attribute '\(attribute)' is missing")
        }
        let names = attributes.capturedNames
        self.graph = graph
        inputCount = inputs - names.count
        captures = graph.captures.compactMap { value, name in
            names.firstIndex(of: name).map { (value, inputs - names.count + $0) }
        }.sorted { $0.source < $1.source }
    }

    /// Infers the body for arguments of the given types.
    ///
    /// - Parameters:
    ///   - sources: for each argument the input of the node whose value it has on every run, nil if there is none.
    ///   - values: values of arguments that are known otherwise, by position.
    func inferred(
        _ arguments: [ConcreteType], sources: [Int?] = [], values known: [Int: HostTensor] = [:],
        _ context: InferenceContext
    ) throws(OperatorError) -> GraphInference {
        try require(
            arguments.count == graph.inputs.count,
            "the body takes \(graph.inputs.count) values, but gets \(arguments.count)")
        var types = Dictionary(uniqueKeysWithValues: zip(graph.inputs, arguments))
        for capture in captures { types[capture.value] = try context.input(capture.source) }
        var candidates = captures
        for (index, source) in sources.enumerated() {
            if let source { candidates.append((graph.inputs[index], source)) }
        }
        // A shape is more likely to depend on a few integers than on anything else.
        candidates.sort { isShapeLike(types[$0.value]) && !isShapeLike(types[$1.value]) }
        var values: [ValueID: HostTensor] = [:]
        for (index, tensor) in known { values[graph.inputs[index]] = tensor }
        while true {
            do throws(GraphError) {
                return try GraphInference(graph, inputs: types, values: values)
            } catch {
                guard let next = candidates.first(where: { values[$0.value] == nil }) else {
                    throw .invalid(error.description)
                }
                values[next.value] = try hosted(try context.value(next.source))
            }
        }
    }

    func run(_ arguments: [ReferenceTensor], _ inputs: [ReferenceTensor?]) throws(OperatorError) -> [ReferenceTensor] {
        try require(
            arguments.count == graph.inputs.count,
            "the body takes \(graph.inputs.count) values, but gets \(arguments.count)")
        var values: [ValueID: HostTensor] = [:]
        for (value, argument) in zip(graph.inputs, arguments) { values[value] = try hosted(argument) }
        for capture in captures {
            guard let tensor = inputs[capture.source] else {
                throw .invalid("the body reads a value that is not there")
            }
            values[capture.value] = try hosted(tensor)
        }
        do throws(GraphError) {
            return try evaluate(graph, inputs: values).map { ReferenceTensor($0) }
        } catch { throw .invalid(error.description) }
    }

    private func isShapeLike(_ type: ConcreteType?) -> Bool {
        guard let type, type.dataType.isInteger || type.dataType == .bool else { return false }
        return (elementCount(type.shape) ?? .max) <= 64
    }

    private func hosted(_ tensor: ReferenceTensor) throws(OperatorError) -> HostTensor {
        do { return try tensor.hostTensor() } catch { throw .unsupported("\(error)") }
    }
}

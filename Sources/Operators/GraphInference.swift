// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// Types and shapes of all values of a graph once the shapes of its inputs are known, and, on demand, the values of those that can be told on the host
/// before a run (shape arithmetic, constants).
package struct GraphInference: Sendable {
    package let graph: Graph
    /// By value; nil until inferred.
    package private(set) var types: [InferredOutput?]
    /// Graph inputs whose values (not only shapes) the result depends on.
    package private(set) var valueDependencies: Set<ValueID> = []

    private let catalog: OperatorCatalog
    private let producer: [NodeID?]
    private let given: [ValueID: HostTensor]
    private var known: [ValueID: HostTensor] = [:]

    /// - Parameters:
    ///   - inputs: types of the graph's inputs, all of them, and of its captures if it is a subgraph.
    ///   - values: values of inputs, as far as they are there; they are looked at only where a shape depends on them.
    ///   - dependencies: inputs whose values the graph itself was made for.
    package init(
        _ graph: Graph, catalog: OperatorCatalog = .standard, inputs: [ValueID: ConcreteType],
        values: [ValueID: HostTensor] = [:], dependingOn dependencies: Set<ValueID> = []
    ) throws(GraphError) {
        valueDependencies = dependencies
        self.graph = graph
        self.catalog = catalog
        producer = graph.producers()
        given = values
        types = [InferredOutput?](repeating: nil, count: graph.values.count)
        for input in graph.inputs + graph.captures.keys {
            guard let type = inputs[input] else { throw GraphError("input '\(graph[input].name)' is missing") }
            types[input.index] = .known(type)
        }
        for (value, tensor) in graph.constants {
            types[value.index] = .known(ConcreteType(tensor.dataType, tensor.shape))
        }
        for index in graph.nodes.indices {
            let outputs = try infer(NodeID(index))
            for (output, type) in zip(graph.nodes[index].outputs, outputs) {
                if let output { types[output.index] = type }
            }
        }
    }

    package func definition(of node: Node) throws(GraphError) -> OperatorDefinition {
        guard let definition = catalog.definition(of: node) else {
            throw GraphError("node '\(node.name)': operator '\(node.qualifiedName)' is not in the catalogue")
        }
        return definition
    }

    /// The concrete type of a value; nil where its shape depends on data.
    package func concreteType(_ value: ValueID) -> ConcreteType? {
        if case .known(let type)? = types[value.index] { return type }
        return nil
    }

    private mutating func infer(_ id: NodeID) throws(GraphError) -> [InferredOutput] {
        let node = graph[id]
        let definition = try definition(of: node)
        var inputs: [ConcreteType?] = []
        let sources = node.inputs + graph.captured(by: node)
        for input in sources {
            guard let input else {
                inputs.append(nil)
                continue
            }
            guard let type = concreteType(input) else {
                throw GraphError(
                    "node '\(node.name)' (\(node.operatorName)): the shape of its input '\(graph[input].name)' depends on data"
                )
            }
            inputs.append(type)
        }
        let attributes: NodeAttributes
        do throws(OperatorError) {
            attributes = try definition.checkedAttributes(
                of: node, inputTypes: inputs.prefix(node.inputs.count).map { $0?.dataType })
        } catch {
            throw GraphError("node '\(node.name)' (\(node.operatorName)): \(error)")
        }
        var values: [Int: ReferenceTensor] = [:]
        while true {
            let found = values
            do throws(OperatorError) {
                return try definition.infer(
                    InferenceContext(
                        attributes: attributes, inputs: inputs, wanted: node.outputs.map { $0 != nil },
                        values: { found[$0] }))
            } catch {
                guard case .needsValue(let index) = error, values[index] == nil, index < sources.count,
                    let input = sources[index]
                else {
                    throw GraphError("node '\(node.name)' (\(node.operatorName)): \(error)")
                }
                values[index] = ReferenceTensor(try value(of: input))
            }
        }
    }

    /// The value, found from constants, from types alone (Shape) and from the given inputs by the operators' references.
    /// Throws if it is known only after a run.
    package mutating func value(of id: ValueID) throws(GraphError) -> HostTensor {
        if let constant = graph.constants[id] ?? known[id] { return constant }
        if let tensor = given[id] {
            valueDependencies.insert(id)
            return tensor
        }
        guard let source = producer[id.index] else {
            throw GraphError("the value of '\(graph[id].name)' must be known before the run")
        }
        try evaluate(source)
        guard let result = known[id] else { throw GraphError("'\(graph[id].name)' has no value before the run") }
        return result
    }

    private mutating func evaluate(_ id: NodeID) throws(GraphError) {
        let node = graph[id]
        let definition = try definition(of: node)
        if let valueFromTypes = definition.valueFromTypes, let output = node.outputs.first ?? nil {
            let inputs = node.inputs.map { $0.flatMap { concreteType($0) } }
            do {
                let attributes = try definition.checkedAttributes(of: node, inputTypes: inputs.map { $0?.dataType })
                known[output] = try valueFromTypes(
                    InferenceContext(attributes: attributes, inputs: inputs, wanted: [true], values: { _ in nil })
                ).hostTensor()
            } catch {
                throw GraphError("node '\(node.name)' (\(node.operatorName)): \(error)")
            }
            return
        }
        var inputs: [HostTensor?] = []
        for input in node.inputs {
            if let input { inputs.append(try value(of: input)) } else { inputs.append(nil) }
        }
        var captures: [HostTensor] = []
        for captured in graph.captured(by: node) { captures.append(try value(of: captured)) }
        let outputs: [HostTensor?]
        do throws(OperatorError) {
            outputs = try definition.evaluate(
                opset: node.opset, attributes: node.attributes, inputs: inputs, wanted: node.outputs.map { $0 != nil },
                captures: captures)
        } catch {
            throw GraphError("node '\(node.name)' (\(node.operatorName)): \(error)")
        }
        for (output, tensor) in zip(node.outputs, outputs) {
            if let output, let tensor { known[output] = tensor }
        }
    }
}

extension OperatorDefinition {
    func checkedAttributes(of node: Node, inputTypes: [DataType?]) throws(OperatorError) -> NodeAttributes {
        let version = try check(
            opset: node.opset, attributes: node.attributes, inputTypes: inputTypes, outputCount: node.outputs.count)
        return NodeAttributes(version: version, given: node.attributes, rules: attributes)
    }
}

extension Node {
    package var qualifiedName: String { domain.isEmpty ? operatorName : "\(domain)::\(operatorName)" }
}

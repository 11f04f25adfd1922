// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

/// Turns one graph message (the model's, or a subgraph) into a `Graph`.
final class GraphReader {
    let context: ReaderContext
    let frame: Frame
    let scope: Scope

    /// - Parameter parent: The scope around a subgraph.
    init(context: ReaderContext, frame: Frame, name: String, parent: Scope? = nil) {
        self.context = context
        self.frame = frame
        scope = Scope(builder: GraphBuilder(name: name), parent: parent)
    }

    private init(context: ReaderContext, frame: Frame, scope: Scope) {
        self.context = context
        self.frame = frame
        self.scope = scope
    }

    /// A reader for the body of a function called in this graph.
    func inlining(_ frame: Frame) -> GraphReader {
        GraphReader(context: context, frame: frame, scope: Scope(builder: scope.builder, parent: nil))
    }

    func read(_ proto: Onnx_GraphProto, requiringInputTypes: Bool) throws(ONNXError) -> Graph {
        let builder = scope.builder
        try readInitialisers(proto)
        try readInputs(proto, requiringTypes: requiringInputTypes)
        for node in proto.node { for output in node.output where !output.isEmpty { scope.declare(output) } }
        // Sequences inside the graph are taken apart; as outputs they are refused below.
        let inner = proto.valueInfo.filter { if case .sequenceType? = $0.type.value { false } else { true } }
        for info in inner + proto.output {
            guard case .value(let value)? = scope.binding(of: info.name), let type = try valueType(info) else { continue }
            if builder.graph[value].type == nil { builder.graph[value].type = type }
        }
        for (index, node) in proto.node.enumerated() { try readNode(node, index: index) }
        for output in proto.output {
            switch scope.resolve(output.name) {
            case .value(let value)?: builder.graph.outputs.append(value)
            case .sequence?:
                throw .unsupported("the output '\(output.name)' of graph '\(proto.name)' is a sequence; only tensors are supported")
            default: throw .invalid("the output '\(output.name)' of graph '\(proto.name)' is written by nothing")
            }
        }
        do { try builder.graph.sortTopologically() } catch { throw .invalid(error.description) }
        return builder.graph
    }

    private func readInitialisers(_ proto: Onnx_GraphProto) throws(ONNXError) {
        for tensor in proto.initializer {
            try addConstant(tensor.name, context.tensors.tensor(tensor, "initialiser '\(tensor.name)'"))
        }
        for sparse in proto.sparseInitializer {
            try addConstant(sparse.values.name, context.tensors.tensor(sparse, "sparse initialiser '\(sparse.values.name)'"))
        }
    }

    private func addConstant(_ name: String, _ tensor: HostTensor) throws(ONNXError) {
        guard !name.isEmpty else { throw .invalid("an initialiser of graph '\(scope.builder.graph.name)' has no name") }
        guard scope.binding(of: name) == nil else { throw .invalid("two initialisers are named '\(name)'") }
        let value = scope.declare(name)
        scope.builder.graph[value].type = TensorType(tensor.dataType, known: tensor.shape)
        scope.builder.graph.constants[value] = tensor
    }

    private func readInputs(_ proto: Onnx_GraphProto, requiringTypes: Bool) throws(ONNXError) {
        var seen: Set<String> = []
        for input in proto.input {
            guard !input.name.isEmpty else { throw .invalid("an input of graph '\(proto.name)' has no name") }
            guard seen.insert(input.name).inserted else { throw .invalid("two inputs of graph '\(proto.name)' are named '\(input.name)'") }
            let type = try valueType(input)
            if case .value(let constant)? = scope.binding(of: input.name) {
                let given = scope.builder.graph[constant].type
                if let type, let given, type.dataType != given.dataType {
                    throw .invalid("input '\(input.name)' has type \(type.dataType.name), but its initialiser has \(given.dataType.name)")
                }
                continue
            }
            guard type != nil || !requiringTypes else { throw .invalid("input '\(input.name)' has no type") }
            let value = scope.declare(input.name)
            scope.builder.graph[value].type = type
            scope.builder.graph.inputs.append(value)
        }
    }

    func readNode(_ proto: Onnx_NodeProto, index: Int) throws(ONNXError) {
        try context.countNode()
        let name = frame.prefix + (proto.name.isEmpty ? "\(proto.opType)_\(index)" : proto.name)
        let place = "node '\(name)' (\(proto.opType))"
        if let (id, function) = context.function(calledBy: proto) {
            return try inline(function, id: id, call: proto, name: name, place: place)
        }
        let domain = canonicalDomain(proto.domain)
        guard !proto.opType.isEmpty else { throw .invalid("node '\(frame.prefix)\(proto.name)' (number \(index)) names no operator") }
        guard let opset = frame.opsets[domain] else {
            let importer = frame.calls.last.map { "function '\($0)'" } ?? "the model"
            throw .invalid("\(place): \(importer) imports no operator set of domain '\(domain.isEmpty ? "ai.onnx" : domain)'")
        }
        let attributes = try readAttributes(of: proto, place: place)
        if domain.isEmpty, let operation = SequenceOperator(rawValue: proto.opType) {
            return try takeApart(operation, proto, name: name, opset: opset, attributes: attributes, place: place)
        }
        let inputs = try readInputs(of: proto, place: place)
        if let definition = context.catalog[domain, proto.opType] {
            try check(definition, opset: opset, attributes: attributes, inputs: inputs, outputCount: proto.output.count, place: place)
        } else {
            context.noteUnknownOperator(UnknownOperator(node: name, domain: domain, name: proto.opType, opset: opset))
        }
        let outputs = proto.output.map { $0.isEmpty ? nil : scope.declare($0, prefix: frame.prefix) }
        scope.builder.graph.addNode(
            Node(
                name: name, domain: domain, operatorName: proto.opType, opset: opset, inputs: inputs, outputs: outputs,
                attributes: attributes))
    }

    /// Holds a node against its operator's signature, as far as the types of its inputs are declared; inference, which knows all
    /// types, does it for every node.
    private func check(
        _ definition: OperatorDefinition, opset: Int, attributes: [String: Attribute], inputs: [ValueID?], outputCount: Int, place: String
    ) throws(ONNXError) {
        guard definition.version(atOpset: opset) != nil else {
            throw .unsupported("\(place): the operator is known here from opset \(definition.since[0]) on, but opset \(opset) is imported")
        }
        let types = inputs.map { $0.map { scope.builder.graph[$0].type?.dataType } }
        if types.contains(where: { $0 == .some(.none) }) { return }
        do {
            try definition.check(opset: opset, attributes: attributes, inputTypes: types.map { $0 ?? nil }, outputCount: outputCount)
        } catch {
            switch error {
            case .unsupported(let reason): throw .unsupported("\(place): \(reason)")
            default: throw .invalid("\(place): \(error)")
            }
        }
    }

    /// The values that a node reads; nil for those left out.
    func readInputs(of proto: Onnx_NodeProto, place: String) throws(ONNXError) -> [ValueID?] {
        var inputs: [ValueID?] = []
        for name in proto.input {
            switch name.isEmpty ? .absent : scope.resolve(name) {
            case .value(let value): inputs.append(value)
            case .absent: inputs.append(nil)
            case .sequence: throw .unsupported("\(place) reads '\(name)', a sequence; only tensors are supported here")
            case nil: throw .invalid("\(place) reads '\(name)', which nothing writes")
            }
        }
        return inputs
    }
}

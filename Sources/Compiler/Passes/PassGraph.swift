// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Tensors

/// The graph that passes rewrite, with the types of all its values. Every change keeps the graph sound: types are inferred as nodes come, and nothing is
/// exchanged for what has another type.
package struct PassGraph: Sendable {
    package private(set) var editor: GraphEditor
    /// By value.
    package private(set) var types: [InferredOutput?]
    package let catalog: OperatorCatalog
    /// What the passes may count on.
    package let target: PassTarget
    /// What the pass that runs has counted, by what it is.
    package var figures: [String: Int] = [:]

    package init(_ inference: GraphInference, catalog: OperatorCatalog, target: PassTarget) {
        var graph = inference.graph
        if graph.modelNodeCount == nil {
            graph.modelNodeCount = graph.nodes.count
            for index in graph.nodes.indices where graph.nodes[index].origins.isEmpty { graph.nodes[index].origins = [NodeID(index)] }
        }
        editor = GraphEditor(graph)
        types = inference.types
        self.catalog = catalog
        self.target = target
    }

    package var graph: Graph { editor.graph }

    // MARK: Reading

    /// The numbers of all nodes that are there now, in order.
    package var nodes: [NodeID] { (0..<editor.nodeCount).map { NodeID($0) }.filter { editor.node($0) != nil } }

    package func node(_ id: NodeID) -> Node? { editor.node(id) }

    /// The node that writes a value, if it is the given operator of the default domain.
    package func node(writing value: ValueID?, _ operatorName: String) -> (id: NodeID, node: Node)? {
        guard let value, let id = editor.producer(of: value), let node = editor.node(id), node.isStandard(operatorName) else { return nil }
        return (id, node)
    }

    /// Nil where the shape depends on data.
    package func type(_ value: ValueID?) -> ConcreteType? {
        guard let value, types.indices.contains(value.index), case .known(let type)? = types[value.index] else { return nil }
        return type
    }

    package func constant(_ value: ValueID?) -> HostTensor? { value.flatMap { editor.constant($0) } }

    /// The one number that a constant's elements all are; nil if there are several, or none.
    package func number(_ value: ValueID?) -> Double? {
        guard let tensor = constant(value), tensor.count > 0, tensor.count <= 1 << 16, ![.string, .complex].contains(tensor.dataType.kind)
        else { return nil }
        let elements = ReferenceTensor(tensor).floats
        guard let first = elements.first, elements.allSatisfy({ $0.bitPattern == first.bitPattern }) else { return nil }
        return first
    }

    /// One node reads the value, once, and the graph does not give it out.
    package func isUsedOnce(_ value: ValueID?) -> Bool {
        guard let value else { return false }
        return editor.useCount(of: value) == 1 && !editor.isOutput(value)
    }

    /// The types that a node's outputs would have. Throws where the operator's rules refuse it.
    ///
    /// - Parameter given: types of the inputs; nil: those that they have.
    package func inferred(_ node: Node, inputs given: [ConcreteType?]? = nil) throws(GraphError) -> [InferredOutput] {
        guard let definition = catalog.definition(of: node) else {
            throw GraphError("operator '\(node.qualifiedName)' is not in the catalogue")
        }
        let inputs = given ?? node.inputs.map { type($0) }
        guard zip(node.inputs, inputs).allSatisfy({ $0 == nil || $1 != nil }) else {
            throw GraphError("the shape of an input of '\(node.name)' depends on data")
        }
        do throws(OperatorError) {
            let version = try definition.check(
                opset: node.opset, attributes: node.attributes, inputTypes: inputs.map { $0?.dataType }, outputCount: node.outputs.count)
            return try definition.infer(
                InferenceContext(
                    attributes: NodeAttributes(version: version, given: node.attributes, rules: definition.attributes), inputs: inputs,
                    wanted: node.outputs.map { $0 != nil }
                ) { index in
                    index < node.inputs.count ? constant(node.inputs[index]).map { ReferenceTensor($0) } : nil
                })
        } catch { throw GraphError("node '\(node.name)' (\(node.operatorName)): \(error)") }
    }

    // MARK: Writing

    package mutating func addConstant(_ tensor: HostTensor, name: String) -> ValueID {
        types.append(.known(ConcreteType(tensor.dataType, tensor.shape)))
        return editor.addConstant(tensor, name: "\(name)#\(editor.graph.values.count)")
    }

    /// Adds a node with new values for as many outputs as `wanted` has entries; those that are false are left out.
    package mutating func addNode(_ node: Node, wanted: [Bool] = [true], behind place: NodeID? = nil) throws(GraphError) -> [ValueID?] {
        var node = node
        for case let input? in node.inputs where !editor.isWritten(input) {
            throw GraphError("node '\(node.name)' (\(node.operatorName)) reads value \(input.index), which nothing writes")
        }
        node.outputs = wanted.indices.map { wanted[$0] ? ValueID(graph.values.count + $0) : nil }
        let outputs = try inferred(node)
        node.outputs = wanted.map { isWanted in
            guard isWanted else { return nil }
            types.append(nil)
            return editor.addValue("\(node.name)#\(graph.values.count)")
        }
        for (output, type) in zip(node.outputs, outputs) { if let output { types[output.index] = type } }
        guard node.outputs.allSatisfy({ $0 == nil || types[$0!.index] != nil }) else {
            throw GraphError("node '\(node.name)' (\(node.operatorName)) has no type for each of its \(wanted.count) outputs")
        }
        editor.addNode(node, behind: place)
        return node.outputs
    }

    /// Lets all readers of a value, and the graph's outputs, have another one. Throws, and changes nothing, if the types differ or a cycle would come of it.
    package mutating func replace(_ value: ValueID, by other: ValueID) throws(GraphError) {
        guard editor.isWritten(other) else { throw GraphError("value \(other.index) is written by nothing") }
        guard types[value.index] == types[other.index] else {
            throw GraphError("'\(graph[value].name)' and '\(graph[other].name)' have different types or shapes")
        }
        if editor.depends(other, on: value) {
            throw GraphError("'\(graph[other].name)' in place of '\(graph[value].name)' would make a cycle")
        }
        editor.replace(value, by: other)
    }

    /// Puts another operator in the place of a node, whose first output alone is wanted, or of that node and others that lead to it alone.
    /// False, and nothing has changed, if the result would not have the same type, or the new operator's rules refuse it.
    ///
    /// - Parameter members: nodes that it stands for; `id` is among them.
    @discardableResult
    package mutating func substitute(
        _ id: NodeID, by operatorName: String, domain: String = "", opset: Int? = nil, _ inputs: [ValueID?],
        _ attributes: [String: Attribute] = [:], for members: [NodeID] = [], named name: String? = nil
    ) -> Bool {
        guard let old = node(id), let output = old.outputs.first ?? nil,
            old.outputs.dropFirst().allSatisfy({ $0 == nil || editor.useCount(of: $0!) == 0 })
        else { return false }
        var node = Node(
            name: name ?? old.name, domain: domain, operatorName: operatorName, opset: opset ?? old.opset, inputs: inputs,
            outputs: [output],
            attributes: attributes)
        guard let outputs = try? inferred(node), outputs.first == types[output.index] else { return false }
        let origins = Set((members + [id]).flatMap { self.node($0)?.origins ?? [] })
        node.origins = origins.sorted { $0.index < $1.index }
        editor.substitute(id, by: node)
        return true
    }

    /// Makes constants of what a node writes.
    package mutating func fold(_ id: NodeID, to values: [HostTensor?]) { editor.fold(id, to: values) }

    /// Gives a node the name and the origins of what it stands for.
    mutating func rename(_ id: NodeID, _ name: String?, origins: [NodeID]) { editor.rename(id, name, origins: origins) }

    package mutating func remove(_ id: NodeID) -> Bool { editor.remove(id) }

    package mutating func removeUnwanted() { editor.removeUnwanted() }

    package mutating func readers(of value: ValueID) -> [NodeID] { editor.readers(of: value) }

    /// See `GraphEditor.compact`.
    package mutating func compact() throws(GraphError) { try editor.compact() }
}

extension Node {
    /// Whether it is the given operator of the default domain.
    package func isStandard(_ name: String) -> Bool { domain.isEmpty && operatorName == name }

    package func int(_ name: String) -> Int? { if case .int(let value)? = attributes[name] { Int(value) } else { nil } }
    package func float(_ name: String) -> Double? { if case .float(let value)? = attributes[name] { Double(value) } else { nil } }
    package func ints(_ name: String) -> [Int]? { if case .ints(let values)? = attributes[name] { values.map(Int.init) } else { nil } }
}

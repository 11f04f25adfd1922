// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

extension Placer {
    /// Decompositions within decompositions: an attention is a softmax is a maximum is a comparison.
    static let depthLimit = 6

    /// Places the parts of a node in its place.
    ///
    /// - Returns: nil if all parts are placed; else why not, and the placement is as before.
    func decompose(_ id: NodeID, _ scope: Scope, _ placement: inout Placement) throws -> String? {
        let node = placement.graph[id]
        guard scope.depth <= Self.depthLimit, let fragment = try fragment(of: node, &placement) else { return "it has no decomposition" }
        let mark = PlacementMark(placement)
        do {
            for part in placement.expand(node, fragment) {
                if try !fold(part, &placement) { try place(part, scope, &placement) }
            }
            if scope.depth == 1, placement.steps.count == mark.steps { placement.folded.append(id) }
            return nil
        } catch let error as NoKernelError {
            placement.reset(to: mark, without: node.outputs)
            return "decomposed into \(fragment.operatorNames.joined(separator: ", ")): \(error)"
        }
    }

    /// The node's parts; nil if it has none.
    func fragment(of node: Node, _ placement: inout Placement) throws -> Fragment? {
        guard let definition = catalog.definition(of: node), definition.decomposer != nil else { return nil }
        var (inputs, values) = ([ConcreteType?](), [Int: HostTensor]())
        for (index, input) in node.inputs.enumerated() {
            guard let input else {
                inputs.append(nil)
                continue
            }
            guard case .known(let type)? = placement.types[input.index] else { return nil }
            inputs.append(type)
            values[index] = placement.values[input]
        }
        while true {
            do throws(OperatorError) {
                return try definition.decomposition(
                    opset: node.opset, attributes: node.attributes, inputs: inputs, wanted: node.outputs.map { $0 != nil }, values: values,
                    catalog: catalog)
            } catch {
                // Values of the model that are known before the run without being constants; of those between parts all are at hand.
                guard case .needsValue(let index) = error, values[index] == nil, let input = node.inputs[index],
                    input.index < placement.inference.types.count, let value = try? placement.inference.value(of: input)
                else { return nil }
                values[index] = value
            }
        }
    }

    /// Computes a part whose inputs are known.
    func fold(_ id: NodeID, _ placement: inout Placement) throws -> Bool {
        let node = placement.graph[id]
        guard let definition = catalog.definition(of: node), isFoldable(node, definition, known: placement.values) else { return false }
        let results = try definition.evaluate(
            opset: node.opset, attributes: node.attributes, inputs: node.inputs.map { $0.flatMap { placement.values[$0] } },
            wanted: node.outputs.map { $0 != nil })
        for (output, result) in zip(node.outputs, results) {
            if let output { placement.values[output] = result }
        }
        return true
    }
}

/// How far a placement had come.
struct PlacementMark {
    fileprivate let values: Int
    fileprivate let nodes: Int
    let steps: Int
    let folded: Int

    init(_ placement: Placement) {
        (values, nodes) = (placement.graph.values.count, placement.graph.nodes.count)
        (steps, folded) = (placement.steps.count, placement.folded.count)
    }
}

extension Placement {
    /// Appends the nodes and values of a fragment, bound to the node's inputs and outputs. Returns the nodes in order of execution.
    mutating func expand(_ node: Node, _ fragment: Fragment) -> [NodeID] {
        var bound: [ValueID: ValueID] = [:]
        for (inner, outer) in zip(fragment.graph.inputs, node.inputs.compactMap { $0 }) { bound[inner] = outer }
        for (inner, outer) in zip(fragment.graph.outputs, node.outputs.compactMap { $0 }) { bound[inner] = outer }
        for (index, value) in fragment.graph.values.enumerated() where bound[ValueID(index)] == nil {
            let added = graph.addValue("\(node.name)/\(value.name)", type: value.type)
            types.append(.known(fragment.types[index]))
            bound[ValueID(index)] = added
            values[added] = fragment.graph.constants[ValueID(index)]
        }
        return fragment.graph.nodes.map { part in
            var part = part
            part.name = "\(node.name)/\(part.name)"
            part.inputs = part.inputs.map { $0.flatMap { bound[$0] } }
            part.outputs = part.outputs.map { $0.flatMap { bound[$0] } }
            return graph.addNode(part)
        }
    }

    mutating func reset(to mark: PlacementMark, without outputs: [ValueID?]) {
        removeSteps(from: mark.steps)
        folded.removeSubrange(mark.folded...)
        for index in mark.values..<graph.values.count { values[ValueID(index)] = nil }
        for case let output? in outputs { values[output] = nil }
        graph.values.removeSubrange(mark.values...)
        types.removeSubrange(mark.values...)
        graph.nodes.removeSubrange(mark.nodes...)
    }
}

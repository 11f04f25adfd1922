// SPDX-License-Identifier: Apache-2.0
package import Graph
import ONNX
package import Operators
package import Southbound
import Tensors

/// Some nodes of a placement's graph, as a plugin's compiler is given them.
package struct Subgraph {
    /// Values that come from outside, without those that are known.
    package let inputs: [ValueID]
    /// Values of the nodes that are read outside, or are outputs of the whole graph.
    package let outputs: [ValueID]
    package let descriptor: GraphDescriptor

    /// - Parameters:
    ///   - ids: in order.
    ///   - plugin: in whose errors a refusal stands.
    ///   - readers: of the graph's values; who asks for many subgraphs finds them once.
    package init(
        _ ids: [NodeID], of placement: Placement, plugin: String, catalog: OperatorCatalog = .standard, readers: ValueReaders? = nil
    ) throws {
        let graph = placement.graph
        let readers = readers ?? ValueReaders(graph)
        let inside = Set(ids)
        var made = Set<ValueID>()
        for id in ids { made.formUnion(graph[id].outputs.compactMap { $0 }) }
        var (inputs, order, numbers) = ([ValueID](), [ValueID](), [ValueID: Int]())
        func number(_ value: ValueID) -> Int {
            if let known = numbers[value] { return known }
            if !made.contains(value), placement.values[value] == nil { inputs.append(value) }
            order.append(value)
            numbers[value] = order.count - 1
            return order.count - 1
        }
        var nodes: [GraphDescriptor.Node] = []
        for id in ids {
            let node = graph[id]
            let definition = try placement.inference.definition(of: node)
            nodes.append(
                GraphDescriptor.Node(
                    domain: node.domain, operatorName: node.operatorName, version: definition.version(atOpset: node.opset) ?? node.opset,
                    attributes: definition.allAttributes(of: node), inputs: node.inputs.map { $0.map(number) },
                    outputs: node.outputs.map { $0.map(number) }))
        }
        let outputs = order.filter { made.contains($0) && readers.isWanted($0, outside: inside) }
        var values: [TensorDescriptor] = []
        for value in order {
            guard case .known(let type)? = placement.types[value.index] else {
                throw GraphError("the shape of '\(graph[value].name)' depends on data")
            }
            // What is made inside is no constant, even if its value happened to be known.
            let host = made.contains(value) ? nil : placement.values[value]?.bytes.baseAddress
            values.append(TensorDescriptor(type.dataType, type.shape, host: host))
        }
        self.inputs = inputs
        self.outputs = outputs
        let (given, types, constants) = (inputs, placement.types, placement.values)
        descriptor = try GraphDescriptor(
            plugin: plugin, nodes: nodes, values: values, inputs: inputs.map { numbers[$0]! }, outputs: outputs.map { numbers[$0]! }
        ) { location in
            try modelData(
                graph.extracted(ids, inputs: given, outputs: outputs, types: types, constants: constants), externalLocation: location)
        }
    }
}

/// Who reads each value of a graph.
package struct ValueReaders: Sendable {
    /// By value.
    private var readers: [[NodeID]]
    private let outputs: Set<ValueID>

    package init(_ graph: Graph) {
        readers = [[NodeID]](repeating: [], count: graph.values.count)
        outputs = Set(graph.outputs)
        for (index, node) in graph.nodes.enumerated() {
            for case let value? in node.inputs + graph.captured(by: node) { readers[value.index].append(NodeID(index)) }
        }
    }

    /// Whether a node that is not among some, or the caller of the graph, reads a value.
    func isWanted(_ value: ValueID, outside inside: Set<NodeID>) -> Bool {
        outputs.contains(value) || readers[value.index].contains { !inside.contains($0) }
    }
}

extension Graph {
    /// A graph of some of the nodes, its values of the given types.
    func extracted(
        _ ids: [NodeID], inputs: [ValueID], outputs: [ValueID], types: [InferredOutput?], constants: [ValueID: HostTensor]
    ) -> Graph {
        var part = Graph(name: name)
        part.values = values
        var made = Set<ValueID>()
        for id in ids {
            made.formUnion(self[id].outputs.compactMap { $0 })
            part.nodes.append(self[id])
        }
        for (index, type) in types.enumerated() {
            if case .known(let type)? = type { part.values[index].type = TensorType(type.dataType, known: type.shape) }
        }
        part.inputs = inputs
        part.outputs = outputs
        for case let input? in part.nodes.flatMap(\.inputs) where !made.contains(input) {
            if let constant = constants[input] { part.constants[input] = constant }
        }
        return part
    }
}

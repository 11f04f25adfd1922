// SPDX-License-Identifier: Apache-2.0
import Graph
import ONNX
import Operators
import Southbound
import Tensors

extension Placer {
    /// Nodes that are placed together: one alone, or what a plugin's compiler has claimed for one program.
    struct Group {
        var nodes: [NodeID]
        /// Whose compiler has claimed them.
        var device: Int?
    }

    /// All nodes that run on devices, in groups, in an order in which every group's values are made before they are read.
    ///
    /// - Parameter open: nodes of the model whose values are not known before the run, in order.
    func groups(of open: [NodeID], _ placement: inout Placement) throws -> [Group] {
        var grouping = Grouping(open, graph)
        guard rules.compiling else { return grouping.sorted() }
        for (index, device) in devices.enumerated() {
            guard let compiler = device.plugin.compiler else { continue }
            let asked = try open.filter { id in
                guard !grouping.isClaimed(id), scope(of: id).allows(device), isCompilable(id, placement) else { return false }
                // What a device before this one takes stays there.
                return try index == 0 || offer(for: id, scope(of: id), placement, limit: index).placed == nil
            }
            if asked.isEmpty { continue }
            let answers = try compiler.claim(try subgraph(asked, placement, plugin: device.plugin.name).descriptor, on: device)
            for (_, claim) in Dictionary(grouping: zip(asked, answers).filter { $0.1 > 0 }, by: \.1).sorted(by: { $0.key < $1.key }) {
                let nodes = claim.map(\.0)
                if grouping.join(nodes, on: index) { continue }
                placement.remarks.append(
                    "\(device.plugin.name) claims a group of \(nodes.count) nodes that a path leaves and enters again, with '\(graph[nodes[0]].name)' in it: "
                        + "they go by kernels")
            }
        }
        return grouping.sorted()
    }

    /// Makes one step of a claimed group. False if the plugin does not compile it: then its nodes go by kernels.
    func compile(_ nodes: [NodeID], on index: Int, _ placement: inout Placement) throws -> Bool {
        let device = devices[index]
        guard let compiler = device.plugin.compiler else { return false }
        let subgraph = try subgraph(nodes, placement, plugin: device.plugin.name)
        do throws(PluginError) {
            let program = try compiler.compile(subgraph.descriptor, on: device)
            placement.steps.append(
                .program(
                    PlacedProgram(
                        nodes: nodes, device: index, program: program, inputs: subgraph.inputs, outputs: subgraph.outputs,
                        descriptor: subgraph.descriptor)))
            return true
        } catch {
            placement.remarks.append("\(nodes.count) nodes that \(device.plugin.name) claimed go by kernels: \(error.message)")
            return false
        }
    }

    /// Shapes are known, and all that the node reads and has can be given to a plugin.
    private func isCompilable(_ id: NodeID, _ placement: Placement) -> Bool {
        let node = graph[id]
        guard let definition = catalog.definition(of: node), !definition.isHostOperator, !node.attributes.values.contains(where: \.isGraph) else { return false }
        return (node.inputs + node.outputs).allSatisfy { value in
            guard let value else { return true }
            guard case .known(let type)? = placement.types[value.index] else { return false }
            return type.dataType != .string
        }
    }

    private func subgraph(_ nodes: [NodeID], _ placement: Placement, plugin: String) throws -> Subgraph {
        try Subgraph(nodes, of: placement, plugin: plugin, catalog: catalog)
    }
}

/// Some nodes of a placement's graph, as a plugin's compiler is given them.
struct Subgraph {
    let inputs: [ValueID]
    let outputs: [ValueID]
    let descriptor: GraphDescriptor

    init(_ ids: [NodeID], of placement: Placement, plugin: String, catalog: OperatorCatalog) throws {
        let graph = placement.graph
        let inside = Set(ids)
        var made = Set<ValueID>()
        for id in ids { made.formUnion(graph[id].outputs.compactMap { $0 }) }
        var wanted = Set(graph.outputs)
        for (index, node) in graph.nodes.enumerated() where !inside.contains(NodeID(index)) {
            wanted.formUnion((node.inputs + graph.captured(by: node)).compactMap { $0 })
        }
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
        let outputs = order.filter { made.contains($0) && wanted.contains($0) }
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
        let (types, constants) = (placement.types, placement.values)
        descriptor = try GraphDescriptor(
            plugin: plugin, nodes: nodes, values: values, inputs: inputs.map { numbers[$0]! }, outputs: outputs.map { numbers[$0]! }
        ) {
            try modelData(graph.extracted(ids, inputs: inputs, outputs: outputs, types: types, constants: constants))
        }
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

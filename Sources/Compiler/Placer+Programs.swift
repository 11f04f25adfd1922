// SPDX-License-Identifier: Apache-2.0
import Graph
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
        guard let definition = catalog.definition(of: node), !definition.isHostOperator, !node.attributes.values.contains(where: \.isGraph)
        else { return false }
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

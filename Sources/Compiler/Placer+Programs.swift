// SPDX-License-Identifier: Apache-2.0
import Graph
import HardwareModel
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
                guard !grouping.isClaimed(id), scope(of: id).allows(index, devices), isCompilable(id, placement) else { return false }
                // What a device before this one takes stays there.
                return try index == 0 || offer(for: id, scope(of: id), placement, limit: index).placed == nil
            }
            if asked.isEmpty { continue }
            let answers = try compiler.claim(try subgraph(asked, placement, plugin: device.plugin.name).descriptor, on: device)
            for (_, claim) in Dictionary(grouping: zip(asked, answers).filter { $0.1 > 0 }, by: \.1).sorted(by: { $0.key < $1.key }) {
                let nodes = claim.map(\.0)
                if grouping.join(nodes, on: index) { continue }
                placement.remarks.append(crossing(nodes, device, parts: grouping.joinParts(of: nodes, on: index).count))
            }
        }
        return grouping.sorted()
    }

    /// Makes one step of a claimed group. Nil if the plugin does not compile it: then its nodes go by kernels.
    func compile(_ nodes: [NodeID], on index: Int, _ placement: inout Placement) throws -> PlacedProgram? {
        let device = devices[index]
        guard let compiler = device.plugin.compiler else { return nil }
        let subgraph = try subgraph(nodes, placement, plugin: device.plugin.name)
        do throws(PluginError) {
            let program = try compiler.compile(subgraph.descriptor, on: device)
            let work = Self.work(of: nodes, subgraph, placement)
            return PlacedProgram(
                nodes: nodes, device: index, program: program, inputs: subgraph.inputs, outputs: subgraph.outputs,
                descriptor: subgraph.descriptor,
                cost: registry.costs.estimate(work, answer: program.costNanoseconds, isGeneric: false, on: index))
        } catch {
            placement.remarks.append("\(nodes.count) nodes that \(device.plugin.name) claimed go by kernels: \(error.message)")
            return nil
        }
    }

    /// The operations of all nodes; of the bytes only those that come in and go out.
    private static func work(of nodes: [NodeID], _ subgraph: Subgraph, _ placement: Placement) -> Work {
        var work = Work()
        for id in nodes {
            if let one = try? NodeQuestion(id, placement).work { work = work + Work(operations: one.operations) }
        }
        let constants = Set(nodes.flatMap { placement.graph[$0].inputs.compactMap { $0 } }.filter { placement.values[$0] != nil })
        work.bytes = (subgraph.inputs + subgraph.outputs + constants).reduce(0) { $0 + Double(placement.types[$1.index]?.byteCount ?? 0) }
        return work
    }

    /// Shapes are known, and all that the node reads and has can be given to a plugin.
    func isCompilable(_ id: NodeID, _ placement: Placement) -> Bool {
        let node = graph[id]
        guard let definition = catalog.definition(of: node), !definition.isHostOperator, !node.attributes.values.contains(where: \.isGraph)
        else { return false }
        return (node.inputs + node.outputs).allSatisfy { value in
            guard let value else { return true }
            guard case .known(let type)? = placement.types[value.index] else { return false }
            return type.dataType != .string
        }
    }

    func subgraph(_ nodes: [NodeID], _ placement: Placement, plugin: String) throws -> Subgraph {
        try Subgraph(nodes, of: placement, plugin: plugin, catalog: catalog, readers: readers)
    }
}

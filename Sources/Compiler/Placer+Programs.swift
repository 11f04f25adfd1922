// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Graph
import HardwareModel
import Operators
import Southbound
import Synchronization
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
                placement.remarks.append(crossing(nodes, device))
            }
        }
        return grouping.sorted()
    }

    /// A claimed group for a device's compiler.
    struct Order: Sendable {
        let nodes: [NodeID]
        let device: Int
    }

    /// Makes programs of claimed groups, several at once: compilers take long. Nil where the plugin does not compile one: then its nodes go by kernels.
    func compile(_ orders: [Order], _ placement: inout Placement) throws -> [PlacedProgram?] {
        let results = Mutex([Int: Result<PlacedProgram?, any Error>]())
        let remarks = Mutex([Int: String]())
        let known = placement
        // The registry, which is for one thread, is not asked anything here.
        nonisolated(unsafe) let placer = self
        DispatchQueue.concurrentPerform(iterations: orders.count) { index in
            let order = orders[index]
            let result = Result {
                do throws(CompilerRefusal) {
                    return try placer.compile(order, known) as PlacedProgram?
                } catch {
                    guard let error = error.refusal else { throw error.failure }
                    remarks.withLock {
                        $0[index] = "\(order.nodes.count) nodes that \(error.plugin) claimed go by kernels: \(error.message)"
                    }
                    return nil
                }
            }
            results.withLock { $0[index] = result }
        }
        placement.remarks += remarks.withLock { remarks in orders.indices.compactMap { remarks[$0] } }
        return try results.withLock { results in try orders.indices.map { try results[$0]!.get() } }
    }

    /// A compiler's refusal, or anything else that went wrong.
    private struct CompilerRefusal: Error {
        var refusal: PluginError?
        var failure: any Error
    }

    private func compile(_ order: Order, _ placement: Placement) throws(CompilerRefusal) -> PlacedProgram? {
        let device = devices[order.device]
        guard let compiler = device.plugin.compiler else { return nil }
        let subgraph: Subgraph
        do {
            subgraph = try self.subgraph(order.nodes, placement, plugin: device.plugin.name)
        } catch {
            throw CompilerRefusal(refusal: nil, failure: error)
        }
        do throws(PluginError) {
            let program = try compiler.compile(subgraph.descriptor, on: device)
            let work = Self.work(of: order.nodes, subgraph, placement)
            return PlacedProgram(
                nodes: order.nodes, device: order.device, program: program, inputs: subgraph.inputs, outputs: subgraph.outputs,
                descriptor: subgraph.descriptor,
                cost: registry.costs.estimate(work, answer: program.costNanoseconds, isGeneric: false, on: order.device))
        } catch {
            throw CompilerRefusal(refusal: error, failure: error)
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

// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Southbound
import Tensors

/// Places every node on the first device, in order of preference, that has a kernel for it; what has none, or only a generic one, in parts where these have
/// better ones.
package struct Placer {
    let graph: Graph
    let devices: [Device]
    private let libraries: [[OperatorLibrary]]
    let rules: PlacementRules
    let catalog: OperatorCatalog

    /// - Parameter extraLibraries: operator libraries without a driver, offered for every device whose memory the host sees.
    package init(
        _ graph: Graph, devices: [Device], extraLibraries: [OperatorLibrary] = [], rules: PlacementRules,
        catalog: OperatorCatalog = .standard
    ) {
        self.graph = graph
        self.devices = devices
        self.rules = rules
        self.catalog = catalog
        libraries = devices.map { device in
            let all = [device.plugin.library].compactMap { $0 } + (device.isHostVisible ? extraLibraries : [])
            return all.filter { rules.preferred.contains($0.plugin.name) } + all.filter { !rules.preferred.contains($0.plugin.name) }
        }
    }

    package func place(_ inference: GraphInference) throws -> Placement {
        var placement = Placement(inference)
        var open: [NodeID] = []
        for index in graph.nodes.indices where try !runOnHost(NodeID(index), &placement) { open.append(NodeID(index)) }
        for group in try groups(of: open, &placement) {
            if let device = group.device, try compile(group.nodes, on: device, &placement) { continue }
            for id in group.nodes {
                // What a node before it came to may be known by now.
                if try runOnHost(id, &placement) { continue }
                if try placement.inference.definition(of: graph[id]).isHostOperator { throw unknownInput(of: graph[id], placement.values) }
                try place(id, scope(of: id), &placement)
            }
        }
        return placement
    }

    /// Computes the node's values if that is possible before the run: of host operators, and of what can be folded.
    private func runOnHost(_ id: NodeID, _ placement: inout Placement) throws -> Bool {
        let node = graph[id]
        let definition = try placement.inference.definition(of: node)
        let isRunNow =
            definition.isHostOperator
            ? firstUnknown(of: node, placement.values) == nil : isFoldable(node, definition, known: placement.values)
        guard isRunNow else { return false }
        for case let output? in node.outputs { placement.values[output] = try placement.inference.value(of: output) }
        placement.folded.append(id)
        return true
    }

    /// Of a node of the model.
    func scope(of id: NodeID) -> Scope {
        let node = graph[id]
        let pin = rules.pins.first { matches(node.name, $0.pattern) || matches(node.operatorName, $0.pattern) }?.device
        return Scope(source: id, pin: pin)
    }

    /// What holds for a node of the model and all of its parts.
    struct Scope {
        let source: NodeID
        /// The only device, by its name or its plugin's.
        let pin: String?
        var depth = 0
        /// Generic kernels do not count: the whole has one.
        var tunedOnly = false

        func allows(_ device: Device) -> Bool { pin == nil || pin == device.name || pin == device.plugin.name }
    }

    /// The stack runs host operators itself, before the run, from what it is given.
    private func firstUnknown(of node: Node, _ known: [ValueID: HostTensor]) -> ValueID? {
        (node.inputs.compactMap { $0 } + graph.captured(by: node)).first { known[$0] == nil && !graph.inputs.contains($0) }
    }

    private func unknownInput(of node: Node, _ known: [ValueID: HostTensor]) -> GraphError {
        let name = firstUnknown(of: node, known).map { graph[$0].name } ?? ""
        return GraphError("node '\(node.name)': the stack does not run '\(node.operatorName)' on results of a device yet ('\(name)')")
    }

    func isFoldable(_ node: Node, _ definition: OperatorDefinition, known: [ValueID: HostTensor]) -> Bool {
        guard rules.folding else { return false }
        guard definition.numericClass != .random, definition.reference != nil else { return false }
        return definition.valueFromTypes != nil || node.inputs.allSatisfy { $0 == nil || known[$0!] != nil }
    }

    /// Places a node of the placement's graph, as a whole or in parts.
    func place(_ id: NodeID, _ scope: Scope, _ placement: inout Placement) throws {
        let node = placement.graph[id]
        if let name = node.attributes.first(where: { $0.value.isGraph })?.key {
            throw NoKernelError(
                node: node.name, operatorName: node.qualifiedName, dataType: nil,
                refusals: ["no plugin can be given its subgraph '\(name)'"])
        }
        var offer = try offer(for: id, scope, placement)
        if let placed = offer.placed, !placed.kernel.flags.contains(.generic) || offer.hasTuned {
            placement.steps.append(.node(placed))
            return
        }
        if rules.decomposing {
            var inner = scope
            inner.depth += 1
            inner.tunedOnly = scope.tunedOnly || offer.placed != nil
            if let refusal = try decompose(id, inner, &placement) { offer.refusals.append(refusal) } else { return }
        }
        guard let placed = offer.placed else {
            throw NoKernelError(node: node.name, operatorName: node.qualifiedName, dataType: offer.dataType, refusals: offer.refusals)
        }
        placement.steps.append(.node(placed))
    }

    struct Offer {
        /// The first kernel that takes the node.
        var placed: PlacedNode?
        /// A kernel that is not generic takes it, on whatever device.
        var hasTuned = false
        var refusals: [String] = []
        var dataType: DataType?
    }

    /// - Parameter limit: how many of the devices are asked; nil: all.
    func offer(for id: NodeID, _ scope: Scope, _ placement: Placement, limit: Int? = nil) throws -> Offer {
        let node = placement.graph[id]
        let definition = try placement.inference.definition(of: node)
        let inputs = node.inputs.map { $0.flatMap { describe($0, placement, withValue: true) } }
        let outputs = node.outputs.map { $0.flatMap { describe($0, placement, withValue: false) } }
        let version = definition.version(atOpset: node.opset) ?? node.opset
        var offer = Offer(dataType: (inputs.first ?? nil)?.dataType ?? (outputs.first ?? nil)?.dataType)
        let attributes = definition.allAttributes(of: node)
        let isBounded = node.outputs.contains { output in
            if let output, case .bounded = placement.types[output.index] { true } else { false }
        }
        for (index, device) in devices.prefix(limit ?? devices.count).enumerated() where scope.allows(device) {
            for library in libraries[index] {
                for kernel in library.candidates(
                    domain: node.domain, operatorName: node.operatorName, version: version, dataType: offer.dataType ?? .float32)
                where !isDenied(kernel, of: library) && (!isBounded || kernel.flags.contains(.reportsShape)) {
                    let isGeneric = kernel.flags.contains(.generic)
                    if isGeneric && (scope.tunedOnly || offer.placed != nil) { continue }
                    let descriptor = try NodeDescriptor(
                        kernel: kernel, domain: node.domain, operatorName: node.operatorName, version: version,
                        attributes: attributes, inputs: inputs, outputs: outputs)
                    let answer = try library.support([descriptor], on: device)[0]
                    guard answer.isSupported else {
                        offer.refusals.append("\(library.plugin.name)/\(kernel.name) on \(device.name): \(answer.message)")
                        continue
                    }
                    if let refusal = memoryRefusal(of: node, answer, on: device, placement) {
                        offer.refusals.append(refusal)
                        continue
                    }
                    offer.placed =
                        offer.placed
                        ?? PlacedNode(
                            node: id, source: scope.source, device: index, library: library, kernel: kernel, descriptor: descriptor,
                            answer: answer)
                    offer.hasTuned = !isGeneric
                    if offer.hasTuned { return offer }
                }
            }
        }
        return offer
    }

    func describe(_ value: ValueID, _ placement: Placement, withValue: Bool) -> TensorDescriptor? {
        switch placement.types[value.index] {
        case .known(let type)?:
            TensorDescriptor(type.dataType, type.shape, host: withValue ? knownBytes(of: value, placement) : nil)
        case .bounded(let dataType, let shape)?: TensorDescriptor(dataType, shape)
        case nil: nil
        }
    }

    private func isDenied(_ kernel: Kernel, of library: OperatorLibrary) -> Bool {
        rules.denied.contains { matches(kernel.name, $0) || matches("\(library.plugin.name)/\(kernel.name)", $0) }
    }
}

extension OperatorDefinition {
    /// The node's attributes, the standard's defaults filled in.
    func allAttributes(of node: Node) -> [String: Attribute] {
        var all = node.attributes
        for (name, rule) in attributes where all[name] == nil { all[name] = rule.defaultValue }
        return all
    }
}

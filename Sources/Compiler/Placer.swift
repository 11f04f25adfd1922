// SPDX-License-Identifier: Apache-2.0
package import Graph
import HardwareModel
package import Operators
package import Southbound
import Tensors

/// Decides for every node on which device and by which kernel it runs: on the first device that has one, or where kernels and copies together cost least; what
/// has no kernel, or only a generic one, runs in parts where these have better ones.
package struct Placer {
    let graph: Graph
    let devices: [Device]
    package let rules: PlacementRules
    let catalog: OperatorCatalog
    package let registry: KernelRegistry
    private let pins: [Pin]
    /// Of the graph; nil where no plugin compiles.
    let readers: ValueReaders?

    /// - Parameters:
    ///   - extraLibraries: operator libraries without a driver, offered for every device whose memory the host sees.
    ///   - measured: costs that count more than what plugins say.
    package init(
        _ graph: Graph, devices: [Device], extraLibraries: [OperatorLibrary] = [], rules: PlacementRules,
        measured: any MeasuredCosts = NothingMeasured(), catalog: OperatorCatalog = .standard
    ) {
        self.graph = graph
        self.devices = devices
        self.rules = rules
        self.catalog = catalog
        registry = KernelRegistry(devices: devices, extraLibraries: extraLibraries, rules: rules, measured: measured)
        pins = rules.pins.map(Pin.init)
        readers = rules.compiling && devices.contains { $0.plugin.compiler != nil } ? ValueReaders(graph) : nil
    }

    package func place(_ inference: GraphInference) throws -> Placement {
        var placement = Placement(inference)
        placement.largestKnownConstant = rules.largestKnownConstant
        var open: [NodeID] = []
        for index in graph.nodes.indices where try !runOnHost(NodeID(index), &placement) { open.append(NodeID(index)) }
        if rules.strategy == .cost, devices.count > 1, let silent = devices.first(where: { !$0.model.saysWhatItCosts }) {
            placement.remarks.append(
                "\(silent.name) describes neither rates nor bandwidth, so costs cannot be compared: every node goes to the first device of the list that takes it"
            )
            try placeByPreference(open, &placement)
        } else if rules.strategy == .cost {
            try placeByCost(open, &placement)
        } else {
            try placeByPreference(open, &placement)
        }
        return placement
    }

    private func placeByPreference(_ open: [NodeID], _ placement: inout Placement) throws {
        for group in try groups(of: open, &placement) {
            if let device = group.device, let program = try compile(group.nodes, on: device, &placement) {
                placement.append(.program(program))
                continue
            }
            for id in group.nodes {
                // What a node before it came to may be known by now.
                if try runOnHost(id, &placement) { continue }
                try checkInputs(of: id, placement)
                try placeBeforeLastResort(id, &placement)
            }
        }
    }

    /// On the first device that takes the node, whole or in parts; on that of last resort if no other does.
    private func placeBeforeLastResort(_ id: NodeID, _ placement: inout Placement) throws {
        let scope = scope(of: id)
        guard devices.contains(where: { $0.name == rules.lastResort }), scope.pin == nil else { return try place(id, scope, &placement) }
        if let view = view(id, scope, placement) { return placement.append(.view(view)) }
        let taker = try costs(of: id, scope, &placement).firstIndex { $0.isFinite }
        try place(id, taker.map(scope.limited) ?? scope, &placement)
    }

    /// Computes the node's values if that is possible before the run: of host operators, and of what can be folded.
    func runOnHost(_ id: NodeID, _ placement: inout Placement) throws -> Bool {
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

    /// Throws for a host operator that waits for a device.
    func checkInputs(of id: NodeID, _ placement: Placement) throws {
        let node = graph[id]
        guard try placement.inference.definition(of: node).isHostOperator else { return }
        let name = firstUnknown(of: node, placement.values).map { graph[$0].name } ?? ""
        throw GraphError("node '\(node.name)': the stack does not run '\(node.operatorName)' on results of a device yet ('\(name)')")
    }

    /// The stack runs host operators itself, before the run, from what it is given.
    private func firstUnknown(of node: Node, _ known: [ValueID: HostTensor]) -> ValueID? {
        (node.inputs.compactMap { $0 } + graph.captured(by: node)).first { known[$0] == nil && !graph.inputs.contains($0) }
    }

    func isFoldable(_ node: Node, _ definition: OperatorDefinition, known: [ValueID: HostTensor]) -> Bool {
        guard rules.folding else { return false }
        guard definition.numericClass != .random, definition.reference != nil else { return false }
        return definition.valueFromTypes != nil || node.inputs.allSatisfy { $0 == nil || known[$0!] != nil }
    }

    /// What holds for a node of the model and all of its parts.
    struct Scope {
        let source: NodeID
        /// The user's rule for it.
        let pin: Pin?
        var depth = 0
        /// Generic kernels do not count: the whole has one.
        var tunedOnly = false
        /// The only device that counts, by its index.
        var only: Int?

        func allows(_ index: Int, _ devices: [Device]) -> Bool {
            (only == nil || only == index) && (pin == nil || pin!.names(devices[index]))
        }

        func limited(to device: Int) -> Scope {
            var scope = self
            scope.only = device
            return scope
        }

        /// For the parts of a node.
        func inner(tunedOnly: Bool) -> Scope {
            var scope = self
            scope.depth += 1
            scope.tunedOnly = self.tunedOnly || tunedOnly
            return scope
        }
    }

    /// Of a node of the model.
    func scope(of id: NodeID) -> Scope {
        let only = devices.count == 1 ? 0 : nil
        guard !pins.isEmpty else { return Scope(source: id, pin: nil, only: only) }
        let node = graph[id]
        let type = node.inputs.lazy.compactMap { $0 }.first.flatMap { graph.constants[$0]?.dataType ?? graph[$0].type?.dataType }
        return Scope(source: id, pin: pins.first { $0.matches(node, type) }, only: only)
    }

    /// Places a node of the placement's graph, as a whole or in parts.
    func place(_ id: NodeID, _ scope: Scope, _ placement: inout Placement) throws {
        let node = placement.graph[id]
        if let name = node.attributes.first(where: { $0.value.isGraph })?.key {
            throw NoKernelError(
                node: node.name, operatorName: node.qualifiedName, dataType: nil,
                refusals: ["no plugin can be given its subgraph '\(name)'"])
        }
        if let view = view(id, scope, placement) { return placement.append(.view(view)) }
        var offer = try offer(for: id, scope, placement)
        if let placed = offer.placed, !placed.kernel.flags.contains(.generic) || offer.hasTuned {
            return placement.append(.node(placed))
        }
        if rules.decomposing {
            if let refusal = try decompose(id, scope.inner(tunedOnly: offer.placed != nil), &placement) {
                offer.refusals.append(refusal)
            } else {
                return
            }
        }
        guard let placed = offer.placed else {
            throw NoKernelError(
                node: node.name, operatorName: node.qualifiedName, dataType: offer.dataType, refusals: offer.refusals, pin: scope.pin?.text)
        }
        placement.append(.node(placed))
    }

    /// The node as another name for a value that lies where the node may run; nil if it has to run.
    func view(_ id: NodeID, _ scope: Scope, _ placement: Placement) -> PlacedView? {
        guard let (source, value) = renaming(id, placement) else { return nil }
        let home = placement.homes[source]
        // A part goes with its node, wherever that finds the value. An input of the graph that is an output under another name has to be copied.
        let joins = scope.depth > 0 && (home != nil || !placement.graph.outputs.contains(value))
        guard let device = joins ? scope.only ?? home : home, scope.allows(device, devices) else { return nil }
        return PlacedView(node: id, origin: scope.source, source: source, value: value, device: device)
    }

    /// The two values of a node that only gives a value another shape.
    func renaming(_ id: NodeID, _ placement: Placement) -> (source: ValueID, value: ValueID)? {
        let node = placement.graph[id]
        guard rules.optimizing, catalog.definition(of: node)?.isView == true, let source = node.inputs.first ?? nil,
            let value = node.outputs.first ?? nil,
            placement.values[source] == nil, case .known? = placement.types[source.index], case .known? = placement.types[value.index]
        else { return nil }
        return (source, value)
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

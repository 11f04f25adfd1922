// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Southbound
import Tensors

/// Places every node on the first device, in order of preference, that has a kernel for it; what has none, or only a generic one, in parts where these have
/// better ones.
package struct Placer {
    private let graph: Graph
    private let devices: [Device]
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
        var placement = Placement(graph: graph, types: inference.types, values: graph.constants, inference: inference)
        for (index, node) in graph.nodes.enumerated() {
            let definition = try inference.definition(of: node)
            if try definition.isHostOperator
                ? hasKnownInputs(node, placement.values) : isFoldable(node, definition, known: placement.values)
            {
                for case let output? in node.outputs { placement.values[output] = try placement.inference.value(of: output) }
                placement.folded.append(NodeID(index))
                continue
            }
            let pin = rules.pins.first { matches(node.name, $0.pattern) || matches(node.operatorName, $0.pattern) }?.device
            try place(NodeID(index), Scope(source: NodeID(index), pin: pin), &placement)
        }
        return placement
    }

    /// What holds for a node of the model and all of its parts.
    struct Scope {
        let source: NodeID
        /// The only device, by its name or its plugin's.
        let pin: String?
        var depth = 0
        /// Generic kernels do not count: the whole has one.
        var tunedOnly = false
    }

    /// The stack runs host operators itself, before the run, from what it is given. Throws where one waits for a device's result.
    private func hasKnownInputs(_ node: Node, _ known: [ValueID: HostTensor]) throws(GraphError) -> Bool {
        for case let input? in node.inputs + graph.captured(by: node) where known[input] == nil && !graph.inputs.contains(input) {
            throw GraphError(
                "node '\(node.name)': the stack does not run '\(node.operatorName)' on results of a device yet ('\(graph[input].name)')")
        }
        return true
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
            placement.nodes.append(placed)
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
        placement.nodes.append(placed)
    }

    private struct Offer {
        /// The first kernel that takes the node.
        var placed: PlacedNode?
        /// A kernel that is not generic takes it, on whatever device.
        var hasTuned = false
        var refusals: [String] = []
        var dataType: DataType?
    }

    private func offer(for id: NodeID, _ scope: Scope, _ placement: Placement) throws -> Offer {
        let node = placement.graph[id]
        let definition = try placement.inference.definition(of: node)
        let inputs = node.inputs.map { $0.flatMap { describe($0, placement, withValue: true) } }
        let outputs = node.outputs.map { $0.flatMap { describe($0, placement, withValue: false) } }
        let version = definition.version(atOpset: node.opset) ?? node.opset
        var offer = Offer(dataType: (inputs.first ?? nil)?.dataType ?? (outputs.first ?? nil)?.dataType)
        var attributes = node.attributes
        for (name, rule) in definition.attributes where attributes[name] == nil { attributes[name] = rule.defaultValue }
        let isBounded = node.outputs.contains { output in
            if let output, case .bounded = placement.types[output.index] { true } else { false }
        }
        for (index, device) in devices.enumerated() where scope.pin == nil || scope.pin == device.name || scope.pin == device.plugin.name {
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

    private func describe(_ value: ValueID, _ placement: Placement, withValue: Bool) -> TensorDescriptor? {
        switch placement.types[value.index] {
        case .known(let type)?:
            TensorDescriptor(type.dataType, type.shape, host: withValue ? placement.values[value]?.bytes.baseAddress : nil)
        case .bounded(let dataType, let shape)?: TensorDescriptor(dataType, shape)
        case nil: nil
        }
    }

    private func isDenied(_ kernel: Kernel, of library: OperatorLibrary) -> Bool {
        rules.denied.contains { matches(kernel.name, $0) || matches("\(library.plugin.name)/\(kernel.name)", $0) }
    }
}

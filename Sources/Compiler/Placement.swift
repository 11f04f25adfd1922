// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Southbound
package import Tensors

/// What a user or a suite asks of placement.
package struct PlacementRules: Sendable {
    /// `PATTERN=DEVICE`: nodes whose name or operator matches the shell pattern run on that device alone. The first rule that matches counts.
    package var pins: [(pattern: String, device: String)] = []
    /// Names of libraries whose kernels go first.
    package var preferred: [String] = []
    /// Shell patterns of kernel names (`LIBRARY/KERNEL` or `KERNEL`) that are not to be used.
    package var denied: [String] = []
    /// Nodes whose value is known before the run are computed by the stack, once. Without it only host operators are, so that a suite sees every node run.
    package var folding = true

    package init() {}
}

/// Nobody runs a node; `refusals` says what each kernel that was asked answered.
package struct NoKernelError: Error, Sendable, CustomStringConvertible {
    package let node: String
    package let operatorName: String
    package let dataType: DataType?
    package let refusals: [String]

    package var description: String {
        let reasons = refusals.isEmpty ? "no kernel is offered for it" : refusals.joined(separator: "; ")
        return "node '\(node)' (\(operatorName)) runs on none of the devices: \(reasons)"
    }
}

/// A node and the kernel that runs it.
package struct PlacedNode {
    package let node: NodeID
    /// Index into the list of devices.
    package let device: Int
    package let library: OperatorLibrary
    package let kernel: Kernel
    package let descriptor: NodeDescriptor
    package let answer: SupportAnswer
}

/// Which node runs where, for one set of input shapes.
package struct Placement {
    package var nodes: [PlacedNode] = []
    /// Nodes that the stack computed itself before the run.
    package var folded: [NodeID] = []
    /// Constants and the values of folded nodes.
    package var values: [ValueID: HostTensor]
    package fileprivate(set) var inference: GraphInference
}

/// Places every node on the first device, in order of preference, that has a kernel for it.
package struct Placer {
    private let graph: Graph
    private let devices: [Device]
    private let libraries: [[OperatorLibrary]]
    private let rules: PlacementRules
    private let catalog: OperatorCatalog

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
        var inference = inference
        var placement = Placement(values: graph.constants, inference: inference)
        for (index, node) in graph.nodes.enumerated() {
            let definition = try inference.definition(of: node)
            if try definition.isHostOperator
                ? hasKnownInputs(node, placement.values) : isFoldable(node, definition, known: placement.values)
            {
                for case let output? in node.outputs { placement.values[output] = try inference.value(of: output) }
                placement.folded.append(NodeID(index))
                continue
            }
            placement.nodes.append(try place(NodeID(index), definition, placement.values, inference))
        }
        placement.inference = inference
        return placement
    }

    /// The stack runs host operators itself, before the run, from what it is given. Throws where one waits for a device's result.
    private func hasKnownInputs(_ node: Node, _ known: [ValueID: HostTensor]) throws(GraphError) -> Bool {
        for case let input? in node.inputs + graph.captured(by: node) where known[input] == nil && !graph.inputs.contains(input) {
            throw GraphError(
                "node '\(node.name)': the stack does not run '\(node.operatorName)' on results of a device yet ('\(graph[input].name)')")
        }
        return true
    }

    private func isFoldable(_ node: Node, _ definition: OperatorDefinition, known: [ValueID: HostTensor]) -> Bool {
        guard rules.folding else { return false }
        guard definition.numericClass != .random, definition.reference != nil else { return false }
        return definition.valueFromTypes != nil || node.inputs.allSatisfy { $0 == nil || known[$0!] != nil }
    }

    private func place(
        _ id: NodeID, _ definition: OperatorDefinition, _ values: [ValueID: HostTensor], _ inference: GraphInference
    ) throws -> PlacedNode {
        let node = graph[id]
        if let name = node.attributes.first(where: { $0.value.isGraph })?.key {
            throw NoKernelError(
                node: node.name, operatorName: node.qualifiedName, dataType: nil,
                refusals: ["no plugin can be given its subgraph '\(name)'"])
        }
        let inputs = node.inputs.map { $0.flatMap { describe($0, inference, values) } }
        let outputs = node.outputs.map { $0.flatMap { describe($0, inference, [:]) } }
        let version = definition.version(atOpset: node.opset) ?? node.opset
        let dataType = (inputs.first ?? nil)?.dataType ?? (outputs.first ?? nil)?.dataType
        var attributes = node.attributes
        for (name, rule) in definition.attributes where attributes[name] == nil { attributes[name] = rule.defaultValue }
        let pin = rules.pins.first { matches(node.name, $0.pattern) || matches(node.operatorName, $0.pattern) }?.device
        let isBounded = node.outputs.contains { output in
            if let output, case .bounded = inference.types[output.index] { true } else { false }
        }
        var refusals: [String] = []
        for (index, device) in devices.enumerated() where pin == nil || pin == device.name || pin == device.plugin.name {
            for library in libraries[index] {
                for kernel in library.candidates(
                    domain: node.domain, operatorName: node.operatorName, version: version, dataType: dataType ?? .float32)
                where !isDenied(kernel, of: library) && (!isBounded || kernel.flags.contains(.reportsShape)) {
                    let descriptor = try NodeDescriptor(
                        kernel: kernel, domain: node.domain, operatorName: node.operatorName, version: version,
                        attributes: attributes, inputs: inputs, outputs: outputs)
                    let answer = try library.support([descriptor], on: device)[0]
                    if answer.isSupported {
                        return PlacedNode(
                            node: id, device: index, library: library, kernel: kernel, descriptor: descriptor, answer: answer)
                    }
                    refusals.append("\(library.plugin.name)/\(kernel.name) on \(device.name): \(answer.message)")
                }
            }
        }
        throw NoKernelError(node: node.name, operatorName: node.qualifiedName, dataType: dataType, refusals: refusals)
    }

    private func describe(_ value: ValueID, _ inference: GraphInference, _ values: [ValueID: HostTensor]) -> TensorDescriptor? {
        switch inference.types[value.index] {
        case .known(let type)?:
            TensorDescriptor(type.dataType, type.shape, host: values[value]?.bytes.baseAddress)
        case .bounded(let dataType, let shape)?: TensorDescriptor(dataType, shape)
        case nil: nil
        }
    }

    private func isDenied(_ kernel: Kernel, of library: OperatorLibrary) -> Bool {
        rules.denied.contains { matches(kernel.name, $0) || matches("\(library.plugin.name)/\(kernel.name)", $0) }
    }
}

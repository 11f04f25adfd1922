// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
import Southbound
import Tensors

extension Placer {
    /// What a device lacks: of every node that somebody has to run, by which kernels the device would run it, alone or in parts, as `place` would let it. Nodes that
    /// are computed before the run and those that only rename a value are left out.
    package func needs(_ inference: GraphInference, of device: Int) throws -> [NodeNeed] {
        var placement = Placement(inference)
        placement.largestKnownConstant = rules.largestKnownConstant
        var open: [NodeID] = []
        for index in graph.nodes.indices where try !runOnHost(NodeID(index), &placement) { open.append(NodeID(index)) }
        let compiled = try compiledNodes(of: open, on: device, &placement)
        var memory: [NodeSignature: (ways: KernelWays, calls: [WishedCall])] = [:]
        var needs: [NodeNeed] = []
        var roots: [ValueID: ValueID] = [:]
        for id in open {
            if try runOnHost(id, &placement) { continue }
            try checkInputs(of: id, placement)
            if !compiled.contains(id), let (source, value) = renaming(id, placement),
                !(graph.inputs.contains(roots[source] ?? source) && graph.outputs.contains(value))
            {
                roots[value] = roots[source] ?? source
                continue
            }
            needs.append(try need(of: id, device, isCompiled: compiled.contains(id), &memory, &placement))
        }
        return needs
    }

    /// The nodes that the device's own compiler takes.
    private func compiledNodes(of open: [NodeID], on device: Int, _ placement: inout Placement) throws -> Set<NodeID> {
        guard rules.compiling else { return [] }
        var compiled: Set<NodeID> = []
        for claim in try claims(of: open, &placement) where claim.devices.contains(device) {
            if try compile(claim.nodes, on: device, &placement) != nil { compiled.formUnion(claim.nodes) }
        }
        return compiled
    }

    private func need(
        of id: NodeID, _ device: Int, isCompiled: Bool, _ memory: inout [NodeSignature: (ways: KernelWays, calls: [WishedCall])],
        _ placement: inout Placement
    ) throws -> NodeNeed {
        let node = graph[id]
        let question = try NodeQuestion(id, placement)
        var need = NodeNeed(
            name: node.name, operatorName: node.qualifiedName,
            seconds: registry.costs.estimate(question.work, answer: 0, isGeneric: false, on: device).seconds, ways: .nothing)
        let scope = scope(of: id).limited(to: device)
        if isCompiled { return need }
        if try costs(of: id, scope, &placement)[device].isFinite { return need }
        let signature = question.signature
        if let known = memory[signature] {
            need.ways = known.ways
            need.calls = known.calls.map { $0.renamed(node.name) }
        } else {
            let mark = PlacementMark(placement)
            var made: Set<ValueID> = []
            need.ways = try ways(for: id, scope, &made, &need.calls, &placement)
            placement.reset(to: mark, without: node.outputs)
            let calls = need.calls.map { $0.withoutName(of: node.name) }
            memory[signature] = (need.ways, calls)
        }
        if need.ways.sets.isEmpty { need.obstacle = obstacle(of: id, question, device) ?? "no kernel makes its parts run" }
        return need
    }

    private func obstacle(of id: NodeID, _ question: NodeQuestion, _ device: Int) -> String? {
        if let name = question.node.attributes.first(where: { $0.value.isGraph })?.key {
            return "no plugin can be given its subgraph '\(name)'"
        }
        return registry.memoryRefusal(of: question, on: device)
    }

    /// By which kernels the device of the scope would run a node that it does not run now, or a part of one.
    ///
    /// - Parameter made: values that parts before this one make.
    private func ways(
        for id: NodeID, _ scope: Scope, _ made: inout Set<ValueID>, _ calls: inout [WishedCall], _ placement: inout Placement
    ) throws -> KernelWays {
        let node = placement.graph[id]
        defer { for case let output? in node.outputs { made.insert(output) } }
        if node.attributes.values.contains(where: \.isGraph) { return .none }
        let device = scope.only ?? 0
        if scope.depth > 0 {
            if view(id, scope, placement) != nil { return .nothing }
            if let (source, _) = renaming(id, placement), made.contains(source) { return .nothing }
        }
        let question = try NodeQuestion(id, placement)
        let signature = question.signature
        var refusals: [String] = []
        for isGeneric in [false, true] {
            let answers = try registry.answers(question, signature, on: device, isGeneric: isGeneric)
            if !answers.bids.isEmpty { return .nothing }
            refusals += answers.refusals.map(\.text)
        }
        var ways = KernelWays.none
        if obstacle(of: id, question, device) == nil {
            let call = WishedCall(question, signature, refusals, placement)
            calls.append(call)
            ways = KernelWays([[call.wish]])
        }
        guard scope.depth < Self.depthLimit, rules.decomposing, let fragment = try fragment(of: node, &placement) else { return ways }
        let inner = scope.inner(tunedOnly: false)
        var parts = KernelWays.nothing
        for part in placement.expand(node, fragment) where try !fold(part, &placement) {
            parts = parts.and(try self.ways(for: part, inner, &made, &calls, &placement))
        }
        return ways.or(parts)
    }
}

extension WishedCall {
    fileprivate init(_ question: NodeQuestion, _ signature: NodeSignature, _ refusals: [String], _ placement: Placement) {
        let node = question.node
        self.init(
            wish: KernelWish(domain: node.domain, operatorName: node.operatorName, dataType: question.dataType ?? .float32),
            name: node.name,
            node: node, version: question.version, attributes: question.attributes,
            inputs: zip(node.inputs, question.inputs).map { value, tensor in
                guard let value, let tensor else { return nil }
                let known = placement.values[value]
                return Argument(
                    type: tensor.type, isConstant: known != nil,
                    value: known.flatMap { $0.byteCount <= NodeQuestion.mostConstantBytes ? $0 : nil })
            },
            outputs: question.outputs.map { $0?.type }, reportsShape: question.isBounded, refusals: refusals, signature: signature)
    }

    /// Names of parts begin with that of the node.
    fileprivate func withoutName(of node: String) -> WishedCall { named(String(name.dropFirst(node.count))) }
    fileprivate func renamed(_ node: String) -> WishedCall { named(node + name) }

    private func named(_ name: String) -> WishedCall {
        WishedCall(
            wish: wish, name: name, node: node, version: version, attributes: attributes, inputs: inputs, outputs: outputs,
            reportsShape: reportsShape, refusals: refusals, signature: signature)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

extension Pass {
    /// Operators that elementwise steps are joined to, by the number of their inputs, optional ones included.
    private static let bases = ["Conv": 3, "MatMul": 2, "Gemm": 3]

    static let epilogueFusion = Pass(
        "fuse-epilogues",
        help: "join bias, residual and activation to the convolution or product before them, where a device has a kernel for that",
        stage: .fuse
    ) { graph in
        for id in graph.nodes {
            guard let node = graph.node(id), node.domain.isEmpty, let count = bases[node.operatorName], isFusable(node, graph),
                let output = node.outputs.first ?? nil, offers("Fused\(node.operatorName)", output, graph)
            else { continue }
            let chain = Chain(from: output, &graph)
            guard let last = chain.members.last else { continue }
            let inputs = node.inputs + [ValueID?](repeating: nil, count: max(count - node.inputs.count, 0)) + chain.operands
            graph.substitute(
                last, by: "Fused\(node.operatorName)", domain: FusedStep.domain, opset: node.opset, inputs,
                node.attributes.merging(FusedStep.attributes(chain.steps)) { $1 }, for: [id] + chain.members, named: node.name)
        }
    }

    static let elementwiseFusion = Pass(
        "fuse-elementwise",
        help: "run elementwise operators that follow each other in one go over memory, where a device has a kernel for that",
        stage: .fuse
    ) { graph in
        for id in graph.nodes {
            guard let node = graph.node(id), isFusable(node, graph), let output = node.outputs.first ?? nil,
                offers("FusedElementwise", output, graph), let source = source(of: node, graph)
            else { continue }
            let chain = Chain(from: source, first: id, &graph)
            guard chain.steps.count > 1, let last = chain.members.last else { continue }
            graph.substitute(
                last, by: "FusedElementwise", domain: FusedStep.domain, opset: node.opset, [source] + chain.operands,
                FusedStep.attributes(chain.steps), for: chain.members, named: node.name)
        }
    }

    /// Before operator set 8 operands were broadcast by attributes.
    private static func isFusable(_ node: Node, _ graph: PassGraph) -> Bool { node.opset >= 8 && !graph.target.isPinned(node) }

    private static func offers(_ name: String, _ output: ValueID, _ graph: PassGraph) -> Bool {
        guard let type = graph.type(output) else { return false }
        return type.dataType.isFloat && graph.target.offers(FusedStep.domain, name, 1, type.dataType)
    }

    /// The input of an elementwise node that has the type and shape of its output, rather one that is no constant.
    private static func source(of node: Node, _ graph: PassGraph) -> ValueID? {
        guard node.domain.isEmpty, FusedStep.unary[node.operatorName] != nil || FusedStep.binary.contains(node.operatorName) else {
            return nil
        }
        let fitting = node.inputs.prefix(FusedStep.binary.contains(node.operatorName) ? 2 : 1).compactMap { $0 }
            .filter { graph.types[$0.index] == graph.types[node.outputs[0]!.index] }
        return fitting.first { graph.constant($0) == nil }
    }
}

/// Elementwise nodes that follow each other, each the only reader of the one before it.
private struct Chain {
    private static let mostOperands = 8
    private static let mostSteps = 32
    private(set) var steps: [FusedStep] = []
    private(set) var operands: [ValueID] = []
    private(set) var members: [NodeID] = []

    /// - Parameters:
    ///   - value: what the first step works on; all values between steps have its type and shape.
    ///   - first: the first member, whoever else reads `value`; nil: the only reader of `value`, if it is one.
    init(from value: ValueID, first: NodeID? = nil, _ graph: inout PassGraph) {
        var value = value
        var next = first ?? Self.onlyReader(of: value, &graph)
        while let id = next, steps.count < Self.mostSteps, let node = graph.node(id), let output = node.outputs.first ?? nil,
            graph.types[output.index] == graph.types[value.index], !graph.target.isPinned(node), take(node, value, graph)
        {
            members.append(id)
            value = output
            next = Self.onlyReader(of: value, &graph)
        }
    }

    private static func onlyReader(of value: ValueID, _ graph: inout PassGraph) -> NodeID? {
        guard graph.isUsedOnce(value) else { return nil }
        return graph.readers(of: value).first
    }

    /// Makes a step of a node, if it can be one.
    private mutating func take(_ node: Node, _ value: ValueID, _ graph: PassGraph) -> Bool {
        guard node.domain.isEmpty, node.opset >= 8, node.outputs.count == 1 else { return false }
        if FusedStep.binary.contains(node.operatorName) {
            guard node.inputs.count == 2, let position = node.inputs.firstIndex(of: value), let other = node.inputs[1 - position],
                graph.type(other)?.dataType == graph.type(value)?.dataType
            else { return false }
            let operand = operands.firstIndex(of: other) ?? operands.count
            guard operand < Self.mostOperands else { return false }
            if operand == operands.count { operands.append(other) }
            steps.append(FusedStep(node.operatorName, operand: operand, isReversed: position == 1))
            return true
        }
        guard let names = FusedStep.unary[node.operatorName], node.inputs.first == value else { return false }
        if node.operatorName == "Clip" {
            guard let limits = clipLimits(node, graph) else { return false }
            steps.append(FusedStep("Clip", parameters: limits))
            return true
        }
        let rules = graph.catalog.definition(of: node)?.attributes ?? [:]
        var parameters: [Float] = []
        for name in names {
            guard case .float(let number)? = node.attributes[name] ?? rules[name]?.defaultValue else { return false }
            parameters.append(number)
        }
        steps.append(FusedStep(node.operatorName, parameters: parameters))
        return true
    }

    /// Attributes before operator set 11, then inputs. Nil if they are not known, or no numbers of the chain's parameters.
    private func clipLimits(_ node: Node, _ graph: PassGraph) -> [Float]? {
        var limits: [Float] = []
        for (index, name, none) in [(1, "min", -Float.infinity), (2, "max", .infinity)] {
            if let given = node.float(name) {
                limits.append(Float(given))
            } else if index < node.inputs.count, let input = node.inputs[index] {
                guard let number = graph.number(input), Double(Float(number)) == number else { return nil }
                limits.append(Float(number))
            } else {
                limits.append(none)
            }
        }
        return limits
    }
}

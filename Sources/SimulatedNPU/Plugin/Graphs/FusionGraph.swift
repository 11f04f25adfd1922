// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Tensors

typealias ValueID = UnsafePointer<sb_tensor>

/// A graph as the compiler sees it: which nodes may become parts of a fused program, and who makes and reads each value.
struct FusionGraph {
    /// How a node that has one output can be fused.
    enum Part {
        case elementwise(inputs: Int, @Sendable (NodeView, [Term]) throws(Refusal) -> Term)
        case product(@Sendable (NodeView, Profile) throws(Refusal) -> ProductProblem)
    }

    let graph: GraphView
    let profile: Profile
    /// By node; nil where it is left to kernels.
    private(set) var parts: [Part?] = []
    private(set) var producers: [ValueID: Int] = [:]
    private(set) var consumers: [ValueID: [Int]] = [:]
    let outputs: Set<ValueID>

    init(_ graph: GraphView, _ profile: Profile) {
        (self.graph, self.profile) = (graph, profile)
        outputs = Set(graph.outputs.map(\.raw))
        for (index, node) in graph.nodes.enumerated() {
            for place in 0..<node.outputCount { if let value = node.output(place) { producers[value.raw] = index } }
            for place in 0..<node.inputCount { if let value = node.input(place) { consumers[value.raw, default: []].append(index) } }
        }
        parts = graph.nodes.map { part($0) }
    }

    func output(of node: Int) -> ValueID { graph.nodes[node].output(0)!.raw }

    /// The nodes that make what a node reads.
    func predecessors(of node: Int) -> [Int] {
        let view = graph.nodes[node]
        return (0..<view.inputCount).compactMap { view.input($0).flatMap { producers[$0.raw] } }
    }

    /// The values of some nodes that are read elsewhere, or wanted outside.
    func escaping(from nodes: [Int]) -> [ValueID] {
        let members = Set(nodes)
        return nodes.map(output(of:)).filter { value in
            outputs.contains(value) || consumers[value, default: []].contains { !members.contains($0) }
        }
    }

    private func part(_ node: NodeView) -> Part? {
        guard node.domain.isEmpty, node.outputCount == 1, node.output(0) != nil, let type = node.dataType, type < 64 else { return nil }
        for kernel in fusibleKernels[node.operatorName, default: []] {
            let declaration = kernel.declaration
            guard node.version >= Int(declaration.since), declaration.until == 0 || node.version <= Int(declaration.until),
                declaration.dataTypes & 1 << UInt64(type) != 0
            else { continue }
            do throws(Refusal) {
                switch kernel.fusion! {
                case .product(let problem):
                    // What the compiler declares of its arithmetic holds for this way of multiplying alone.
                    guard type != SB_TYPE_FLOAT32 || profile.float32 == .bfloat16x3 else { return nil }
                    let made = try problem(node, profile)
                    try require(made.k > 0 && made.m > 0 && made.n > 0 && made.batches > 0, .shape, "a product of nothing")
                    return .product(problem)
                case .elementwise(let inputs, let expression):
                    let count = inputs ?? node.inputCount
                    let y = try node.operand(output: 0)
                    var terms: [Term] = []
                    for index in 0..<count {
                        let x = try node.operand(input: index)
                        _ = try broadcastStrides(x.shape, to: y.shape)
                        guard let type = x.type.vectorType else { return nil }
                        terms.append(.input(index, type))
                    }
                    guard y.type.vectorType != nil else { return nil }
                    _ = try expression(node, terms)
                    return .elementwise(inputs: count, expression)
                }
            } catch {
                continue
            }
        }
        return nil
    }
}

private let fusibleKernels: [String: [LoweredKernel]] = Dictionary(
    grouping: [elementwiseKernels, activationKernels, matrixKernels, convolutionKernels].joined().filter { $0.fusion != nil },
    by: \.declaration.operatorName)

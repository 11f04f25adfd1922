// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import HardwareModel
import ONNX
import Operators
import Tensors

extension CaseRunner {
    func run(_ graphCase: GraphCase, _ decision: inout Decision) throws {
        decision.result.dataType = graphCase.type.name
        _ = try negotiate()
        guard offers("programs", &decision.result) else { return }
        let (graph, inputs) = try graphCase.draft(seed: target.seed)
        switch graphCase.aspect {
        case .run: try judge(graph, inputs, &decision)
        case .chained: try compareWithKernels(graph, inputs, &decision)
        default:
            var request = target.request(.program)
            request.check = graphCase.aspect.rawValue
            request.seed = target.seed
            let (reply, _) = try exchange(request, try blobs(graph, inputs))
            decision.result.take(reply)
        }
    }

    private func judge(_ graph: Graph, _ inputs: [HostTensor], _ decision: inout Decision) throws {
        let (reply, outputs) = try launch(graph, inputs, compiling: true)
        guard let finding = try finding(on: graph, inputs, reply, outputs, &decision) else { return }
        note(reply, in: &decision.result)
        decision.result.apply(finding)
        guard finding.failure != nil else { return }
        try keep(graph, inputs, outputs, &decision)
        // The first node whose value, with what leads to it, is wrong.
        for node in graph.nodes.indices.dropLast() {
            let part = graph.leading(to: NodeID(node))
            let partInputs = zip(graph.inputs, inputs).filter { part.inputs.contains($0.0) }.map(\.1)
            let (partReply, partOutputs) = try launch(part, partInputs, compiling: true)
            var ignored = decision
            guard let partFinding = try self.finding(on: part, partInputs, partReply, partOutputs, &ignored), partFinding.failure != nil
            else {
                continue
            }
            decision.result.message =
                "\(finding.message ?? "")\nsmallest failing part: \(part.summary): \(partFinding.message ?? "")"
            try keep(part, partInputs, partOutputs, &decision)
            return
        }
        decision.result.message = "\(finding.message ?? "")\nin \(graph.summary)"
    }

    /// Nil if there is nothing to judge; `decision` then says why.
    private func finding(
        on graph: Graph, _ inputs: [HostTensor], _ reply: WorkerReply, _ outputs: [HostTensor], _ decision: inout Decision
    ) throws -> Finding? {
        guard reply.type == .ran else {
            refuse(reply, &decision.result)
            return nil
        }
        guard let ranBy = reply.ranBy, ranBy.contains(where: isProgram) else {
            decision.result.status = .unsupported
            decision.result.message = "the plugin's compiler claims none of the nodes: \(graph.summary)"
            return nil
        }
        let facts = facts(by: ranBy, reply)
        let judge = try GraphJudge(graph, inputs: inputs, facts: facts, seed: target.seed)
        guard judge.isUsable else {
            decision.result.status = .unsupported
            decision.result.message = "the values that this seed draws leave the range of \(graph.summary)"
            return nil
        }
        let finding = judge.finding(on: outputs)
        guard finding.failure == nil, let failure = reply.failure else { return finding }
        return Finding(failure: failure, message: reply.message)
    }

    private func compareWithKernels(_ graph: Graph, _ inputs: [HostTensor], _ decision: inout Decision) throws {
        let (reply, outputs) = try launch(graph, inputs, compiling: true)
        guard reply.type == .ran else { return refuse(reply, &decision.result) }
        guard let ranBy = reply.ranBy, ranBy.contains(where: isProgram) else {
            decision.result.status = .unsupported
            decision.result.message = "the plugin's compiler claims none of the nodes: \(graph.summary)"
            return
        }
        note(reply, in: &decision.result)
        let (other, chained) = try launch(graph, inputs, compiling: false)
        guard other.type == .ran else { return refuse(other, &decision.result) }
        let kernelFacts = facts(by: other.ranBy ?? ranBy, other)
        let facts = zip(facts(by: ranBy, reply), zip(ranBy, kernelFacts)).map { isProgram($1.0) ? $0 : $1.1 }
        guard try GraphJudge(graph, inputs: inputs, facts: facts, seed: target.seed).isExact else {
            decision.result.status = .unsupported
            decision.result.message = "the values that this seed draws are not exact"
            return
        }
        for (index, (one, two)) in zip(outputs, chained).enumerated() {
            // Zeros of both signs are equal here.
            let differing = zip(one.decodedDoubles(), two.decodedDoubles()).enumerated().filter { $0.element.0 != $0.element.1 }
            guard one.shape != two.shape || !differing.isEmpty else { continue }
            decision.result.apply(
                Finding(
                    failure: .numeric,
                    message: "output \(index): the program and the kernels differ in \(differing.count) of \(one.count) elements, "
                        + "though every order and fusion gives the same bits; in \(graph.summary)"))
            try keep(graph, inputs, outputs, &decision)
            return
        }
    }

    /// What holds for each node of a run; where the worker does not tell, what its kernel or the compiler declares.
    private func facts(by names: [String], _ reply: WorkerReply) -> [NumericFacts] {
        if let facts = reply.ranFacts, facts.count == names.count { return facts }
        return names.map(declaredFacts)
    }

    /// Of a kernel (`LIBRARY/KERNEL`) by itself, or of the compiler's table.
    private func declaredFacts(by name: String) -> NumericFacts {
        if isProgram(name) { return programNumerics }
        let kernel = name.split(separator: "/", maxSplits: 1).last ?? ""
        return kernels.first { $0.name == kernel }?.numerics ?? .strict
    }

    /// Where a case ran, and by which facts beside the declared ones it is judged.
    func note(_ reply: WorkerReply, in result: inout CaseResult) {
        result.placement = reply.placement
        guard let names = reply.ranBy, let facts = reply.ranFacts, names.count == facts.count else { return }
        let told = Set(zip(names, facts).filter { $1 != declaredFacts(by: $0) }.flatMap(\.1.declared))
        result.declared = told.isEmpty ? nil : told.sorted()
    }

    private func launch(_ graph: Graph, _ inputs: [HostTensor], compiling: Bool) throws -> (WorkerReply, [HostTensor]) {
        var request = WorkerRequest(.run)
        request.folding = false
        request.guarded = true
        request.compiling = compiling
        let (reply, outputs) = try exchange(request, try blobs(graph, inputs))
        return (reply, try reply.type == .ran ? outputs.map { try readTensor(data: $0).tensor } : [])
    }

    private func blobs(_ graph: Graph, _ inputs: [HostTensor]) throws -> [Data] {
        [try modelData(graph)] + (try inputs.map { try tensorProtoData(name: "", $0) })
    }

    private func isProgram(_ name: String) -> Bool { name.hasSuffix("/program") }

    private func keep(_ graph: Graph, _ inputs: [HostTensor], _ outputs: [HostTensor], _ decision: inout Decision) throws {
        let given = Dictionary(zip(graph.inputs, inputs), uniquingKeysWith: { first, _ in first })
        decision.keep(
            model: try modelData(graph), inputs: try inputs.map { try tensorProtoData(name: "", $0) },
            expected: try evaluate(graph, inputs: given).map { try tensorProtoData(name: "", $0) })
        for (index, output) in outputs.enumerated() { decision.keep("actual_\(index).pb", try tensorProtoData(name: "", output)) }
    }
}

extension Graph {
    /// The graph of one node and all that lead to it.
    func leading(to last: NodeID) -> Graph {
        let producers = producers()
        var needed: Set<Int> = [last.index]
        for index in (0...last.index).reversed() where needed.contains(index) {
            for case let input? in nodes[index].inputs { if let source = producers[input.index] { needed.insert(source.index) } }
        }
        var part = self
        part.nodes = nodes.indices.filter { needed.contains($0) }.map { nodes[$0] }
        let read = Set(part.nodes.flatMap { $0.inputs.compactMap { $0 } })
        part.inputs = inputs.filter { read.contains($0) }
        part.constants = constants.filter { read.contains($0.key) }
        part.outputs = self[last].outputs.compactMap { $0 }
        return part
    }

    /// For a person: `MatMul → Add → Relu`.
    var summary: String { nodes.map(\.operatorName).joined(separator: " → ") }
}

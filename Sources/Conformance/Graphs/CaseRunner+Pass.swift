// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import Operators
import Tensors

extension CaseRunner {
    /// Each of the plugin's passes in turn. The first that dies, breaks the graph or changes its numbers decides, and is named.
    func run(_ passCase: PassCase, _ decision: inout Decision) throws {
        decision.result.dataType = passCase.type.name
        let passes = try negotiate().passes ?? []
        guard offers("passes", &decision.result) else { return }
        let (graph, inputs) = try passCase.draft(seed: target.seed)
        let judge = try GraphJudge(graph, inputs: inputs, facts: [], seed: target.seed)
        guard judge.isUsable else {
            decision.result.status = .unsupported
            decision.result.message = "the values that this seed draws leave the range of \(graph.summary)"
            return
        }
        let blobs = [try modelData(graph)] + (try inputs.map { try tensorProtoData(name: "", $0) })
        var unsupported: [String] = []
        for name in passes {
            var request = target.request(.pass)
            request.check = name
            let reply: WorkerReply
            let outputs: [Data]
            do {
                (reply, outputs) = try exchange(request, blobs)
            } catch let death as WorkerDeath where death.cause != .interrupted {
                discardWorker()
                (decision.result.status, decision.result.failure) = death.cause.verdict
                decision.result.message = "pass '\(name)' on \(graph.summary): \(death.description)"
                decision.keep("model.onnx", blobs[0])
                return
            }
            if reply.type == .checked, reply.status == .unsupported {
                unsupported.append("pass '\(name)': \(reply.message ?? "")")
                continue
            }
            decision.result.take(reply)
            if decision.result.status == .passed {
                let finding = judge.finding(on: try outputs.map { try readTensor(data: $0).tensor })
                decision.result.apply(finding)
                decision.result.message = finding.message.map { "pass '\(name)' changes what the graph computes: \($0)" }
            }
            guard decision.result.status == .passed else {
                decision.result.message = "\(decision.result.message ?? "")\nin \(graph.summary)"
                decision.keep(
                    model: blobs[0], inputs: Array(blobs.dropFirst()),
                    expected: try evaluate(graph, inputs: Dictionary(zip(graph.inputs, inputs), uniquingKeysWith: { first, _ in first }))
                        .map { try tensorProtoData(name: "", $0) })
                for (index, data) in outputs.enumerated() { decision.keep("actual_\(index).pb", data) }
                return
            }
        }
        if unsupported.count == passes.count {
            decision.result.status = .unsupported
            decision.result.message = unsupported.isEmpty ? "the plugin has no passes" : unsupported.joined(separator: "; ")
        }
    }
}

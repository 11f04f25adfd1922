// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import HardwareModel
import ONNX
import Operators
import Tensors

/// What came of one operator call on the plugin.
enum CallOutcome {
    case judged(Finding, WorkerReply, outputs: [HostTensor?])
    /// The call was not carried out.
    case refused(WorkerReply)

    var isWrong: Bool {
        if case .judged(let finding, _, _) = self { finding.failure != nil } else { false }
    }
}

extension CaseRunner {
    func run(_ generated: GeneratedCase, _ decision: inout Decision) throws {
        decision.result.operator = generated.operatorName
        decision.result.dataType = generated.type.name
        if let refusal = undeclared(generated) {
            decision.result.status = .unsupported
            decision.result.message = refusal
            return
        }
        let earlier = generated.predecessor(seed: target.seed)
        // Whether that one is right is a case of its own.
        if let earlier { _ = try launch(try earlier.call(seed: target.seed), constants: []) }
        let call = try generated.call(seed: target.seed)
        try run(call, generated.group, constants: generated.constants(of: call, seed: target.seed), &decision)
        if decision.result.status == .passed, call.canBeStrided { try runStrided(call, &decision) }
        if let earlier, decision.result.status.needsAttention {
            // One call alone does not show it: reproduced as the suite runs it.
            decision.dropFiles()
            decision.result.message = "run just after \(earlier.id): \(decision.result.message ?? "")"
        }
    }

    /// Why the plugin need not be asked: it lists its kernels, and none is for this operator, version and type. Nil where one is, or where the list is not all.
    private func undeclared(_ generated: GeneratedCase) -> String? {
        guard target.libraries.isEmpty, (try? negotiate()) != nil, !kernels.isEmpty,
            kernels(for: generated.group, version: generated.version).isEmpty
        else {
            return nil
        }
        return "no kernel is declared for \(generated.operatorName) of \(generated.type.name), version \(generated.version)"
    }

    private func kernels(for group: CaseGroup, version: Int) -> [WorkerReply.KernelSummary] {
        kernels.filter {
            $0.domain == group.domain && $0.operator == group.operatorName && $0.dataTypes & (1 << UInt64(group.type.rawValue)) != 0
                && $0.since <= version && version <= $0.until ?? .max
        }
    }

    /// A kernel that takes strides is given some. One that writes past a dense tensor's end for a strided one did so on a real chip (pytorch#183419).
    private func runStrided(_ call: OperatorCall, _ decision: inout Decision) throws {
        guard kernels.contains(where: { $0.strided == true && $0.operator == call.definition.name }) else { return }
        let reply: WorkerReply
        let outputs: [HostTensor?]
        do {
            (reply, outputs) = try launch(call, constants: [], strided: true)
        } catch let death as WorkerDeath where death.cause != .interrupted {
            discardWorker()
            (decision.result.status, decision.result.failure) = death.cause.verdict
            decision.result.message = "with strided inputs: \(death.description)"
            return
        }
        guard reply.type == .ran else {
            // Where another kernel, which takes no strides, runs the node, the request is not carried out.
            guard reply.code == .device else { return }
            refuse(reply, &decision.result)
            decision.result.message = "with strided inputs: \(reply.message ?? "")"
            return
        }
        let finding = try finding(on: call, reply, outputs)
        guard finding.failure != nil else { return }
        decision.result.apply(finding)
        decision.result.message = "with strided inputs: \(finding.message ?? "")"
    }

    /// Judges generic kernels, too: the results are not the catalogue's.
    func run(_ golden: GoldenCase, _ decision: inout Decision) throws {
        decision.result.operator = golden.operatorName
        let (call, results) = try golden.load()
        let type = call.dataType ?? results.first.flatMap { $0?.dataType } ?? .float32
        decision.result.dataType = type.name
        let (reply, actual) = try launch(call, constants: [])
        guard reply.type == .ran else { return refuse(reply, &decision.result) }
        note(reply, in: &decision.result)
        let finding = try finding(on: call, reply, actual, golden: results)
        decision.result.apply(finding)
        guard finding.failure != nil else { return }
        decision.result.message = "\(finding.message ?? ""); this case tries: \(golden.why)"
        try keep(call, constants: [], actual, expected: results.map { try $0?.hostTensor() }, &decision)
    }

    /// Lens 5: the results of two calls are held against each other.
    func run(_ related: RelatedCase, _ decision: inout Decision) throws {
        decision.result.operator = related.base.operatorName
        decision.result.dataType = related.base.type.name
        if let refusal = undeclared(related.base) {
            decision.result.status = .unsupported
            decision.result.message = refusal
            return
        }
        let call = try related.base.call(seed: target.seed)
        guard let related = related.relation.related(to: call) else {
            decision.result.status = .unsupported
            decision.result.message = "the relation does not hold for the values that this seed draws"
            return
        }
        let (reply, results) = try launch(call, constants: [])
        guard reply.type == .ran else { return refuse(reply, &decision.result) }
        note(reply, in: &decision.result)
        let (otherReply, otherResults) = try launch(related.other, constants: [])
        guard otherReply.type == .ran else { return refuse(otherReply, &decision.result) }
        let facts = facts(of: otherReply)
        decision.result.apply(
            related.finding(on: results, otherResults, try Judge(call, facts: facts), try Judge(related.other, facts: facts)))
        if decision.result.status == .passed, let generic = genericKernel(of: otherReply) { decision.result.standAside(for: generic) }
    }

    /// - Parameter constants: positions of inputs that are known before the run.
    func run(_ call: OperatorCall, _ group: CaseGroup, constants: Set<Int>, _ decision: inout Decision) throws {
        decision.result.operator = group.operatorName
        decision.result.dataType = group.type.name
        let outcome: CallOutcome
        do {
            outcome = try execute(call, constants: constants)
        } catch let death as WorkerDeath where death.cause != .interrupted {
            discardWorker()
            (decision.result.status, decision.result.failure) = death.cause.verdict
            decision.result.message = death.description
            try keepReproducer(of: call, group, constants, nil, &decision)
            return
        }
        switch outcome {
        case .refused(let reply):
            refuse(reply, &decision.result)
            // The catalogue made the call: that it refuses it is the suite's fault.
            if reply.code == .notCovered { decision.result.status = .infrastructure }
        case .judged(let finding, let reply, let outputs):
            note(reply, in: &decision.result)
            decision.result.apply(finding)
            if finding.failure != nil {
                try keepReproducer(of: call, group, constants, outputs, &decision)
            } else if let generic = genericKernel(of: reply) {
                decision.result.standAside(for: generic)
            } else if let missed = target.trust.missedFaults(of: group, facts: facts(of: reply)), !missed.isEmpty {
                decision.result.status = .mistrusted
                decision.result.message = "passed, but the cases of this operator and type do not notice: \(missed.joined(separator: ", "))"
            }
        }
    }

    func run(_ probe: Probe, _ decision: inout Decision) throws {
        decision.result.operator = probe.operatorName
        decision.result.dataType = probe.type.name
        let call = try probe.call()
        let (reply, outputs) = try launch(call, constants: [])
        guard reply.type == .ran, let actual = outputs.first ?? nil else { return refuse(reply, &decision.result) }
        note(reply, in: &decision.result)
        if let contradiction = probe.contradiction(actual.decodedDoubles(), facts(of: reply), call) {
            decision.result.status = .failed
            decision.result.failure = .declaration
            decision.result.message = "\(reply.ranBy?.first ?? "the kernel") \(contradiction)"
        }
    }

    /// Whoever declares a kernel for an operator and type takes at least one of the suite's calls.
    func run(_ offer: Offer, _ decision: inout Decision) throws {
        let group = offer.group
        decision.result.operator = group.operatorName
        decision.result.dataType = group.type.name
        _ = try negotiate()
        let offered = kernels(for: group, version: offer.version)
        let kernel = offered.first
        guard try kernel != nil || asksCompiler else {
            decision.result.status = .unsupported
            decision.result.message = "no kernel is declared for version \(offer.version)"
            return
        }
        var refusal: String?
        for (member, isKnown) in offer.members.flatMap({ [($0, false), ($0, true)] }) {
            // With all inputs but the first made in the run, as the suite's calls may have them, and known before it.
            let call = try member.call(seed: target.seed)
            let (reply, _) = try launch(call, constants: isKnown ? Set(call.inputs.indices.dropFirst()) : [])
            if reply.type == .ran, let generic = genericKernel(of: reply) {
                // A kernel of the chip's own may take another call.
                decision.result.standAside(for: generic)
                if offered.allSatisfy(\.generic) { return }
                continue
            }
            guard reply.type == .error, reply.code == .noKernel else {
                (decision.result.status, decision.result.message) = (.passed, nil)
                return
            }
            refusal = refusal ?? reply.message
        }
        if decision.result.status == .unsupported { return }
        guard let kernel else {
            decision.result.status = .unsupported
            decision.result.message = refusal
            return
        }
        decision.result.status = .failed
        decision.result.failure = .declaration
        decision.result.message =
            "kernel '\(kernel.name)' declares \(group.type.name), but all \(offer.members.count) calls are refused; the first: \(refusal ?? "")"
    }

    /// Runs a call between guards, and judges it by what the kernel that ran it declares.
    func execute(_ call: OperatorCall, constants: Set<Int>) throws -> CallOutcome {
        let (reply, actual) = try launch(call, constants: constants)
        guard reply.type == .ran else { return .refused(reply) }
        return .judged(try finding(on: call, reply, actual), reply, outputs: actual)
    }

    /// What the judge finds, and what the kernel did to memory that is not its own.
    private func finding(
        on call: OperatorCall, _ reply: WorkerReply, _ outputs: [HostTensor?], golden: [ReferenceTensor?]? = nil
    ) throws -> Finding {
        var finding = try Judge(call, facts: facts(of: reply), golden: golden).finding(on: outputs)
        guard let failure = reply.failure else { return finding }
        if finding.failure == nil { return Finding(failure: failure, message: reply.message) }
        finding.message = [finding.message, reply.message].compactMap { $0 }.joined(separator: "; besides, ")
        return finding
    }

    /// The reply, an `error` where the device did not run the call, and one entry per output that the call names.
    func launch(_ call: OperatorCall, constants: Set<Int>, strided: Bool = false) throws -> (WorkerReply, [HostTensor?]) {
        let (graph, inputs) = call.graph(constants: constants)
        var request = WorkerRequest(.run)
        request.folding = false
        request.guarded = true
        request.strided = strided ? true : nil
        request.compiling = try asksCompiler ? true : nil
        let blobs = try [modelData(graph)] + inputs.map { try tensorProtoData(name: "", $0) }
        let (reply, outputs) = try exchange(request, blobs)
        guard reply.type == .ran else { return (reply, []) }
        guard reply.placement?.keys.contains(where: { $0 != "host" }) ?? true else {
            var refusal = WorkerReply.error(.noKernel, "the stack runs it itself")
            refusal.placement = reply.placement
            return (refusal, [])
        }
        var actual: [HostTensor?] = []
        var rest = outputs[...]
        for isWanted in call.wanted {
            actual.append(try isWanted ? rest.popFirst().map { try readTensor(data: $0).tensor } : nil)
        }
        return (reply, actual)
    }

    /// Programs of one node stand for the kernels of a plugin that has a compiler and no kernel.
    var asksCompiler: Bool {
        get throws {
            let reply = try negotiate()
            return reply.kernels?.isEmpty == true && reply.groups?.contains("graphs") == true
        }
    }

    /// The kernel that ran the one node of a call; nil behind workers that do not tell.
    private func kernel(of reply: WorkerReply) -> WorkerReply.KernelSummary? {
        let names = Set((reply.ranBy ?? []).map { String($0.split(separator: "/", maxSplits: 1).last ?? "") })
        return kernels.first { names.contains($0.name) }
    }

    func facts(of reply: WorkerReply) -> NumericFacts { reply.ranFacts?.first ?? kernel(of: reply)?.numerics ?? .strict }

    /// The name of the kernel that ran a call, if it declares itself generic.
    func genericKernel(of reply: WorkerReply) -> String? { kernel(of: reply).flatMap { $0.generic ? $0.name : nil } }

    // MARK: Failures

    /// Reduces a failing call to the smallest that still fails, and keeps what is needed to run it again.
    private func keepReproducer(
        of call: OperatorCall, _ group: CaseGroup, _ constants: Set<Int>, _ outputs: [HostTensor?]?, _ decision: inout Decision
    ) throws {
        var smallest = call
        var actual = outputs
        if target.trust.mayShrink(group) {
            let shrinker = Shrinker { candidate in
                do {
                    let outcome = try self.execute(candidate, constants: constants.filter { $0 < candidate.inputs.count })
                    guard case .judged(let finding, _, let outputs) = outcome, finding.failure != nil else { return nil }
                    return (finding, outputs)
                } catch let death as WorkerDeath where death.cause != .interrupted {
                    self.discardWorker()
                    let (status, failure) = death.cause.verdict
                    return (Finding(failure: failure, message: "\(status.rawValue): \(death.cause.description)"), nil)
                }
            }
            if let shrunk = try shrinker.shrink(call) {
                smallest = shrunk.call
                actual = shrunk.outputs
                decision.result.message =
                    "\(decision.result.message ?? "")\nsmallest failing case: \(smallest.summary): \(shrunk.finding.message ?? "")"
            }
        }
        let expected = try? smallest.definition.evaluate(
            opset: smallest.opset, attributes: smallest.attributes, inputs: smallest.inputs, wanted: smallest.wanted)
        try keep(smallest, constants: constants, actual, expected: expected ?? [], &decision)
    }

    /// The files that show a failing call.
    private func keep(
        _ call: OperatorCall, constants: Set<Int>, _ actual: [HostTensor?]?, expected: [HostTensor?], _ decision: inout Decision
    ) throws {
        let (graph, inputs) = call.graph(constants: constants)
        decision.keep(
            model: try modelData(graph), inputs: try inputs.map { try tensorProtoData(name: "", $0) },
            expected: try expected.compactMap { try $0.map { try tensorProtoData(name: "", $0) } })
        for (index, output) in (actual ?? []).enumerated() {
            if let output { decision.keep("actual_\(index).pb", try tensorProtoData(name: "", output)) }
        }
    }
}

extension CaseResult {
    /// The verdict of a check in the worker.
    mutating func take(_ reply: WorkerReply) {
        status = reply.type == .error ? .infrastructure : reply.status ?? .infrastructure
        failure = reply.type == .error ? nil : reply.failure
        message = reply.message
    }

    mutating func apply(_ finding: Finding) {
        status = finding.failure == nil ? .passed : .failed
        failure = finding.failure
        grade = finding.failure == nil ? finding.grade : nil
        error = finding.deviation
        message = finding.message
    }

    /// A generic kernel may be the very reference that judges it: right results are no evidence. Golden results and the corpus judge it.
    mutating func standAside(for kernel: String) {
        (status, grade) = (.unsupported, nil)
        message =
            "only the generic kernel '\(kernel)' takes this call; golden results and the corpus judge it, not the catalogue's reference"
    }
}

extension OperatorCall {
    fileprivate var canBeStrided: Bool { inputs.allSatisfy { ($0?.dataType.bits ?? 8) >= 8 } }

    /// For a person: `MatMul(float32 [1, 1], float32 [1, 17])`.
    package var summary: String {
        let list = inputs.map { $0.map { "\($0.dataType.name) \($0.shape)" } ?? "-" }.joined(separator: ", ")
        let names = attributes.keys.sorted()
        return "\(definition.name)(\(list))\(names.isEmpty ? "" : " with \(names.joined(separator: ", "))")"
    }
}

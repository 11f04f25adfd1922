// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import HardwareModel
import ONNX
import Operators
import Southbound
import Tensors

/// Decides cases with one worker, which it replaces when a case kills it. Used by one thread.
final class CaseRunner {
    let target: RunTarget
    private let logPath: String
    private var worker: WorkerProcess?

    init(target: RunTarget, logPath: String) {
        self.target = target
        self.logPath = logPath
    }

    /// What the plugin told when it was loaded.
    func negotiate() throws(CaseInterruption) -> WorkerReply { try start().reply }

    /// The verdict on a case, and the files that reproduce a failure.
    func decide(_ testCase: Case) throws(CaseInterruption) -> Decision {
        let start = ContinuousClock.now
        var decision = try attempt(testCase)
        if decision.result.status == .failed {
            // Flaky: fails, then passes alone twice.
            var passes = 0
            while passes < 2 {
                worker = nil
                let again = try attempt(testCase)
                if again.result.status != .passed { break }
                passes += 1
            }
            if passes == 2 {
                decision.result.status = .flaky
                decision.result.message = "failed, then passed alone twice: \(decision.result.message ?? "")"
            }
        }
        target.profile?.judge(&decision.result, of: testCase)
        target.expected.apply(to: &decision.result)
        decision.result.seconds = (ContinuousClock.now - start).seconds
        if decision.result.status.needsAttention {
            let command = target.command(for: testCase)
            decision.result.reproducer = command
            decision.keep("reproduce.sh", Data("#!/bin/sh\n# \(testCase.id)\n\(command)\n".utf8))
        } else {
            decision.dropFiles()
        }
        return decision
    }

    private func attempt(_ testCase: Case) throws(CaseInterruption) -> Decision {
        var decision = Decision(
            CaseResult(
                id: testCase.id, suite: testCase.suite, level: testCase.level, status: .passed, specification: testCase.specification))
        do {
            switch testCase.body {
            case .check: try check(testCase, &decision.result)
            case .model(let model): try run(model, testCase, &decision)
            case .generated(let generated): try run(generated, &decision)
            case .golden(let golden): try run(golden, &decision)
            case .relation(let relation): try run(relation, &decision)
            case .offer(let offer): try run(offer, &decision)
            case .probe(let probe): try run(probe, &decision)
            case .graph(let graph): try run(graph, &decision)
            case .pass(let pass): try run(pass, &decision)
            case .call(let reproducer):
                let call = reproducer.call
                let type = call.dataType ?? .float32
                let group = CaseGroup(domain: call.definition.domain, operatorName: call.definition.name, type: type)
                try run(reproducer.call, group, constants: reproducer.constants, &decision)
            case .cleanExit: try exitCleanly(&decision.result)
            }
        } catch let stop as CaseInterruption {
            if case .interrupted = stop { throw stop }
            decision.result.status = .notRun
            decision.result.message = stop.description
        } catch let death as WorkerDeath {
            worker = nil
            if death.cause == .interrupted { throw .interrupted }
            (decision.result.status, decision.result.failure) = death.cause.verdict
            decision.result.message = death.description
        } catch {
            decision.result.status = .infrastructure
            decision.result.message = "\(error)"
        }
        return decision
    }

    // MARK: Kinds of cases

    private func check(_ testCase: Case, _ result: inout CaseResult) throws {
        let worker = try start().worker
        guard offers("checks", &result) else { return }
        var request = target.request(.check)
        request.check = testCase.id
        request.seed = target.seed
        let (reply, _) = try worker.exchange(request, seconds: target.seconds)
        result.take(reply)
    }

    /// Marks a case as not run where the worker in use does not do what it takes.
    func offers(_ capability: String, _ result: inout CaseResult) -> Bool {
        if capabilities.contains(capability) { return true }
        result.status = .notRun
        result.message = "the worker does not have the capability '\(capability)'"
        return false
    }

    private func exitCleanly(_ result: inout CaseResult) throws {
        worker = nil
        let (fresh, _) = try start()
        worker = nil
        if let death = fresh.end(seconds: target.seconds) {
            (result.status, _) = death.cause.verdict
            result.message = "after a successful load, at the end of the process: \(death.description)"
        }
    }

    private func run(_ model: ModelCase, _ testCase: Case, _ decision: inout Decision) throws {
        guard !model.dataSets.isEmpty else {
            decision.result.status = .infrastructure
            decision.result.message = "the case has no test_data_set_0"
            return
        }
        _ = try start()
        guard offers(model.folding ? "files" : "models", &decision.result) else { return }
        // A whole network may keep its weights in files beside it.
        let modelData = model.folding ? Data() : try Data(contentsOf: model.model, options: .mappedIfSafe)
        if !model.folding { describe(modelData, &decision.result) }
        for set in model.dataSets {
            let worker = try start().worker
            var request = WorkerRequest(.run)
            request.folding = model.folding
            request.compiling = try !model.folding && asksCompiler ? true : nil
            request.model = model.folding ? model.model.path : nil
            let inputs = try set.inputs.map { try Data(contentsOf: $0, options: .mappedIfSafe) }
            let expected = try set.outputs.map { try Data(contentsOf: $0) }
            decision.keep(model: modelData, inputs: inputs, expected: expected)
            decision.keep("case.json", try JSONEncoder().encode(model.tolerance))
            let (reply, outputs) = try worker.exchange(request, [modelData] + inputs, seconds: target.seconds)
            guard reply.type == .ran else {
                refuse(reply, &decision.result)
                return
            }
            decision.result.placement = reply.placement
            let mismatch = try compare(outputs, expected, model.tolerance)
            guard reply.placement?.keys.contains(where: { $0 != "host" }) ?? true else {
                decision.result.status = mismatch == nil ? .unsupported : .infrastructure
                decision.result.message =
                    mismatch.map { "the stack runs all of it itself, wrongly: \($0.message)" }
                    ?? "the stack runs all of it itself, rightly; nothing is asked of a plugin"
                return
            }
            if let mismatch {
                decision.result.status = .failed
                decision.result.failure = mismatch.kind
                decision.result.error = mismatch.deviation
                decision.result.message = mismatch.message
                for (index, data) in outputs.enumerated() { decision.keep("actual_\(index).pb", data) }
                return
            }
        }
    }

    private func compare(_ actual: [Data], _ expected: [Data], _ tolerance: CorpusTolerance) throws -> CorpusTolerance.Mismatch? {
        guard actual.count == expected.count else {
            return .init(kind: .shape, message: "\(actual.count) outputs, expected \(expected.count)", deviation: nil)
        }
        for (index, pair) in zip(actual, expected).enumerated() {
            let tensor = try readTensor(data: pair.0).tensor
            if let mismatch = tolerance.mismatch(tensor, try readTensor(data: pair.1).tensor, output: index) { return mismatch }
        }
        return nil
    }

    func refuse(_ reply: WorkerReply, _ result: inout CaseResult) {
        result.message = reply.message
        switch reply.code {
        case .noKernel, .notCovered: result.status = .unsupported
        case .device:
            result.status = .failed
            result.failure = .errorCode
        case .negotiation:
            result.status = .failed
            result.failure = .declaration
        case .model, .internal, nil: result.status = .infrastructure
        }
    }

    /// The operator and type that a case is about, as far as the model tells: the only operator, host operators aside.
    private func describe(_ model: Data, _ result: inout CaseResult) {
        do {
            let graph = try readModel(data: model, allowingUnknownOperators: true).graph
            let names = Set(graph.nodes.map(\.operatorName)).subtracting(["Constant"])
            result.operator = names.count == 1 ? names.first : nil
            result.dataType = graph.inputs.first.flatMap { graph[$0].type?.dataType.name }
        } catch {
            // Nothing to tell; the worker gives the reason.
        }
    }

    // MARK: The worker

    private var loaded: WorkerReply?
    private var capabilities: [String] = []

    /// What the plugin offers, once it is loaded.
    var kernels: [WorkerReply.KernelSummary] { loaded?.kernels ?? [] }
    /// What its compiler declares about programs.
    var programNumerics: NumericFacts { loaded?.programNumerics ?? .strict }

    func exchange(_ request: WorkerRequest, _ blobs: [Data]) throws -> (WorkerReply, [Data]) {
        try start().worker.exchange(request, blobs, seconds: target.seconds)
    }

    /// After a death: the next request gets a new one.
    func discardWorker() { worker = nil }

    private func start() throws(CaseInterruption) -> (worker: WorkerProcess, reply: WorkerReply) {
        if let worker, let loaded { return (worker, loaded) }
        do {
            let fresh = try WorkerProcess(command: target.command, logPath: logPath)
            var hello = WorkerRequest(.hello)
            hello.protocol = WorkerRequest.protocolVersion
            let (greeting, _) = try fresh.exchange(hello, seconds: target.seconds)
            guard greeting.type == .hello else { throw CaseInterruption.noWorker(greeting.message ?? "the worker does not greet") }
            let (reply, _) = try fresh.exchange(target.request(.load), seconds: target.seconds)
            guard reply.type == .loaded else {
                throw CaseInterruption.noPlugin(reply.code ?? .internal, reply.message ?? "the plugin is not loaded")
            }
            worker = fresh
            loaded = reply
            capabilities = greeting.capabilities ?? []
            return (fresh, reply)
        } catch let stop as CaseInterruption {
            throw stop
        } catch let death as WorkerDeath {
            if death.cause == .interrupted { throw .interrupted }
            throw .noPlugin(.negotiation, "while the plugin was loaded the worker was \(death.description)")
        } catch {
            throw .noWorker("\(error)")
        }
    }
}

/// Why no case can be decided at all.
enum CaseInterruption: Error, CustomStringConvertible {
    case interrupted
    case noWorker(String)
    case noPlugin(WorkerReply.ErrorCode, String)

    var description: String {
        switch self {
        case .interrupted: "interrupted"
        case .noWorker(let reason), .noPlugin(_, let reason): reason
        }
    }
}

/// A verdict, and the files that show a failure.
struct Decision {
    var result: CaseResult
    private(set) var files: [(name: String, data: Data)] = []

    init(_ result: CaseResult) { self.result = result }

    /// Models past this size are named, not copied.
    private static let largestModel = 64 << 20

    /// What a case is run with, in place of what was kept before.
    mutating func keep(model: Data, inputs: [Data], expected: [Data]) {
        dropFiles()
        if (1...Self.largestModel).contains(model.count) { keep("model.onnx", model) }
        for (word, list) in [("input", inputs), ("expected", expected)] {
            for (index, data) in list.enumerated() { keep("\(word)_\(index).pb", data) }
        }
    }

    mutating func keep(_ name: String, _ data: Data) { files.append((name, data)) }

    mutating func dropFiles() { files = [] }
}

/// The plugin under test and how it is reached.
struct RunTarget: Sendable {
    let plugin: PluginReference
    let options: [String: String]
    let libraries: [String]
    let command: WorkerCommand
    let seconds: Double
    let seed: UInt64
    let profile: Profile?
    var expected: ExpectedFailures
    let trust: GroupTrust

    func request(_ kind: WorkerRequest.Kind) -> WorkerRequest {
        var request = WorkerRequest(kind)
        request.plugin = plugin.path
        request.name = plugin.givenName
        request.options = options.isEmpty ? nil : options
        request.libraries = libraries.isEmpty ? nil : libraries
        request.device = 0
        return request
    }

    func command(for testCase: Case) -> String {
        "southbridge reproduce . \(shellQuoted(testCase.id))"
    }
}

/// A word as a POSIX shell reads it back.
package func shellQuoted(_ text: String) -> String {
    let isPlain = !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-=:,+@%".contains($0)) }
    return isPlain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

extension WorkerDeath {
    var description: String {
        let tail = log.trimmingCharacters(in: .whitespacesAndNewlines)
        return tail.isEmpty ? cause.description : "\(cause.description); standard error ends with:\n\(tail)"
    }
}

extension WorkerDeath.Cause {
    var verdict: (Status, FailureKind?) {
        switch self {
        case .signal, .exit: (.crashed, nil)
        case .timedOut: (.timedOut, nil)
        case .tooMuchMemory: (.failed, .memory)
        case .garbled: (.crashed, nil)
        case .interrupted: (.notRun, nil)
        }
    }
}

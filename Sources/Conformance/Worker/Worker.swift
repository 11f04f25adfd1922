// SPDX-License-Identifier: Apache-2.0
import CConformance
import Compiler
import Execution
import Foundation
import Graph
import HardwareModel
import ONNX
import Operators
import Southbound
import Tensors

/// The program that loads the plugin under test: reads requests, answers each, and dies alone if the plugin does.
package struct Worker {
    private let channel: FrameChannel
    private var plugin: Plugin?
    private var device: Device?
    /// The reference CPU plugin, where the one under test brings no device; its kernels are not used.
    private var lender: Plugin?
    /// Of the operator libraries that bring no device. A library does not keep its plugin alive.
    private var libraryPlugins: [Plugin] = []
    private var libraries: [OperatorLibrary] {
        (lender == nil ? [] : [plugin].compactMap { $0?.library }) + libraryPlugins.compactMap(\.library)
    }

    /// Takes over standard input and output. What the plugin prints goes to standard error from here on, so that it can't be taken for a message.
    package init() {
        let input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10)
        let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10)
        dup2(open("/dev/null", O_RDONLY), STDIN_FILENO)
        dup2(STDERR_FILENO, STDOUT_FILENO)
        channel = FrameChannel(input: input, output: output)
        sbc_prepare_worker()
        Check.rememberProcess()
    }

    /// Serves until `end` or until the supervisor is gone. Returns the exit status.
    package mutating func serve() -> Int32 {
        while true {
            do {
                let (request, blobs) = try channel.receive(WorkerRequest.self)
                if request.type == .end { break }
                let (reply, outputs) = answer(request, blobs)
                try channel.send(reply, outputs)
            } catch {
                return error.reason == .ended ? 0 : 4
            }
        }
        device = nil
        for plugin in libraryPlugins { plugin.stop() }
        libraryPlugins = []
        lender?.stop()
        lender = nil
        plugin?.stop()
        plugin = nil
        return 0
    }

    private mutating func answer(_ request: WorkerRequest, _ blobs: [Data]) -> (WorkerReply, [Data]) {
        do {
            switch request.type {
            case .hello:
                guard request.protocol == WorkerRequest.protocolVersion else {
                    return (.error(.internal, "this worker speaks protocol \(WorkerRequest.protocolVersion)"), [])
                }
                var reply = WorkerReply(.hello)
                reply.protocol = WorkerRequest.protocolVersion
                reply.program = "southbridge \(suiteVersion)"
                reply.capabilities = ["models", "checks", "files", "programs", "passes"]
                return (reply, [])
            case .load: return (try load(request), [])
            case .run: return try run(request, blobs)
            case .check: return (try check(request), [])
            case .program: return (try tryProgram(request, blobs), [])
            case .pass: return try tryPass(request, blobs)
            case .end: return (.error(.internal, "nothing to answer"), [])
            }
        } catch let error as PluginError {
            return (.error(error.isNegotiationFailure ? .negotiation : .device, error.description), [])
        } catch let error as ONNXError {
            return (.error(error.isNotCovered ? .notCovered : .model, error.description), [])
        } catch let error as ExecutionError {
            switch error {
            case .noKernel: return (.error(.noKernel, error.description), [])
            case .device, .cancelled, .deadline: return (.error(.device, error.description), [])
            case .input: return (.error(.model, error.description), [])
            case .model: return (.error(.notCovered, error.description), [])
            }
        } catch {
            return (.error(.internal, "\(error)"), [])
        }
    }

    private func reference(_ request: WorkerRequest) throws -> PluginReference {
        guard let path = request.plugin else { throw FrameError(.malformed, "a request without a plugin") }
        return PluginReference(givenName: request.name, path: path)
    }

    private mutating func load(_ request: WorkerRequest) throws -> WorkerReply {
        let plugin = try Plugin.load(try reference(request), options: request.options ?? [:])
        self.plugin = plugin
        var reply = WorkerReply(.loaded)
        reply.identity = plugin.identity
        reply.devices = try (0..<plugin.deviceCount).map { try plugin.model(ofDevice: $0) }
        reply.kernels = (plugin.library?.kernels ?? []).map {
            WorkerReply.KernelSummary(
                name: $0.name, domain: $0.domain, operator: $0.operatorName, generic: $0.flags.contains(.generic),
                strided: $0.flags.contains(.strided) ? true : nil, since: $0.since,
                until: $0.until == .max ? nil : $0.until, dataTypes: $0.dataTypes.rawValue,
                numerics: $0.numerics == .strict ? nil : $0.numerics)
        }
        reply.groups = plugin.groupNames
        reply.passes = plugin.passLibrary?.passes.map(\.name)
        reply.programNumerics = plugin.compiler.flatMap { $0.numerics == .strict ? nil : $0.numerics }
        libraryPlugins = try (request.libraries ?? []).map {
            try Plugin.load(PluginReference(givenName: nil, path: $0), options: [:])
        }
        if plugin.driver != nil {
            device = try plugin.openDevice(request.device ?? 0)
        } else {
            let lender = try Conformance.lender(for: plugin)
            self.lender = lender
            device = try lender.openDevice(0)
            reply.devices = [try lender.model(ofDevice: 0)]
            reply.lender = lender.name
        }
        return reply
    }

    private func run(_ request: WorkerRequest, _ blobs: [Data]) throws -> (WorkerReply, [Data]) {
        guard let device else { return (.error(.internal, "no device is open"), []) }
        let (graph, tensors) = try model(request, blobs)
        let inputs = Dictionary(zip(graph.inputs.map { graph[$0].name }, tensors), uniquingKeysWith: { first, _ in first })
        var rules = PlacementRules()
        rules.folding = request.folding ?? true
        rules.decomposing = rules.folding
        rules.compiling = request.compiling ?? rules.folding
        rules.optimizing = rules.folding
        rules.denied = lender.map { ["\($0.name)/*"] } ?? []
        let session = Session(graph, devices: [device], libraries: libraries, rules: rules)
        var reply = WorkerReply(.ran)
        let outputs: [(name: String, tensor: HostTensor)]
        if request.guarded == true {
            let misdeed: MemoryMisdeed?
            (outputs, misdeed) = try session.runGuarded(inputs, strided: request.strided == true)
            reply.failure = misdeed.map { $0.kind == .notDeterministic ? .determinism : .memory }
            reply.message = misdeed?.message
        } else {
            outputs = try session.run(inputs)
        }
        reply.placement = session.summary?.placement
        reply.ranBy = session.summary?.nodes.map(\.kernel)
        reply.ranFacts = session.summary?.nodes.map(\.facts)
        return (reply, try outputs.map { try tensorProtoData(name: $0.name, $0.tensor) })
    }

    /// The model and the inputs of a request.
    private func model(_ request: WorkerRequest, _ blobs: [Data]) throws -> (graph: Graph, inputs: [HostTensor]) {
        guard let modelData = blobs.first else { throw FrameError(.malformed, "a run without a model") }
        let graph = try request.model.map { try readModel(path: $0).graph } ?? readModel(data: modelData).graph
        guard blobs.count - 1 <= graph.inputs.count else {
            throw ExecutionError.input("\(blobs.count - 1) inputs for a model of \(graph.inputs.count)")
        }
        return (graph, try blobs.dropFirst().map { try readTensor(data: $0).tensor })
    }

    private func tryProgram(_ request: WorkerRequest, _ blobs: [Data]) throws -> WorkerReply {
        guard let device, let aspect = request.check.flatMap(GraphCase.Aspect.init) else {
            return .error(.internal, "no device is open, or there is no aspect '\(request.check ?? "")'")
        }
        let (graph, inputs) = try model(request, blobs)
        return .checked { try ProgramTrial(device, graph, inputs, seed: request.seed ?? 0).run(aspect) }
    }

    private func tryPass(_ request: WorkerRequest, _ blobs: [Data]) throws -> (WorkerReply, [Data]) {
        guard let plugin, let device, let name = request.check else {
            return (.error(.internal, "no plugin is loaded, or no pass is named"), [])
        }
        let (graph, inputs) = try model(request, blobs)
        var outputs: [Data] = []
        let reply = WorkerReply.checked {
            outputs = try PassTrial(plugin, device, libraries, graph, inputs).run(name).map { try tensorProtoData(name: "", $0) }
        }
        return (reply, outputs)
    }

    private func check(_ request: WorkerRequest) throws -> WorkerReply {
        guard let id = request.check, let check = Check.byID[id] else {
            return .error(.internal, "there is no check '\(request.check ?? "")'")
        }
        let context = CheckContext(
            reference: try reference(request), options: request.options ?? [:], deviceIndex: request.device ?? 0,
            seed: request.seed ?? 0)
        return .checked { try check.body(context) }
    }
}

extension WorkerReply {
    /// The verdict of something that throws if it fails.
    fileprivate static func checked(_ body: () throws -> Void) -> WorkerReply {
        var reply = WorkerReply(.checked)
        do {
            try body()
            reply.status = .passed
        } catch let failure as CheckFailure {
            reply.status = failure.status
            reply.failure = failure.kind
            reply.message = failure.message
        } catch {
            reply.status = .failed
            reply.failure = .errorCode
            reply.message = "\(error)"
        }
        return reply
    }
}

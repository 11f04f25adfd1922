// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Dispatch
import Glibc
import Graph
import Operators
import Southbound
import Tensors

extension Program {
    /// - Parameter inputs: by position, of the types that the plan was made for.
    /// - Parameter whenGiven: called when all work is given to the devices, before the wait.
    func run(_ inputs: [HostTensor], control: RunControl? = nil, whenGiven: () throws -> Void = {}) throws -> [HostTensor] {
        let results = try makeOutputs()
        bind(inputs, results)
        try withExtendedLifetime((inputs, results)) { try launch(times: 1, control: control, whenGiven) }
        return try readOutputs(inputs, results)
    }

    /// Memory for the outputs that the run itself copies to the host; nil for the others.
    func makeOutputs() throws -> [HostTensor?] {
        try outputs.map { if case .downloaded(let type) = $0 { try HostTensor(type.dataType, type.shape) } else { nil } }
    }

    /// What the last run left. Inputs that are outputs, too, come from `inputs`; what the run itself copied out, from `results`.
    func readOutputs(_ inputs: [HostTensor], _ results: [HostTensor?] = []) throws -> [HostTensor] {
        try outputs.enumerated().map { index, output in
            switch output {
            case .constant(let tensor): tensor
            case .input(let position, let type): try inputs[position].reshaped(to: type)
            case .downloaded: results[index]!
            case .device(let device, let buffer, let offset, let type, let tensor):
                try HostTensor(type, (0..<Int(tensor.pointee.rank)).map { Int(tensor.pointee.shape[$0]) }) { target in
                    if target.count > 0 { try device.download(from: buffer, offset: offset, into: target) }
                }
            }
        }
    }

    /// Copies the inputs to their places and turns their steps into nothing: later runs find them there.
    func settle(_ inputs: [HostTensor]) throws {
        bind(inputs, [])
        try withExtendedLifetime(inputs) {
            try withErrorMessage { error in
                for (step, _) in list.inputs {
                    let status = perform(steps.baseAddress! + step, error)
                    guard status == SB_OK else { throw abandoned(at: step, status: status, error.pointee, nil) }
                }
                try synchronize()
            }
        }
        for (step, _) in list.inputs {
            steps[step] = .hostCopy(to: UnsafeMutableRawPointer(steps.baseAddress!), from: steps.baseAddress!, byteCount: 0)
        }
    }

    /// Gives all work to the devices, `times` times over, and waits for it.
    func launch<Result>(times: Int, control: RunControl? = nil, _ whenGiven: () throws -> Result) throws -> Result {
        control?.begin(lanes.queues)
        defer { control?.end() }
        return try withErrorMessage { error in
            for repetition in 0..<times {
                if repetition > 0, !list.mayFollowItself { try synchronize(control) }
                let failed = execute(control, error)
                if failed < steps.count { throw abandoned(at: failed, status: lastStatus, error.pointee, control) }
            }
            let result = try whenGiven()
            try synchronize(control)
            return result
        }
    }

    /// Points the steps that copy inputs and outputs at the caller's tensors.
    func bind(_ inputs: [HostTensor], _ results: [HostTensor?]) {
        for (step, input) in list.inputs {
            guard let address = inputs[input].bytes.baseAddress else { continue }
            switch steps[step] {
            case .copy(let function, let device, let stream, let to, var from, let byteCount):
                from.host = UnsafeMutableRawPointer(mutating: address)
                steps[step] = .copy(function, device: device, stream: stream, to: to, from: from, byteCount: byteCount)
            case .hostCopy(let to, _, let byteCount):
                steps[step] = .hostCopy(to: to, from: address, byteCount: byteCount)
            case .launch, .execute, .copyPeer, .order, .synchronize: break
            }
        }
        for (step, output) in list.outputs {
            guard let address = UnsafeMutableRawPointer(mutating: results[output]?.bytes.baseAddress) else { continue }
            switch steps[step] {
            case .copy(let function, let device, let stream, var to, let from, let byteCount):
                to.host = address
                steps[step] = .copy(function, device: device, stream: stream, to: to, from: from, byteCount: byteCount)
            case .hostCopy(_, let from, let byteCount):
                steps[step] = .hostCopy(to: address, from: from, byteCount: byteCount)
            case .launch, .execute, .copyPeer, .order, .synchronize: break
            }
        }
    }

    private func withErrorMessage<Result>(_ body: (UnsafeMutablePointer<sb_error>) throws -> Result) throws -> Result {
        try withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { message in
            message[0] = 0
            var error = sb_error()
            error.size = MemoryLayout<sb_error>.size
            error.message = message.baseAddress!.assumingMemoryBound(to: CChar.self)
            error.capacity = message.count
            return try body(&error)
        }
    }

    /// Waits for all queues, whatever they say, so that none keeps a failure for the next run.
    private func synchronize(_ control: RunControl? = nil) throws(ExecutionError) {
        if let error = settleQueues() { throw failure(error, node: nil, control) }
    }

    /// The failure that says most: one that names its launch before one that does not.
    private func settleQueues() -> PluginError? {
        var worst: PluginError?
        for queue in lanes.queues {
            do throws(PluginError) {
                try queue.stream.synchronize()
            } catch {
                if worst == nil || worst!.correlation == 0 && error.correlation > 0 { worst = error }
            }
        }
        return worst
    }

    /// The launch loop: allocates nothing, retains nothing, takes no lock. Returns the step that failed, or was not begun any more, or the number of steps.
    private func execute(_ control: RunControl?, _ error: UnsafeMutablePointer<sb_error>) -> Int {
        let count = steps.count
        let base = steps.baseAddress!
        var index = 0
        while index < count {
            if let control, control.isStopped {
                lastStatus = SB_ERROR_CANCELLED
                return index
            }
            let status = perform(base + index, error)
            if status != SB_OK {
                lastStatus = status
                return index
            }
            index += 1
        }
        return count
    }

    @inline(__always)
    private func perform(_ step: UnsafeMutablePointer<Step>, _ error: UnsafeMutablePointer<sb_error>) -> Int32 {
        switch step.pointee {
        case .launch(let function, let launch): return function(launch, error)
        case .execute(let function, let execution): return function(execution, error)
        case .copy(let function, let device, let stream, let to, let from, let byteCount):
            return function(device, stream, to, from, UInt64(byteCount), error)
        case .copyPeer(let function, let device, let stream, let to, let peer, let from, let byteCount):
            return function(device, stream, to, peer, from, UInt64(byteCount), error)
        case .order(let function, let first, let second): return function(first, second, error)
        case .synchronize(let function, let handle): return function(handle, error)
        case .hostCopy(let to, let from, let byteCount):
            memcpy(to, from, byteCount)
            return SB_OK
        }
    }

    /// When a step began and ended, in nanoseconds since the first began.
    struct TimedStep {
        let step: Int
        let start: UInt64
        let end: UInt64
    }

    /// Runs like `run`, but waits after each step for its device, and tells how long each took.
    func runTimed(_ inputs: [HostTensor]) throws -> [TimedStep] {
        let results = try makeOutputs()
        bind(inputs, results)
        return try withExtendedLifetime((inputs, results)) {
            try withErrorMessage { error in
                var timed: [TimedStep] = []
                let origin = DispatchTime.now().uptimeNanoseconds
                for index in steps.indices {
                    let start = DispatchTime.now().uptimeNanoseconds
                    let status = perform(steps.baseAddress! + index, error)
                    guard status == SB_OK else { throw abandoned(at: index, status: status, error.pointee, nil) }
                    try synchronize()
                    guard list.laneOfStep[index] != nil else { continue }
                    timed.append(TimedStep(step: index, start: start - origin, end: DispatchTime.now().uptimeNanoseconds - origin))
                }
                return timed
            }
        }
    }

    /// What to throw when the loop has ended before a step, or with one that failed. Until then the queues have come to rest.
    private func abandoned(at step: Int, status: Int32, _ error: sb_error, _ control: RunControl?) -> ExecutionError {
        let names = list.launched[step].map { self.names[$0] }
        let doing =
            switch steps[step] {
            case .launch, .execute: "launch"
            case .copy, .copyPeer, .hostCopy: "copy"
            case .order, .synchronize: "wait"
            }
        var reason = PluginError(status: status, error, plugin: names?.plugin ?? "the device", doing: doing)
        if control?.isStopped == true, reason.code == .cancelled {
            // What was given between the stop and the end of the loop is dropped, too.
            for queue in lanes.queues { _ = try? queue.stream.cancel() }
            _ = settleQueues()
            return failure(reason, node: lastNode(before: step), control)
        }
        let late = settleQueues()
        if names == nil, reason.correlation == 0, let late, late.correlation > 0 { reason = late }
        return failure(reason, node: names?.node, control)
    }

    private func failure(_ error: PluginError, node: String?, _ control: RunControl?) -> ExecutionError {
        let node = node ?? self.node(ofCorrelation: error.correlation)
        if error.code == .cancelled, let reason = control?.reason {
            switch reason {
            case .cancelled: return .cancelled
            case .deadline: return .deadline(node: node)
            }
        }
        return .device(error, node: node)
    }

    /// The launch that a run was at when it was stopped before a step.
    private func lastNode(before step: Int) -> String? {
        list.launched[..<step].last { $0 != nil }.flatMap { $0 }.map { names[$0].node }
    }

    private func node(ofCorrelation correlation: UInt64) -> String? {
        correlation > 0 && correlation <= names.count ? names[Int(correlation) - 1].node : nil
    }
}

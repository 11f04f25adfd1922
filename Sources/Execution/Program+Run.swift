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
    func run(_ inputs: [HostTensor], whenGiven: () throws -> Void = {}) throws -> [HostTensor] {
        bindInputs(inputs)
        try withExtendedLifetime(inputs) { try launch(times: 1, whenGiven) }
        return try readOutputs(inputs)
    }

    /// What the last run left. Inputs that are outputs, too, come from `inputs`.
    func readOutputs(_ inputs: [HostTensor]) throws -> [HostTensor] {
        try outputs.map { output in
            switch output {
            case .constant(let tensor): tensor
            case .input(let position, let type): try inputs[position].reshaped(to: type)
            case .device(let device, let buffer, let offset, let type, let tensor):
                try HostTensor(type, (0..<Int(tensor.pointee.rank)).map { Int(tensor.pointee.shape[$0]) }) { target in
                    if target.count > 0 { try device.download(from: buffer, offset: offset, into: target) }
                }
            }
        }
    }

    /// Copies the inputs to their places and turns their steps into nothing: later runs find them there.
    func settle(_ inputs: [HostTensor]) throws {
        bindInputs(inputs)
        try withExtendedLifetime(inputs) {
            try withErrorMessage { error in
                for (step, _) in inputSteps {
                    let status = perform(steps.baseAddress! + step, error)
                    guard status == SB_OK else { throw failure(at: step, status: status, error.pointee) }
                }
                for case let stream? in streams { try synchronize(stream) }
            }
        }
        for (step, _) in inputSteps {
            steps[step] = .hostCopy(to: UnsafeMutableRawPointer(steps.baseAddress!), from: steps.baseAddress!, byteCount: 0)
        }
    }

    /// Gives all work to the devices, `times` times over, and waits for it.
    func launch<Result>(times: Int, _ whenGiven: () throws -> Result) throws -> Result {
        try withErrorMessage { error in
            for _ in 0..<times {
                let failed = execute(error)
                if failed < launched.count {
                    for case let stream? in streams { try? stream.synchronize() }
                    throw failure(at: failed, status: lastStatus, error.pointee)
                }
            }
            let result = try whenGiven()
            for case let stream? in streams { try synchronize(stream) }
            return result
        }
    }

    /// Points the input steps at the caller's tensors.
    private func bindInputs(_ inputs: [HostTensor]) {
        for (step, input) in inputSteps {
            guard let address = inputs[input].bytes.baseAddress else { continue }
            switch steps[step] {
            case .copy(let function, let device, let stream, let to, var from, let byteCount):
                from.host = UnsafeMutableRawPointer(mutating: address)
                steps[step] = .copy(function, device: device, stream: stream, to: to, from: from, byteCount: byteCount)
            case .hostCopy(let to, _, let byteCount):
                steps[step] = .hostCopy(to: to, from: address, byteCount: byteCount)
            case .launch, .execute, .synchronize: break
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

    private func synchronize(_ stream: Stream) throws(ExecutionError) {
        do throws(PluginError) {
            try stream.synchronize()
        } catch {
            throw .device(error, node: node(ofCorrelation: error.correlation))
        }
    }

    /// The launch loop: allocates nothing, retains nothing, takes no lock. Returns the step that failed, or the number of steps.
    private func execute(_ error: UnsafeMutablePointer<sb_error>) -> Int {
        let count = launched.count
        let base = steps.baseAddress!
        var index = 0
        while index < count {
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
        case .hostCopy(let to, let from, let byteCount):
            memcpy(to, from, byteCount)
            return SB_OK
        case .synchronize(let function, let stream): return function(stream, error)
        }
    }

    /// When a step began and ended, in nanoseconds since the first began.
    struct TimedStep {
        let step: Int
        let start: UInt64
        let end: UInt64
    }

    /// Runs like `run`, but waits after each step for its device, and tells how long each took. The outputs stay on the device.
    func runTimed(_ inputs: [HostTensor]) throws -> [TimedStep] {
        bindInputs(inputs)
        return try withExtendedLifetime(inputs) {
            try withErrorMessage { error in
                var timed: [TimedStep] = []
                let origin = DispatchTime.now().uptimeNanoseconds
                for index in launched.indices {
                    let start = DispatchTime.now().uptimeNanoseconds
                    let status = perform(steps.baseAddress! + index, error)
                    guard status == SB_OK else { throw failure(at: index, status: status, error.pointee) }
                    for case let stream? in streams { try synchronize(stream) }
                    timed.append(TimedStep(step: index, start: start - origin, end: DispatchTime.now().uptimeNanoseconds - origin))
                }
                return timed
            }
        }
    }

    private func failure(at step: Int, status: Int32, _ error: sb_error) -> ExecutionError {
        let names = launched[step].map { self.names[$0] }
        return .device(
            PluginError(status: status, error, plugin: names?.plugin ?? "the device", doing: names == nil ? "copy" : "launch"),
            node: names?.node ?? node(ofCorrelation: error.correlation))
    }

    private func node(ofCorrelation correlation: UInt64) -> String? {
        correlation > 0 && correlation <= names.count ? names[Int(correlation) - 1].node : nil
    }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Glibc
import Graph
import Operators
import Southbound
import Tensors

extension Program {
    /// - Parameter inputs: by position, of the types that the plan was made for.
    func run(_ inputs: [HostTensor]) throws -> [HostTensor] {
        for (step, input) in inputSteps {
            guard let address = inputs[input].bytes.baseAddress else { continue }
            switch steps[step] {
            case .copy(let function, let device, let stream, let to, var from, let byteCount):
                from.host = UnsafeMutableRawPointer(mutating: address)
                steps[step] = .copy(function, device: device, stream: stream, to: to, from: from, byteCount: byteCount)
            case .hostCopy(let to, _, let byteCount):
                steps[step] = .hostCopy(to: to, from: address, byteCount: byteCount)
            case .launch, .synchronize: break
            }
        }
        try withExtendedLifetime(inputs) { try launchAll() }
        return try outputs.map { output in
            switch output {
            case .constant(let tensor): tensor
            case .input(let position): inputs[position]
            case .device(let device, let buffer, let offset, let type, let tensor):
                try HostTensor(type, (0..<Int(tensor.pointee.rank)).map { Int(tensor.pointee.shape[$0]) }) { target in
                    if target.count > 0 { try device.download(from: buffer, offset: offset, into: target) }
                }
            }
        }
    }

    /// Gives all work to the devices and waits for it.
    private func launchAll() throws {
        try withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { message in
            message[0] = 0
            var error = sb_error()
            error.size = MemoryLayout<sb_error>.size
            error.message = message.baseAddress!.assumingMemoryBound(to: CChar.self)
            error.capacity = message.count
            let failed = execute(&error)
            if failed < stepNodes.count {
                for case let stream? in streams { try? stream.synchronize() }
                throw failure(at: failed, status: lastStatus, error)
            }
            for case let stream? in streams {
                do throws(PluginError) {
                    try stream.synchronize()
                } catch {
                    throw ExecutionError.device(error, node: node(ofCorrelation: error.correlation))
                }
            }
        }
    }

    /// The launch loop: allocates nothing, retains nothing, takes no lock. Returns the step that failed, or the number of steps.
    private func execute(_ error: UnsafeMutablePointer<sb_error>) -> Int {
        let count = stepNodes.count
        let base = steps.baseAddress!
        var index = 0
        while index < count {
            let status: Int32
            switch base[index] {
            case .launch(let function, let launch): status = function(launch, error)
            case .copy(let function, let device, let stream, let to, let from, let byteCount):
                status = function(device, stream, to, from, UInt64(byteCount), error)
            case .hostCopy(let to, let from, let byteCount):
                memcpy(to, from, byteCount)
                status = SB_OK
            case .synchronize(let function, let stream): status = function(stream, error)
            }
            if status != SB_OK {
                lastStatus = status
                return index
            }
            index += 1
        }
        return count
    }

    private func failure(at step: Int, status: Int32, _ error: sb_error) -> ExecutionError {
        let node = stepNodes[step]
        let plugin = node.map { pluginNames[$0] } ?? "the device"
        return .device(
            PluginError(status: status, error, plugin: plugin, doing: node == nil ? "copy" : "launch"),
            node: node.map { nodeNames[$0] } ?? self.node(ofCorrelation: error.correlation))
    }

    private func node(ofCorrelation correlation: UInt64) -> String? {
        correlation > 0 && correlation <= nodeNames.count ? nodeNames[Int(correlation) - 1] : nil
    }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import Graph
import Southbound
import Tensors

/// A failure that a queue finds: a Gather with an index out of range, whose launch was queued. What was given to the stream after it is left undone, the next
/// synchronization tells the launch's number, and after that the stream works again.
let lateFailureChecks: [Check] = [
    Check("driver/streams/late-failure", .driver, ["SB-STR-004", "SB-OPS-010"]) { context in
        let trial = try LateFailure(try context.openDevice())
        // The next call comes at once, and when the failure is known.
        for pause in [0, 50_000] as [UInt32] {
            let stream = try CheckedStream(trial.device)
            let data = try trial.device.makeBuffer(trial.bytes((0..<8).map(Float.init)))
            let indices = try trial.device.makeBuffer(trial.bytes([1, 2, 8, 3] as [Int64]))
            let result = try trial.device.makeBuffer(trial.bytes([Float](repeating: -1, count: 4)))
            let marks = pattern(64, context, salt: 1)
            let other = try trial.device.makeBuffer(marks)
            let sent = GuardedBytes(pattern(64, context, salt: 2))
            let undefined = GuardedBytes([UInt8](repeating: 0, count: 64))

            guard try trial.launch(data, indices, result, on: stream, correlation: 0x1122_3344_5566_7788).status == SB_OK else {
                throw CheckFailure.unsupported("the index out of range is found in the call, before anything is queued")
            }
            usleep(pause)
            let later = try trial.launch(data, indices, other, on: stream, correlation: 2)
            try stream.copy(64, from: .host(sent), to: .buffer(other))
            if trial.hasFill { try stream.fill(64, at: .buffer(other), with: 9) }
            try stream.copy(64, from: .buffer(other), to: .host(undefined))
            do {
                try stream.synchronize()
                throw CheckFailure.unsupported("an index out of range has a result, or is found in the next call")
            } catch let error as PluginError {
                try expect(
                    error.correlation == 0x1122_3344_5566_7788, .errorCode,
                    "the synchronization after a failed launch tells of launch \(error.correlation), not of the one that failed first")
            }
            try expect(
                later.status == SB_OK, .errorCode,
                "the launch after the one that failed late was refused with \(statusName(later.status)), but the next synchronization tells failures"
            )
            try expectEqual(try trial.device.read(other), marks, "a buffer that work after the failure would have written")

            try trial.device.write(trial.bytes([7, 0, -8, 3] as [Int64]), to: indices)
            try trial.launch(data, indices, result, on: stream, correlation: 3).succeeded("a launch after the failure was told")
            let fetched = GuardedBytes([UInt8](repeating: 0, count: 16))
            try stream.copy(16, from: .buffer(result), to: .host(fetched))
            try stream.synchronize()
            try expectEqual(fetched.bytes, trial.bytes([7, 0, 0, 3] as [Float]), "a Gather after the failure was told")
        }
    }
]

/// A Gather of 4 elements out of 8.
private struct LateFailure {
    let device: Device
    private let library: OperatorLibrary
    private let node: NodeDescriptor
    private let state: PreparedState

    init(_ device: Device) throws {
        guard device.isQueued else { throw CheckFailure.unsupported("calls on streams of this plugin do their work themselves") }
        guard let library = device.plugin.library else { throw CheckFailure.unsupported("the plugin has no kernel that could fail late") }
        for kernel in library.candidates(domain: "", operatorName: "Gather", version: 13, dataType: .float32)
        where kernel.hostInputs == 0 {
            let node = try NodeDescriptor(
                kernel: kernel, domain: "", operatorName: "Gather", version: 13, attributes: ["axis": .int(0)],
                inputs: [TensorDescriptor(.float32, [8]), TensorDescriptor(.int64, [4])], outputs: [TensorDescriptor(.float32, [4])])
            let answer = try library.support([node], on: device)[0]
            guard answer.isSupported, answer.workspaceBytes == 0 else { continue }
            (self.device, self.library, self.node) = (device, library, node)
            state = try library.prepare(node, on: device)
            return
        }
        throw CheckFailure.unsupported("no kernel takes a Gather whose indices lie on the device")
    }

    var hasFill: Bool { device.plugin.driver?.fill != nil }

    func bytes<Number>(_ numbers: [Number]) -> [UInt8] { numbers.withUnsafeBytes(Array.init) }

    func launch(
        _ data: Buffer, _ indices: Buffer, _ result: Buffer, on stream: CheckedStream, correlation: UInt64
    ) throws -> Answer {
        for (tensor, buffer) in zip(node.inputs + node.outputs, [data, indices, result]) {
            tensor?.pointee.buffer = buffer.handle
            tensor?.pointee.host = buffer.hostAddress
        }
        // What it points to stays until the stream has passed it.
        let memory = CMemory()
        let launch = memory.allocate(sb_launch())
        launch.pointee.size = MemoryLayout<sb_launch>.size
        (launch.pointee.instance, launch.pointee.device, launch.pointee.stream) = (device.plugin.instance, device.handle, stream.handle)
        (launch.pointee.node, launch.pointee.state, launch.pointee.correlation) = (node.pointer, state.handle, correlation)
        (launch.pointee.inputs, launch.pointee.input_count) = (node.pointer.pointee.inputs, node.pointer.pointee.input_count)
        (launch.pointee.outputs, launch.pointee.output_count) = (node.pointer.pointee.outputs, node.pointer.pointee.output_count)
        stream.keep([data, indices, result, memory, node, state])
        return try ask("launch a Gather") { library.table.launch(launch, $0) }
    }
}

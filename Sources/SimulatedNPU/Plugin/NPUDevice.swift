// SPDX-License-Identifier: Apache-2.0
import Glibc
import HardwareModel
package import PluginKit
import SimulatedNPUMachine

/// The chips of one started plugin, and what all openings of each hold together.
final class Board: Sendable {
    let ledgers: [DeviceMemory.Ledger]

    init(_ profile: Profile, count: Int) {
        ledgers = (0..<count).map { _ in DeviceMemory.Ledger(capacity: Int(profile.config.device_bytes)) }
    }
}

/// An opening of a chip.
package final class NPUDevice: ObservedDevice {
    private let board: Board
    private let index: Int
    let profile: Profile
    /// Whether the compiler claims anything.
    let compilesGraphs: Bool
    let memory: DeviceMemory
    private let dispatcher: Dispatcher
    private let faults: FaultPlan

    init(
        _ profile: Profile, _ index: Int, of board: Board, compilesGraphs: Bool, memory: DeviceMemory, dispatcher: Dispatcher,
        faults: FaultPlan
    ) {
        self.board = board
        self.index = index
        self.faults = faults
        self.profile = profile
        self.compilesGraphs = compilesGraphs
        self.memory = memory
        self.dispatcher = dispatcher
    }

    deinit { dispatcher.close() }

    package func allocate(space: Int, bytes: UInt64, alignment: UInt64) throws(PluginFailure) -> NPUBuffer {
        guard space == 0 else { throw .invalid("memory space \(space) cannot be allocated; only space 0 can") }
        try dispatcher.check()
        if faults.strikes(.outOfMemory) { throw .outOfMemory("no memory, as the option 'fault' demands") }
        return try memory.allocate(bytes, alignment: alignment)
    }

    /// The memory goes back with the object.
    package func free(_ buffer: NPUBuffer) {}

    package func copy(
        _ bytes: UInt64, from source: Location<NPUBuffer>, to destination: Location<NPUBuffer>, on stream: NPUStream?
    ) throws(PluginFailure) {
        let (from, to) = (try source.reach(bytes), try destination.reach(bytes))
        let route: CopyRoute =
            switch (source.isHost, destination.isHost) {
            case (true, true): .withinHost
            case (true, false): .toDevice
            case (false, true): .fromDevice
            case (false, false): .withinDevice
            }
        try move(Int(bytes), from: from, to: to, route, on: stream)
    }

    package static let copiesFromPeers = true

    package func copy(
        _ bytes: UInt64, from source: Place<NPUBuffer>, of peer: NPUDevice, to destination: Place<NPUBuffer>, on stream: NPUStream?
    ) throws(PluginFailure) {
        guard peer.board === board else { throw .unsupported("nothing connects devices of two started plugins") }
        guard peer.memory.holds(source.buffer), memory.holds(destination.buffer) else {
            throw .invalid("a buffer of a copy between devices does not belong to the device that it is said to")
        }
        let from = try Location.buffer(source.buffer, offset: source.offset).reach(bytes)
        let to = try Location.buffer(destination.buffer, offset: destination.offset).reach(bytes)
        try peer.dispatcher.check()
        try move(Int(bytes), from: from, to: to, peer.index == index ? .withinDevice : .fromPeer, on: stream)
    }

    private func move(
        _ byteCount: Int, from: UnsafeRawPointer, to: UnsafeMutableRawPointer, _ route: CopyRoute, on stream: NPUStream?
    ) throws(PluginFailure) {
        guard let stream else {
            try dispatcher.check()
            memcpy(to, from, byteCount - (faults.strikes(.wrongCopy) ? 1 : 0))
            dispatcher.count(route, byteCount)
            return
        }
        try dispatcher.queue(
            .copy(to: to, from: from, byteCount: byteCount, route), on: stream,
            taking: dispatcher.timing.copy(UInt64(byteCount), route))
    }

    package func fill(_ bytes: UInt64, of destination: Location<NPUBuffer>, with byte: UInt8, on stream: NPUStream?) throws(PluginFailure) {
        let target = try destination.reach(bytes)
        guard let stream else {
            try dispatcher.check()
            memset(target, Int32(byte), Int(bytes))
            return
        }
        try dispatcher.queue(.fill(target, byte, byteCount: Int(bytes)), on: stream, taking: dispatcher.timing.fill(bytes))
    }

    package func usage(ofSpace space: Int) throws(PluginFailure) -> UInt64 {
        guard space < profile.model.spaces.count else { throw .invalid("there is no memory space \(space)") }
        return space == 0 ? UInt64(memory.usage) : 0
    }

    package var counters: [Counter] { dispatcher.counters }
    package func record(_ isOn: Bool) { dispatcher.record(isOn) }
    package func takeActivities() -> [Activity] { dispatcher.takeActivities() }

    package func makeStream() -> NPUStream { dispatcher.makeStream() }
    package func makeEvent() -> NPUEvent { NPUEvent(dispatcher) }

    /// Without a stream it returns when the program has run.
    func launch(_ program: ResidentProgram, _ bindings: [npu_binding], on stream: NPUStream?, correlation: UInt64) throws(PluginFailure) {
        let used = stream ?? dispatcher.makeStream()
        try dispatcher.queue(
            .launch(program, bindings, correlation: correlation), on: used,
            taking: dispatcher.timing.program(program.lowering.program.seconds))
        if stream == nil {
            defer { used.destroy() }
            try used.synchronize()
        }
    }
}

extension Location<NPUBuffer> {
    fileprivate var isHost: Bool {
        if case .host = self { true } else { false }
    }

    /// Where the simulator finds `bytes` bytes. Throws if they reach past the end of a buffer.
    fileprivate func reach(_ bytes: UInt64) throws(PluginFailure) -> UnsafeMutableRawPointer {
        switch self {
        case .host(let address): return address
        case .buffer(let buffer, let offset):
            let (end, overflow) = offset.addingReportingOverflow(bytes)
            guard !overflow, end <= UInt64(buffer.byteCount) else {
                throw .invalid("\(bytes) bytes at offset \(offset) reach past the end of a buffer of \(buffer.byteCount) bytes")
            }
            return buffer.bytes + Int(offset)
        }
    }
}

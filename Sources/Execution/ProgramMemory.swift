// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Compiler
import Graph
import Southbound
import Tensors

/// All memory of a program: one arena per device, constants where they are needed, and host memory for values that cross between devices.
final class ProgramMemory {
    let arenas: [(device: Int?, plan: ArenaPlan)]
    let byteCount: Int

    /// Bytes around each tensor that belong to nobody; 0 outside a guarded run.
    let guardBytes: Int

    private let devices: [Device]
    private let schedule: Schedule
    private let buffers: [Buffer?]
    private let staging: HostTensor?
    private let offsets: [Int]
    private struct Home: Hashable {
        let value: ValueID
        let device: Int
    }
    private let constants: [Home: Buffer]
    private let values: [ValueID: HostTensor]

    init(_ schedule: Schedule, _ placement: Placement, devices: [Device], guardBytes: Int) throws {
        self.guardBytes = guardBytes
        var offsets = [Int](repeating: 0, count: schedule.slots.count)
        var arenas: [(device: Int?, plan: ArenaPlan)] = []
        var buffers: [Buffer?] = []
        var total = 0
        for index in devices.indices {
            let arena = Self.plan(schedule, index, alignment: devices[index].alignment, guardBytes, &offsets, &arenas)
            buffers.append(arena.byteCount > 0 ? try devices[index].allocate(byteCount: arena.byteCount) : nil)
            total += arena.byteCount
        }
        let host = Self.plan(schedule, nil, alignment: 64, guardBytes, &offsets, &arenas)
        staging = host.byteCount > 0 ? try HostTensor(.uint8, [host.byteCount]) : nil
        total += host.byteCount

        var constants: [Home: Buffer] = [:]
        for case .launch(let step, let inputs, _, _) in schedule.steps {
            // What is compiled into a program is its own.
            let index = placement.steps[step].device
            for case .constant(let value)? in inputs where constants[Home(value: value, device: index)] == nil {
                guard let tensor = placement.values[value] else { continue }
                let buffer = try Self.constant(tensor, on: devices[index])
                if buffer.hostAddress.map(UnsafeRawPointer.init) != tensor.bytes.baseAddress { total += buffer.byteCount }
                constants[Home(value: value, device: index)] = buffer
            }
        }
        self.constants = constants
        self.devices = devices
        self.schedule = schedule
        self.buffers = buffers
        self.offsets = offsets
        self.arenas = arenas
        values = placement.values
        byteCount = total
    }

    private static func plan(
        _ schedule: Schedule, _ device: Int?, alignment: Int, _ guardBytes: Int, _ offsets: inout [Int],
        _ arenas: inout [(device: Int?, plan: ArenaPlan)]
    ) -> ArenaPlan {
        var (slots, lifetimes) = schedule.arena(of: device)
        let before = (guardBytes + alignment - 1) / alignment * alignment
        if guardBytes > 0 {
            // Nothing is reused, so that a write outside a tensor shows.
            lifetimes = lifetimes.map { Lifetime(byteCount: before + $0.byteCount + guardBytes, first: 0, last: schedule.steps.count) }
        }
        let plan = ArenaPlan(lifetimes, alignment: alignment)
        for (slot, offset) in zip(slots, plan.offsets) { offsets[slot] = offset + before }
        if !slots.isEmpty { arenas.append((device, plan)) }
        return plan
    }

    /// A constant in the device's reach: the model file's own pages where the plugin can use them, else a copy.
    private static func constant(_ tensor: HostTensor, on device: Device) throws -> Buffer {
        if tensor.byteCount > 0, let buffer = try device.importHost(tensor.bytes, owner: tensor.owner) { return buffer }
        let buffer = try device.allocate(byteCount: max(tensor.byteCount, 1))
        if tensor.byteCount > 0 { try device.upload(tensor.bytes, to: buffer, offset: 0) }
        return buffer
    }

    func place(of slot: Int) -> (Device, Buffer, offset: Int) {
        let device = schedule.slots[slot].device!
        return (devices[device], buffers[device]!, offsets[schedule.root(slot)])
    }

    /// The memory of a device's arena; nil where it has none.
    func arenaBuffer(of device: Int) -> Buffer? { buffers[device] }

    /// Where the tensors of a device's arena lie, in order of their addresses.
    func tensorRanges(of device: Int) -> [(slot: Int, bytes: Range<Int>)] {
        schedule.arena(of: device).slots.map { ($0, offsets[$0]..<offsets[$0] + schedule.slots[$0].lifetime.byteCount) }
            .sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
    }

    private func hostAddress(of slot: Int) -> UnsafeMutableRawPointer? {
        let offset = offsets[schedule.root(slot)]
        guard let device = schedule.slots[slot].device else {
            return staging?.bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0) + offset }
        }
        return buffers[device]?.hostAddress.map { $0 + offset }
    }

    // MARK: Copies

    /// From a place of the host that is set before each run.
    func copyIn(to slot: Int, byteCount: Int, _ lanes: inout Lanes) throws(PluginError) -> (step: Program.Step, lane: Int) {
        let device = schedule.slots[slot].device
        if device.map({ devices[$0].isQueued }) != true, let address = hostAddress(of: slot) {
            return (.hostCopy(to: address, from: UnsafeRawPointer(bitPattern: 1)!, byteCount: byteCount), 0)
        }
        return try deviceCopy(on: device!, .copyIn, to: location(of: slot), from: sb_location(), byteCount, &lanes)
    }

    /// To a place of the host that is set before each run.
    func copyOut(from slot: Int, _ lanes: inout Lanes) throws(PluginError) -> (step: Program.Step, lane: Int) {
        let byteCount = schedule.slots[slot].lifetime.byteCount
        let device = schedule.slots[slot].device!
        if !devices[device].isQueued, let address = hostAddress(of: slot) {
            return (.hostCopy(to: UnsafeMutableRawPointer(bitPattern: 1)!, from: address, byteCount: byteCount), 0)
        }
        return try deviceCopy(on: device, .copyOut, to: sb_location(), from: location(of: slot), byteCount, &lanes)
    }

    /// The device whose memory the host can't address does the copy; of two such devices, the one that gets the bytes.
    func copy(from source: Int, to target: Int, _ lanes: inout Lanes) throws(PluginError) -> (step: Program.Step, lane: Int) {
        let byteCount = schedule.slots[source].lifetime.byteCount
        switch (hostAddress(of: source), hostAddress(of: target)) {
        case (let from?, let to?): return (.hostCopy(to: to, from: from, byteCount: byteCount), 0)
        case (nil, let to?):
            let location = sb_location(buffer: nil, host: to, offset: 0)
            return try deviceCopy(
                on: schedule.slots[source].device!, .copyOut, to: location, from: self.location(of: source), byteCount, &lanes)
        case (let from?, nil):
            let location = sb_location(buffer: nil, host: from, offset: 0)
            return try deviceCopy(
                on: schedule.slots[target].device!, .copyIn, to: self.location(of: target), from: location, byteCount, &lanes)
        case (nil, nil):
            let (device, peer) = (schedule.slots[target].device!, schedule.slots[source].device!)
            let (lane, stream) = try lanes.lane(of: device, .copyIn)
            let step = Program.Step.copyPeer(
                devices[device].plugin.driver!.copy_peer!, device: devices[device].handle, stream: stream.handle, to: location(of: target),
                peer: devices[peer].handle, from: location(of: source), byteCount: byteCount)
            return (step, lane)
        }
    }

    private func deviceCopy(
        on device: Int, _ role: Lanes.Role, to: sb_location, from: sb_location, _ byteCount: Int, _ lanes: inout Lanes
    ) throws(PluginError) -> (step: Program.Step, lane: Int) {
        let (lane, stream) = try lanes.lane(of: device, role)
        let step = Program.Step.copy(
            devices[device].plugin.driver!.copy, device: devices[device].handle, stream: stream.handle, to: to, from: from,
            byteCount: byteCount)
        return (step, lane)
    }

    /// What a step that reads or writes a slot touches.
    func access(_ slot: Int, writes: Bool) -> Access {
        let (start, place) = (offsets[schedule.root(slot)], schedule.slots[slot])
        return Access(memory: place.device ?? -1, bytes: start..<start + place.lifetime.byteCount, isWrite: writes)
    }

    private func location(of slot: Int) -> sb_location {
        let (_, buffer, offset) = place(of: slot)
        return sb_location(buffer: buffer.handle, host: nil, offset: UInt64(offset))
    }

    // MARK: Launches

    /// Points a step's tensors at their memory.
    func bind(_ placed: PlacedStep, inputs: [Operand?], outputs: [Int?]) {
        for (tensor, operand) in zip(placed.inputTensors, inputs) {
            guard let tensor, let operand else { continue }
            switch operand {
            case .slot(let slot): bind(tensor, to: slot)
            case .constant(let value):
                guard let buffer = constants[Home(value: value, device: placed.device)] else { continue }
                tensor.pointee.buffer = buffer.handle
                tensor.pointee.offset = 0
                tensor.pointee.host = buffer.hostAddress ?? UnsafeMutableRawPointer(mutating: values[value]?.bytes.baseAddress)
            }
        }
        for (tensor, slot) in zip(placed.outputTensors, outputs) {
            if let tensor, let slot { bind(tensor, to: slot) }
        }
    }

    private func bind(_ tensor: UnsafeMutablePointer<sb_tensor>, to slot: Int) {
        tensor.pointee.host = hostAddress(of: slot)
        guard schedule.slots[slot].device != nil else { return }
        let (_, buffer, offset) = place(of: slot)
        tensor.pointee.buffer = buffer.handle
        tensor.pointee.offset = UInt64(offset)
    }

    func launch(_ placed: PlacedNode, state: PreparedState, stream: Stream?, workspace: Int?, correlation: Int) -> sb_launch {
        let node = placed.descriptor.pointer
        var launch = sb_launch()
        launch.size = MemoryLayout<sb_launch>.size
        launch.instance = placed.library.plugin.instance
        launch.device = devices[placed.device].handle
        launch.stream = stream?.handle
        launch.node = node
        launch.state = state.handle
        launch.inputs = node.pointee.inputs
        launch.input_count = node.pointee.input_count
        launch.outputs = node.pointee.outputs
        launch.output_count = node.pointee.output_count
        launch.correlation = UInt64(correlation)
        if let workspace {
            let room = room(of: workspace)
            (launch.workspace, launch.workspace_offset, launch.workspace_bytes) = (room.buffer, room.offset, room.bytes)
            launch.workspace_host = hostAddress(of: workspace)
        }
        return launch
    }

    func execution(_ placed: PlacedProgram, stream: Stream?, workspace: Int?, correlation: Int) -> sb_execution {
        let graph = placed.descriptor.pointer
        let device = devices[placed.device]
        var execution = sb_execution()
        execution.size = MemoryLayout<sb_execution>.size
        execution.instance = device.plugin.instance
        execution.device = device.handle
        execution.stream = stream?.handle
        execution.program = placed.program.handle
        execution.inputs = graph.pointee.inputs
        execution.input_count = graph.pointee.input_count
        execution.outputs = graph.pointee.outputs
        execution.output_count = graph.pointee.output_count
        execution.correlation = UInt64(correlation)
        if let workspace {
            let room = room(of: workspace)
            (execution.workspace, execution.workspace_offset, execution.workspace_bytes) = (room.buffer, room.offset, room.bytes)
            execution.workspace_host = hostAddress(of: workspace)
        }
        return execution
    }

    private func room(of workspace: Int) -> (buffer: OpaquePointer, offset: UInt64, bytes: UInt64) {
        let (_, buffer, offset) = place(of: workspace)
        return (buffer.handle, UInt64(offset), UInt64(schedule.slots[workspace].lifetime.byteCount))
    }
}

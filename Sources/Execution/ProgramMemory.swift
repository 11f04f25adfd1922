// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Compiler
import Graph
import Southbound
import Tensors

/// All memory of a program: one arena per device, constants where they are needed, and host memory for values that cross between devices.
final class ProgramMemory {
    let plans: [MemoryPlan]
    /// In the order in which it runs: with the copies that little memory makes necessary.
    let schedule: Schedule
    /// Of arenas, constants and staging memory on all devices and the host.
    let byteCount: Int
    /// What had to be done for want of memory, and why a plugin's changes to a plan were not taken, for a person.
    let remarks: [String]

    /// Bytes around each tensor that belong to nobody; 0 outside a guarded run.
    let guardBytes: Int

    private let devices: [Device]
    private var arenas: [PoolBlock?]
    private let staging: StagingMemory?
    private let offsets: [Int]
    private var constants: [ConstantHome: PoolBlock]
    private let values: [ValueID: HostTensor]

    init(_ schedule: Schedule, _ placement: Placement, devices: [Device], guardBytes: Int, rules: MemoryRules = MemoryRules()) throws {
        var fit = MemoryFit(schedule, placement, devices: devices, guardBytes: guardBytes, rules: rules)
        let memory = try fit.allocate()
        arenas = memory.arenas
        constants = memory.constants
        self.schedule = fit.schedule
        self.guardBytes = guardBytes
        self.devices = devices
        plans = fit.plans
        values = placement.values
        var offsets = [Int](repeating: 0, count: fit.schedule.slots.count)
        var total = constants.values.reduce(0) { $0 + ($1.isOwn ? $1.buffer.byteCount : 0) }
        for plan in plans {
            let before = (guardBytes + plan.alignment - 1) / plan.alignment * plan.alignment
            for (slot, offset) in zip(plan.slots, plan.offsets) { offsets[slot] = offset + before }
            total += plan.byteCount
        }
        for slot in offsets.indices { offsets[slot] = offsets[fit.schedule.root(slot)] }
        self.offsets = offsets
        byteCount = total
        let hostBytes = plans.first { $0.device == nil }?.byteCount ?? 0
        staging = hostBytes > 0 ? try StagingMemory(byteCount: hostBytes, fileLimit: rules.stagingFileLimit) : nil
        remarks = fit.remarks
        if let fault = fit.mustVerify ? fit.schedule.firstFault(offsets: offsets) : nil {
            throw ExecutionError.model("the memory plan is not sound: \(fault)")
        }
    }

    /// To the devices' pools. Nothing that was bound may run any more.
    func giveBack() {
        arenas = arenas.map { _ in nil }
        constants = [:]
    }

    func place(of slot: Int) -> (Device, Buffer, offset: Int) {
        let device = schedule.slots[slot].device!
        return (devices[device], arenas[device]!.buffer, offsets[slot])
    }

    /// The memory of a device's arena; nil where it has none.
    func arenaBuffer(of device: Int) -> Buffer? { arenas[device]?.buffer }

    /// Where the tensors of a device's arena lie, in order of their addresses.
    func tensorRanges(of device: Int) -> [(slot: Int, bytes: Range<Int>)] {
        schedule.arena(of: device).slots.map { ($0, offsets[$0]..<offsets[$0] + schedule.slots[$0].lifetime.byteCount) }
            .sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
    }

    private func hostAddress(of slot: Int) -> UnsafeMutableRawPointer? {
        let offset = offsets[slot]
        guard let device = schedule.slots[slot].device else { return staging?.bytes.baseAddress.map { $0 + offset } }
        return arenas[device]?.buffer.hostAddress.map { $0 + offset }
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

    /// A constant to a slot of a device whose memory the host can't address.
    func copy(constant value: ValueID, to slot: Int, _ lanes: inout Lanes) throws(PluginError) -> (step: Program.Step, lane: Int) {
        let bytes = values[value]!.bytes
        let source = sb_location(buffer: nil, host: UnsafeMutableRawPointer(mutating: bytes.baseAddress), offset: 0)
        return try deviceCopy(on: schedule.slots[slot].device!, .copyIn, to: location(of: slot), from: source, bytes.count, &lanes)
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
            case .slot(let slot):
                bind(tensor, to: slot)
                // A constant that does not stay on its device.
                if let value = schedule.slots[slot].value, let known = values[value], tensor.pointee.host == nil {
                    tensor.pointee.host = UnsafeMutableRawPointer(mutating: known.bytes.baseAddress)
                }
            case .constant(let value):
                guard let buffer = constants[ConstantHome(value: value, device: placed.device)]?.buffer else { continue }
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

// SPDX-License-Identifier: Apache-2.0
import Compiler
import Graph
import HardwareModel
import Southbound
import Tensors

/// A constant on a device.
struct ConstantHome: Hashable {
    let value: ValueID
    /// Index into the list of devices.
    let device: Int
}

/// Makes a schedule and its plans fit into the devices' memory, and allocates it: whole if there is room, else with constants and values that wait on the host.
struct MemoryFit {
    private(set) var schedule: Schedule
    private(set) var plans: [MemoryPlan] = []
    private(set) var remarks: [String] = []

    private let placement: Placement
    private let devices: [Device]
    private let pools: [DevicePool]
    private let guardBytes: Int
    private let rules: MemoryRules

    /// Plans of more slots are verified in tests alone.
    private static let mostVerified = 20_000
    /// A device needs a little more for a buffer than its bytes.
    private static let bufferOverhead = 256
    /// Tries with less memory each, where a device has less in one piece than in all.
    private static let mostTries = 4

    init(_ schedule: Schedule, _ placement: Placement, devices: [Device], guardBytes: Int, rules: MemoryRules) {
        self.schedule = schedule
        self.placement = placement
        self.devices = devices
        self.guardBytes = guardBytes
        self.rules = rules
        pools = devices.map(DevicePool.shared)
    }

    var mustVerify: Bool { guardBytes == 0 && schedule.slots.count <= Self.mostVerified }

    mutating func allocate() throws -> (arenas: [PoolBlock?], constants: [ConstantHome: PoolBlock]) {
        let whole = schedule
        var budgets = try devices.indices.map { try budget(of: $0) }
        for attempt in 1... {
            schedule = whole
            for (device, budget) in budgets.enumerated() {
                if let budget { try spill(on: device, budget) }
            }
            plans = schedule.memoryPlans(placement, devices: devices, guardBytes: guardBytes)
            remarks = []
            if guardBytes == 0 { offerPlans() }
            remarks += schedule.spills.map(warning)
            do throws(Exhaustion) {
                return try allocateWhole()
            } catch {
                guard error.error.code == .outOfMemory, attempt < Self.mostTries, guardBytes == 0, rules.spilling,
                    canSpill(on: error.device),
                    let available = try budgets[error.device] ?? pools[error.device].availableBytes()
                else { throw error.error }
                budgets[error.device] = available / 10 * 9
            }
        }
        fatalError("the loop above ends with a return or an error")
    }

    private func canSpill(on device: Int) -> Bool { !devices[device].isHostVisible }

    /// What there is on a device that has less than the program needs; nil where it has enough, or where nobody knows.
    ///
    /// - Throws: if there is less, and nothing may wait on the host.
    private func budget(of index: Int) throws -> Int? {
        let device = devices[index]
        guard guardBytes == 0, canSpill(on: index), let available = try pools[index].availableBytes() else { return nil }
        let constants = Set(constantHomes.filter { $0.device == index }.map(\.value))
        let held = constants.reduce(0) { $0 + (placement.values[$1]?.byteCount ?? 0) + Self.bufferOverhead }
        let needed = ArenaPlan(schedule.arena(of: index).lifetimes, alignment: device.alignment).byteCount + held
        guard needed > available else { return nil }
        if rules.spilling { return max(0, available - Self.bufferOverhead * (constants.count + 1)) }
        throw exhausted(index, "the model needs \(Quantity.bytes.shown(needed))", left: available)
    }

    private mutating func spill(on device: Int, _ budget: Int) throws {
        do throws(SpillError) {
            schedule = try schedule.spilling(on: device, budget: budget, placement, devices: devices)
        } catch {
            let subject = error.step.map { "node '\(placement.steps[$0].name(placement.graph))' needs" } ?? "the model needs"
            throw exhausted(device, "\(subject) \(Quantity.bytes.shown(error.neededBytes)) at once", left: error.budget)
        }
    }

    private func exhausted(_ device: Int, _ need: String, left: Int) -> PluginError {
        let capacity = Quantity.bytes.shown(devices[device].model.spaces[0].capacityBytes)
        return PluginError(
            .outOfMemory, plugin: devices[device].plugin.name,
            "\(need) on \(devices[device].name), but \(Quantity.bytes.shown(left)) of its \(capacity) are left; held are \(pools[device].holdings); "
                + "use a device with more memory or a smaller batch, or place nodes elsewhere with --place")
    }

    private var constantHomes: [ConstantHome] {
        var homes: [ConstantHome] = []
        var seen: Set<ConstantHome> = []
        for case .launch(let step, let inputs, _, _) in schedule.steps {
            // What is compiled into a program is its own.
            for case .constant(let value)? in inputs {
                let home = ConstantHome(value: value, device: placement.steps[step].device)
                if seen.insert(home).inserted { homes.append(home) }
            }
        }
        return homes
    }

    /// Lets each plugin change the plan of its device.
    private mutating func offerPlans() {
        for index in plans.indices {
            guard let device = plans[index].device else { continue }
            if let remark = plans[index].offer(to: devices[device]) { remarks.append(remark) }
        }
    }

    /// An allocation that failed on one of the devices.
    private struct Exhaustion: Error {
        let device: Int
        let error: PluginError
    }

    private func allocateWhole() throws(Exhaustion) -> (arenas: [PoolBlock?], constants: [ConstantHome: PoolBlock]) {
        func on(_ device: Int, _ allocate: (DevicePool) throws(PluginError) -> PoolBlock) throws(Exhaustion) -> PoolBlock {
            do throws(PluginError) { return try allocate(pools[device]) } catch { throw Exhaustion(device: device, error: error) }
        }
        var arenas = [PoolBlock?](repeating: nil, count: devices.count)
        let name = "results and workspaces of '\(placement.graph.name)'"
        for plan in plans where plan.byteCount > 0 {
            guard let device = plan.device else { continue }
            arenas[device] = try on(device) { (pool) throws(PluginError) in try pool.allocate(byteCount: plan.byteCount, name: name) }
        }
        var constants: [ConstantHome: PoolBlock] = [:]
        for home in constantHomes {
            guard let tensor = placement.values[home.value] else { continue }
            let name = "'\(placement.graph[home.value].name)'"
            constants[home] = try on(home.device) { (pool) throws(PluginError) in try pool.constant(tensor, name: name) }
        }
        return (arenas, constants)
    }

    private func warning(_ spill: Spill) -> String {
        let model = devices[spill.device].model
        let bandwidth = model.links.first { $0.kind == .host }?.bandwidthBytesPerSecond ?? 0
        let cost = bandwidth > 0 ? ", which takes its link about \(secondsText(Double(spill.bytesPerRun) / Double(bandwidth)))" : ""
        return
            "\(devices[spill.device].name) has too little memory for this model: in every run \(Quantity.bytes.shown(spill.constantBytes)) of constants and "
            + "\(Quantity.bytes.shown(spill.valueBytes)) of results go over from or to the host\(cost)"
    }
}

extension PlacedStep {
    /// Of its node, or of the first of its nodes.
    func name(_ graph: Graph) -> String {
        switch self {
        case .node(let placed): graph[placed.node].name
        case .program(let placed): graph[placed.nodes[0]].name
        case .view(let view): graph[view.node].name
        }
    }
}

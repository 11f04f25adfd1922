// SPDX-License-Identifier: Apache-2.0
import Graph
package import Southbound

/// Where the tensors and workspaces of one device's arena lie during a run, for whoever allocates it, draws it or changes it.
package struct MemoryPlan: Sendable {
    /// Index into the list of devices; nil: host memory, for values on their way between devices.
    package let device: Int?
    /// Of the device.
    package let space: Int
    /// In bytes, a power of two.
    package let alignment: Int
    /// Slots of the schedule that have memory of their own. The lists that follow go with this one.
    package let slots: [Int]
    /// Of the values; "workspace of NODE".
    package let names: [String]
    /// Steps are those of the schedule.
    package let lifetimes: [Lifetime]
    package internal(set) var arena: ArenaPlan

    package var offsets: [Int] { arena.offsets }
    package var byteCount: Int { arena.byteCount }
    /// See `ArenaPlan`.
    package var lowerBound: Int { arena.lowerBound }
    package var strategy: String { arena.strategy }

    package static let hostAlignment = 64

    /// - Parameter guardBytes: more than 0 keeps every tensor in memory of its own with as many bytes before and after it that belong to nobody; offsets are
    ///   those of the guards.
    package init(_ schedule: Schedule, device: Int?, alignment: Int, names: [String], guardBytes: Int = 0) {
        self.device = device
        self.alignment = alignment
        space = 0
        let (slots, lifetimes) = schedule.arena(of: device)
        self.slots = slots
        self.names = slots.map { names[$0] }
        let before = (guardBytes + alignment - 1) / alignment * alignment
        // Nothing is reused between guards, so that a write outside a tensor shows.
        self.lifetimes =
            guardBytes == 0
            ? lifetimes
            : lifetimes.map { Lifetime(byteCount: before + $0.byteCount + guardBytes, first: 0, last: schedule.steps.count) }
        arena = ArenaPlan(self.lifetimes, alignment: alignment)
    }

    package var firstFault: PlanFault? { arena.firstFault(lifetimes, alignment: alignment) }
}

extension Schedule {
    /// The plan of every arena that holds anything: the devices' in their order, then the host's.
    package func memoryPlans(_ placement: Placement, devices: [Device], guardBytes: Int = 0) -> [MemoryPlan] {
        let names = slotNames(placement)
        let arenas = devices.indices.map { ($0 as Int?, devices[$0].alignment) } + [(nil, MemoryPlan.hostAlignment)]
        return arenas.map { MemoryPlan(self, device: $0, alignment: $1, names: names, guardBytes: guardBytes) }.filter { !$0.slots.isEmpty }
    }

    private func slotNames(_ placement: Placement) -> [String] {
        let graph = placement.graph
        var names = slots.map { slot in slot.value.map { graph[$0].name } ?? "" }
        for case .launch(let step, _, _, let workspace?) in steps {
            let node =
                switch placement.steps[step] {
                case .node(let placed): graph[placed.node].name
                case .program(let placed): graph[placed.nodes[0]].name
                case .view(let view): graph[view.node].name
                }
            names[workspace] = "workspace of \(node)"
        }
        return names
    }
}

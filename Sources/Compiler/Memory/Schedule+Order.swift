// SPDX-License-Identifier: Apache-2.0
package import Graph
import HardwareModel
import Operators
package import Southbound

/// The order in which a schedule's steps run, and what it does for memory.
package struct OrderChoice: Sendable {
    /// How it was found: "given" for the placement's own order.
    package let name: String
    /// Sum of the lower bounds of all arenas, in bytes: in the placement's own order, and in the chosen one.
    package let givenBound: Int
    package let bound: Int
}

extension Schedule {
    /// The schedule in the order that needs the least memory on all devices together; the placement's own if no other needs less. Copies come as early as
    /// that leaves room for.
    package static func leastMemory(
        _ placement: Placement, devices: [Device]
    ) throws(GraphError) -> (schedule: Schedule, choice: OrderChoice?) {
        let (schedule, choice) = try inLeastMemory(placement, devices: devices)
        return (schedule.copyingEarly(devices), choice)
    }

    /// In bytes; less on devices with little memory.
    private static let leastGain = 64 << 10

    private static func inLeastMemory(
        _ placement: Placement, devices: [Device]
    ) throws(GraphError) -> (schedule: Schedule, choice: OrderChoice?) {
        let given = try Schedule(placement, devices: devices)
        let givenBound = given.boundOfAllArenas(devices)
        let leastGain = devices.reduce(Self.leastGain) { min($0, $1.model.spaces[0].capacityBytes / 4096) }
        let best = StepOrder(StepGraph(placement, devices), leastGain: leastGain)
        if best.order.elementsEqual(placement.steps.indices) {
            return (given, OrderChoice(name: best.name, givenBound: givenBound, bound: givenBound))
        }
        // Copies between devices are not in the step graph: the schedule has the last word.
        let ordered = try Schedule(placement, devices: devices, order: best.order)
        let bound = ordered.boundOfAllArenas(devices)
        return bound < givenBound
            ? (ordered, OrderChoice(name: best.name, givenBound: givenBound, bound: bound))
            : (given, OrderChoice(name: "given", givenBound: givenBound, bound: givenBound))
    }

    private func boundOfAllArenas(_ devices: [Device]) -> Int {
        let host = Packing.Problem(arena(of: nil).lifetimes, alignment: MemoryPlan.hostAlignment).lowerBound
        return devices.indices.reduce(host) {
            $0 + Packing.Problem(arena(of: $1).lifetimes, alignment: devices[$1].alignment).lowerBound
        }
    }
}

extension StepGraph {
    /// The placement's steps, each value on the device that makes it; constants take no part. A view is a step without memory, so that numbers agree.
    init(_ placement: Placement, _ devices: [Device]) {
        let sources = ViewSources(placement)
        let graph = placement.graph
        func isKnown(_ value: ValueID) -> Bool { placement.values[value] != nil || placement.values[sources[value]] != nil }
        let steps = placement.steps.map { placed in
            var seen: Set<Int> = []
            let values = placed.inputs(graph).map { $0.flatMap { isKnown($0) ? nil : sources[$0].index } }
            if case .view = placed { return Step(inputs: [], outputs: []) }
            var step = Step(
                inputs: values.compactMap { $0 }.filter { seen.insert($0).inserted },
                outputs: placed.outputs(graph).compactMap { $0?.index })
            step.isQueued = devices[placed.device].isQueued
            step.workspaceBytes = placed.workspaceBytes
            if placed.kernel?.flags.contains(.inPlace) == true, let first = values.first ?? nil, let output = step.outputs.first,
                values.count(where: { $0 == first }) == 1,
                placement.byteCount(of: ValueID(first)) == placement.byteCount(of: ValueID(output))
            {
                step.inPlaceInput = first
            }
            return step
        }
        self.init(
            steps, byteCounts: placement.types.indices.map { placement.byteCount(of: ValueID($0)) ?? 0 },
            kept: graph.outputs.filter { !isKnown($0) }.map { sources[$0].index })
    }
}

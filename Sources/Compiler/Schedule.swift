// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Southbound
import Tensors

/// A place in a device's arena (or in host memory) that one value, or a launch's workspace, has for a while.
package struct Slot: Sendable {
    /// Index into the list of devices; nil: host memory.
    package let device: Int?
    /// Nil for a workspace.
    package let value: ValueID?
    package var lifetime: Lifetime
    /// The slot whose memory this one shares: a kernel worked in place.
    package var alias: Int?
}

/// Where a launch finds an input.
package enum Operand: Sendable, Hashable {
    case slot(Int)
    case constant(ValueID)
}

/// One step of a run, before memory is assigned. What follows from the order of the steps holds in the run, whatever is done side by side there.
package enum ScheduledStep: Sendable {
    /// The caller's tensor for a graph input, by position, into a slot.
    case input(Int, to: Int)
    /// A constant that does not stay on its device, from the host into a slot.
    case constant(ValueID, to: Int)
    /// Between two slots on different devices, at least one of which the host can address, or which copy among themselves.
    case copy(from: Int, to: Int)
    /// A launch or an execution.
    case launch(step: Int, inputs: [Operand?], outputs: [Int?], workspace: Int?)
}

/// Where a graph output is found after the run.
package enum OutputSource: Sendable {
    case slot(Int)
    case constant(ValueID)
    case input(Int)
}

/// Steps and lifetimes of one placement: which copies are needed, and from when to when each value lives where.
///
/// A view takes no step and no memory: whoever reads it reads the value behind it.
package struct Schedule: Sendable {
    package internal(set) var steps: [ScheduledStep] = []
    package internal(set) var slots: [Slot] = []
    package internal(set) var outputs: [OutputSource] = []
    /// What spilling costs, by device; empty where everything fits.
    package internal(set) var spills: [Spill] = []

    private struct Home: Hashable {
        let value: ValueID
        let device: Int?
    }
    private var homes: [Home: Int] = [:]
    private var origin: [ValueID: Int] = [:]
    /// By pair of devices: whether copies between them need no detour.
    private var ways: [[Int]: Bool] = [:]
    private let sources: ViewSources
    private let inputScale: Int

    /// - Parameters:
    ///   - order: of the placement's steps; nil: as they stand.
    ///   - inPlace: lets kernels that may work in place do so.
    ///   - inputScale: how many times its own size a graph input takes, where the caller lays its elements out with gaps.
    package init(
        _ placement: Placement, devices: [Device], order: [Int]? = nil, inPlace: Bool = true, inputScale: Int = 1
    ) throws(GraphError) {
        self.inputScale = inputScale
        sources = ViewSources(placement)
        let graph = placement.graph
        let inputPositions = Dictionary(graph.inputs.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        for index in order ?? Array(placement.steps.indices) {
            let placed = placement.steps[index]
            if case .view = placed { continue }
            var inputs: [Operand?] = []
            for (position, input) in placed.inputs(graph).enumerated() {
                guard let input else {
                    inputs.append(nil)
                    continue
                }
                if let constant = constant(input, placement) {
                    inputs.append(.constant(constant))
                    continue
                }
                let onHost = placed.kernel?.wantsOnHost(input: position) ?? false
                let device = onHost && !devices[placed.device].isHostVisible ? nil : placed.device
                inputs.append(.slot(try fetch(sources[input], to: device, graph, placement, devices, inputPositions)))
            }
            var outputs: [Int?] = []
            for output in placed.outputs(graph) {
                guard let output else {
                    outputs.append(nil)
                    continue
                }
                let slot = addSlot(output, device: placed.device, byteCount: try byteCount(of: output, graph, placement))
                homes[Home(value: output, device: placed.device)] = slot
                origin[output] = placed.device
                outputs.append(slot)
            }
            let workspace = placed.workspaceBytes > 0 ? addSlot(nil, device: placed.device, byteCount: placed.workspaceBytes) : nil
            for case .slot(let slot)? in inputs { slots[slot].lifetime.last = steps.count }
            steps.append(.launch(step: index, inputs: inputs, outputs: outputs, workspace: workspace))
        }
        for output in graph.outputs {
            if let constant = constant(output, placement) {
                outputs.append(.constant(constant))
            } else if let device = origin[sources[output]], let slot = homes[Home(value: sources[output], device: device)] {
                slots[slot].lifetime.last = steps.count
                outputs.append(.slot(slot))
            } else if let position = inputPositions[sources[output]] {
                outputs.append(.input(position))
            } else {
                throw GraphError("the graph's output '\(graph[output].name)' is written by nothing")
            }
        }
        if inPlace { shareInPlace(placement) }
    }

    /// The slots of one arena: their indices and lifetimes, those that share another's memory left out.
    package func arena(of device: Int?) -> (slots: [Int], lifetimes: [Lifetime]) {
        let indices = slots.indices.filter { slots[$0].device == device && slots[$0].alias == nil }
        return (indices, indices.map { slots[$0].lifetime })
    }

    /// The slot with memory of its own behind `slot`.
    package func root(_ slot: Int) -> Int {
        var slot = slot
        while let alias = slots[slot].alias { slot = alias }
        return slot
    }

    /// The constant behind a value that is known before the run.
    private func constant(_ value: ValueID, _ placement: Placement) -> ValueID? {
        if placement.values[value] != nil { return value }
        return placement.values[sources[value]] == nil ? nil : sources[value]
    }

    mutating func addSlot(_ value: ValueID?, device: Int?, byteCount: Int) -> Int {
        let lifetime = Lifetime(byteCount: byteCount, first: steps.count, last: steps.count)
        slots.append(Slot(device: device, value: value, lifetime: lifetime))
        return slots.count - 1
    }

    private func byteCount(of value: ValueID, _ graph: Graph, _ placement: Placement) throws(GraphError) -> Int {
        guard let size = placement.byteCount(of: value) else {
            throw GraphError("'\(graph[value].name)' has no size in bytes")
        }
        return size
    }

    /// The slot of `value` on `device` (nil: host memory), with the copies that bring it there.
    private mutating func fetch(
        _ value: ValueID, to device: Int?, _ graph: Graph, _ placement: Placement, _ devices: [Device], _ inputs: [ValueID: Int]
    ) throws(GraphError) -> Int {
        if let slot = homes[Home(value: value, device: device)] { return slot }
        let size = try byteCount(of: value, graph, placement)
        if let position = inputs[value] {
            let slot = addSlot(value, device: device, byteCount: size * inputScale)
            steps.append(.input(position, to: slot))
            homes[Home(value: value, device: device)] = slot
            return slot
        }
        guard let source = origin[value] else {
            throw GraphError("'\(graph[value].name)' is read before it is written")
        }
        var from = source as Int?
        if let device, !devices[source].isHostVisible, !devices[device].isHostVisible, !reaches(device, source, devices) {
            _ = try fetch(value, to: nil, graph, placement, devices, inputs)
            from = nil
        }
        guard let origin = homes[Home(value: value, device: from)] else {
            throw GraphError("'\(graph[value].name)' is read before it is written")
        }
        let slot = addSlot(value, device: device, byteCount: size)
        slots[origin].lifetime.last = steps.count
        steps.append(.copy(from: origin, to: slot))
        homes[Home(value: value, device: device)] = slot
        return slot
    }

    private mutating func reaches(_ device: Int, _ peer: Int, _ devices: [Device]) -> Bool {
        if let known = ways[[device, peer]] { return known }
        let isThere = devices[device].reaches(peer: devices[peer])
        ways[[device, peer]] = isThere
        return isThere
    }

    /// Lets output 0 take over the memory of input 0 where the kernel allows it and nobody needs the input any more.
    private mutating func shareInPlace(_ placement: Placement) {
        for (index, step) in steps.enumerated() {
            guard case .launch(let placed, let inputs, let outputs, _) = step,
                placement.steps[placed].kernel?.flags.contains(.inPlace) == true, case .slot(let input)?? = inputs.first,
                let output = outputs.first ?? nil
            else { continue }
            let owner = root(input)
            let others = inputs.dropFirst().contains { other in
                if case .slot(let slot)? = other { root(slot) == owner } else { false }
            }
            guard !others, slots[input].device == slots[output].device, slots[owner].lifetime.last == index,
                slots[input].lifetime.byteCount == slots[output].lifetime.byteCount
            else { continue }
            slots[output].alias = owner
            slots[owner].lifetime.last = slots[output].lifetime.last
        }
    }
}

/// The values behind views: by value, that whose bytes it names; itself where it is no view.
struct ViewSources {
    private var sources: [ValueID: ValueID] = [:]

    init(_ placement: Placement) {
        for case .view(let view) in placement.steps { sources[view.value] = self[view.source] }
    }

    subscript(value: ValueID) -> ValueID { sources[value] ?? value }
}

extension InferredOutput {
    package var byteCount: Int? {
        switch self {
        case .known(let type): elementCount(type.shape).flatMap { type.dataType.byteCount(of: $0) }
        case .bounded(let dataType, let shape): elementCount(shape).flatMap { dataType.byteCount(of: $0) }
        }
    }
}

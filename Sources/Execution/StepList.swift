// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

/// Steps in the order and form in which they run, with what keeps the lanes in order between them.
struct StepList {
    private(set) var steps: [Program.Step] = []
    /// By step: which of the placement's steps it launches; nil for copies and the like.
    private(set) var launched: [Int?] = []
    /// By step: where its work is done; nil for what only orders others.
    private(set) var laneOfStep: [Int?] = []
    /// The steps to be pointed at the caller's tensors, with the position among the graph's inputs and outputs.
    private(set) var inputs: [(step: Int, input: Int)] = []
    private(set) var outputs: [(step: Int, output: Int)] = []
    /// Kept alive for the pointers in `steps`.
    private(set) var events: [Event] = []
    let waitCount: Int
    /// The next run may be given to the queues before this one is done: all work is on the lanes of one device, which are in step at both ends of a run.
    let mayFollowItself: Bool

    private let lanes: Lanes

    /// - Parameter omittedWait: leaves one of the waits out, so that a test can show that it is needed.
    init(_ planned: [PlannedStep], _ lanes: Lanes, omittedWait: Int?) throws {
        self.lanes = lanes
        let hazards = Hazards(
            planned.map { Hazards.Step(lane: $0.lane, accesses: $0.accesses, hostReads: $0.hostReads) }, lanes: lanes.facts)
        waitCount = hazards.waits.count
        let used = Set(planned.map { $0.lane > 0 ? lanes.queues[$0.lane - 1].device : -1 })
        mayFollowItself = used.count <= 1 && planned.allSatisfy { $0.hostReads.isEmpty }

        var waits: [Int: [Hazards.Wait]] = [:]
        var targets: [Int: Event] = [:]
        for (number, wait) in hazards.waits.enumerated() where number != omittedWait {
            waits[wait.step, default: []].append(wait)
            let lane = planned[wait.target].lane
            if lanes.facts[lane].hasEvents, targets[wait.target] == nil { targets[wait.target] = try makeEvent(lane) }
        }
        let groups = lanes.groups
        for group in groups {
            let event = try makeEvent(group.compute)
            record(event, on: group.compute)
            for lane in group.copies { hold(lane, until: event) }
        }
        for (index, step) in planned.enumerated() {
            for wait in waits[index] ?? [] { hold(step, until: targets[wait.target], wait, on: planned[wait.target].lane) }
            if let input = step.input { inputs.append((steps.count, input)) }
            if let output = step.output { outputs.append((steps.count, output)) }
            append(step.step, launched: step.launch, lane: step.lane)
            if let event = targets[index] { record(event, on: step.lane) }
        }
        for group in groups {
            for lane in group.copies {
                let event = try makeEvent(lane)
                record(event, on: lane)
                hold(group.compute, until: event)
            }
        }
    }

    private mutating func append(_ step: Program.Step, launched: Int? = nil, lane: Int? = nil) {
        steps.append(step)
        self.launched.append(launched)
        laneOfStep.append(lane)
    }

    private func queue(_ lane: Int) -> Stream { lanes.queues[lane - 1].stream }

    private mutating func makeEvent(_ lane: Int) throws(PluginError) -> Event {
        let event = try queue(lane).device.makeEvent()
        events.append(event)
        return event
    }

    private mutating func hold(_ step: PlannedStep, until event: Event?, _ wait: Hazards.Wait, on lane: Int) {
        guard wait.byHost else { return hold(step.lane, until: event!) }
        let plugin = queue(lane).device.plugin
        if let event {
            append(.synchronize(plugin.events!.synchronize, event.handle!))
        } else {
            append(.synchronize(plugin.streams!.synchronize, queue(lane).handle!))
        }
    }

    private mutating func record(_ event: Event, on lane: Int) {
        append(.order(event.device.plugin.events!.record, event.handle!, queue(lane).handle!))
    }

    private mutating func hold(_ lane: Int, until event: Event) {
        append(.order(event.device.plugin.events!.wait, queue(lane).handle!, event.handle!))
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Bytes of one memory that a step reads or writes.
package struct Access: Hashable, Sendable {
    /// Accesses to different memories never meet.
    package let memory: Int
    package let bytes: Range<Int>
    package let isWrite: Bool

    package init(memory: Int, bytes: Range<Int>, isWrite: Bool) {
        self.memory = memory
        self.bytes = bytes
        self.isWrite = isWrite
    }
}

/// Where the steps of a run have to wait for each other.
///
/// A lane is an in-order queue that works beside the others. Lane 0 is the calling thread: what it does is done when the step returns, and it gives all other
/// lanes their work, in the order of the steps. Two steps that touch the same bytes, one of them writing, keep their order. What the order of a lane, or
/// another wait, ensures already needs no wait of its own.
package struct Hazards: Sendable {
    package struct Lane: Sendable {
        /// Lanes of one device can wait for each other's events.
        package let device: Int
        package let hasEvents: Bool

        package init(device: Int, hasEvents: Bool) {
            self.device = device
            self.hasEvents = hasEvents
        }
    }

    package struct Step: Sendable {
        package let lane: Int
        package let accesses: [Access]
        /// What the calling thread reads while it gives the step to its lane.
        package let hostReads: [Access]

        package init(lane: Int, accesses: [Access], hostReads: [Access] = []) {
            self.lane = lane
            self.accesses = accesses
            self.hostReads = hostReads
        }
    }

    package struct Wait: Hashable, Sendable {
        /// The step that is held back,
        package let step: Int
        /// until this earlier one is done.
        package let target: Int
        /// The calling thread waits, not the step's lane.
        package let byHost: Bool
    }

    /// In the order of the steps that are held back.
    package private(set) var waits: [Wait] = []

    /// - Parameter lanes: lane 0, the calling thread, included; what it says of itself does not count.
    package init(_ steps: [Step], lanes: [Lane]) {
        guard lanes.count > 1 else { return }
        var order = LaneOrder(steps.map(\.lane), lanes)
        var memories: [Int: Footprints] = [:]
        for (index, step) in steps.enumerated() {
            func earlier(_ accesses: [Access]) -> Set<Int> {
                accesses.reduce(into: []) { memories[$1.memory]?.collectConflicts($1, into: &$0) }
            }
            order.hold(step.lane, until: earlier(step.accesses), host: earlier(step.hostReads)) {
                waits.append(Wait(step: index, target: $0, byHost: $1))
            }
            order.issue(index)
            for access in step.accesses + step.hostReads {
                memories[access.memory, default: Footprints()].note(access, step: index) { steps[$0].lane }
            }
        }
    }
}

/// What each lane knows to be done: vector clocks over the lanes.
private struct LaneOrder {
    private let laneOfStep: [Int]
    private let lanes: [Hazards.Lane]
    /// By lane: how many steps of each lane are done before its next step begins.
    private var known: [[Int]]
    /// How many steps each lane was given.
    private var issued: [Int]
    /// By step: its place in its lane, from 1, and what is done when it is done.
    private var places: [Int] = []
    private var clocks: [[Int]] = []

    init(_ laneOfStep: [Int], _ lanes: [Hazards.Lane]) {
        self.laneOfStep = laneOfStep
        self.lanes = lanes
        issued = [Int](repeating: 0, count: lanes.count)
        known = [[Int]](repeating: issued, count: lanes.count)
    }

    /// Steps to wait for, and whether it is the calling thread that needs it.
    private struct Candidate {
        let target: Int
        let needsHost: Bool
        let byHost: Bool
    }

    /// Makes the lane's next step come after `targets`, and what the calling thread does for it after `host`. Tells of each wait that this takes, and whether
    /// the calling thread has to wait.
    mutating func hold(_ lane: Int, until targets: Set<Int>, host: Set<Int>, _ wait: (Int, Bool) -> Void) {
        learn(lane, from: known[0])
        var candidates = latest(host, lane: 0) + latest(targets, lane: lane)
        candidates.sort { ($0.target, $0.needsHost ? 1 : 0) < ($1.target, $1.needsHost ? 1 : 0) }
        // The earliest first: a later one may have come after it.
        var chosen = candidates
        for candidate in candidates {
            let index = chosen.firstIndex { $0.target == candidate.target && $0.needsHost == candidate.needsHost }!
            let isImplied = chosen.indices.contains { other in
                other != index && (chosen[other].byHost || !candidate.needsHost)
                    && clock(after: chosen[other].target)[laneOfStep[candidate.target]] >= places[candidate.target]
            }
            if isImplied { chosen.remove(at: index) }
        }
        // What was left out comes again at the end, in case that it was implied by another that was left out.
        for candidate in chosen.reversed() + candidates.reversed() {
            let other = laneOfStep[candidate.target]
            if known[candidate.needsHost ? 0 : lane][other] >= places[candidate.target] { continue }
            wait(candidate.target, candidate.byHost)
            learn(candidate.byHost ? 0 : lane, from: clock(after: candidate.target))
            learn(lane, from: known[0])
        }
    }

    /// Of the steps that a lane does not know to be done, the last of each lane.
    private func latest(_ targets: Set<Int>, lane: Int) -> [Candidate] {
        var last: [Int: Int] = [:]
        for target in targets {
            let other = laneOfStep[target]
            if other != 0, other != lane, known[lane][other] < places[target] { last[other] = max(last[other] ?? 0, target) }
        }
        return last.map { other, target in
            Candidate(
                target: target, needsHost: lane == 0,
                byHost: lane == 0 || lanes[other].device != lanes[lane].device || !lanes[other].hasEvents)
        }
    }

    /// What is known to be done after a wait for a step. Without events that is all that its lane was given.
    private func clock(after target: Int) -> [Int] {
        let lane = laneOfStep[target]
        return lanes[lane].hasEvents ? clocks[target] : known[lane]
    }

    mutating func issue(_ step: Int) {
        let lane = laneOfStep[step]
        issued[lane] += 1
        known[lane][lane] = issued[lane]
        places.append(issued[lane])
        clocks.append(lane == 0 ? [] : known[lane])
    }

    private mutating func learn(_ lane: Int, from clock: [Int]) {
        for other in clock.indices where known[lane][other] < clock[other] { known[lane][other] = clock[other] }
    }
}

/// Who touched which bytes of one memory last.
private struct Footprints {
    private struct Segment {
        var bytes: Range<Int>
        var writer: Int?
        /// Since the writer, the latest of each lane.
        var readers: [Int]

        func cut(to bytes: Range<Int>) -> Segment { Segment(bytes: bytes, writer: writer, readers: readers) }
    }

    /// In order of their addresses, apart from each other.
    private var segments: [Segment] = []

    func collectConflicts(_ access: Access, into steps: inout Set<Int>) {
        if access.bytes.isEmpty { return }
        var index = first(endingAfter: access.bytes.lowerBound)
        while index < segments.count, segments[index].bytes.lowerBound < access.bytes.upperBound {
            if let writer = segments[index].writer { steps.insert(writer) }
            if access.isWrite { steps.formUnion(segments[index].readers) }
            index += 1
        }
    }

    mutating func note(_ access: Access, step: Int, laneOf: (Int) -> Int) {
        let bytes = access.bytes
        guard !bytes.isEmpty else { return }
        let start = first(endingAfter: bytes.lowerBound)
        var end = start
        var pieces: [Segment] = []
        var position = bytes.lowerBound
        while end < segments.count, segments[end].bytes.lowerBound < bytes.upperBound {
            let segment = segments[end]
            if segment.bytes.lowerBound < bytes.lowerBound { pieces.append(segment.cut(to: segment.bytes.lowerBound..<bytes.lowerBound)) }
            if !access.isWrite {
                let common = segment.bytes.clamped(to: bytes)
                if position < common.lowerBound { pieces.append(Segment(bytes: position..<common.lowerBound, readers: [step])) }
                var read = segment.cut(to: common)
                read.readers.removeAll { laneOf($0) == laneOf(step) }
                read.readers.append(step)
                pieces.append(read)
                position = common.upperBound
            }
            if segment.bytes.upperBound > bytes.upperBound {
                if access.isWrite { pieces.append(Segment(bytes: bytes, writer: step, readers: [])) }
                pieces.append(segment.cut(to: bytes.upperBound..<segment.bytes.upperBound))
                position = bytes.upperBound
            }
            end += 1
        }
        if access.isWrite {
            if pieces.last.map({ $0.bytes.lowerBound < bytes.lowerBound }) ?? true {
                pieces.append(Segment(bytes: bytes, writer: step, readers: []))
            }
        } else if position < bytes.upperBound {
            pieces.append(Segment(bytes: position..<bytes.upperBound, readers: [step]))
        }
        segments.replaceSubrange(start..<end, with: pieces)
    }

    private func first(endingAfter position: Int) -> Int {
        var (low, high) = (0, segments.count)
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].bytes.upperBound > position { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

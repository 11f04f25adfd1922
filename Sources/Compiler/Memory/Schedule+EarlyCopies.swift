// SPDX-License-Identifier: Apache-2.0
import Southbound

extension Schedule {
    /// The same run with copies to a device one launch of that device earlier, where what they copy is there by then and no arena's bound grows: so a device
    /// computes while it receives what it needs next. O(n) steps and lives.
    func copyingEarly(_ devices: [Device]) -> Schedule {
        var rooms = devices.indices.map { Room(self, device: $0, alignment: devices[$0].alignment) }
        var written = [Int](repeating: -1, count: slots.count)
        var lastLaunch: [Int?] = .init(repeating: nil, count: devices.count)
        /// Steps that move, by the step that they move before.
        var moved: [Int: [Int]] = [:]
        var isMoved = [Bool](repeating: false, count: steps.count)
        for (index, step) in steps.enumerated() {
            for slot in step.writes { written[slot] = index }
            guard let (source, target) = step.copied, let device = slots[target].device else {
                if case .launch(_, _, let outputs, let workspace) = step, let slot = (outputs + [workspace]).compactMap({ $0 }).first,
                    let device = slots[slot].device
                {
                    lastLaunch[device] = index
                }
                continue
            }
            guard let launch = lastLaunch[device], source.map({ written[$0] < launch && !isMoved[written[$0]] }) ?? true,
                rooms[device].take(slots[target].lifetime.byteCount, from: launch, until: index)
            else { continue }
            moved[launch, default: []].append(index)
            isMoved[index] = true
        }
        guard !moved.isEmpty else { return self }
        var result = self
        result.steps = steps.indices.flatMap { index in (moved[index] ?? []).map { steps[$0] } + (isMoved[index] ? [] : [steps[index]]) }
        result.findLifetimes()
        return result
    }

    /// From the first step that touches a slot to the last.
    private mutating func findLifetimes() {
        for index in slots.indices {
            slots[index].lifetime.first = .max
            slots[index].lifetime.last = -1
        }
        func touch(_ slot: Int, _ step: Int) {
            for slot in Set([slot, root(slot)]) {
                slots[slot].lifetime.first = min(slots[slot].lifetime.first, step)
                slots[slot].lifetime.last = max(slots[slot].lifetime.last, step)
            }
        }
        for (index, step) in steps.enumerated() { for slot in step.reads + step.writes { touch(slot, index) } }
        for case .slot(let slot) in outputs { touch(slot, steps.count) }
    }

    /// What is live in an arena at each step, and how much it may be.
    private struct Room {
        private let alignment: Int
        private let bound: Int
        private var live: [Int]

        init(_ schedule: Schedule, device: Int, alignment: Int) {
            self.alignment = alignment
            let problem = Packing.Problem(schedule.arena(of: device).lifetimes, alignment: alignment)
            bound = problem.lowerBound
            live = [Int](repeating: 0, count: schedule.steps.count + 2)
            for (lifetime, size) in zip(problem.lifetimes, problem.sizes) {
                live[lifetime.first] += size
                live[lifetime.last + 1] -= size
            }
            for index in live.indices.dropFirst() { live[index] += live[index - 1] }
        }

        /// False, and nothing taken, if it does not fit.
        mutating func take(_ byteCount: Int, from first: Int, until last: Int) -> Bool {
            let size = max((byteCount + alignment - 1) / alignment * alignment, alignment)
            guard (first..<last).allSatisfy({ live[$0] + size <= bound }) else { return false }
            for step in first..<last { live[step] += size }
            return true
        }
    }
}

extension ScheduledStep {
    /// Slots that it reads and writes.
    fileprivate var reads: [Int] {
        switch self {
        case .input, .constant: []
        case .copy(let source, _): [source]
        case .launch(_, let inputs, _, _): inputs.compactMap { if case .slot(let slot)? = $0 { slot } else { nil } }
        }
    }

    fileprivate var writes: [Int] {
        switch self {
        case .input(_, let slot), .constant(_, let slot), .copy(_, let slot): [slot]
        case .launch(_, _, let outputs, let workspace): (outputs + [workspace]).compactMap { $0 }
        }
    }

    /// A copy's slots; the source is nil where it is the caller's.
    fileprivate var copied: (source: Int?, target: Int)? {
        switch self {
        case .input(_, let slot): (nil, slot)
        case .copy(let source, let target): (source, target)
        case .constant, .launch: nil
        }
    }
}

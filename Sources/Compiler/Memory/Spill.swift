// SPDX-License-Identifier: Apache-2.0
import Graph

/// What crosses the link between a device and the host in every run because the device has too little memory.
package struct Spill: Sendable, Hashable {
    /// Index into the list of devices.
    package let device: Int
    /// Of constants that are loaded anew in every run.
    package var constantBytes = 0
    /// Of values that are put on the host, and of those that are fetched back.
    package var valueBytes = 0
    /// Of constants that stay on the device, beside its arena.
    package var residentBytes = 0

    package var bytesPerRun: Int { constantBytes + valueBytes }
}

/// One step alone needs more than there is: no spilling helps.
package struct SpillError: Error, Sendable {
    /// Of the placement; nil where the graph's outputs together are too large.
    package let step: Int?
    package let neededBytes: Int
    package let budget: Int
}

/// What a run keeps on one device from when to when, if it has only so much memory for it.
///
/// The rule is Belady's ("A study of replacement algorithms for a virtual-storage computer", 1966), with the future known: what is needed again last makes room.
/// Runs follow each other, so a constant that has been used is needed again in the next run; those that are never driven out stay between runs.
struct SpillPlanner {
    /// Something that may be on the device or not.
    enum Content: Hashable {
        case constant(ValueID)
        /// A slot of the schedule with memory of its own.
        case slot(Int)
    }

    struct Use {
        let content: Int
        /// The step writes it for the first time: there is nothing to load.
        let isNew: Bool
        /// The step changes it: what is on the host is out of date.
        let isChanged: Bool
    }

    enum Action {
        /// To the host; nothing needs to be done for a constant, or for what is there unchanged.
        case evict(Int)
        case load(Int)
        /// The step of the schedule with this number; the one behind the last stands for reading the outputs.
        case step(Int)
    }

    let contents: [Content]
    /// In bytes.
    let sizes: [Int]
    /// By step of the schedule, and one for the outputs.
    let uses: [[Use]]
    private let stepsOfContent: [[Int]]

    init(contents: [Content], sizes: [Int], uses: [[Use]]) {
        self.contents = contents
        self.sizes = sizes
        self.uses = uses
        var steps = [[Int]](repeating: [], count: contents.count)
        for (step, list) in uses.enumerated() { for use in list { steps[use.content].append(step) } }
        stepsOfContent = steps
    }

    private func isConstant(_ content: Int) -> Bool { if case .constant = contents[content] { true } else { false } }

    /// Constants that find room in every run beside all that comes and goes.
    func residents(budget: Int) -> Set<Int> {
        let first = simulate(budget: budget, start: [], pinned: [])
        let second = simulate(budget: budget, start: first.constantsLeft, pinned: [])
        return first.constantsLeft.subtracting(second.evicted)
    }

    /// - Parameter residents: constants that are on the device before the run, and stay.
    func actions(budget: Int, residents: Set<Int>) -> [Action] {
        let pinned = residents.reduce(0) { $0 + sizes[$1] }
        return simulate(budget: budget - pinned, start: [], pinned: residents).actions
    }

    private struct Outcome {
        var actions: [Action] = []
        var evicted: Set<Int> = []
        var constantsLeft: Set<Int> = []
    }

    /// - Parameter pinned: not counted, never driven out.
    private func simulate(budget: Int, start: Set<Int>, pinned: Set<Int>) -> Outcome {
        var outcome = Outcome()
        var resident = start
        var bytes = start.reduce(0) { $0 + sizes[$1] }
        var position = [Int](repeating: 0, count: contents.count)
        func nextUse(_ content: Int) -> Int {
            let steps = stepsOfContent[content]
            if position[content] < steps.count { return steps[position[content]] }
            // In the next run.
            return uses.count + (steps.first ?? 0)
        }
        for (step, list) in uses.enumerated() {
            let needed = Set(list.map(\.content)).subtracting(pinned)
            let missing = needed.subtracting(resident)
            let wanted = missing.reduce(0) { $0 + sizes[$1] }
            while bytes + wanted > budget,
                let victim = resident.subtracting(needed).max(by: {
                    (nextUse($0), isConstant($0) ? 1 : 0, $0) < (nextUse($1), isConstant($1) ? 1 : 0, $1)
                })
            {
                resident.remove(victim)
                bytes -= sizes[victim]
                outcome.evicted.insert(victim)
                outcome.actions.append(.evict(victim))
            }
            for use in list where missing.contains(use.content) && !use.isNew { outcome.actions.append(.load(use.content)) }
            outcome.actions.append(.step(step))
            resident.formUnion(missing)
            bytes += wanted
            for content in needed {
                while position[content] < stepsOfContent[content].count, stepsOfContent[content][position[content]] <= step {
                    position[content] += 1
                }
                if !isConstant(content), position[content] == stepsOfContent[content].count {
                    resident.remove(content)
                    bytes -= sizes[content]
                }
            }
        }
        outcome.constantsLeft = resident.filter(isConstant)
        return outcome
    }
}

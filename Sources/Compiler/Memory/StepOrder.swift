// SPDX-License-Identifier: Apache-2.0

/// An order of steps in which as few bytes as possible are live at once. To find the best is NP-hard (Sethi, 1975): several are made, and the best is kept.
package struct StepOrder: Sendable {
    package let order: [Int]
    /// How it was found.
    package let name: String
    /// The largest sum of live bytes at one step.
    package let peak: Int

    /// Of graphs with more steps only the best candidate is improved.
    private static let mostStepsForAll = 5000

    /// In equal orders, the one whose work for queued devices comes first wins; then the given one. What no order can be much below ends the search.
    ///
    /// - Parameter leastGain: bytes for which a search is not worth its time.
    package init(_ graph: StepGraph, leastGain: Int = 0) {
        let enough = graph.floor + leastGain
        var candidates = [Candidate("given", Array(graph.steps.indices), graph)]
        func isDone() -> Bool { candidates.contains { $0.rank.peak <= enough } }
        if graph.steps.contains(where: \.isQueued), !graph.steps.allSatisfy(\.isQueued) {
            candidates.append(Candidate("queues first", graph.queueOrder(), graph))
        }
        if !isDone() {
            candidates.append(Candidate("depth first", graph.depthFirstOrder(), graph))
            candidates.append(Candidate("least growth", graph.leastGrowthOrder(), graph))
            candidates.append(Candidate("deepest branch", graph.branchOrder(), graph))
        }
        let promising = candidates.sorted { $0.rank < $1.rank }.prefix(graph.steps.count > Self.mostStepsForAll ? 1 : candidates.count)
        for raw in promising where !isDone() {
            candidates.append(Candidate("\(raw.name), windows improved", graph.improved(raw.order), graph))
        }
        // The first of equal ones.
        let best = candidates.reduce(candidates[0]) { $1.rank < $0.rank ? $1 : $0 }
        order = best.order
        name = best.name
        peak = best.rank.peak
    }

    private struct Candidate {
        let name: String
        let order: [Int]
        let rank: (peak: Int, queueDelay: Int)

        init(_ name: String, _ order: [Int], _ graph: StepGraph) {
            self.name = name
            self.order = order
            rank = (graph.peak(order), graph.queueDelay(order))
        }
    }
}

extension StepGraph {
    /// What the most demanding step has to have at once, whatever the order.
    fileprivate var floor: Int {
        steps.map { step in
            let values = (step.inputs + step.outputs).reduce(step.workspaceBytes) { $0 + byteCounts[$1] }
            return values - (step.inPlaceInput.map { byteCounts[$0] } ?? 0)
        }.max() ?? 0
    }

    /// The sum of the positions of work on queued devices.
    fileprivate func queueDelay(_ order: [Int]) -> Int {
        order.enumerated().reduce(0) { $0 + (steps[$1.element].isQueued ? $1.offset : 0) }
    }

    /// From the last steps back to what they need, at each step first what takes the most memory itself. O(n log n).
    package func depthFirstOrder() -> [Int] {
        var needs = [Int](repeating: 0, count: steps.count)
        for (index, step) in steps.enumerated() {
            let own = step.outputs.reduce(step.workspaceBytes) { $0 + byteCounts[$1] }
            needs[index] = step.inputs.reduce(own) { max($0, producers[$1].map { needs[$0] } ?? 0) }
        }
        var order: [Int] = []
        var isVisited = [Bool](repeating: false, count: steps.count)
        var stack: [(step: Int, isOpen: Bool)] = []
        for last in steps.indices where steps[last].outputs.allSatisfy({ readers[$0].isEmpty }) {
            stack.append((last, false))
            while let (step, isOpen) = stack.popLast() {
                if isOpen { order.append(step) }
                if isOpen || isVisited[step] { continue }
                isVisited[step] = true
                stack.append((step, true))
                let sources = steps[step].inputs.compactMap { producers[$0] }.filter { !isVisited[$0] }
                // The one on top of the stack comes first.
                stack += sources.sorted { (needs[$0], $1) < (needs[$1], $0) }.map { ($0, false) }
            }
        }
        return order
    }

    /// Of the steps that may run, always the one after which the fewest bytes are live; of equal ones the given order. O(n log n) unless values have
    /// very many readers.
    package func leastGrowthOrder() -> [Int] {
        run { state, step, _ in (state.growth(step), step) }
    }

    /// Goes on with what the last step has made as long as there is something to go on with, and prefers what frees memory. O(n log n).
    package func branchOrder() -> [Int] {
        run { state, step, position in (-position, state.growth(step)) }
    }

    /// Work for queued devices as early as it can be. O(n log n).
    fileprivate func queueOrder() -> [Int] {
        run { _, step, _ in (steps[step].isQueued ? 0 : 1, step) }
    }

    /// Steps in the order of a priority, the smallest first.
    ///
    /// - Parameter priority: of a step, from the state of the memory and the number of steps that have run when the priority was asked for.
    private func run(_ priority: (State, Int, Int) -> (Int, Int)) -> [Int] {
        var state = State(self)
        var missing = steps.map { step in step.inputs.count { producers[$0] != nil } }
        var heap = Heap()
        var hasRun = [Bool](repeating: false, count: steps.count)
        for step in steps.indices where missing[step] == 0 { heap.push(step, priority(state, step, 0)) }
        var order: [Int] = []
        order.reserveCapacity(steps.count)
        while let step = heap.pop() {
            // A step whose priority has changed is there more than once.
            if hasRun[step] { continue }
            hasRun[step] = true
            _ = state.run(step)
            order.append(step)
            for output in steps[step].outputs {
                for reader in readers[output] {
                    missing[reader] -= 1
                    if missing[reader] == 0 { heap.push(reader, priority(state, reader, order.count)) }
                }
            }
            // The last reader of a value frees it.
            for input in steps[step].inputs where state.waiting[input] == 1 {
                if let reader = readers[input].first(where: { !hasRun[$0] }), missing[reader] == 0 {
                    heap.push(reader, priority(state, reader, order.count))
                }
            }
        }
        return order
    }
}

/// Steps by priority, the smallest first.
private struct Heap {
    private var entries: [(step: Int, key: (Int, Int))] = []

    mutating func push(_ step: Int, _ key: (Int, Int)) {
        entries.append((step, key))
        var child = entries.count - 1
        while child > 0, entries[child].key < entries[(child - 1) / 2].key {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> Int? {
        guard let first = entries.first?.step else { return nil }
        let last = entries.removeLast()
        guard !entries.isEmpty else { return first }
        entries[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < entries.count else { return first }
            if child + 1 < entries.count, entries[child + 1].key < entries[child].key { child += 1 }
            if entries[parent].key <= entries[child].key { return first }
            entries.swapAt(child, parent)
            parent = child
        }
    }
}

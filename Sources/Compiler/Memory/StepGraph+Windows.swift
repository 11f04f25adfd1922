// SPDX-License-Identifier: Apache-2.0

extension StepGraph {
    /// Sets of steps are words.
    private static let longestWindow = 48
    private static let mostStates = 64
    private static let rounds = 4
    /// Each window takes time for the steps before it.
    private static let mostWindows = 4
    private static let mostSteps = 400_000

    /// Lowers the peak of an order window by window: steps between two points at which little is live change places among themselves, the fullest window
    /// first, until one stays as full as it is. Every window's new order is the best that a beam search finds.
    func improved(_ given: [Int]) -> [Int] {
        var order = given
        for round in 0..<Self.rounds {
            let live = liveBytes(order)
            var isChanged = false
            let windows = windows(live, shift: round * Self.longestWindow / Self.rounds)
            var peaks = windows.map { live[$0].max() ?? 0 }
            let fullest = windows.indices.sorted { (peaks[$1], $0) < (peaks[$0], $1) }
            for window in fullest.prefix(Self.mostWindows + Self.mostSteps / order.count) {
                let best = bestOrder(of: Array(order[windows[window]]), before: order[..<windows[window].lowerBound])
                guard best.peak < peaks[window] else { break }
                order.replaceSubrange(windows[window], with: best.order)
                peaks[window] = best.peak
                isChanged = true
            }
            if !isChanged && round > 0 { break }
        }
        return order
    }

    /// Cuts the order where the fewest bytes are live, in windows of at most `longestWindow` steps.
    private func windows(_ live: [Int], shift: Int) -> [Range<Int>] {
        let count = live.count - 1
        var windows: [Range<Int>] = []
        var begin = 0
        while begin < count {
            let longest = windows.isEmpty && shift > 0 ? shift : Self.longestWindow
            var end = min(begin + longest, count)
            if end < count {
                // In the second half of the window, so that there are not too many.
                let candidates = (begin + longest / 2 + 1)...end
                end = candidates.min { (live[$0], -$0) < (live[$1], -$1) } ?? end
            }
            windows.append(begin..<end)
            begin = end
        }
        return windows
    }

    private struct Partial {
        /// Steps of the window that have run.
        var done: UInt64
        /// Above what is live before the window.
        var live: Int
        var peak: Int
        var last: Int
        var before: Int
    }

    /// The least peak that the steps of a window reach after those before it, and the order that does it: the given one if no better is found.
    private func bestOrder(of window: [Int], before: some Collection<Int>) -> (order: [Int], peak: Int) {
        var outside = State(self)
        for step in before { _ = outside.run(step) }
        let local = Window(self, window, outside)
        var states = [Partial(done: 0, live: 0, peak: 0, last: -1, before: -1)]
        var history: [Partial] = []
        for _ in window {
            let base = history.count
            history += states
            var next: [UInt64: Partial] = [:]
            for (index, state) in states.enumerated() {
                for step in window.indices where state.done & (1 << UInt64(step)) == 0 && local.needs[step] & ~state.done == 0 {
                    let (during, growth) = local.cost(step, after: state.done)
                    let done = state.done | 1 << UInt64(step)
                    let made = Partial(
                        done: done, live: state.live + growth, peak: max(state.peak, state.live + during), last: step,
                        before: base + index)
                    if let known = next[done], (known.peak, known.live) <= (made.peak, made.live) { continue }
                    next[done] = made
                }
            }
            states = next.values.sorted { ($0.peak, $0.live, $0.done) < ($1.peak, $1.live, $1.done) }
            if states.count > Self.mostStates { states.removeLast(states.count - Self.mostStates) }
        }
        guard let best = states.first else { return (window, 0) }
        var order: [Int] = []
        var state = best
        while state.last >= 0 {
            order.append(window[state.last])
            state = history[state.before]
        }
        return (order.reversed(), outside.live + best.peak)
    }

    /// The steps of a window by number, and what they do to the memory.
    private struct Window {
        /// Steps of the window that a step waits for.
        let needs: [UInt64]
        private struct Effect {
            let byteCount: Int
            /// All readers that have not run before the window are these.
            let readers: UInt64
            let outlives: Bool
            /// A graph input that is not there before the window.
            let isNew: Bool
            let isTakenOver: Bool
        }
        private let inputs: [[Effect]]
        private let outputs: [[Effect]]
        private let workspaces: [Int]

        init(_ graph: StepGraph, _ window: [Int], _ outside: State) {
            let positions = Dictionary(uniqueKeysWithValues: window.enumerated().map { ($1, $0) })
            func effect(of value: Int, on step: Step) -> Effect {
                let inside = graph.readers[value].compactMap { positions[$0] }
                return Effect(
                    byteCount: graph.byteCounts[value], readers: inside.reduce(0) { $0 | 1 << UInt64($1) },
                    outlives: graph.isKept[value] || inside.count < outside.waiting[value],
                    isNew: graph.producers[value] == nil && outside.waiting[value] == graph.readers[value].count,
                    isTakenOver: step.inPlaceInput == value)
            }
            let steps = window.map { graph.steps[$0] }
            needs = steps.map { step in
                step.inputs.reduce(0) { needs, input in
                    graph.producers[input].flatMap { positions[$0] }.map { needs | 1 << UInt64($0) } ?? needs
                }
            }
            inputs = steps.map { step in step.inputs.map { effect(of: $0, on: step) } }
            outputs = steps.map { step in step.outputs.map { effect(of: $0, on: step) } }
            workspaces = steps.map(\.workspaceBytes)
        }

        /// Bytes that are live while the step runs and after it, more than before.
        func cost(_ step: Int, after done: UInt64) -> (during: Int, growth: Int) {
            let after = done | 1 << UInt64(step)
            var (grown, freed, shared) = (0, 0, 0)
            for input in inputs[step] {
                if input.isNew && input.readers & done == 0 { grown += input.byteCount }
                guard !input.outlives, input.readers & ~after == 0 else { continue }
                freed += input.byteCount
                if input.isTakenOver { shared = input.byteCount }
            }
            for output in outputs[step] {
                grown += output.byteCount
                if !output.outlives && output.readers == 0 { freed += output.byteCount }
            }
            return (grown - shared + workspaces[step], grown - freed)
        }
    }
}

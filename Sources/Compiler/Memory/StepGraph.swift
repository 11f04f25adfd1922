// SPDX-License-Identifier: Apache-2.0

/// What the choice of an order needs to know about steps: who makes, reads and outlives what, in bytes.
package struct StepGraph: Sendable {
    package struct Step: Sendable {
        /// Values that the step reads, each once, and makes.
        package var inputs: [Int]
        package var outputs: [Int]
        package var workspaceBytes: Int
        /// The input whose memory the first output takes over if nobody else needs it any more.
        package var inPlaceInput: Int?
        /// Work on a queued device: the earlier it is given, the longer it may run beside other work.
        package var isQueued = false

        package init(inputs: [Int], outputs: [Int], workspaceBytes: Int = 0, inPlaceInput: Int? = nil) {
            self.inputs = inputs
            self.outputs = outputs
            self.workspaceBytes = workspaceBytes
            self.inPlaceInput = inPlaceInput
        }
    }

    /// In an order in which every value is made before it is read.
    package let steps: [Step]
    /// By value.
    let byteCounts: [Int]
    let readers: [[Int]]
    /// The step that makes a value; nil for a graph input, which takes memory from its first reader on.
    package let producers: [Int?]
    /// Values that stay until the end.
    let isKept: [Bool]

    package init(_ steps: [Step], byteCounts: [Int], kept: [Int]) {
        self.steps = steps
        self.byteCounts = byteCounts
        var readers = [[Int]](repeating: [], count: byteCounts.count)
        var producers = [Int?](repeating: nil, count: byteCounts.count)
        for (index, step) in steps.enumerated() {
            for input in step.inputs { readers[input].append(index) }
            for output in step.outputs { producers[output] = index }
        }
        var isKept = [Bool](repeating: false, count: byteCounts.count)
        for value in kept { isKept[value] = true }
        self.readers = readers
        self.producers = producers
        self.isKept = isKept
    }

    /// Live bytes while each step of an order runs, and after the last.
    func liveBytes(_ order: some Collection<Int>) -> [Int] {
        var state = State(self)
        var live: [Int] = []
        live.reserveCapacity(order.count + 1)
        for step in order { live.append(state.run(step)) }
        return live + [state.live]
    }

    package func peak(_ order: some Collection<Int>) -> Int {
        var state = State(self)
        var peak = 0
        for step in order { peak = max(peak, state.run(step)) }
        return max(peak, state.live)
    }

    /// The memory after some steps.
    struct State {
        private let graph: StepGraph
        /// Readers that have not run, by value.
        private(set) var waiting: [Int]
        private var isThere: [Bool]
        private(set) var live = 0

        init(_ graph: StepGraph) {
            self.graph = graph
            waiting = graph.readers.map(\.count)
            isThere = [Bool](repeating: false, count: waiting.count)
        }

        /// How many bytes more are live after the step than before.
        func growth(_ index: Int) -> Int {
            let step = graph.steps[index]
            var growth = 0
            for output in step.outputs where graph.isKept[output] || waiting[output] > 0 { growth += graph.byteCounts[output] }
            for input in step.inputs {
                if !isThere[input] && graph.producers[input] == nil { growth += graph.byteCounts[input] }
                if waiting[input] == 1 && !graph.isKept[input] { growth -= graph.byteCounts[input] }
            }
            return growth
        }

        /// Returns the live bytes while the step runs.
        mutating func run(_ index: Int) -> Int {
            let step = graph.steps[index]
            for input in step.inputs where !isThere[input] {
                isThere[input] = true
                if graph.producers[input] == nil { live += graph.byteCounts[input] }
            }
            var freed = 0
            for input in step.inputs {
                waiting[input] -= 1
                if waiting[input] == 0 && !graph.isKept[input] { freed += graph.byteCounts[input] }
            }
            for output in step.outputs {
                isThere[output] = true
                live += graph.byteCounts[output]
                if waiting[output] == 0 && !graph.isKept[output] { freed += graph.byteCounts[output] }
            }
            var shared = 0
            if let input = step.inPlaceInput, waiting[input] == 0, !graph.isKept[input] { shared = graph.byteCounts[input] }
            let peak = live - shared + step.workspaceBytes
            live -= freed
            return peak
        }
    }
}

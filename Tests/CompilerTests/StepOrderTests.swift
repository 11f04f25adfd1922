// SPDX-License-Identifier: Apache-2.0
import Compiler
import Testing

/// Orders of steps that keep little in memory at once.
@Suite struct StepOrderTests {
    private func random(_ count: Int, window: Int, seed: UInt64) -> StepGraph {
        var generator = Generator(state: seed)
        var sizes = [64]
        var steps: [StepGraph.Step] = []
        for index in 0..<count {
            let inputs = Set((0...generator.next(below: 3)).map { _ in max(0, index - generator.next(below: window)) }).sorted()
            let inPlace = generator.next(below: 3) == 0 ? inputs[0] : nil
            sizes.append(inPlace.map { sizes[$0] } ?? 1 + generator.next(below: 100))
            steps.append(
                StepGraph.Step(
                    inputs: inputs, outputs: [index + 1], workspaceBytes: generator.next(below: 4) == 0 ? 30 : 0, inPlaceInput: inPlace))
        }
        return StepGraph(steps, byteCounts: sizes, kept: [count])
    }

    private func isValid(_ order: [Int], _ graph: StepGraph) -> Bool {
        var position = [Int](repeating: -1, count: graph.steps.count)
        for (index, step) in order.enumerated() { position[step] = index }
        guard order.count == graph.steps.count, !position.contains(-1) else { return false }
        return graph.steps.indices.allSatisfy { step in
            graph.steps[step].inputs.allSatisfy { graph.producers[$0].map { position[$0] < position[step] } ?? true }
        }
    }

    @Test(arguments: 0..<40) func ordersAreValidAndNeverWorse(seed: Int) {
        let graph = random(20 + 10 * seed, window: 1 + seed, seed: UInt64(seed))
        let choice = StepOrder(graph)
        #expect(isValid(choice.order, graph))
        #expect(choice.peak == graph.peak(choice.order))
        #expect(choice.peak <= graph.peak(Array(graph.steps.indices)))
        for order in [graph.depthFirstOrder(), graph.leastGrowthOrder(), graph.branchOrder()] { #expect(isValid(order, graph)) }
    }

    /// Against every order there is.
    @Test func smallGraphsGetTheBestOrder() {
        var improved = 0
        for seed in 0..<60 {
            let graph = random(7, window: 6, seed: UInt64(1000 + seed))
            var best = Int.max
            func extend(_ order: [Int], _ left: Set<Int>) {
                if left.isEmpty { best = min(best, graph.peak(order)) }
                for step in left where graph.steps[step].inputs.allSatisfy({ graph.producers[$0].map(order.contains) ?? true }) {
                    extend(order + [step], left.subtracting([step]))
                }
            }
            extend([], Set(graph.steps.indices))
            let choice = StepOrder(graph)
            #expect(choice.peak == best)
            improved += best < graph.peak(Array(graph.steps.indices)) ? 1 : 0
        }
        #expect(improved > 10)
    }

    /// Four wide branches that each come down to little: one after the other, not side by side as they are given.
    @Test func branchesRunOneAfterTheOther() {
        var steps: [StepGraph.Step] = []
        for branch in 0..<4 { steps.append(StepGraph.Step(inputs: [0], outputs: [1 + branch])) }
        for branch in 0..<4 { steps.append(StepGraph.Step(inputs: [1 + branch], outputs: [5 + branch])) }
        steps.append(StepGraph.Step(inputs: [5, 6, 7, 8], outputs: [9]))
        let graph = StepGraph(steps, byteCounts: [10] + [1000, 1000, 1000, 1000, 1, 1, 1, 1, 4], kept: [9])
        #expect(graph.peak(Array(steps.indices)) == 4010)
        #expect(StepOrder(graph).peak == 1000 + 10 + 3)
    }

    /// Of orders that need equally much the one whose work for the queue comes first.
    @Test func queuesAreFedEarly() {
        var queued = StepGraph.Step(inputs: [0], outputs: [2])
        queued.isQueued = true
        let steps = [StepGraph.Step(inputs: [0], outputs: [1]), queued, StepGraph.Step(inputs: [1, 2], outputs: [3])]
        let graph = StepGraph(steps, byteCounts: [8, 8, 8, 8], kept: [3])
        let choice = StepOrder(graph)
        #expect(choice.order == [1, 0, 2] && choice.peak == 24)
    }

    @Test(.timeLimit(.minutes(1))) func oneHundredThousandSteps() {
        let graph = random(100_000, window: 30, seed: 11)
        let start = ContinuousClock.now
        let choice = StepOrder(graph)
        print(
            "100,000 steps: ordered in \(ContinuousClock.now - start): \(choice.name), \(graph.peak(Array(graph.steps.indices))) to \(choice.peak)"
        )
        #expect(isValid(choice.order, graph))
    }
}

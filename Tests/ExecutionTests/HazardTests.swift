// SPDX-License-Identifier: Apache-2.0
import Execution
import Tensors
import Testing

/// Which waits keep side-by-side work in order: tables of small cases, and random ones against a slower definition.
@Suite struct HazardTests {
    private static let lanes = [
        Hazards.Lane(device: -1, hasEvents: false), Hazards.Lane(device: 0, hasEvents: true), Hazards.Lane(device: 0, hasEvents: true),
        Hazards.Lane(device: 1, hasEvents: true), Hazards.Lane(device: 2, hasEvents: false),
    ]

    private static func step(_ lane: Int, reads: [Range<Int>] = [], writes: [Range<Int>] = [], hostReads: [Range<Int>] = []) -> Hazards.Step
    {
        func accesses(_ ranges: [Range<Int>], _ isWrite: Bool) -> [Access] {
            ranges.map { Access(memory: 0, bytes: $0, isWrite: isWrite) }
        }
        return Hazards.Step(lane: lane, accesses: accesses(reads, false) + accesses(writes, true), hostReads: accesses(hostReads, false))
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let steps: [Hazards.Step]
        /// step, target, by the host
        let waits: [(Int, Int, Bool)]
    }

    private static let cases = [
        Case(testDescription: "read after write", steps: [step(1, writes: [0..<8]), step(2, reads: [7..<9])], waits: [(1, 0, false)]),
        Case(testDescription: "write after read", steps: [step(1, reads: [0..<8]), step(2, writes: [0..<1])], waits: [(1, 0, false)]),
        Case(testDescription: "write after write", steps: [step(1, writes: [0..<8]), step(2, writes: [4..<5])], waits: [(1, 0, false)]),
        Case(testDescription: "two reads", steps: [step(1, reads: [0..<8]), step(2, reads: [0..<8])], waits: []),
        Case(testDescription: "neighbours", steps: [step(1, writes: [0..<8]), step(2, writes: [8..<16])], waits: []),
        Case(testDescription: "one lane", steps: [step(1, writes: [0..<8]), step(1, reads: [0..<8])], waits: []),
        Case(testDescription: "the host's own work is done", steps: [step(0, writes: [0..<8]), step(1, reads: [0..<8])], waits: []),
        Case(testDescription: "the host reads", steps: [step(1, writes: [0..<8]), step(0, reads: [0..<8])], waits: [(1, 0, true)]),
        Case(testDescription: "other device", steps: [step(1, writes: [0..<8]), step(3, reads: [0..<8])], waits: [(1, 0, true)]),
        Case(testDescription: "no events", steps: [step(4, writes: [0..<8]), step(1, reads: [0..<8])], waits: [(1, 0, true)]),
        Case(
            testDescription: "one wait for two writers of a lane",
            steps: [step(1, writes: [0..<4]), step(1, writes: [4..<8]), step(2, reads: [0..<8])], waits: [(2, 1, false)]),
        Case(
            testDescription: "waited already",
            steps: [step(1, writes: [0..<4]), step(2, reads: [0..<4]), step(2, reads: [0..<4])], waits: [(1, 0, false)]),
        Case(
            testDescription: "what the awaited one came after",
            steps: [
                step(1, writes: [0..<4]), step(2, reads: [0..<4], writes: [8..<12]), step(1, reads: [8..<12]), step(0, reads: [0..<12]),
            ],
            waits: [(1, 0, false), (2, 1, false), (3, 1, true)]),
        Case(
            testDescription: "what the host waited for is done for all",
            steps: [step(1, writes: [0..<4]), step(0, reads: [0..<4]), step(2, reads: [0..<4])], waits: [(1, 0, true)]),
        Case(
            testDescription: "overwritten before it is read",
            steps: [step(1, writes: [0..<4]), step(2, writes: [0..<4]), step(3, reads: [0..<4])], waits: [(1, 0, false), (2, 1, true)]),
        Case(
            testDescription: "read while the launch is given",
            steps: [step(2, writes: [0..<4]), step(1, reads: [0..<4], hostReads: [0..<4])], waits: [(1, 0, true)]),
        Case(
            testDescription: "readers of both lanes before a write",
            steps: [step(1, reads: [0..<8]), step(2, reads: [4..<12]), step(3, writes: [6..<7])], waits: [(2, 1, true), (2, 0, true)]),
    ]

    @Test(arguments: cases) func waits(_ example: Case) {
        let found = Hazards(example.steps, lanes: Self.lanes).waits
        #expect(found.map(\.step) == example.waits.map(\.0))
        #expect(found.map(\.target) == example.waits.map(\.1))
        #expect(found.map(\.byHost) == example.waits.map(\.2))
    }

    /// Every pair of steps that meet is in order, and without any one of the waits some pair is not.
    @Test(arguments: 0..<200) func randomStepsAreInOrderAndNoWaitIsIdle(seed: Int) {
        let random = CounterRandom(seed: UInt64(seed), case: "hazards", tensor: "")
        var count: UInt64 = 0
        func draw(_ bound: Int) -> Int {
            count += 1
            return Int(random.integer(count, below: UInt64(bound)))
        }
        let steps = (0..<12).map { _ in
            func ranges() -> [Range<Int>] {
                (0..<draw(3)).map { _ in
                    let start = draw(24)
                    return start..<start + 1 + draw(8)
                }
            }
            return Self.step(draw(Self.lanes.count), reads: ranges(), writes: ranges(), hostReads: draw(6) == 0 ? ranges() : [])
        }
        let waits = Hazards(steps, lanes: Self.lanes).waits
        #expect(firstRace(steps, waits) == nil)
        for index in waits.indices {
            var fewer = waits
            let wait = fewer.remove(at: index)
            #expect(firstRace(steps, fewer) != nil, "\(wait) is not needed")
        }
    }

    /// The first two steps that meet, and nothing keeps in order.
    private func firstRace(_ steps: [Hazards.Step], _ waits: [Hazards.Wait]) -> (Int, Int)? {
        var done = [Set<Int>](repeating: [], count: Self.lanes.count)  // by lane: what is done before its next step
        var before: [Set<Int>] = []  // by step: what is done before it, and it
        for (index, step) in steps.enumerated() {
            for wait in waits where wait.step == index {
                var learned = before[wait.target]
                let lane = steps[wait.target].lane
                if !Self.lanes[lane].hasEvents {
                    for other in 0..<index where steps[other].lane == lane { learned.formUnion(before[other]) }
                }
                done[wait.byHost ? 0 : step.lane].formUnion(learned)
            }
            func unordered(_ accesses: [Access], _ known: Set<Int>) -> Int? {
                (0..<index).first { other in
                    !known.contains(other)
                        && accesses.contains { one in
                            (steps[other].accesses + steps[other].hostReads).contains { another in
                                one.bytes.overlaps(another.bytes) && (one.isWrite || another.isWrite)
                            }
                        }
                }
            }
            done[step.lane].formUnion(done[0])
            if let other = unordered(step.hostReads, done[0]) ?? unordered(step.accesses, done[step.lane]) { return (other, index) }
            before.append(done[step.lane].union([index]))
            done[step.lane].insert(index)
        }
        return nil
    }
}

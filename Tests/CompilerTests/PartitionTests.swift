// SPDX-License-Identifier: Apache-2.0
import Compiler
import Tensors
import Testing

/// Placement as a question of costs, without plugins.
struct PartitionTests {
    @Test("within 5 % of the exhaustive optimum on random graphs", arguments: 0..<50)
    func nearOptimum(seed: Int) {
        let problem = RandomPartition(seed: seed).problem(parts: 4 + seed % 9, deviceCount: 2 + seed % 2)
        let found = problem.solve()
        let least = problem.exhaustive()
        #expect(abs(found.seconds - problem.seconds(found.devices)) <= 1e-12 * found.seconds)
        #expect(found.seconds <= least * 1.05)
        #expect(found.seconds >= least * (1 - 1e-12))
        for device in 0..<problem.deviceCount { #expect(found.seconds <= problem.seconds(problem.allOn(device)) * (1 + 1e-12)) }
    }

    @Test("the optimum on trees, up to the least gain that a split must bring", arguments: 0..<30)
    func trees(seed: Int) {
        let problem = RandomPartition(seed: 1000 + seed).tree(parts: 3 + seed % 10, deviceCount: 2 + seed % 2, towardsRoot: seed % 4 < 2)
        let found = problem.solve()
        let single = (0..<problem.deviceCount).map { problem.seconds(problem.allOn($0)) }.min() ?? 0
        let least = problem.exhaustive()
        let expected = least <= single * (1 - PartitionProblem.minimumGain) ? least : single
        #expect(found.isOptimal)
        #expect(abs(found.seconds - expected) <= 1e-9 * expected)
    }

    @Test("large trees are solved exactly: the same as a dynamic programme from the leaves to the root", arguments: [2, 3])
    func largeTrees(deviceCount: Int) {
        let random = RandomPartition(seed: 7 + deviceCount)
        let problem = random.tree(parts: 3000, deviceCount: deviceCount, towardsRoot: true)
        let found = problem.solve()
        #expect(found.isOptimal)
        let least = problem.treeOptimum()
        #expect(abs(found.seconds - least) <= 1e-9 * least)
    }

    @Test("more devices than one search weighs")
    func manyDevices() {
        for seed in 0..<10 {
            let problem = RandomPartition(seed: 50 + seed).problem(parts: 7, deviceCount: 5)
            #expect(problem.solve().seconds <= problem.exhaustive() * 1.05)
        }
    }

    @Test("a value that many parts read is copied once")
    func copiedOnce() {
        // One maker, twenty readers that are much faster elsewhere; each copy alone would cost more than a reader saves.
        let line = CopyCosts.Line(latency: 8, secondsPerByte: 0)
        let copies = CopyCosts(direct: [[nil, line], [line, nil]], toHost: [.free, line], fromHost: [.free, line])
        let problem = PartitionProblem(
            costs: [[1, .infinity]] + [[Double]](repeating: [2, 1], count: 20),
            flows: [.init(source: 0, readers: Array(1...20), byteCount: 4)], copies: copies)
        #expect(problem.solve().devices == [0] + [Int](repeating: 1, count: 20))
        #expect(problem.solve().seconds == 1 + 8 + 20)
    }

    @Test("costs that are the same go to the device named first; a gain that is too small moves nothing")
    func preference() {
        let line = CopyCosts.Line(latency: 0, secondsPerByte: 0)
        let copies = CopyCosts(direct: [[nil, line], [line, nil]], toHost: [line, line], fromHost: [line, line])
        let flows = [PartitionProblem.Flow(source: 0, readers: [1], alsoHost: true, byteCount: 1)]
        #expect(PartitionProblem(costs: [[1, 1], [1, 1]], flows: flows, copies: copies).solve().devices == [0, 0])
        #expect(PartitionProblem(costs: [[1, 0.999], [1, 1]], flows: flows, copies: copies).solve().devices == [1, 1])
        #expect(PartitionProblem(costs: [[1, 0.999], [1, 1.001]], flows: flows, copies: copies).solve().devices == [0, 0])
        #expect(PartitionProblem(costs: [[1, 0.5], [1, 2]], flows: flows, copies: copies).solve().devices == [1, 0])
    }

    @Test("a value that no link carries goes by the host, and the way there is paid once")
    func byTheHost() {
        let line = CopyCosts.Line(latency: 1, secondsPerByte: 0.5)
        let copies = CopyCosts(
            direct: [[nil, nil, nil], [nil, nil, nil], [nil, nil, nil]], toHost: [line, line, line], fromHost: [line, line, line])
        #expect(copies.seconds(2, from: 0, to: 0b110, alsoHost: false) == 6)
        #expect(copies.seconds(2, from: 0, to: 0b111, alsoHost: true) == 6)
        #expect(copies.seconds(2, from: nil, to: 0b011, alsoHost: false) == 4)
        #expect(copies.seconds(2, from: 1, to: 0b010, alsoHost: true) == 2)
    }

    @Test("work grows about linearly with the graph: no table is larger at 100,000 parts than at 1,000")
    func scaling() {
        var largest: [Int: Double] = [:]
        for parts in [1_000, 10_000, 100_000] {
            let problem = RandomPartition(seed: 3).network(parts: parts, deviceCount: 3)
            let clock = ContinuousClock()
            let start = clock.now
            let found = problem.solve()
            largest[parts] = (clock.now - start) / .seconds(1)
            for device in 0..<3 { #expect(found.seconds <= problem.seconds(problem.allOn(device))) }
        }
        print("partition of 1,000, 10,000 and 100,000 parts: \([1_000, 10_000, 100_000].map { largest[$0]! }) s")
    }
}

// SPDX-License-Identifier: Apache-2.0
import Compiler
import Tensors
import Testing

/// Where casts go, against every other way.
struct CastProblemTests {
    @Test("as few bytes as any choice of sides, on random graphs", arguments: 0..<400)
    func leastBytes(seed: Int) {
        let problem = Self.random(seed)
        let isNarrow = problem.solution()
        for (side, isNarrow) in zip(problem.sides, isNarrow) where side != .either { #expect(isNarrow == (side == .narrow)) }
        let (least, most) = Self.exhaustive(problem)
        #expect(problem.cost(of: isNarrow) == least)
        // Of the cheapest choices that with the most narrow nodes.
        #expect(isNarrow.count(where: \.self) == most)
    }

    @Test("the random graphs are no easy ones")
    func hard() {
        let problems = (0..<400).map { Self.random($0) }
        let betterThanAllWide = problems.count { problem in
            problem.cost(of: problem.solution()) < problem.cost(of: problem.sides.map { $0 == .narrow })
        }
        let betterThanAllNarrow = problems.count { problem in
            problem.cost(of: problem.solution()) < problem.cost(of: problem.sides.map { $0 != .wide })
        }
        #expect(betterThanAllWide > 100 && betterThanAllNarrow > 50, "\(betterThanAllWide), \(betterThanAllNarrow)")
    }

    @Test("all readers of one side share a cast")
    func shared() {
        // A product, five sensitive readers, and a sum between them and another product.
        var problem = CastProblem(sides: [.narrow] + [CastProblem.Side](repeating: .wide, count: 5) + [.either, .narrow])
        problem.values = [
            .init(maker: 0, readers: [1, 2, 3, 4, 5, 6], bytes: 100), .init(maker: 6, readers: [7], bytes: 100),
            .init(maker: 7, readers: [], isReadWide: true, bytes: 1),
        ]
        let isNarrow = problem.solution()
        #expect(isNarrow[6])
        #expect(problem.cost(of: isNarrow) == 101)
    }

    @Test("100,000 nodes: a chain, and a stream that every layer adds to", .timeLimit(.minutes(1)))
    func large() {
        let count = 100_000
        var chain = CastProblem(sides: (0..<count).map { $0 == 0 ? .narrow : $0 == count - 1 ? .wide : .either })
        // The one narrow place is far from both ends.
        chain.values = (0..<count).map { .init(maker: $0, readers: $0 + 1 < count ? [$0 + 1] : [], bytes: $0 == 70_000 ? 3 : 8) }
        #expect(chain.cost(of: chain.solution()) == 3)
        #expect(chain.solution().count(where: \.self) == 70_001)

        // By layer: a norm (wide), a product (narrow), an activation, and a sum with the stream.
        var stream = CastProblem()
        for layer in 0..<count / 4 {
            let first = 4 * layer
            stream.sides += [.wide, .narrow, .either, .either]
            let width = 8 + layer * 7 % 5
            stream.values += [
                .init(maker: first, readers: [first + 1], bytes: width), .init(maker: first + 1, readers: [first + 2], bytes: 4 * width),
                .init(maker: first + 2, readers: [first + 3], bytes: width),
                .init(
                    maker: first + 3, readers: layer + 1 < count / 4 ? [first + 4, first + 7] : [], isReadWide: layer + 1 == count / 4,
                    bytes: width),
            ]
        }
        let isNarrow = stream.solution()
        // The cut that leaves the stream wide casts in front of and behind each product, and nothing can do with less than the former.
        let least = stream.values.indices.filter { $0 % 4 == 0 }.reduce(0) { $0 + stream.values[$1].bytes }
        #expect(stream.cost(of: isNarrow) >= least)
        #expect(stream.cost(of: isNarrow) <= stream.cost(of: stream.sides.indices.map { $0 % 4 == 1 || $0 % 4 == 2 }))
    }

    // MARK: By hand

    private static func random(_ seed: Int) -> CastProblem {
        let random = CounterRandom(seed: UInt64(seed), case: "casts", tensor: "graph")
        var drawn: UInt64 = 0
        func below(_ limit: Int) -> Int {
            drawn += 1
            return Int(random.integer(drawn, below: UInt64(limit)))
        }
        let count = 3 + below(10)
        var problem = CastProblem()
        for _ in 0..<count { problem.sides.append([.wide, .narrow, .either, .either, .either][below(5)]) }
        problem.values.append(.init(maker: nil, readers: [], bytes: 1 + below(9)))
        for node in 0..<count {
            // Reads one or two of the values before it.
            for _ in 0...below(2) {
                let source = below(problem.values.count)
                if !problem.values[source].readers.contains(node) { problem.values[source].readers.append(node) }
            }
            for _ in 0...below(2) { problem.values.append(.init(maker: node, readers: [], isReadWide: below(6) == 0, bytes: 1 + below(9))) }
        }
        return problem
    }

    /// The least cost, and the most narrow nodes among the choices that cost it, nodes that nothing narrow has to do with left wide.
    private static func exhaustive(_ problem: CastProblem) -> (least: Int, most: Int) {
        let free = problem.sides.indices.filter { problem.sides[$0] == .either }
        let connected = reachedByNarrow(problem)
        var (least, most) = (Int.max, 0)
        for choice in 0..<1 << free.count {
            var isNarrow = problem.sides.map { $0 == .narrow }
            for (bit, node) in free.enumerated() { isNarrow[node] = choice >> bit & 1 == 1 }
            let cost = problem.cost(of: isNarrow)
            let narrow = isNarrow.indices.count { isNarrow[$0] && (problem.sides[$0] == .narrow || connected.contains($0)) }
            if cost < least { (least, most) = (cost, narrow) } else if cost == least { most = max(most, narrow) }
        }
        return (least, most)
    }

    /// Free nodes that a path of free nodes joins to one that must be narrow.
    private static func reachedByNarrow(_ problem: CastProblem) -> Set<Int> {
        var reached = Set(problem.sides.indices.filter { problem.sides[$0] == .narrow })
        var grows = true
        while grows {
            grows = false
            for value in problem.values {
                let members = (value.maker.map { [$0] } ?? []) + value.readers
                let touching = members.contains { reached.contains($0) }
                for member in members where touching && problem.sides[member] == .either && reached.insert(member).inserted { grows = true }
            }
        }
        return reached
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Where each tensor lies in one arena of memory, so that tensors that are never needed together share it.
package struct ArenaPlan: Sendable {
    /// By tensor, in bytes, each a multiple of the alignment.
    package let offsets: [Int]
    package let byteCount: Int
    /// The largest sum of sizes that are live at one step: no plan for this order of steps can be smaller.
    package let lowerBound: Int
    /// How the offsets were found.
    package let strategy: String

    package init(offsets: [Int], byteCount: Int, lowerBound: Int, strategy: String) {
        self.offsets = offsets
        self.byteCount = byteCount
        self.lowerBound = lowerBound
        self.strategy = strategy
    }

    /// Comparisons of two tensors that live together which all strategies may make in one plan: about a second.
    private static let mostComparisons = 8_000_000

    /// The smallest plan of several strategies; of equal ones the first. The cheapest strategy takes O(n log n) and is always tried, others as long as the
    /// plan is above its bound and the number of pairs of tensors that live together allows it.
    package init(_ lifetimes: [Lifetime], alignment: Int) {
        let problem = Packing.Problem(lifetimes, alignment: alignment)
        var best = problem.swept()
        var left = Self.mostComparisons
        // Sorting and looking up count, too.
        let price = problem.pairCount + 16 * lifetimes.count
        for order in Packing.Order.allCases {
            for fit in Packing.Fit.allCases where best.byteCount > problem.lowerBound && left >= price {
                left -= price
                let packing = problem.packed(problem.sorted(order), fit, strategy: "\(order.rawValue), \(fit.rawValue)")
                if packing.byteCount < best.byteCount { best = packing }
            }
        }
        if best.byteCount > problem.lowerBound { best = problem.improved(best, comparisons: left) }
        self.init(offsets: best.offsets, byteCount: best.byteCount, lowerBound: problem.lowerBound, strategy: best.strategy)
    }
}

/// Why a plan cannot be used; numbers are tensors.
package enum PlanFault: Sendable, Hashable {
    /// Share bytes while both are live.
    case conflict(Int, Int)
    case misaligned(Int)
    /// Reaches past the end of the arena, or lies before its beginning.
    case outside(Int)
    case count(expected: Int, given: Int)

    /// - Parameter name: of a tensor.
    package func description(_ name: (Int) -> String) -> String {
        switch self {
        case .conflict(let one, let other): "'\(name(one))' and '\(name(other))' share bytes while both are needed"
        case .misaligned(let tensor): "the offset of '\(name(tensor))' is not a multiple of the alignment"
        case .outside(let tensor): "'\(name(tensor))' does not lie within the arena"
        case .count(let expected, let given): "\(given) offsets for \(expected) tensors"
        }
    }
}

extension ArenaPlan {
    /// The first fault; nil proves that every tensor is aligned, lies within the arena, and shares no byte with another one while both are live. O(n log n).
    package func firstFault(_ lifetimes: [Lifetime], alignment: Int) -> PlanFault? {
        guard offsets.count == lifetimes.count else { return .count(expected: lifetimes.count, given: offsets.count) }
        for (tensor, offset) in offsets.enumerated() {
            if offset % alignment != 0 { return .misaligned(tensor) }
            let size = lifetimes[tensor].byteCount
            if offset < 0 || size > byteCount || offset > byteCount - size { return .outside(tensor) }
        }
        // Step by step: a tensor that comes must not meet one that is there. Those that are there do not meet each other.
        let tensors = lifetimes.indices.filter { lifetimes[$0].byteCount > 0 }
        let byFirst = tensors.sorted { (lifetimes[$0].first, $0) < (lifetimes[$1].first, $1) }
        let byLast = tensors.sorted { (lifetimes[$0].last, $0) < (lifetimes[$1].last, $1) }
        var live = IntervalIndex(lifetimes.indices.map { (offsets[$0], offsets[$0] + max(lifetimes[$0].byteCount, 1) - 1) })
        var gone = 0
        for tensor in byFirst {
            while gone < byLast.count, lifetimes[byLast[gone]].last < lifetimes[tensor].first {
                live.remove(byLast[gone])
                gone += 1
            }
            if let other = live.first(meeting: offsets[tensor], offsets[tensor] + lifetimes[tensor].byteCount - 1) {
                return .conflict(other, tensor)
            }
            live.insert(tensor)
        }
        return nil
    }
}

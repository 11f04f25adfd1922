// SPDX-License-Identifier: Apache-2.0

/// The fewest wishes that meet every one of a list of needs, each of them by one of its ways.
///
/// Found by branch and bound: the need with the fewest ways left is met first, and needs that share no wish add up to a lower bound. The number of steps is
/// limited; where it does not suffice, the best set so far is given, and said not to be proven.
package struct SmallestSet {
    package private(set) var wishes: WishSet
    /// There is no smaller one.
    package private(set) var isExact = true

    private var stepsLeft: Int

    /// - Parameter needs: the ways of each; none of them is without a way.
    package init(_ needs: [[WishSet]], stepLimit: Int = 100_000) {
        stepsLeft = stepLimit
        // First without a search: one need after the other, by the way that adds least.
        wishes = WishSet()
        let needs = Set(needs).sorted { ($0.count, $0[0]) < ($1.count, $1[0]) }
        for ways in needs {
            wishes = wishes.union(ways.min { $0.subtracting(wishes).count < $1.subtracting(wishes).count } ?? WishSet())
        }
        search(needs, chosen: WishSet())
    }

    private mutating func search(_ needs: [[WishSet]], chosen: WishSet) {
        guard stepsLeft > 0 else {
            isExact = false
            return
        }
        stepsLeft -= 1
        var open: [(ways: [WishSet], least: Int)] = []
        for ways in needs {
            let left = Self.reduced(ways, by: chosen)
            if let first = left.first, !first.isEmpty { open.append((left, first.count)) }
        }
        guard chosen.count + Self.bound(open) < wishes.count else { return }
        guard let next = open.min(by: { ($0.ways.count, -$0.least) < ($1.ways.count, -$1.least) }) else {
            wishes = chosen
            return
        }
        for way in next.ways { search(open.map(\.ways), chosen: chosen.union(way)) }
    }

    /// What the ways still lack, none with another one in it, the smallest first.
    private static func reduced(_ ways: [WishSet], by chosen: WishSet) -> [WishSet] {
        var least: [WishSet] = []
        for way in ways.map({ $0.subtracting(chosen) }).sorted(by: { $0.count < $1.count })
        where !least.contains(where: { $0.isSubset(of: way) }) {
            least.append(way)
        }
        return least
    }

    /// Needs without a common wish cannot be met by the same one.
    private static func bound(_ open: [(ways: [WishSet], least: Int)]) -> Int {
        var (taken, bound) = (WishSet(), 0)
        for (ways, least) in open.sorted(by: { $0.ways.count < $1.ways.count }) {
            let all = ways.reduce(WishSet()) { $0.union($1) }
            guard all.isDisjoint(with: taken) else { continue }
            taken = taken.union(all)
            bound += least
        }
        return bound
    }
}

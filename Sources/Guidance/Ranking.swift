// SPDX-License-Identifier: Apache-2.0
import Compiler
import Southbound

/// The order in which wishes are best met.
///
/// A model counts twice: by the share of its time that the device runs, and once more when it runs all of it. Looked at are single wishes, the ways of every node, and
/// the smallest set that each model still lacks; the best by what it brings per kernel is begun with its most useful wish, and then all is judged anew.
struct Ranking {
    struct Step {
        let wish: Int
        /// Those with which it begins to count, itself among them.
        let bundle: WishSet
    }

    private let models: [ModelGaps]
    private let table: WishTable
    /// Nodes with the same ways are one, by model.
    private let classes: [[(ways: [WishSet], count: Int, share: Double)]]
    /// How many nodes would ask for each wish: decides between equals.
    private let useCounts: [Int]

    init(_ models: [ModelGaps], _ table: WishTable) {
        self.models = models
        self.table = table
        var uses = [Int](repeating: 0, count: table.wishes.count)
        classes = models.map { model in
            var groups: [[WishSet]: (count: Int, seconds: Double)] = [:]
            for node in model.nodes {
                groups[node.ways, default: (0, 0)].count += 1
                groups[node.ways]?.seconds += node.need.seconds
                for number in node.ways.first?.numbers ?? [] { uses[number] += 1 }
            }
            return groups.map { ($0.key, $0.value.count, model.seconds > 0 ? $0.value.seconds / model.seconds : 0) }
                .sorted { ($0.1, $0.2, $0.0.first ?? WishSet()) < ($1.1, $1.2, $1.0.first ?? WishSet()) }
        }
        useCounts = uses
    }

    /// All wishes that are worth something, in order.
    func steps() -> [Step] {
        var met = WishSet()
        var steps: [Step] = []
        while let step = next(after: met) {
            steps.append(step)
            met = met.union(WishSet([step.wish]))
        }
        return steps
    }

    private func next(after met: WishSet) -> Step? {
        let scored = bundles(beyond: met).map { (bundle: $0, perWish: value(of: $0, met) / Double($0.count)) }
        guard let (best, perWish) = scored.max(by: isWorse), perWish > 0 else { return nil }
        let first = best.numbers.max { one, other in
            let (a, b) = (value(of: WishSet([one]), met), value(of: WishSet([other]), met))
            if a != b { return a < b }
            if useCounts[one] != useCounts[other] { return useCounts[one] < useCounts[other] }
            return table.wishes[one] > table.wishes[other]
        }
        return first.map { Step(wish: $0, bundle: best) }
    }

    private typealias Scored = (bundle: WishSet, perWish: Double)

    private func isWorse(_ one: Scored, _ other: Scored) -> Bool {
        // Sums in another order differ in their last bits.
        if abs(one.perWish - other.perWish) > 1e-12 * max(one.perWish, other.perWish) { return one.perWish < other.perWish }
        if one.bundle.count != other.bundle.count { return one.bundle.count > other.bundle.count }
        return table.wishes(in: other.bundle).lexicographicallyPrecedes(table.wishes(in: one.bundle))
    }

    private func bundles(beyond met: WishSet) -> [WishSet] {
        var bundles: Set<WishSet> = []
        for (model, classes) in zip(models, classes) {
            for group in classes where !group.ways.contains(where: { $0.isSubset(of: met) }) {
                for way in group.ways {
                    let left = way.subtracting(met)
                    bundles.insert(left)
                    for number in left.numbers { bundles.insert(WishSet([number])) }
                }
            }
            let needs = model.needs(beyond: met)
            if !needs.isEmpty { bundles.insert(SmallestSet(needs, stepLimit: 2_000).wishes) }
        }
        return Array(bundles)
    }

    /// What a bundle adds, a model's whole time and its completion counting 1 each. Nodes without time, by far less, so that they are not left over.
    private func value(of bundle: WishSet, _ met: WishSet) -> Double {
        let after = met.union(bundle)
        var value = 0.0
        for (model, classes) in zip(models, classes) {
            var (gained, isDone, wasDone) = (0.0, model.obstacles.isEmpty, true)
            for group in classes {
                if group.ways.contains(where: { $0.isSubset(of: met) }) { continue }
                wasDone = false
                if group.ways.contains(where: { $0.isSubset(of: after) }) {
                    gained += group.share + 1e-9 * Double(group.count)
                } else {
                    isDone = false
                }
            }
            value += gained + (isDone && !wasDone ? 1 : 0)
        }
        return value
    }
}

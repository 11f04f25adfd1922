// SPDX-License-Identifier: Apache-2.0

/// Intervals of integers, of which some are in the index: finds those among them that meet a given one.
///
/// A segment tree over all intervals in the order of their lower ends keeps the largest upper end of those in the index. Inserting and removing take O(log n),
/// finding k intervals O(k log n).
struct IntervalIndex {
    /// All intervals, in the order of their lower ends.
    private let order: [Int]
    private let lowers: [Int]
    private let ranks: [Int]
    private let uppers: [Int]
    /// Node i has the children 2i and 2i + 1; leaves begin at `leafCount`. `Int.min` where nothing is in the index.
    private var largest: [Int]
    private let leafCount: Int

    /// - Parameter intervals: both ends included. None is in the index yet.
    init(_ intervals: [(lower: Int, upper: Int)]) {
        order = intervals.indices.sorted { (intervals[$0].lower, $0) < (intervals[$1].lower, $1) }
        lowers = order.map { intervals[$0].lower }
        uppers = intervals.map(\.upper)
        var ranks = [Int](repeating: 0, count: intervals.count)
        for (rank, interval) in order.enumerated() { ranks[interval] = rank }
        self.ranks = ranks
        var leaves = 1
        while leaves < intervals.count { leaves *= 2 }
        leafCount = leaves
        largest = [Int](repeating: .min, count: 2 * leaves)
    }

    mutating func insert(_ interval: Int) { set(ranks[interval], uppers[interval]) }
    mutating func remove(_ interval: Int) { set(ranks[interval], .min) }

    private mutating func set(_ rank: Int, _ upper: Int) {
        var node = leafCount + rank
        largest[node] = upper
        while node > 1 {
            node /= 2
            largest[node] = max(largest[2 * node], largest[2 * node + 1])
        }
    }

    /// Any interval in the index that shares a number with `lower...upper`.
    func first(meeting lower: Int, _ upper: Int) -> Int? {
        var found: Int?
        visit(1, 0, leafCount, end(upper), lower) {
            found = $0
            return false
        }
        return found
    }

    /// Appends all intervals in the index that share a number with `lower...upper`.
    func append(meeting lower: Int, _ upper: Int, to found: inout [Int]) {
        visit(1, 0, leafCount, end(upper), lower) {
            found.append($0)
            return true
        }
    }

    /// How many of the intervals, in the index or not, begin at `upper` or before.
    private func end(_ upper: Int) -> Int {
        var low = 0
        var high = lowers.count
        while low < high {
            let middle = (low + high) / 2
            if lowers[middle] > upper { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// False once `body` has answered false.
    @discardableResult
    private func visit(_ node: Int, _ begin: Int, _ count: Int, _ end: Int, _ lower: Int, _ body: (Int) -> Bool) -> Bool {
        guard begin < end, largest[node] >= lower else { return true }
        if count == 1 { return body(order[begin]) }
        let half = count / 2
        return visit(2 * node, begin, half, end, lower, body) && visit(2 * node + 1, begin + half, half, end, lower, body)
    }
}

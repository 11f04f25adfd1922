// SPDX-License-Identifier: Apache-2.0

/// How long a tensor needs its memory: from step `first` to step `last`, both included.
package struct Lifetime: Sendable, Hashable {
    package var byteCount: Int
    package var first: Int
    package var last: Int

    package init(byteCount: Int, first: Int, last: Int) {
        self.byteCount = byteCount
        self.first = first
        self.last = last
    }

    func overlaps(_ other: Lifetime) -> Bool { first <= other.last && other.first <= last }
}

/// Where each tensor lies in one arena of memory, so that tensors that are never needed together share it.
package struct ArenaPlan: Sendable {
    /// By tensor, in bytes, each a multiple of the alignment.
    package let offsets: [Int]
    package let byteCount: Int
    /// The largest sum of sizes that are live at one step: no plan for this order of steps can be smaller.
    package let lowerBound: Int

    /// Greedy by size: the largest tensor first, each at the lowest gap that is free during its whole lifetime (Pisarchyk and Lee,
    /// "Efficient Memory Management for Deep Neural Net Inference", 2020). O(n²) in the number of tensors.
    package init(_ lifetimes: [Lifetime], alignment: Int) {
        let sizes = lifetimes.map { max(($0.byteCount + alignment - 1) / alignment * alignment, alignment) }
        var offsets = [Int](repeating: 0, count: lifetimes.count)
        var placed: [Int] = []  // by offset
        var end = 0
        for index in lifetimes.indices.sorted(by: { (sizes[$1], $0) < (sizes[$0], $1) }) {
            var offset = 0
            for other in placed where lifetimes[other].overlaps(lifetimes[index]) {
                if offsets[other] >= offset + sizes[index] { break }
                offset = max(offset, offsets[other] + sizes[other])
            }
            offsets[index] = offset
            end = max(end, offset + sizes[index])
            let position = placed.partitioningIndex { offsets[$0] > offset }
            placed.insert(index, at: position)
        }
        self.offsets = offsets
        byteCount = end
        lowerBound = Self.largestLiveSum(lifetimes, sizes: sizes)
    }

    /// The first pair of tensors that share bytes while both are live; nil if the plan is sound.
    package func firstConflict(_ lifetimes: [Lifetime]) -> (Int, Int)? {
        for a in lifetimes.indices {
            for b in lifetimes.indices.dropFirst(a + 1) where lifetimes[a].overlaps(lifetimes[b]) {
                let separate =
                    offsets[a] + lifetimes[a].byteCount <= offsets[b] || offsets[b] + lifetimes[b].byteCount <= offsets[a]
                if !separate && lifetimes[a].byteCount > 0 && lifetimes[b].byteCount > 0 { return (a, b) }
            }
        }
        return nil
    }

    private static func largestLiveSum(_ lifetimes: [Lifetime], sizes: [Int]) -> Int {
        var changes: [(step: Int, change: Int)] = []
        for (lifetime, size) in zip(lifetimes, sizes) {
            changes.append((lifetime.first, size))
            changes.append((lifetime.last + 1, -size))
        }
        changes.sort { ($0.step, $0.change) < ($1.step, $1.change) }
        var live = 0
        var largest = 0
        for (_, change) in changes {
            live += change
            largest = max(largest, live)
        }
        return largest
    }
}

extension Array {
    /// The first index from which `predicate` holds, in an array that it partitions. O(log n).
    fileprivate func partitioningIndex(where predicate: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

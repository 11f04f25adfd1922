// SPDX-License-Identifier: Apache-2.0

/// Offsets for tensors of known lifetimes. The problem is NP-hard (Garey and Johnson, SR2, "dynamic storage allocation"); each strategy is a heuristic.
struct Packing {
    let offsets: [Int]
    let byteCount: Int
    let strategy: String
    /// Bytes of tensors above the bound.
    var excess = 0

    /// The order in which a greedy strategy places tensors.
    enum Order: String, CaseIterable {
        /// Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020.
        case bySize = "by size"
        case byArea = "by size and duration"
        case byDuration = "by duration"
        /// The fullest step first, its tensors by size.
        case byFullness = "by the fullest step"
        case byStart = "by first step"
    }

    /// Which of the gaps that are large enough a tensor takes.
    enum Fit: String, CaseIterable {
        case lowest = "lowest gap"
        case smallest = "smallest gap"
    }

    struct Problem {
        let lifetimes: [Lifetime]
        /// Multiples of the alignment, at least one.
        let sizes: [Int]
        let lowerBound: Int
        /// Pairs of tensors that live together.
        let pairCount: Int

        private let alignment: Int
        private let overlaps: IntervalIndex

        init(_ lifetimes: [Lifetime], alignment: Int) {
            self.lifetimes = lifetimes
            self.alignment = alignment
            sizes = lifetimes.map { max(($0.byteCount + alignment - 1) / alignment * alignment, alignment) }
            overlaps = IntervalIndex(lifetimes.map { ($0.first, $0.last) })
            (lowerBound, pairCount) = Self.countLive(lifetimes, sizes)
        }

        private static func countLive(_ lifetimes: [Lifetime], _ sizes: [Int]) -> (largestSum: Int, pairs: Int) {
            let byFirst = lifetimes.indices.sorted { lifetimes[$0].first < lifetimes[$1].first }
            let byLast = lifetimes.indices.sorted { lifetimes[$0].last < lifetimes[$1].last }
            var (live, largest, pairs, gone) = (0, 0, 0, 0)
            for (come, tensor) in byFirst.enumerated() {
                while lifetimes[byLast[gone]].last < lifetimes[tensor].first {
                    live -= sizes[byLast[gone]]
                    gone += 1
                }
                pairs += come - gone
                live += sizes[tensor]
                largest = max(largest, live)
            }
            return (largest, pairs)
        }

        func sorted(_ order: Order) -> [Int] {
            func descending(_ key: (Int) -> Int) -> [Int] {
                let keys = lifetimes.indices.map(key)
                return lifetimes.indices.sorted { (keys[$1], sizes[$1], $0) < (keys[$0], sizes[$0], $1) }
            }
            func duration(_ tensor: Int) -> Int { lifetimes[tensor].last - lifetimes[tensor].first + 1 }
            switch order {
            case .bySize: return descending { sizes[$0] }
            case .byArea: return descending { sizes[$0].multipliedReportingOverflow(by: duration($0)).partialValue }
            case .byDuration: return descending(duration)
            case .byFullness:
                let fullness = fullness()
                return descending { fullness[$0] }
            case .byStart: return descending { -lifetimes[$0].first }
            }
        }

        /// Of each tensor, the largest sum of sizes at a step of its life. O(n log n).
        private func fullness() -> [Int] {
            let steps = Array(Set(lifetimes.map(\.first))).sorted()
            var sums = [Int](repeating: 0, count: steps.count + 1)
            func position(_ step: Int) -> Int { steps.partitioningIndex { $0 > step } }
            for (lifetime, size) in zip(lifetimes, sizes) {
                sums[position(lifetime.first) - 1] += size
                sums[position(lifetime.last)] -= size
            }
            for index in sums.indices.dropFirst() { sums[index] += sums[index - 1] }
            let largest = RangeMaximum(sums)
            return lifetimes.map { largest.maximum(position($0.first) - 1, position($0.last) - 1) }
        }

        /// Tensor by tensor in the given order, each into a gap that is free during its whole life.
        func packed(_ order: [Int], _ fit: Fit, strategy: String) -> Packing {
            var offsets = [Int](repeating: 0, count: sizes.count)
            var placed = overlaps
            var end = 0
            var neighbours: [Int] = []
            for tensor in order {
                neighbours.removeAll(keepingCapacity: true)
                placed.append(meeting: lifetimes[tensor].first, lifetimes[tensor].last, to: &neighbours)
                neighbours.sort { offsets[$0] < offsets[$1] }
                offsets[tensor] = gap(sizes[tensor], between: neighbours, offsets, fit)
                end = max(end, offsets[tensor] + sizes[tensor])
                placed.insert(tensor)
            }
            return Packing(offsets: offsets, byteCount: end, strategy: strategy)
        }

        private func gap(_ size: Int, between neighbours: [Int], _ offsets: [Int], _ fit: Fit) -> Int {
            var free = 0
            var best: (offset: Int, size: Int)?
            for neighbour in neighbours {
                let room = offsets[neighbour] - free
                if room >= size, room < best?.size ?? .max {
                    if fit == .lowest { return free }
                    best = (free, room)
                }
                free = max(free, offsets[neighbour] + sizes[neighbour])
            }
            return best?.offset ?? free
        }

        /// Step by step, as a caching allocator would do it at run time: O(n log n).
        func swept() -> Packing {
            let byFirst = lifetimes.indices.sorted { (lifetimes[$0].first, sizes[$1], $0) < (lifetimes[$1].first, sizes[$0], $1) }
            let byLast = lifetimes.indices.sorted { (lifetimes[$0].last, $0) < (lifetimes[$1].last, $1) }
            var offsets = [Int](repeating: 0, count: sizes.count)
            var free = FreeStretches(unit: alignment)
            var gone = 0
            for tensor in byFirst {
                while lifetimes[byLast[gone]].last < lifetimes[tensor].first {
                    free.giveBack(offsets[byLast[gone]], sizes[byLast[gone]])
                    gone += 1
                }
                offsets[tensor] = free.take(sizes[tensor])
            }
            return Packing(offsets: offsets, byteCount: free.end, strategy: "step by step")
        }

        /// Hill climbing from both ends: a tensor lies as low as it can or, within the bound, as high as it can. What lies above the bound is placed before one
        /// that it had to give way to, or one of these changes sides, as long as this does no harm. It begins anew, with each of the orders and with sides drawn
        /// at random, until the bound is met or `comparisons` are made.
        func improved(_ packing: Packing, comparisons: Int) -> Packing {
            var best = packing
            var movesLeft = min(Self.mostMoves, comparisons / (pairCount + 8 * sizes.count))
            var random = LinearCongruentialGenerator(state: 0x9E37_79B9_7F4A_7C15)
            var start = 0
            while movesLeft > 1, best.byteCount > lowerBound {
                let order = Order.allCases[start % Order.allCases.count]
                let isHigh = sizes.map { _ in start >= Order.allCases.count && random.next(below: 2) == 0 }
                let climbed = climbed(sorted(order), isHigh, &random, moves: min(Self.movesOfOneStart, movesLeft))
                if climbed.byteCount < best.byteCount { best = Packing(climbed, strategy: "\(order.rawValue), improved") }
                movesLeft -= Self.movesOfOneStart
                start += 1
            }
            return best
        }

        private func climbed(_ order: [Int], _ isHigh: [Bool], _ random: inout LinearCongruentialGenerator, moves: Int) -> Packing {
            var (order, isHigh) = (order, isHigh)
            var current = packed(order, isHigh)
            for _ in 1..<moves where current.byteCount > lowerBound {
                let above = order.indices.filter { current.offsets[order[$0]] + sizes[order[$0]] > lowerBound }
                let position = above[random.next(below: above.count)]
                let tensor = order[position]
                let rivals = order[..<position].indices.filter { index in
                    let other = lifetimes[order[index]]
                    return other.first <= lifetimes[tensor].last && lifetimes[tensor].first <= other.last
                }
                guard !rivals.isEmpty else { return current }
                let rival = rivals[random.next(below: rivals.count)]
                var (changedOrder, changedSides) = (order, isHigh)
                if random.next(below: 2) == 0 {
                    changedOrder.remove(at: position)
                    changedOrder.insert(tensor, at: rival)
                } else {
                    changedSides[order[rival]].toggle()
                }
                if random.next(below: 4) == 0 { changedSides[tensor].toggle() }
                let next = packed(changedOrder, changedSides)
                if (next.byteCount, next.excess) <= (current.byteCount, current.excess) {
                    (order, isHigh, current) = (changedOrder, changedSides, next)
                }
            }
            return current
        }

        private static let mostMoves = 2000
        private static let movesOfOneStart = 100

        /// - Parameter isHigh: by tensor, whether it takes the highest place that ends at the bound or below it.
        private func packed(_ order: [Int], _ isHigh: [Bool]) -> Packing {
            var offsets = [Int](repeating: 0, count: sizes.count)
            var placed = overlaps
            var (end, excess) = (0, 0)
            var neighbours: [Int] = []
            for tensor in order {
                neighbours.removeAll(keepingCapacity: true)
                placed.append(meeting: lifetimes[tensor].first, lifetimes[tensor].last, to: &neighbours)
                neighbours.sort { offsets[$0] < offsets[$1] }
                let high = isHigh[tensor] ? highestGap(sizes[tensor], between: neighbours, offsets) : nil
                offsets[tensor] = high ?? gap(sizes[tensor], between: neighbours, offsets, .lowest)
                end = max(end, offsets[tensor] + sizes[tensor])
                excess += max(0, offsets[tensor] + sizes[tensor] - lowerBound)
                placed.insert(tensor)
            }
            return Packing(offsets: offsets, byteCount: end, strategy: "", excess: excess)
        }

        private func highestGap(_ size: Int, between neighbours: [Int], _ offsets: [Int]) -> Int? {
            var best: Int?
            var free = 0
            for neighbour in neighbours {
                let room = min(offsets[neighbour], lowerBound) - free
                if room >= size { best = free + room - size }
                free = max(free, offsets[neighbour] + sizes[neighbour])
            }
            return lowerBound - free >= size ? lowerBound - size : best
        }
    }
}

extension Packing {
    fileprivate init(_ packing: Packing, strategy: String) {
        self.init(offsets: packing.offsets, byteCount: packing.byteCount, strategy: strategy)
    }
}

/// After Knuth.
private struct LinearCongruentialGenerator {
    var state: UInt64

    mutating func next(below limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(limit))
    }
}

extension Array {
    /// The first index from which `predicate` holds, in an array that it partitions. O(log n).
    func partitioningIndex(where predicate: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// The largest of consecutive numbers, after O(n log n), in O(1).
private struct RangeMaximum {
    /// Row k has the maxima of 2^k numbers.
    private var rows: [[Int]]

    init(_ numbers: [Int]) {
        rows = [numbers]
        var width = 1
        while 2 * width <= numbers.count {
            let row = rows[rows.count - 1]
            rows.append((0...(numbers.count - 2 * width)).map { Swift.max(row[$0], row[$0 + width]) })
            width *= 2
        }
    }

    /// Both ends included.
    func maximum(_ first: Int, _ last: Int) -> Int {
        let row = (Int.bitWidth - 1) - (last - first + 1).leadingZeroBitCount
        return max(rows[row][first], rows[row][last - (1 << row) + 1])
    }
}

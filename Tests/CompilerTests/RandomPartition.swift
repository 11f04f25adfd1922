// SPDX-License-Identifier: Apache-2.0
import Compiler
import Tensors

/// Random questions of placement, the same for the same seed.
struct RandomPartition {
    private let random: CounterRandom

    init(seed: Int) { random = CounterRandom(seed: UInt64(seed), case: "partition", tensor: "") }

    /// Draws numbers one after the other.
    private struct Draw {
        let random: CounterRandom
        var next: UInt64 = 0

        mutating func uniform(_ range: ClosedRange<Double>) -> Double {
            next += 1
            return range.lowerBound + (range.upperBound - range.lowerBound) * random.uniform(next)
        }
        mutating func integer(below bound: Int) -> Int {
            next += 1
            return Int(random.integer(next, below: UInt64(bound)))
        }
    }

    /// Parts that read one to three earlier ones.
    func problem(parts: Int, deviceCount: Int) -> PartitionProblem {
        var draw = Draw(random: random)
        var readers = [[Int]](repeating: [], count: parts)
        for part in 1..<parts {
            for _ in 0...draw.integer(below: 3) { readers[draw.integer(below: part)].append(part) }
        }
        return finish(&draw, readers, deviceCount)
    }

    /// - Parameter towardsRoot: each part is read by one later part; else each reads one earlier part.
    func tree(parts: Int, deviceCount: Int, towardsRoot: Bool) -> PartitionProblem {
        var draw = Draw(random: random)
        var readers = [[Int]](repeating: [], count: parts)
        for part in 0..<parts where towardsRoot ? part < parts - 1 : part > 0 {
            if towardsRoot {
                readers[part] = [part + 1 + draw.integer(below: min(parts - part - 1, 6))]
            } else {
                readers[max(part - 1 - draw.integer(below: 6), 0)].append(part)
            }
        }
        return finish(&draw, readers, deviceCount, withInput: towardsRoot ? 0 : nil)
    }

    /// Blocks of branches that join again, with connections around them and one value that all blocks read, as networks have them.
    func network(parts: Int, deviceCount: Int) -> PartitionProblem {
        var draw = Draw(random: random)
        var readers = [[Int]](repeating: [], count: parts)
        var (entry, part) = (0, 1)
        while part + 6 < parts {
            let branches = 2 + draw.integer(below: 3)
            for branch in 0..<branches { readers[entry].append(part + branch) }
            let join = part + branches
            for branch in 0..<branches { readers[part + branch].append(join) }
            readers[entry].append(join)
            if draw.integer(below: 4) == 0 { readers[0].append(part) }
            (entry, part) = (join, join + 1)
        }
        while part < parts {
            readers[part - 1].append(part)
            part += 1
        }
        return finish(&draw, readers, deviceCount)
    }

    private func finish(_ draw: inout Draw, _ readers: [[Int]], _ deviceCount: Int, withInput input: Int? = nil) -> PartitionProblem {
        let costs = readers.map { _ in
            let work = draw.uniform(1...20)
            var costs = (0..<deviceCount).map { _ in work * draw.uniform(0.2...2) }
            // Some are taken by some devices only; the last takes all.
            for device in 0..<(deviceCount - 1) where draw.integer(below: 6) == 0 { costs[device] = .infinity }
            return costs
        }
        var flows = readers.indices.map { part in
            PartitionProblem.Flow(
                source: part, readers: readers[part], alsoHost: readers[part].isEmpty, byteCount: 1 + draw.integer(below: 8))
        }
        flows.append(.init(source: nil, readers: [input ?? 0], byteCount: 4))
        func line() -> CopyCosts.Line { CopyCosts.Line(latency: draw.uniform(0.1...2), secondsPerByte: draw.uniform(0.1...1)) }
        let direct = (0..<deviceCount).map { source in (0..<deviceCount).map { $0 != source && draw.integer(below: 2) == 0 ? line() : nil }
        }
        return PartitionProblem(
            costs: costs, flows: flows,
            copies: CopyCosts(
                direct: direct, toHost: (0..<deviceCount).map { _ in line() }, fromHost: (0..<deviceCount).map { _ in line() }))
    }
}

extension PartitionProblem {
    /// The least cost of all assignments, all of them tried.
    func exhaustive() -> Double {
        var devices = [Int](repeating: 0, count: costs.count)
        var least = Double.infinity
        var position = 0
        while position < devices.count {
            if zip(costs, devices).allSatisfy({ $0[$1].isFinite }) { least = min(least, seconds(devices)) }
            position = 0
            while position < devices.count {
                devices[position] += 1
                if devices[position] < deviceCount { break }
                devices[position] = 0
                position += 1
            }
        }
        return least
    }

    /// Of a tree in which each part has at most one reader, later in the order, and part 0 reads the only input.
    func treeOptimum() -> Double {
        var below = costs
        var total = 0.0
        for flow in flows where flow.source == nil {
            for reader in flow.readers {
                for device in 0..<deviceCount {
                    below[reader][device] += copies.seconds(flow.byteCount, from: nil, to: 1 << UInt64(device), alsoHost: false)
                }
            }
        }
        for flow in flows.filter({ $0.source != nil }).sorted(by: { $0.source! < $1.source! }) {
            let source = flow.source!
            func cost(_ device: Int, _ mask: UInt64) -> Double {
                below[source][device] + copies.seconds(flow.byteCount, from: device, to: mask, alsoHost: flow.alsoHost)
            }
            guard let reader = flow.readers.first else {
                total += (0..<deviceCount).map { cost($0, 0) }.min() ?? 0
                continue
            }
            for device in 0..<deviceCount { below[reader][device] += (0..<deviceCount).map { cost($0, 1 << UInt64(device)) }.min() ?? 0 }
        }
        return total
    }
}

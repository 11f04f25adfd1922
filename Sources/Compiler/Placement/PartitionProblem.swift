// SPDX-License-Identifier: Apache-2.0

/// Which device runs each part of a graph, as a question of costs alone: the least sum of what the parts cost where they run and of the copies between them.
package struct PartitionProblem: Sendable {
    /// A value, with the parts that read it.
    package struct Flow: Sendable {
        /// The part that makes it; nil: it comes from host memory.
        package var source: Int?
        package var readers: [Int]
        /// It is wanted in host memory at the end.
        package var alsoHost: Bool
        package var byteCount: Int

        package init(source: Int?, readers: [Int], alsoHost: Bool = false, byteCount: Int) {
            self.source = source
            self.readers = readers
            self.alsoHost = alsoHost
            self.byteCount = byteCount
        }
    }

    /// Seconds, by part and device; infinite where the device does not take the part. Devices are in order of preference.
    package var costs: [[Double]]
    package var flows: [Flow]
    package var copies: CopyCosts

    package init(costs: [[Double]], flows: [Flow], copies: CopyCosts) {
        self.costs = costs
        self.flows = flows
        self.copies = copies
    }

    package var deviceCount: Int { copies.deviceCount }

    /// Seconds of a whole assignment of devices to parts.
    package func seconds(_ devices: [Int]) -> Double {
        zip(costs, devices).reduce(0) { $0 + $1.0[$1.1] } + copySeconds(devices)
    }

    /// Of which the copies take so many.
    package func copySeconds(_ devices: [Int]) -> Double {
        flows.reduce(0) { sum, flow in
            let readers = flow.readers.reduce(UInt64(0)) { $0 | 1 << UInt64(devices[$1]) }
            return sum + copies.seconds(flow.byteCount, from: flow.source.map { devices[$0] }, to: readers, alsoHost: flow.alsoHost)
        }
    }

    /// Everything that the device takes on it, the rest each where it is cheapest.
    package func allOn(_ device: Int) -> [Int] {
        costs.map { costs in
            if costs[device].isFinite { return device }
            return costs.indices.min { costs[$0] < costs[$1] } ?? device
        }
    }

    /// A split is worth having only if it saves this share of the best placement on one device: costs are not known more exactly than that.
    package static let minimumGain = 0.01

    /// - Precondition: every part has a device that takes it.
    package func solve() -> Partition {
        let single = (0..<deviceCount).map(allOn)
        let seconds = single.map(self.seconds)
        // The first of those that cost the same.
        let best = seconds.indices.min { seconds[$0] < seconds[$1] * (1 - 1e-12) } ?? 0
        var partition = improve(Partition(devices: single[best], seconds: seconds[best], isOptimal: false))
        if !partition.isOptimal, costs.count <= Self.fewParts {
            let cheapest = costs.map { costs in costs.indices.min { costs[$0] < costs[$1] } ?? 0 }
            for start in single + [cheapest] {
                let other = improve(Partition(devices: start, seconds: self.seconds(start), isOptimal: false))
                if other.seconds < partition.seconds { partition = other }
            }
        }
        if partition.seconds > seconds[best] * (1 - Self.minimumGain) {
            (partition.devices, partition.seconds) = (single[best], seconds[best])
        }
        return partition
    }
}

/// Which device runs each part.
package struct Partition: Sendable {
    package var devices: [Int]
    package var seconds: Double
    /// No other assignment is cheaper by more than the minimum gain; else it is the best that was found.
    package var isOptimal: Bool
}

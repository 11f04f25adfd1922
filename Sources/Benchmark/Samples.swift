// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Repeated measurements of one thing, in seconds.
package struct Samples: Sendable {
    private var values: [Double] = []

    package init(_ values: [Double] = []) { self.values = values }

    package mutating func add(_ value: Double) { values.append(value) }
    package var count: Int { values.count }

    /// The median and what surrounds it. Nil without a measurement.
    package var statistics: Statistics? { values.isEmpty ? nil : Statistics(values.sorted()) }
}

package struct Statistics: Codable, Sendable, Hashable {
    package let median: Double
    package let p10: Double
    package let p90: Double
    /// The median lies within with a probability of 95 %, whatever the distribution: between order statistics whose ranks the binomial distribution gives
    /// (H. A. David, H. N. Nagaraja, "Order Statistics", 3rd ed., 7.1). With fewer than six measurements, all of them.
    package let low: Double
    package let high: Double
    package let count: Int

    init(_ sorted: [Double]) {
        count = sorted.count
        func quantile(_ share: Double) -> Double { sorted[Int((Double(sorted.count - 1) * share).rounded())] }
        median = sorted.count % 2 == 1 ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
        p10 = quantile(0.1)
        p90 = quantile(0.9)
        let rank = Self.lowerRank(sorted.count)
        low = sorted[rank]
        high = sorted[sorted.count - 1 - rank]
    }

    /// Half the width of the interval, as a share of the median.
    package var uncertainty: Double { median > 0 ? (high - low) / 2 / median : 0 }

    /// The largest rank, counted from 0, of which both tails together have at most 5 %.
    private static func lowerRank(_ count: Int) -> Int {
        // Probability that at most `rank` of the measurements lie below the median.
        var term = pow(0.5, Double(count))
        guard term > 0 else { return max(Int(Double(count) / 2 - 0.98 * Double(count).squareRoot()) - 1, 0) }
        var tail = 0.0
        for rank in 0..<count {
            tail += term
            if 2 * tail > 0.05 { return max(rank - 1, 0) }
            term *= Double(count - rank) / Double(rank + 1)
        }
        return 0
    }
}

// SPDX-License-Identifier: Apache-2.0
import Benchmark
import Tensors
import Testing

struct SamplesTests {
    @Test func medianAndQuantiles() throws {
        let statistics = try #require(Samples((0...100).map(Double.init).reversed()).statistics)
        #expect((statistics.median, statistics.p10, statistics.p90, statistics.count) == (50, 10, 90, 101))
        #expect(Samples([1, 2]).statistics?.median == 1.5)
        #expect(Samples([]).statistics == nil)
    }

    /// Ranks of the 95 % interval as published (David and Nagaraja): 10 measurements, the 2nd and the 9th; 20, the 6th and the 15th; 50, the 18th and 33rd.
    @Test(arguments: [(5, 1, 5), (6, 1, 6), (10, 2, 9), (20, 6, 15), (50, 18, 33)])
    func interval(count: Int, low: Int, high: Int) throws {
        let statistics = try #require(Samples((1...count).map(Double.init)).statistics)
        #expect((statistics.low, statistics.high) == (Double(low), Double(high)))
    }

    /// The interval holds the true median in at least 95 of 100 drawings, of a skewed distribution, too.
    @Test(arguments: [12, 40, 1100]) func coverage(count: Int) throws {
        let random = CounterRandom(seed: 1, case: "coverage", tensor: "\(count)")
        let tries = 400
        let covered = (0..<tries).count { attempt in
            let values = (0..<count).map { index in
                let even = random.uniform(UInt64(attempt * count + index))
                return even * even * even
            }
            guard let statistics = Samples(values).statistics else { return false }
            return statistics.low <= 0.125 && 0.125 <= statistics.high
        }
        #expect(Double(covered) / Double(tries) >= 0.935)
    }
}

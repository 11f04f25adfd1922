// SPDX-License-Identifier: Apache-2.0
import Conformance
import Tensors
import Testing

/// Each rule recognises its pattern, and none speaks where errors have no pattern.
@Suite struct CauseTests {
    struct Pattern: Sendable, CustomTestStringConvertible {
        let name: String
        let says: String
        let change: @Sendable ([Double]) -> [Double]
        var testDescription: String { name }

        init(_ name: String, _ says: String, _ change: @escaping @Sendable ([Double]) -> [Double]) {
            (self.name, self.says, self.change) = (name, says, change)
        }
    }

    private static let (rows, columns) = (8, 12)
    private static let random = CounterRandom(seed: 5, case: "causes", tensor: "values")

    /// Of size one, exact in float32.
    private static let values = (0..<rows * columns).map { Double(Float(random.normal(UInt64($0)) + 0.01)) }

    private static func each(_ change: @escaping @Sendable (Int, Double) -> Double) -> @Sendable ([Double]) -> [Double] {
        { values in values.enumerated().map { change($0, $1) } }
    }

    private static let patterns: [Pattern] = [
        Pattern("swapped axes", "axes 0 and 1 swapped") { values in (0..<values.count).map { values[$0 % rows * columns + $0 / rows] } },
        Pattern("NaN", "NaN where there is a number", each { $0 % 7 == 3 ? .nan : $1 }),
        Pattern("tail", "last 3 of 12 along axis 1", each { $0 % 12 > 8 ? $1 + 1 : $1 }),
        Pattern("last row", "last 1 of 8 along axis 0", each { $0 / 12 == 7 ? $1 - 1 : $1 }),
        Pattern("sign", "sign is wrong", each { $0 % 5 == 0 ? -$1 : $1 }),
        Pattern("factor", "scaled by about 1.5", each { 1.5 * $1 }),
        Pattern("toward zero", "rounded toward zero", each { $0 % 3 == 0 ? $1 - ($1 < 0 ? -1 : 1) * Double(Float($1).ulp) : $1 }),
        Pattern(
            "either way", "rounded twice, or ties the other way",
            each { $0 % 3 == 0 ? $1 + ($0 % 2 == 0 ? -1 : 1) * Double(Float($1).ulp) : $1 }),
        Pattern("bfloat16", "bfloat16", each { $1 * (1 + 0x1p-9 * (random.uniform(UInt64($0) | 1 << 40) + 0.5) * ($0 % 2 == 0 ? -1 : 1)) }),
        Pattern("one", "one element alone", each { $0 == 40 ? $1 + 3 : $1 }),
    ]

    private func words(_ actual: [Double], _ expected: [Double]) -> String? {
        let wrong = expected.indices.filter { actual[$0] != expected[$0] }
        return wrong.isEmpty
            ? nil : Cause(actual: actual, expected: expected, wrong: wrong, shape: [Self.rows, Self.columns], type: .float32)?.words
    }

    @Test(arguments: patterns)
    func aPatternIsNamed(_ pattern: Pattern) {
        let said = words(pattern.change(Self.values), Self.values)
        #expect(said?.contains(pattern.says) == true, "\(said ?? "nothing")")
    }

    @Test func lostNaNAndFlushedNumbersAreNamed() {
        let nan = Self.values.enumerated().map { $0 % 9 == 2 ? Double.nan : $1 }
        #expect(words(nan.map { $0.isNaN ? 0 : $0 }, nan)?.contains("NaN of the input is lost") == true)
        let small = Self.values.enumerated().map { $0 % 9 == 2 ? 0x1p-130 : $1 }
        #expect(words(small.map { abs($0) < 0x1p-126 ? 0 : $0 }, small)?.contains("flushed to zero") == true)
    }

    @Test func nothingIsSaidOfRandomErrors() {
        for seed in 0..<200 {
            let errors = CounterRandom(seed: UInt64(seed), case: "causes", tensor: "errors")
            let actual = Self.values.enumerated().map {
                errors.integer(UInt64($0), below: 4) == 0 ? $1 + 2 * errors.normal(UInt64($0) | 1 << 30) : $1
            }
            let said = words(actual, Self.values)
            #expect(said == nil, "seed \(seed): \(said ?? "")")
        }
    }
}

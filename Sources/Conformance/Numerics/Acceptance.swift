// SPDX-License-Identifier: Apache-2.0
import Foundation
import Operators
package import Tensors

/// Which values an output may have, element by element.
package struct Acceptance: Sendable {
    /// The right results, unrounded where the reference computes them so.
    package var expected: [Double]
    package var lower: [Double]
    package var upper: [Double]
    /// Tighter intervals for grade A; nil where the class has one bound only.
    package var tight: (lower: [Double], upper: [Double])?
    /// Of lens 3: what the root mean square of honest rounding errors stays below, element by element.
    package var typicalErrors: [Double]?
    /// Of the errors of all elements together; nil where only single ones count.
    package var rootMeanSquareLimit: Double?
    /// Results that are right too and need not lie near the others: those on inputs whose subnormal numbers are read as zero (a NaN for an infinity), those of
    /// numbers where a NaN may be ignored.
    package var alternatives: [[Double]] = []
    /// Elements of which nothing is demanded, because a partial result may overflow. Empty: none.
    package var isFree: [Bool] = []
    /// −0 and +0 are told apart.
    package var signOfZeroCounts = false

    /// Exactly the reference, rounded to the type.
    package init(exactly values: [Double]) {
        expected = values
        lower = values
        upper = values
    }

    package init(_ expected: [Double], within bound: [Double]) {
        self.expected = expected
        lower = zip(expected, bound).map { $0 - $1 }
        upper = zip(expected, bound).map { $0 + $1 }
    }

    /// Whether `value` is right at `index`, for a type of the format. NaN is right where the reference gives NaN and nowhere else; an infinity also where the
    /// interval reaches the largest number.
    func admits(_ value: Double, at index: Int, _ format: NumberFormat) -> Bool {
        if !isFree.isEmpty && isFree[index] { return true }
        if alternatives.contains(where: { value == $0[index] || value.isNaN && $0[index].isNaN }) { return true }
        return Self.contains(value, lower[index], upper[index], expected[index], format, signOfZeroCounts)
    }

    func admitsTightly(_ value: Double, at index: Int, _ format: NumberFormat) -> Bool {
        guard let tight else { return true }
        if !isFree.isEmpty && isFree[index] { return true }
        return Self.contains(value, tight.lower[index], tight.upper[index], expected[index], format, signOfZeroCounts)
    }

    private static func contains(
        _ value: Double, _ lower: Double, _ upper: Double, _ expected: Double, _ format: NumberFormat, _ signOfZeroCounts: Bool
    ) -> Bool {
        if expected.isNaN { return value.isNaN }
        if value.isNaN { return false }
        if expected.isInfinite { return value == expected || value.isInfinite == false && lower <= value && value <= upper }
        // The type's own overflow. The largest number itself, where no error is allowed, is no infinity.
        if value == .infinity { return upper > format.largest }
        if value == -.infinity { return lower < -format.largest }
        if signOfZeroCounts, value == 0, expected == 0 { return value.sign == expected.sign }
        return lower <= value && value <= upper
    }

    /// Also admits what rounding to a narrower type makes of a right result.
    mutating func narrow(to format: NumberFormat, flushing flushes: Bool) {
        func error(_ value: Double) -> Double {
            guard value.isFinite else { return 0 }
            return flushes && abs(value) <= format.smallestNormal ? format.smallestNormal : format.ulp(value) / 2
        }
        func widen(_ lower: inout [Double], _ upper: inout [Double]) {
            for index in lower.indices {
                lower[index] -= error(lower[index])
                upper[index] += error(upper[index])
                if upper[index] > format.largest { (lower[index], upper[index]) = (min(lower[index], format.largest), .infinity) }
                if lower[index] < -format.largest { (lower[index], upper[index]) = (-.infinity, max(upper[index], -format.largest)) }
            }
        }
        let errors = expected.map(error)
        widen(&lower, &upper)
        if var both = tight {
            widen(&both.lower, &both.upper)
            tight = both
        }
        typicalErrors = typicalErrors.map { zip($0, errors).map(+) }
        rootMeanSquareLimit = rootMeanSquareLimit.map {
            $0 + (errors.reduce(0) { $0 + $1 * $1 } / Double(max(errors.count, 1))).squareRoot()
        }
        alternatives += alternatives.map { ReferenceTensor(format.type, [$0.count], .floats($0)).roundedFloats }
    }

    /// Also admits what another acceptance of the same output admits.
    mutating func widen(by other: Acceptance) {
        for index in lower.indices {
            if !other.lower[index].isNaN { lower[index] = min(lower[index], other.lower[index]) }
            if !other.upper[index].isNaN { upper[index] = max(upper[index], other.upper[index]) }
        }
    }
}

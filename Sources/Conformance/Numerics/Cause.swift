// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Tensors

/// What the pattern of wrong elements usually means.
package struct Cause {
    /// For a porting engineer.
    package let words: String

    /// Nil where no pattern fits.
    /// - Parameter wrong: flat indices of the wrong elements, ascending; not empty.
    package init?(actual: [Double], expected: [Double], wrong: [Int], shape: [Int], type: DataType) {
        let pattern = Pattern(
            actual: actual, expected: expected, wrong: wrong, shape: shape, format: NumberFormat(type), isFloat: type.isFloat)
        guard let words = pattern.words else { return nil }
        self.words = words
    }
}

private struct Pattern {
    let actual: [Double]
    let expected: [Double]
    let wrong: [Int]
    let shape: [Int]
    let format: NumberFormat
    let isFloat: Bool

    private static let rules: [@Sendable (Pattern) -> String?] = [
        { $0.transposed }, { $0.notANumber }, { $0.flushed }, { $0.tail }, { $0.shifted }, { $0.repeatedRow }, { $0.unwritten },
        { $0.sign }, { $0.factor },
        { $0.rounding }, { $0.precision }, { $0.single },
    ]

    var words: String? { Self.rules.lazy.compactMap { $0(self) }.first }

    private func same(_ left: Double, _ right: Double) -> Bool {
        left == right || left.isNaN && right.isNaN || abs(left - right) <= 4 * format.ulp(right)
    }

    private var transposed: String? {
        guard shape.count >= 2, expected.count > 3 else { return nil }
        for first in shape.indices.dropLast() {
            let second = first + 1
            guard shape[first] > 1, shape[second] > 1 else { continue }
            var swapped = shape
            swapped.swapAt(first, second)
            var strides = denseStrides(shape)
            strides.swapAt(first, second)
            var offsets = [0]
            for (size, stride) in zip(swapped, strides) { offsets = offsets.flatMap { base in (0..<size).map { base + $0 * stride } } }
            if zip(actual, offsets).allSatisfy({ same($0, expected[$1]) }) {
                return "the results are there with axes \(first) and \(second) swapped"
            }
        }
        return nil
    }

    private var notANumber: String? {
        guard isFloat else { return nil }
        if wrong.allSatisfy({ expected[$0].isNaN }) {
            return "NaN of the input is lost (a comparison that is false for NaN, or a fast-math option)"
        }
        if wrong.allSatisfy({ actual[$0].isNaN }) {
            return "NaN where there is a number (an infinity minus itself, or memory that was never written)"
        }
        return nil
    }

    private var flushed: String? {
        guard isFloat, wrong.allSatisfy({ actual[$0] == 0 && abs(expected[$0]) < format.smallestNormal && expected[$0] != 0 }) else {
            return nil
        }
        return "subnormal numbers are flushed to zero, which the kernel does not declare"
    }

    /// Wrong elements lie at the end of one axis alone, or at one residue of it.
    private var tail: String? {
        for axis in shape.indices where shape[axis] > 1 {
            let positions = Set(wrong.map { coordinates(of: $0, in: shape)[axis] })
            guard positions.count < shape[axis], let first = positions.min(), positions.max() == shape[axis] - 1,
                positions.count == shape[axis] - first,
                positions.count <= shape[axis] / 2
            else { continue }
            return "only the last \(positions.count) of \(shape[axis]) along axis \(axis) are wrong: a missed tail"
        }
        return nil
    }

    private var shifted: String? {
        guard expected.count > 3, Set(expected).count > 2 else { return nil }
        let count = expected.count
        for offset in [1, -1] {
            let inner = max(0, -offset)..<min(count, count - offset)
            if inner.allSatisfy({ same(actual[$0], expected[$0 + offset]) }) { return "the results are one place off" }
        }
        return nil
    }

    private var repeatedRow: String? {
        guard let row = shape.last, row > 1, expected.count > row else { return nil }
        let rows = Set(wrong.map { $0 / row })
        guard rows.count <= 2, let bad = rows.first else { return nil }
        for other in 0..<expected.count / row where other != bad {
            if (0..<row).allSatisfy({ same(actual[bad * row + $0], expected[other * row + $0]) }) {
                return "row \(bad) repeats row \(other): a stale buffer, or a row computed from another's data"
            }
        }
        return nil
    }

    private var unwritten: String? {
        guard wrong.count > 1, let first = wrong.first, wrong.allSatisfy({ actual[$0] == actual[first] }),
            Set(wrong.map { expected[$0] }).count > 1
        else { return nil }
        return actual[first] == 0
            ? "they are all zero: not computed, or not written" : "they all have the value \(actual[first]): not written, or clamped"
    }

    private var sign: String? { wrong.allSatisfy { actual[$0] == -expected[$0] } ? "the sign is wrong" : nil }

    private var factor: String? {
        let pairs = wrong.filter { expected[$0] != 0 && expected[$0].isFinite && actual[$0].isFinite }
        guard pairs.count > 2, pairs.count == wrong.count else { return nil }
        let ratios = pairs.map { actual[$0] / expected[$0] }
        guard let low = ratios.min(), let high = ratios.max(), high - low <= 1e-3 * abs(high - 1), abs(high - 1) > 16 * format.unit else {
            return nil
        }
        return "all are scaled by about \(Float((low + high) / 2))"
    }

    private var rounding: String? {
        guard isFloat else { return nil }
        let steps = wrong.map { (actual[$0] - expected[$0]) / format.ulp(expected[$0]) }
        guard steps.allSatisfy({ abs($0) <= 1.01 }) else { return nil }
        let towardZero = wrong.allSatisfy { abs(actual[$0]) < abs(expected[$0]) }
        let down = wrong.allSatisfy { actual[$0] < expected[$0] }
        let up = wrong.allSatisfy { actual[$0] > expected[$0] }
        if wrong.count > 2 && (towardZero || down || up) {
            return
                "each is one unit in the last place off on one side: rounded \(towardZero ? "toward zero" : down ? "down" : "up"), not to nearest"
        }
        return "each is at most one unit in the last place off: rounded twice, or ties the other way"
    }

    private var precision: String? {
        guard isFloat, wrong.count > 2 else { return nil }
        let errors = wrong.compactMap { index -> Double? in
            let error = abs(actual[index] - expected[index]) / abs(expected[index])
            return error.isFinite && error > 0 ? error : nil
        }.sorted()
        guard errors.count == wrong.count else { return nil }
        let typical = errors[errors.count / 2]
        // Rounded inputs err by about a third of their type's unit.
        let near = [("float32", 0x1p-24), ("TF32 or float16", 0x1p-11), ("bfloat16", 0x1p-8)]
            .filter { $0.1 > format.unit * 8 && typical > $0.1 / 16 && typical < $0.1 * 8 }
            .min { abs(log2(3 * typical / $0.1)) < abs(log2(3 * typical / $1.1)) }
        return near.map { "the errors have the size of \($0.0)'s rounding: inputs or sums are kept in too narrow a type" }
    }

    private var single: String? {
        guard wrong.count == 1, expected.count > 8 else { return nil }
        return "one element alone is wrong"
    }
}

// SPDX-License-Identifier: Apache-2.0
import Conformance
package import Tensors

/// Rounds float64 to a narrower format: of the study's own, so that no error of the stack's codecs hides.
struct Rounding: Sendable {
    private let bits: Int
    private let smallestExponent: Int
    private let largest: Double
    private let smallestNormal: Double
    private let rule: FloatingPointRoundingRule
    private let flushes: Bool
    /// What stands for numbers that are too large.
    private let infinity: Double

    init(_ format: NumberFormat, _ rule: FloatingPointRoundingRule = .toNearestOrEven, flushes: Bool = false) {
        bits = format.precision
        smallestExponent = format.smallestExponent
        largest = format.largest
        smallestNormal = format.smallestNormal
        self.rule = rule
        self.flushes = flushes
        infinity = rule == .towardZero ? format.largest : .infinity
    }

    @inline(__always) func callAsFunction(_ value: Double) -> Double {
        let magnitude = abs(value)
        guard magnitude > 0, magnitude < .infinity else { return value }
        if flushes, magnitude < smallestNormal { return Double(signOf: value, magnitudeOf: 0) }
        // Formats narrower than float64 have steps that are normal numbers of float64.
        let exponent = max(Int(magnitude.bitPattern >> 52) - 1023, smallestExponent) - bits + 1
        let step = Double(bitPattern: UInt64(exponent + 1023) << 52)
        let quotient = value / step
        let rounded = (rule == .toNearestOrEven ? quotient.rounded(.toNearestOrEven) : quotient.rounded(rule)) * step
        return abs(rounded) > largest ? Double(signOf: value, magnitudeOf: infinity) : rounded
    }
}

extension Double {
    /// To so many bits of significand, whatever the exponent.
    func rounded(toBits bits: Int) -> Double {
        guard isFinite, self != 0 else { return self }
        let step = Double(sign: .plus, exponent: Int(exponent) - bits + 1, significand: 1)
        return (self / step).rounded(.toNearestOrEven) * step
    }
}

extension Arithmetic {
    /// The tensor of what a kernel computed, stored as this arithmetic stores.
    package func tensor(_ values: [Double], _ shape: [Int], _ type: DataType) throws -> HostTensor {
        let format = NumberFormat(type)
        guard format.precision < 53 else { return try HostTensor(type, shape, doubles: values) }
        let last: Rounding
        switch store {
        case .nearest, .twice: last = Rounding(format)
        case .truncated: last = Rounding(format, .towardZero)
        case .tiesAway: last = Rounding(format, .toNearestOrAwayFromZero)
        case .flushed: last = Rounding(format, flushes: true)
        }
        return try HostTensor(
            type, shape,
            doubles: values.map {
                var value = store == .twice ? $0.rounded(toBits: format.precision + 2) : $0
                value = last(value)
                if flushesDenormals, abs(value) < format.smallestNormal { value = Double(signOf: value, magnitudeOf: 0) }
                if losesNaN, value.isNaN { return 0 }
                return losesSignOfZero && value == 0 ? 0 : value
            })
    }
}

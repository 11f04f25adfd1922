// SPDX-License-Identifier: Apache-2.0
import Conformance
package import Tensors

/// Rounds float64 to a narrower format: of the study's own, so that no error of the stack's codecs hides.
struct Rounding: Sendable {
    private let format: NumberFormat
    private let rule: FloatingPointRoundingRule
    private let flushes: Bool
    private let infinity: Double

    init(_ format: NumberFormat, _ rule: FloatingPointRoundingRule = .toNearestOrEven, flushes: Bool = false) {
        self.format = format
        self.rule = rule
        self.flushes = flushes
        infinity = rule == .towardZero ? format.largest : .infinity
    }

    func callAsFunction(_ value: Double) -> Double {
        guard value.isFinite, value != 0 else { return value }
        if flushes, abs(value) < format.smallestNormal { return Double(signOf: value, magnitudeOf: 0) }
        let step = format.ulp(value)
        let rounded = (value / step).rounded(rule) * step
        return abs(rounded) > format.largest ? Double(signOf: value, magnitudeOf: infinity) : rounded
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

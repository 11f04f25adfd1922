// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Tensors

/// The arithmetic of a floating-point type, as the bounds of `docs/numerics.md` need it. For integers: exact in so many bits.
package struct NumberFormat: Sendable, Equatable {
    package let type: DataType
    /// Bits of the significand, the hidden one included.
    package let precision: Int
    /// The exponent of the smallest normal number.
    package let smallestExponent: Int
    package let largest: Double

    package init(_ type: DataType) {
        self.type = type
        switch type {
        case .float64: (precision, smallestExponent, largest) = (53, -1022, .greatestFiniteMagnitude)
        case .float32: (precision, smallestExponent, largest) = (24, -126, Double(Float.greatestFiniteMagnitude))
        default:
            if let format = FloatFormat(type) {
                (precision, smallestExponent, largest) = (format.mantissaBits + 1, 1 - format.bias, format.largest)
            } else {
                (precision, smallestExponent, largest) = (
                    max(type.bits - 1, 1), 0, Double(sign: .plus, exponent: max(type.bits - 1, 1), significand: 1)
                )
            }
        }
    }

    /// Unit round-off of rounding to nearest: u.
    package var unit: Double { Double(sign: .plus, exponent: -precision, significand: 1) }
    /// The smallest positive number.
    package var smallest: Double { Double(sign: .plus, exponent: max(smallestExponent - precision + 1, -1074), significand: 1) }
    package var smallestNormal: Double { Double(sign: .plus, exponent: smallestExponent, significand: 1) }

    /// The distance of the type's numbers around `value`; that of the largest ones beyond them.
    package func ulp(_ value: Double) -> Double {
        let magnitude = min(abs(value), largest)
        let exponent = magnitude < smallestNormal || magnitude == 0 ? smallestExponent : Int(magnitude.exponent)
        return Double(sign: .plus, exponent: max(exponent - precision + 1, -1074), significand: 1)
    }

    /// How far the exponents of family `wide` reach, so that products of two and sums of thousands stay finite.
    var wideExponent: Int {
        switch type {
        case .float64: 60
        case .float32, .bfloat16: 16
        case .float16: 4
        default: 2
        }
    }

    /// The mean of family `shifted`, against a spread of one.
    var shift: Double {
        switch type {
        case .float64, .float32: 1024
        // Far enough that its exponential overflows in float32.
        case .float16: 96
        default: 8
        }
    }

    var specialValues: [Double] {
        let one = 1 + 2 * unit
        return [
            0, -0.0, smallest, -smallest, smallestNormal, -smallestNormal, smallestNormal - smallest, .infinity, -.infinity, .nan, largest,
            -largest, 1, -1,
            one, 1 - unit, 0.5, -0.5, 1.5, 2.5, -2.5, 3.5,
        ]
    }
}

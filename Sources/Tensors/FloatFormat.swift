// SPDX-License-Identifier: Apache-2.0

/// The bit layout of a floating-point type of at most 16 bits, with conversion from and to float64.
///
/// Sources: IEEE 754 binary16; OCP 8-bit Floating Point Specification (e4m3fn, e5m2); OCP Microscaling Formats (e2m1, e8m0); ONNX's
/// `float8.md` for the `fnuz` types and for saturation.
package struct FloatFormat: Sendable {
    package let mantissaBits: Int
    /// Subtracted from the exponent field.
    package let bias: Int
    /// Width of a code, the sign included.
    package let bits: Int
    /// The largest finite value.
    package let largest: Double
    /// The positive codes of infinity and NaN; nil where the format has none.
    private let infinity: UInt64?
    private let nan: UInt64?
    private let hasNegativeZero: Bool

    package static let float16 = FloatFormat(mantissa: 10, bias: 15, bits: 16, largest: 65504, infinity: 0x7C00, nan: 0x7E00)
    package static let bfloat16 = FloatFormat(
        mantissa: 7, bias: 127, bits: 16, largest: 0x1.FEp127, infinity: 0x7F80, nan: 0x7FC0)
    package static let float8e4m3fn = FloatFormat(mantissa: 3, bias: 7, bits: 8, largest: 448, infinity: nil, nan: 0x7F)
    package static let float8e5m2 = FloatFormat(mantissa: 2, bias: 15, bits: 8, largest: 57344, infinity: 0x7C, nan: 0x7E)
    package static let float8e4m3fnuz = FloatFormat(
        mantissa: 3, bias: 8, bits: 8, largest: 240, infinity: nil, nan: 0x80, hasNegativeZero: false)
    package static let float8e5m2fnuz = FloatFormat(
        mantissa: 2, bias: 16, bits: 8, largest: 57344, infinity: nil, nan: 0x80, hasNegativeZero: false)
    package static let float4e2m1 = FloatFormat(mantissa: 1, bias: 1, bits: 4, largest: 6, infinity: nil, nan: nil)

    private init(
        mantissa: Int, bias: Int, bits: Int, largest: Double, infinity: UInt64?, nan: UInt64?, hasNegativeZero: Bool = true
    ) {
        mantissaBits = mantissa
        self.bias = bias
        self.bits = bits
        self.largest = largest
        self.infinity = infinity
        self.nan = nan
        self.hasNegativeZero = hasNegativeZero
    }

    /// The format of a type; nil for the types that Swift has itself, for float8e8m0 (a bare exponent) and for all that are no floats.
    package init?(_ type: DataType) {
        switch type {
        case .float16: self = .float16
        case .bfloat16: self = .bfloat16
        case .float8e4m3fn: self = .float8e4m3fn
        case .float8e4m3fnuz: self = .float8e4m3fnuz
        case .float8e5m2: self = .float8e5m2
        case .float8e5m2fnuz: self = .float8e5m2fnuz
        case .float4e2m1: self = .float4e2m1
        default: return nil
        }
    }

    /// The value of a code; exact.
    package func decode(_ code: UInt16) -> Double {
        let code = UInt64(code)
        let signBit: UInt64 = 1 << UInt64(bits - 1)
        let magnitude = code & (signBit - 1)
        let sign: Double = code & signBit != 0 ? -1 : 1
        if code == nan || magnitude == nan { return .nan }
        if magnitude == infinity { return sign * .infinity }
        if let infinity, magnitude > infinity { return .nan }
        let field = Int(magnitude >> UInt64(mantissaBits))
        let fraction = Double(magnitude & ((1 << UInt64(mantissaBits)) - 1))
        let unit = Double(sign: .plus, exponent: max(field, 1) - bias - mantissaBits, significand: 1)
        let hidden = field == 0 ? 0 : Double(sign: .plus, exponent: mantissaBits, significand: 1)
        return sign * (hidden + fraction) * unit
    }

    /// Rounds to nearest, ties to even, once. What exceeds `largest` after rounding (an infinity too) becomes `largest` if `saturate`, else
    /// infinity, or NaN in a format without infinities, or `largest` in one without NaN. NaN becomes 0 in a format without NaN (as in
    /// the ONNX corpus).
    package func encoder(saturate: Bool) -> Encoder { Encoder(self, saturate: saturate) }

    /// `encode` as a branch-free function of one element, with what depends on the format alone worked out before.
    package struct Encoder: Sendable {
        private let smallestExponent: UInt64
        private let toMagic: UInt64
        private let fieldShift: UInt64
        private let limit: Double
        private let largest: Double
        private let overflow: UInt64
        private let nan: UInt64
        private let nanSign: UInt64
        private let signShift: UInt64
        private let zeroSign: UInt64

        fileprivate init(_ format: FloatFormat, saturate: Bool) {
            let mantissa = UInt64(format.mantissaBits)
            smallestExponent = UInt64(1 - format.bias + 1023) << 52
            toMagic = (52 - mantissa) << 52
            fieldShift = 52 - mantissa
            limit = format.largest * 4
            largest = format.largest
            var largestCode = (format.largest.bitPattern >> (52 - mantissa))
            largestCode -= UInt64(1023 - format.bias) << mantissa
            overflow = saturate ? largestCode : format.infinity ?? format.nan ?? largestCode
            nan = format.nan ?? 0
            nanSign = format.nan == nil ? 0 : 1
            signShift = UInt64(format.bits - 1)
            zeroSign = format.hasNegativeZero ? 1 : 0
        }

        /// The magic-number addition: with `magic` = 2^52 times the spacing of the format's values around x, `x + magic` is rounded to a multiple
        /// of that spacing by the addition itself, and the low bits of the sum are the mantissa as an integer.
        @inline(__always) package func encode(_ value: Double) -> UInt16 {
            let magnitude = Double(bitPattern: value.bitPattern & ~(1 << 63))
            let clamped = magnitude > limit ? limit : magnitude
            let field = clamped.bitPattern & (0x7FF << 52)
            let exponent = field > smallestExponent ? field : smallestExponent
            let magic = Double(bitPattern: exponent &+ toMagic)
            let sum = clamped + magic
            var code = (sum.bitPattern &- magic.bitPattern) &+ ((exponent &- smallestExponent) >> fieldShift)
            code = sum - magic > largest ? overflow : code
            var sign = value.bitPattern >> 63
            sign = code == 0 ? sign & zeroSign : sign
            sign = value.isNaN ? sign & nanSign : sign
            code = value.isNaN ? nan : code
            return UInt16(truncatingIfNeeded: code | sign << signShift)
        }
    }
}

/// float8e8m0, the scale type of the microscaling formats: 2^(code − 127), without sign and zero; 255 is NaN.
package enum ScaleFormat {
    package enum Rounding: Sendable { case nearestTiesUp, up, down }

    package static func decode(_ code: UInt8) -> Double {
        code == 255 ? .nan : Double(sign: .plus, exponent: Int(code) - 127, significand: 1)
    }

    /// Zero and what lies outside 2^-127 ... 2^127 go to the nearer end if `saturate`, else to NaN; negative values to NaN.
    package static func encode(_ value: Double, rounding: Rounding = .nearestTiesUp, saturate: Bool) -> UInt8 {
        guard value >= 0 else { return 255 }
        if value == .infinity { return saturate ? 254 : 255 }
        guard value > 0 else { return saturate ? 0 : 255 }
        var exponent = Int(value.exponent)
        switch rounding {
        case .nearestTiesUp: exponent += value.significand >= 1.5 ? 1 : 0
        case .up: exponent += value.significand > 1 ? 1 : 0
        case .down: break
        }
        if exponent < -127 || exponent > 127 { return saturate ? UInt8(clamping: exponent > 0 ? 254 : 0) : 255 }
        return UInt8(exponent + 127)
    }
}

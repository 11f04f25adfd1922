// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

extension DataType {
    /// Smallest and largest value of an integer or boolean type, as `ReferenceTensor` holds them: a uint64 by its bit pattern.
    var integerLimits: (lower: Int64, upper: Int64) {
        switch kind {
        case .bool: (0, 1)
        case .unsignedInteger: (0, bits == 64 ? -1 : 1 << bits - 1)
        default: (-1 << (bits - 1), bits == 64 ? .max : 1 << (bits - 1) - 1)
        }
    }

    /// A float as a value of this integer type: truncated towards zero; what lies outside goes to the nearer limit, NaN to 0.
    func integer(truncating value: Double) -> Int64 {
        if value.isNaN { return 0 }
        if self == .uint64 { return Int64(bitPattern: value <= 0 ? 0 : value >= 0x1p64 ? .max : UInt64(value)) }
        let (lower, upper) = integerLimits
        if value >= 0x1p63 { return upper }
        if value <= -0x1p63 { return lower }
        return Swift.min(Swift.max(Int64(value), lower), upper)
    }

    /// An element of this integer type as float64.
    @inline(__always) func double(_ value: Int64) -> Double { self == .uint64 ? Double(UInt64(bitPattern: value)) : Double(value) }

    /// Like `double`, but rounded to odd where float64 is too narrow, so that a second rounding to any narrower type comes out as a single one.
    func doubleRoundedToOdd(_ value: Int64) -> Double {
        let isNegative = self != .uint64 && value < 0
        let magnitude = self == .uint64 ? UInt64(bitPattern: value) : value.magnitude
        let excess = 11 - magnitude.leadingZeroBitCount
        if excess <= 0 { return double(value) }
        let kept = magnitude >> UInt64(excess)
        let isInexact = kept << UInt64(excess) != magnitude
        let result = Double(isInexact ? kept | 1 : kept) * Double(UInt64(1) << UInt64(excess))
        return isNegative ? -result : result
    }
}

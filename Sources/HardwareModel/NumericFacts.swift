// SPDX-License-Identifier: Apache-2.0
package import Tensors

/// What a plugin declares about the arithmetic of a kernel. Everything left out is the strict default of `numerics.md`.
package struct NumericFacts: Codable, Sendable, Hashable {
    /// In what sums are kept. Nil: float32 for 16- and 8-bit floats, int32 for 8-bit integers, else the type itself.
    package var accumulator: DataType?
    /// Bits of the significand, the hidden one included, to which inputs are rounded before they are multiplied (11 for TF32, 8 for bfloat16). Nil: all.
    package var inputBits: Int?
    /// Stores truncate, or round faithfully in some other way, instead of rounding to nearest.
    package var truncates = false
    /// Floats whose significands have more bits may be rounded to this type wherever they are read, written or kept between the nodes of a program. Nil: values keep their types.
    package var valueType: DataType?
    /// Subnormal numbers are read, or written, as zero.
    package var flushesDenormals = false
    /// Products are computed by transforms (Winograd, FFT): errors are those of whole tiles.
    package var usesTransforms = false
    /// Error of approximated functions in ULP. Nil: as `numerics.md` grants.
    package var functionError: Double?
    /// Minimum and maximum of a number and NaN give the number.
    package var ignoresNaN = false

    package init() {}

    package static let strict = NumericFacts()

    /// In what a kernel for elements of `type` keeps its sums.
    package func accumulator(for type: DataType) -> DataType {
        if let accumulator { return accumulator }
        switch type {
        case .float64, .float32: return type
        case _ where type.isFloat: return .float32
        case .int8, .uint8, .int4, .uint4: return .int32
        default: return type
        }
    }
}

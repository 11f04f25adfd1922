// SPDX-License-Identifier: Apache-2.0

/// The element type of a tensor. Raw values are those of ONNX's `TensorProto.DataType`, and of `SB_TYPE_*` in `southbridge.h`.
package enum DataType: UInt32, Sendable, Hashable, CaseIterable, Codable {
    case float32 = 1
    case uint8 = 2
    case int8 = 3
    case uint16 = 4
    case int16 = 5
    case int32 = 6
    case int64 = 7
    case string = 8
    case bool = 9
    case float16 = 10
    case float64 = 11
    case uint32 = 12
    case uint64 = 13
    case complex64 = 14
    case complex128 = 15
    case bfloat16 = 16
    case float8e4m3fn = 17
    case float8e4m3fnuz = 18
    case float8e5m2 = 19
    case float8e5m2fnuz = 20
    case uint4 = 21
    case int4 = 22
    case float4e2m1 = 23
    case float8e8m0 = 24
    case uint2 = 25
    case int2 = 26

    /// Width of one element in bits; strings have none (0).
    package var bits: Int {
        switch self {
        case .string: 0
        case .uint2, .int2: 2
        case .uint4, .int4, .float4e2m1: 4
        case .uint8, .int8, .bool, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float8e8m0: 8
        case .uint16, .int16, .float16, .bfloat16: 16
        case .uint32, .int32, .float32: 32
        case .uint64, .int64, .float64, .complex64: 64
        case .complex128: 128
        }
    }

    package enum Kind: Sendable { case float, signedInteger, unsignedInteger, bool, complex, string }

    package var kind: Kind {
        switch self {
        case .string: .string
        case .bool: .bool
        case .complex64, .complex128: .complex
        case .int2, .int4, .int8, .int16, .int32, .int64: .signedInteger
        case .uint2, .uint4, .uint8, .uint16, .uint32, .uint64: .unsignedInteger
        default: .float
        }
    }

    package var isFloat: Bool { kind == .float }
    package var isInteger: Bool { kind == .signedInteger || kind == .unsignedInteger }

    /// Bytes that `count` elements take; elements narrower than a byte are packed, the first in the low bits. Nil on overflow.
    package func byteCount(of count: Int) -> Int? {
        let (total, overflow) = count.multipliedReportingOverflow(by: bits)
        return overflow || total > Int.max - 7 ? nil : (total + 7) / 8
    }

    /// The short name that the command line, the reports and the case ids use: `float32`, `int64`, `float8e4m3fn`.
    package var name: String { Self.names[self]! }
    private static let names = Dictionary(uniqueKeysWithValues: allCases.map { ($0, String(describing: $0)) })
}

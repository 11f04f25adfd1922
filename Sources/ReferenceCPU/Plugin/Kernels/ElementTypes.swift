// SPDX-License-Identifier: Apache-2.0
import Operators
import ReferenceCPUKernels
import Tensors

/// The 16-bit floats, which loops for float32 take by way of float32.
let shortFloats = TypeSet(.float16, .bfloat16)
let floats = TypeSet(.float32, .float64, .float16, .bfloat16)
let signedIntegers = TypeSet(.int8, .int16, .int32, .int64)
let unsignedIntegers = TypeSet(.uint8, .uint16, .uint32, .uint64)
let integers: TypeSet = [signedIntegers, unsignedIntegers]

extension DataType {
    /// As the C loops call it; nil for those that have no loops by type.
    var loopType: cpu_type? {
        switch self {
        case .float32: CPU_TYPE_FLOAT32
        case .float64: CPU_TYPE_FLOAT64
        case .float16: CPU_TYPE_FLOAT16
        case .bfloat16: CPU_TYPE_BFLOAT16
        case .int8: CPU_TYPE_INT8
        case .uint8: CPU_TYPE_UINT8
        case .int16: CPU_TYPE_INT16
        case .uint16: CPU_TYPE_UINT16
        case .int32: CPU_TYPE_INT32
        case .uint32: CPU_TYPE_UINT32
        case .int64: CPU_TYPE_INT64
        case .uint64: CPU_TYPE_UINT64
        case .bool: CPU_TYPE_BOOL
        default: nil
        }
    }

    /// Whether it is one of the floats of 16 bits.
    var isShortFloat: Bool { self == .float16 || self == .bfloat16 }
}

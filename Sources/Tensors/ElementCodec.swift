// SPDX-License-Identifier: Apache-2.0

extension HostTensor {
    /// The elements of any type but string as float64: exact, except 64-bit integers beyond 2^53 (rounded). Complex elements give real and
    /// imaginary part in turn. A string tensor gives nothing.
    package func decodedDoubles() -> [Double] {
        switch dataType {
        case .float32: decoded(Float.self) { Double($0) }
        case .float64: decoded(Double.self) { $0 }
        case .complex64: decoded(Float.self, perElement: 2) { Double($0) }
        case .complex128: decoded(Double.self, perElement: 2) { $0 }
        case .float16: decoded(UInt16.self) { double(float16: $0) }
        case .bfloat16: decoded(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
        case .float8e8m0: decoded(UInt8.self, table: (0...255).map { ScaleFormat.decode(UInt8($0)) })
        case .float8e4m3fn: decoded(UInt8.self, table: Self.float8e4m3fnValues)
        case .float8e4m3fnuz: decoded(UInt8.self, table: Self.float8e4m3fnuzValues)
        case .float8e5m2: decoded(UInt8.self, table: Self.float8e5m2Values)
        case .float8e5m2fnuz: decoded(UInt8.self, table: Self.float8e5m2fnuzValues)
        case .float4e2m1: unpacked(bits: 4) { Self.float4e2m1Values[Int($0)] }
        case .uint64: decoded(UInt64.self) { Double($0) }
        case .string: []
        default: decodedIntegers().map { Double($0) }
        }
    }

    /// The elements of an integer or boolean tensor, exactly (a uint64 by its bit pattern, booleans as 0 and 1). Other types give nothing.
    package func decodedIntegers() -> [Int64] {
        switch dataType {
        case .int64: decoded(Int64.self) { $0 }
        case .uint64: decoded(UInt64.self) { Int64(bitPattern: $0) }
        case .int32: decoded(Int32.self) { Int64($0) }
        case .uint32: decoded(UInt32.self) { Int64($0) }
        case .int16: decoded(Int16.self) { Int64($0) }
        case .uint16: decoded(UInt16.self) { Int64($0) }
        case .int8: decoded(Int8.self) { Int64($0) }
        case .uint8: decoded(UInt8.self) { Int64($0) }
        case .bool: decoded(UInt8.self) { $0 == 0 ? 0 : 1 }
        case .uint4: unpacked(bits: 4) { Int64($0) }
        case .int4: unpacked(bits: 4) { Int64($0 ^ 8) - 8 }
        case .uint2: unpacked(bits: 2) { Int64($0) }
        case .int2: unpacked(bits: 2) { Int64($0 ^ 2) - 2 }
        default: []
        }
    }

    /// A floating-point or complex tensor from float64 values, each rounded once to nearest, ties to even. `saturate` concerns the 8-bit floats:
    /// what is too large becomes their largest value, not infinity or NaN. Throws for another type and for a wrong count.
    package init(_ dataType: DataType, _ shape: [Int], doubles values: [Double], saturate: Bool = false) throws {
        let width = dataType.kind == .complex ? 2 : 1
        guard let count = elementCount(shape), count.multipliedReportingOverflow(by: width) == (values.count, false) else {
            throw TensorError("\(values.count) values do not make a \(dataType.name) tensor of shape \(shape)")
        }
        let scale: @Sendable (Double) -> UInt8 = { ScaleFormat.encode($0, saturate: saturate) }
        try self.init(dataType, shape) { target in
            switch dataType {
            case .float32, .complex64: encode(values, into: target) { Float($0) }
            case .float64, .complex128: encode(values, into: target) { $0 }
            case .float8e8m0: encode(values, into: target, scale)
            case .float16, .bfloat16, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float4e2m1:
                let encoder = FloatFormat(dataType)!.encoder(saturate: saturate && dataType.bits == 8)
                switch dataType.bits {
                case 16: encode(values, into: target) { encoder.encode($0) }
                case 8: encode(values, into: target) { UInt8(truncatingIfNeeded: encoder.encode($0)) }
                default: pack(values, bits: 4, into: target) { UInt8(truncatingIfNeeded: encoder.encode($0)) }
                }
            default: throw TensorError("a \(dataType.name) tensor cannot be made of floating-point values")
            }
        }
    }

    /// An integer or boolean tensor; values wrap to the type's width (booleans: all but 0 is true). Throws for another type and for a wrong count.
    package init(_ dataType: DataType, _ shape: [Int], integers values: [Int64]) throws {
        guard elementCount(shape) == values.count else {
            throw TensorError("\(values.count) values do not make a \(dataType.name) tensor of shape \(shape)")
        }
        try self.init(dataType, shape) { target in
            switch dataType {
            case .int64, .uint64: encode(values, into: target) { $0 }
            case .int32, .uint32: encode(values, into: target) { UInt32(truncatingIfNeeded: $0) }
            case .int16, .uint16: encode(values, into: target) { UInt16(truncatingIfNeeded: $0) }
            case .int8, .uint8: encode(values, into: target) { UInt8(truncatingIfNeeded: $0) }
            case .bool: encode(values, into: target) { $0 == 0 ? 0 as UInt8 : 1 }
            case .int4, .uint4: pack(values, bits: 4, into: target) { UInt8(truncatingIfNeeded: $0) }
            case .int2, .uint2: pack(values, bits: 2, into: target) { UInt8(truncatingIfNeeded: $0) }
            default: throw TensorError("a \(dataType.name) tensor cannot be made of integers")
            }
        }
    }

    private static let float8e4m3fnValues = (0...255).map { FloatFormat.float8e4m3fn.decode($0) }
    private static let float8e4m3fnuzValues = (0...255).map { FloatFormat.float8e4m3fnuz.decode($0) }
    private static let float8e5m2Values = (0...255).map { FloatFormat.float8e5m2.decode($0) }
    private static let float8e5m2fnuzValues = (0...255).map { FloatFormat.float8e5m2fnuz.decode($0) }
    private static let float4e2m1Values = (0...15).map { FloatFormat.float4e2m1.decode($0) }

    @inline(__always) private func decoded<Raw: BitwiseCopyable, Element>(
        _: Raw.Type, perElement: Int = 1, _ convert: (Raw) -> Element
    ) -> [Element] {
        let total = count * perElement
        return [Element](unsafeUninitializedCapacity: total) { target, initialized in
            for index in 0..<total {
                let raw = bytes.loadUnaligned(fromByteOffset: index &* MemoryLayout<Raw>.size, as: Raw.self)
                target.initializeElement(at: index, to: convert(raw))
            }
            initialized = total
        }
    }

    private func decoded(_: UInt8.Type, table: [Double]) -> [Double] {
        table.withUnsafeBufferPointer { table in decoded(UInt8.self) { table[Int($0)] } }
    }

    /// Elements narrower than a byte, the first in the low bits.
    @inline(__always) private func unpacked<Element>(bits: Int, _ convert: (UInt8) -> Element) -> [Element] {
        let total = count
        let perByte = 8 / bits
        let mask = UInt8(1 << bits - 1)
        return [Element](unsafeUninitializedCapacity: total) { target, initialized in
            for index in 0..<total {
                let raw = bytes[index / perByte] >> UInt8(index % perByte * bits) & mask
                target.initializeElement(at: index, to: convert(raw))
            }
            initialized = total
        }
    }
}

/// binary16 widened by shifting it into binary32 and multiplying by 2^(127 − 15), which normalises denormals too.
@inline(__always) private func double(float16 code: UInt16) -> Double {
    let magnitude = UInt32(code & 0x7FFF) << 13
    let finite = Float(bitPattern: magnitude) * 0x1p112
    let special = Float(bitPattern: magnitude | 0x7F80_0000)
    let value = finite >= 65536 ? special : finite
    return Double(Float(bitPattern: value.bitPattern | UInt32(code & 0x8000) << 16))
}

@inline(__always) private func encode<Element, Raw: BitwiseCopyable>(
    _ values: [Element], into target: UnsafeMutableRawBufferPointer, _ convert: (Element) -> Raw
) {
    guard let base = target.baseAddress else { return }
    values.withUnsafeBufferPointer { values in
        for index in 0..<values.count {
            base.storeBytes(of: convert(values[index]), toByteOffset: index &* MemoryLayout<Raw>.size, as: Raw.self)
        }
    }
}

/// Elements narrower than a byte, the first in the low bits; the last byte's rest stays zero.
@inline(__always) private func pack<Element>(
    _ values: [Element], bits: Int, into target: UnsafeMutableRawBufferPointer, _ convert: (Element) -> UInt8
) {
    let perByte = 8 / bits
    let mask = UInt8(1 << bits - 1)
    for (index, value) in values.enumerated() {
        target[index / perByte] |= (convert(value) & mask) << UInt8(index % perByte * bits)
    }
}

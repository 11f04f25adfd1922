// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// Reads a `.npy` file of version 1 to 3: booleans, integers, floating-point and complex numbers in little-endian order, and strings
/// (`U`, and `S` as UTF-8). Elements in C order are viewed in the mapped file, those in Fortran order are rearranged.
///
/// Big-endian, structured, object, date and extended-precision arrays are refused. Errors begin with the path.
package func readNumpy(path: String) throws(TensorError) -> HostTensor {
    let file = try MappedFile(path: path)
    do {
        return try tensor(of: file)
    } catch { throw TensorError("\(path): \(error)") }
}

/// The `.npy` file of a tensor, version 1, C order.
///
/// NumPy has no bfloat16, no 8-bit floats and nothing narrower than a byte. Such tensors become the integers that NumPy can show: the raw
/// bits as `uint16` or `uint8`; integers of 4 and 2 bits by their value in `int8` or `uint8`; float4e2m1 by its 4 bits in `uint8`. The header then
/// names the type in a comment (`# southbridge: bfloat16`), which NumPy skips and `readNumpy` follows.
package func numpyData(_ tensor: HostTensor) throws(TensorError) -> Data {
    if tensor.dataType == .string { return try stringData(tensor) }
    let descriptor = numpyDescriptors[tensor.dataType]
    let stored = descriptor ?? substitute(for: tensor.dataType)
    var data = try head(stored, tensor.shape, standsFor: descriptor == nil ? tensor.dataType : nil)
    if tensor.dataType.bits >= 8 {
        data.append(contentsOf: tensor.bytes)
    } else {
        data.append(contentsOf: try widened(tensor))
    }
    return data
}

/// Writes `numpyData` to a temporary name beside `path` and renames it.
package func writeNumpy(_ tensor: HostTensor, path: String) throws(TensorError) {
    let data = try numpyData(tensor)
    do {
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch { throw TensorError("\(path): cannot be written: \(error.localizedDescription)") }
}

private let numpyDescriptors: [DataType: String] = [
    .bool: "|b1", .int8: "|i1", .uint8: "|u1", .int16: "<i2", .uint16: "<u2", .int32: "<i4", .uint32: "<u4", .int64: "<i8", .uint64: "<u8",
    .float16: "<f2", .float32: "<f4", .float64: "<f8", .complex64: "<c8", .complex128: "<c16",
]

/// How the types are stored that NumPy lacks.
private func substitute(for type: DataType) -> String {
    switch type {
    case .int4, .int2: "|i1"
    case .bfloat16: "<u2"
    default: "|u1"
    }
}

private func head(_ descriptor: String, _ shape: [Int], standsFor: DataType?) throws(TensorError) -> Data {
    guard let head = NumpyHeader(descriptor: descriptor, shape: shape, standsFor: standsFor).encoded else {
        throw TensorError("a shape of \(shape.count) dimensions does not fit the header of an .npy file")
    }
    return Data(head)
}

private func tensor(of file: MappedFile) throws -> HostTensor {
    let header = try NumpyHeader(parsing: file.bytes)
    let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[header.dataOffset...])
    if let strings = try strings(header, bytes) {
        let ordered = header.isFortranOrder ? rowMajor(header.shape).map { strings[$0] } : strings
        return try HostTensor(strings: ordered, shape: header.shape)
    }
    guard let type = numpyDescriptors.first(where: { sameType($0.value, header.descriptor) })?.key else {
        throw TensorError("elements of type '\(header.descriptor)' cannot be read")
    }
    let real = header.standsFor ?? type
    guard real == type || numpyDescriptors[real] == nil && real != .string && substitute(for: real) == numpyDescriptors[type] else {
        throw TensorError("elements of type '\(header.descriptor)' cannot stand for \(real.name)")
    }
    let stored = try HostTensor(real.bits >= 8 ? real : type, header.shape, viewing: bytes, owner: file)
    let ordered = header.isFortranOrder && header.shape.count > 1 ? try rearranged(stored) : stored
    return real.bits >= 8 ? ordered : try narrowed(ordered, to: real)
}

private func sameType(_ known: String, _ given: String) -> Bool {
    // The byte order of single bytes does not matter; "=" is this machine's, which is little-endian.
    if given == known || given == "?" && known == "|b1" { return true }
    guard given.dropFirst() == known.dropFirst(), let order = given.first else { return false }
    return known.hasPrefix("|") || order == "="
}

/// For each element in row-major order, its place in Fortran order.
private func rowMajor(_ shape: [Int]) -> [Int] {
    guard elementCount(shape) != 0 else { return [] }
    var indices = [0]
    var stride = 1
    for size in shape {
        indices = indices.flatMap { base in (0..<size).map { base + $0 * stride } }
        stride *= size
    }
    return indices
}

private func rearranged(_ tensor: HostTensor) throws -> HostTensor {
    let width = tensor.dataType.bits / 8
    return try HostTensor(tensor.dataType, tensor.shape) { target in
        for (position, source) in rowMajor(tensor.shape).enumerated() {
            let element = UnsafeRawBufferPointer(rebasing: tensor.bytes[source * width..<(source + 1) * width])
            UnsafeMutableRawBufferPointer(rebasing: target[position * width..<(position + 1) * width]).copyMemory(from: element)
        }
    }
}

/// One byte per element of a type narrower than that.
private func widened(_ tensor: HostTensor) throws(TensorError) -> [UInt8] {
    try withExtendedLifetime(tensor) { () throws(TensorError) in
        let type = tensor.dataType == .float4e2m1 ? DataType.uint4 : tensor.dataType
        let readable = try HostTensor(type, tensor.shape, viewing: tensor.bytes, owner: nil)
        return readable.decodedIntegers().map { UInt8(truncatingIfNeeded: $0) }
    }
}

private func narrowed(_ tensor: HostTensor, to type: DataType) throws -> HostTensor {
    let packed = type == .float4e2m1 ? DataType.uint4 : type
    let values = tensor.decodedIntegers()
    let result = try HostTensor(packed, tensor.shape, integers: values)
    guard result.decodedIntegers() == values else { throw TensorError("an element is outside the range of \(type.name)") }
    return try HostTensor(type, tensor.shape, bytes: Data(result.bytes))
}

// MARK: Strings

/// The elements of a `U` or `S` array as they follow each other in the file; nil for other arrays.
private func strings(_ header: NumpyHeader, _ bytes: UnsafeRawBufferPointer) throws -> [String]? {
    let code = header.descriptor.dropFirst().first
    guard code == "U" || code == "S", let length = Int(header.descriptor.dropFirst(2)), length >= 0 else { return nil }
    guard code == "S" || !header.descriptor.hasPrefix(">") else {
        throw TensorError("elements of type '\(header.descriptor)' cannot be read")
    }
    let (width, wide) = length.multipliedReportingOverflow(by: code == "U" ? 4 : 1)
    guard let count = elementCount(header.shape), !wide, count.multipliedReportingOverflow(by: width) == (bytes.count, false),
        width > 0 || count <= 1 << 20
    else { throw TensorError("its \(bytes.count) bytes do not make '\(header.descriptor)' elements of shape \(header.shape)") }
    return try (0..<count).map { index in
        let padded = UnsafeRawBufferPointer(rebasing: bytes[index * width..<(index + 1) * width])
        guard let string = code == "U" ? string(codePoints: padded) : String(validating: withoutPadding(Array(padded)), as: UTF8.self)
        else {
            throw TensorError("string \(index) is not valid Unicode")
        }
        return string
    }
}

private func string(codePoints bytes: UnsafeRawBufferPointer) -> String? {
    let codes = stride(from: 0, to: bytes.count, by: 4).map { bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self) }
    var string = String.UnicodeScalarView()
    for code in withoutPadding(codes) {
        guard let scalar = Unicode.Scalar(code) else { return nil }
        string.append(scalar)
    }
    return String(string)
}

/// Both kinds of strings are filled up with zeros.
private func withoutPadding<Code: BinaryInteger>(_ codes: [Code]) -> ArraySlice<Code> {
    codes[..<((codes.lastIndex { $0 != 0 } ?? -1) + 1)]
}

private func stringData(_ tensor: HostTensor) throws(TensorError) -> Data {
    let length = max(1, tensor.strings.map(\.unicodeScalars.count).max() ?? 1)
    var data = try head("<U\(length)", tensor.shape, standsFor: nil)
    for string in tensor.strings {
        var codes = string.unicodeScalars.map(\.value)
        codes += [UInt32](repeating: 0, count: length - codes.count)
        codes.withUnsafeBytes { data.append(contentsOf: $0) }
    }
    return data
}

// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// A dense, row-major tensor in host memory. Immutable once it is shared; copies share their storage.
///
/// The bytes may be a window of something larger (a mapped model file), so they need not be aligned to the element:
/// read them with `loadUnaligned` or through `elements(as:)`.
package struct HostTensor: @unchecked Sendable {
    package let dataType: DataType
    package let shape: [Int]
    /// The elements of a string tensor; empty for every other type.
    package let strings: [String]
    package let bytes: UnsafeRawBufferPointer
    /// Keeps `bytes` alive.
    package let owner: AnyObject?

    package var count: Int { elementCount(shape) ?? 0 }
    package var byteCount: Int { bytes.count }

    /// A tensor over memory that `owner` keeps alive; nothing is copied. Throws if `bytes` is not exactly as long as type and shape ask.
    package init(_ dataType: DataType, _ shape: [Int], viewing bytes: UnsafeRawBufferPointer, owner: AnyObject?) throws(TensorError) {
        guard dataType != .string, let count = elementCount(shape), let expected = dataType.byteCount(of: count) else {
            throw TensorError("a tensor of type \(dataType.name) and shape \(shape) has no size in bytes")
        }
        guard bytes.count == expected else {
            throw TensorError(
                "a tensor of type \(dataType.name) and shape \(shape) takes \(expected) bytes, but \(bytes.count) are there")
        }
        self.dataType = dataType
        self.shape = shape
        self.bytes = bytes
        self.owner = owner
        strings = []
    }

    /// A new tensor whose bytes `fill` writes; they are zero before.
    package init(
        _ dataType: DataType, _ shape: [Int], fill: (UnsafeMutableRawBufferPointer) throws -> Void = { _ in }
    ) throws {
        guard dataType != .string, let count = elementCount(shape), let size = dataType.byteCount(of: count) else {
            throw TensorError("a tensor of type \(dataType.name) and shape \(shape) has no size in bytes")
        }
        let storage = try HostStorage(byteCount: size)
        try fill(storage.bytes)
        try self.init(dataType, shape, viewing: UnsafeRawBufferPointer(storage.bytes), owner: storage)
    }

    package init(_ dataType: DataType, _ shape: [Int], bytes data: Data) throws {
        guard let count = elementCount(shape), dataType.byteCount(of: count) == data.count else {
            throw TensorError("a tensor of type \(dataType.name) and shape \(shape) cannot have \(data.count) bytes")
        }
        try self.init(dataType, shape) { target in _ = data.copyBytes(to: target) }
    }

    package init(strings: [String], shape: [Int]) throws(TensorError) {
        guard elementCount(shape) == strings.count else {
            throw TensorError("a string tensor of shape \(shape) cannot have \(strings.count) elements")
        }
        dataType = .string
        self.shape = shape
        self.strings = strings
        bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        owner = nil
    }

    /// A tensor of a type whose Swift type has the same bytes (`Float` for float32, `Int64` for int64, `UInt16` for float16 bits ...).
    package init<Element: BitwiseCopyable>(_ dataType: DataType, _ shape: [Int], _ elements: [Element]) throws {
        try self.init(dataType, shape) { target in
            try elements.withUnsafeBytes { source in
                guard source.count == target.count else {
                    throw TensorError("\(elements.count) elements do not make a \(dataType.name) tensor of shape \(shape)")
                }
                target.copyMemory(from: source)
            }
        }
    }

    /// The same elements under another shape with the same count; nothing is copied.
    package func reshaped(_ shape: [Int]) throws(TensorError) -> HostTensor {
        if dataType == .string { return try HostTensor(strings: strings, shape: shape) }
        return try HostTensor(dataType, shape, viewing: bytes, owner: owner)
    }

    /// The raw elements as a Swift type of the same width. Traps if the width is not the type's.
    package func elements<Element: BitwiseCopyable>(as _: Element.Type) -> [Element] {
        precondition(MemoryLayout<Element>.size * 8 == dataType.bits)
        return [Element](unsafeUninitializedCapacity: count) { target, initialized in
            UnsafeMutableRawBufferPointer(target).copyMemory(from: bytes)
            initialized = count
        }
    }
}

/// Host memory of its own, zeroed, aligned to 64 bytes.
private final class HostStorage {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) throws(TensorError) {
        var address: UnsafeMutableRawPointer?
        guard posix_memalign(&address, 64, max(byteCount, 1)) == 0, let address else {
            throw TensorError("the host has no \(byteCount) bytes left for a tensor")
        }
        memset(address, 0, byteCount)
        bytes = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }

    deinit { free(bytes.baseAddress) }
}

// SPDX-License-Identifier: Apache-2.0
import Southbound
import Tensors

/// Bytes drawn from the run's seed; each `salt` gives others.
func pattern(_ count: Int, _ context: CheckContext, salt: Int = 0) -> [UInt8] {
    let random = CounterRandom(seed: context.seed, case: "pattern", tensor: "\(salt)")
    return [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
        var index = 0
        while index < count {
            var word = random.word(UInt64(index / 8))
            for _ in 0..<min(8, count - index) {
                bytes[index] = UInt8(truncatingIfNeeded: word)
                word >>= 8
                index += 1
            }
        }
        initialized = count
    }
}

/// Throws with the first difference unless the bytes are equal.
func expectEqual(_ received: [UInt8], _ expected: [UInt8], _ subject: @autoclosure () -> String) throws(CheckFailure) {
    if received == expected { return }
    try expect(
        received.count == expected.count, .memory, "\(subject()): \(received.count) bytes instead of \(expected.count)")
    let differing = expected.indices.filter { received[$0] != expected[$0] }
    let first = differing[0]
    let place = differing.count == 1 && first == expected.count - 1 ? ": only the last, a missed tail" : ""
    throw .failed(
        .memory,
        "\(subject()): \(differing.count) of \(expected.count) bytes differ, first byte \(first): \(received[first]) instead of \(expected[first])\(place)"
    )
}

extension Device {
    /// Writes through the plugin's own copy.
    func write(_ bytes: [UInt8], to buffer: Buffer, at offset: Int = 0, stream: Stream? = nil) throws {
        try bytes.withUnsafeBytes { try upload($0, to: buffer, offset: offset, stream: stream) }
    }

    /// Reads synchronously.
    func read(_ buffer: Buffer, at offset: Int = 0, count: Int? = nil) throws -> [UInt8] {
        // Not zeros, so that bytes which the plugin leaves out show.
        var bytes = [UInt8](repeating: 0xEE, count: count ?? buffer.byteCount - offset)
        try bytes.withUnsafeMutableBytes { try download(from: buffer, offset: offset, into: $0) }
        return bytes
    }

    /// A buffer that holds `bytes`.
    func makeBuffer(_ bytes: [UInt8], alignment: Int? = nil) throws -> Buffer {
        let buffer = try allocate(byteCount: bytes.count, alignment: alignment)
        try write(bytes, to: buffer)
        return buffer
    }
}

/// Host memory with guard bytes on either side, freed with the last reference.
final class GuardedBytes: @unchecked Sendable {
    private static let margin = 128
    private static let guardByte: UInt8 = 0xC3
    private let memory: UnsafeMutableRawBufferPointer
    private let skew: Int
    let count: Int

    /// - Parameter skew: bytes by which the address misses a multiple of 64.
    init(_ bytes: [UInt8], skew: Int = 0) {
        count = bytes.count
        self.skew = skew
        memory = .allocate(byteCount: bytes.count + 2 * Self.margin + 64, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: Self.guardByte)
        UnsafeMutableRawBufferPointer(start: pointer, count: count).copyBytes(from: bytes)
    }

    deinit { memory.deallocate() }

    var pointer: UnsafeMutableRawPointer { memory.baseAddress! + Self.margin + skew }
    var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: pointer, count: count)) }

    func checkGuards(_ subject: @autoclosure () -> String) throws(CheckFailure) {
        let start = Self.margin + skew
        let before = memory[..<start].lastIndex { $0 != Self.guardByte }
        let after = memory[(start + count)...].firstIndex { $0 != Self.guardByte }
        if let before {
            throw .failed(.memory, "\(subject()): host memory was written \(start - before) bytes before the range")
        }
        if let after {
            throw .failed(
                .memory, "\(subject()): host memory was written \(after - start - count + 1) bytes after the range")
        }
    }
}

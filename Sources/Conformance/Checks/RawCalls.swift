// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

/// What one call of a plugin's function came to.
struct Answer {
    let status: Int32
    /// Empty after a success.
    let message: String
}

/// Calls a function of the plugin and checks the rules of every `sb_error`: the struct's tail and what lies behind the message stay as they are
/// (SB-ABI-003, SB-ERR-004), a success leaves all of it alone (SB-ERR-002), a failure ends its message with a zero.
///
/// - Parameter capacity: bytes that the plugin is offered for its message; 0 leaves the message NULL.
func ask(_ action: String, capacity: Int = 256, _ body: (UnsafeMutablePointer<sb_error>) -> Int32) throws(CheckFailure)
    -> Answer
{
    let tail = 64
    let size = MemoryLayout<sb_error>.size
    let structure = UnsafeMutableRawBufferPointer.allocate(byteCount: size + tail, alignment: 16)
    let message = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity + tail, alignment: 16)
    defer {
        structure.deallocate()
        message.deallocate()
    }
    structure.initializeMemory(as: UInt8.self, repeating: 0xA5)
    message.initializeMemory(as: UInt8.self, repeating: 0x5A)
    let error = structure.baseAddress!.bindMemory(to: sb_error.self, capacity: 1)
    let text = message.baseAddress!.assumingMemoryBound(to: CChar.self)
    error.initialize(
        to: sb_error(
            size: size + tail, flags: 0, reserved: 0, correlation: 0, message: capacity == 0 ? nil : text,
            capacity: capacity))
    let status = body(error)
    try expect(
        structure[size...].allSatisfy { $0 == 0xA5 }, .memory,
        "\(action): the plugin wrote beyond the sb_error that it knows")
    try expect(
        message[capacity...].allSatisfy { $0 == 0x5A }, .memory,
        "\(action): the message runs beyond its capacity of \(capacity) bytes")
    try expect(
        error.pointee.message == (capacity == 0 ? nil : text) && error.pointee.capacity == capacity, .memory,
        "\(action): the plugin changed the host's 'message' or 'capacity'")
    guard status != SB_OK else {
        try expect(
            message.allSatisfy { $0 == 0x5A } && error.pointee.flags == 0 && error.pointee.correlation == 0, .errorCode,
            "\(action): the call succeeded, but wrote into its sb_error")
        return Answer(status: status, message: "")
    }
    let said = message.prefix(capacity)
    if said.allSatisfy({ $0 == 0x5A }) { return Answer(status: status, message: "") }
    guard let end = said.firstIndex(of: 0) else {
        throw .failed(.memory, "\(action): the message of the failure has no terminating zero")
    }
    return Answer(status: status, message: String(decoding: said[..<end], as: UTF8.self))
}

extension Answer {
    /// Throws unless the call succeeded.
    func succeeded(_ action: String) throws(CheckFailure) {
        try expect(
            status == SB_OK, .errorCode,
            "\(action) failed with \(statusName(status)): \(message.isEmpty ? "no reason given" : message)")
    }

    /// Throws unless the call was refused with one of `codes` and a message.
    func refused(_ action: String, with codes: Int32...) throws(CheckFailure) {
        try expect(status != SB_OK, .errorCode, "\(action) succeeded, but must be refused")
        try expect(
            codes.contains(status), .errorCode,
            "\(action) was refused with \(statusName(status)), not \(codes.map(statusName).joined(separator: " or "))")
        try expect(!message.isEmpty, .errorCode, "\(action) was refused without a message for a person")
    }
}

func statusName(_ status: Int32) -> String {
    let names = [
        "OK", "INVALID_ARGUMENT", "UNSUPPORTED", "OUT_OF_MEMORY", "NOT_READY", "DEVICE_LOST", "TIMEOUT", "CANCELLED",
        "INTERNAL",
    ]
    return names.indices.contains(Int(status)) ? names[Int(status)] : "the unknown status \(status)"
}

/// A handle that no plugin gives out, to see whether a failed call wrote one.
nonisolated(unsafe) let untouchedHandle = OpaquePointer(bitPattern: 0x5A5A_5A50)!

/// The driver's own functions on an open device, without the host's checks before them.
struct RawDevice {
    let device: Device
    let driver: sb_driver

    init(_ device: Device) throws(CheckFailure) {
        guard let driver = device.plugin.driver else { throw .unsupported("the plugin has no group 'driver'") }
        self.device = device
        self.driver = driver
    }

    /// `buffer` starts as `untouchedHandle`; the caller frees it after a success.
    func allocate(
        _ bytes: UInt64, alignment: UInt64? = nil, space: UInt32 = 0, buffer: inout OpaquePointer?
    ) throws(CheckFailure) -> Answer {
        buffer = untouchedHandle
        let alignment = alignment ?? UInt64(device.alignment)
        return try ask("allocate \(bytes) bytes, aligned to \(alignment), in space \(space)") {
            driver.allocate(device.handle, space, bytes, alignment, &buffer, $0)
        }
    }

    func copy(_ bytes: UInt64, from source: End, to destination: End, stream: OpaquePointer? = nil) throws(CheckFailure)
        -> Answer
    {
        defer { withExtendedLifetime((source.owner, destination.owner)) {} }
        return try ask("copy \(bytes) bytes") {
            driver.copy(device.handle, stream, destination.place, source.place, bytes, $0)
        }
    }

    func fill(_ bytes: UInt64, at destination: End, with byte: UInt8, stream: OpaquePointer? = nil) throws(CheckFailure)
        -> Answer
    {
        guard let fill = driver.fill else { throw .unsupported("the plugin has no 'fill'") }
        defer { withExtendedLifetime(destination.owner) {} }
        return try ask("fill \(bytes) bytes") { fill(device.handle, stream, destination.place, byte, bytes, $0) }
    }
}

/// One end of a copy, with what owns its memory.
struct End {
    let place: sb_location
    let owner: AnyObject?

    static func buffer(_ buffer: Buffer) -> End { .buffer(buffer, 0) }
    static func buffer(_ buffer: Buffer, _ offset: some BinaryInteger) -> End {
        End(place: sb_location(buffer: buffer.handle, host: nil, offset: UInt64(offset)), owner: buffer)
    }

    static func host(_ bytes: GuardedBytes) -> End { .host(bytes, 0) }
    static func host(_ bytes: GuardedBytes, _ offset: some BinaryInteger) -> End {
        End(place: sb_location(buffer: nil, host: bytes.pointer, offset: UInt64(offset)), owner: bytes)
    }
}

extension Device {
    /// A copy without a stream that has to succeed.
    func copy(_ count: Int, from source: End, to destination: End) throws(CheckFailure) {
        try RawDevice(self).copy(UInt64(count), from: source, to: destination).succeeded("a copy of \(count) bytes")
    }
}

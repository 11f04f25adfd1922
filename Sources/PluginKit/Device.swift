// SPDX-License-Identifier: Apache-2.0

/// An open device: memory, copies, streams and events. Called from any thread, also at once. Released when the host has closed it.
///
/// Arguments have been checked against the header's rules (no null handle, at least one byte, alignment a power of two).
package protocol Device: AnyObject, Sendable {
    associatedtype Buffer: PluginKit.Buffer
    associatedtype Stream: PluginKit.Stream
    associatedtype Event: PluginKit.Event where Event.Stream == Stream

    /// At least `bytes` bytes in memory space `space`; contents undefined.
    func allocate(space: Int, bytes: UInt64, alignment: UInt64) throws(PluginFailure) -> Buffer
    /// A buffer of memory that stays the host's and outlives the buffer. By default not offered.
    func importHost(_ address: UnsafeMutableRawPointer, bytes: UInt64) throws(PluginFailure) -> Buffer
    /// The host's last use of the buffer; its handle is released after the call.
    func free(_ buffer: Buffer)
    /// Where the host can read and write the buffer. By default nowhere.
    func hostAddress(of buffer: Buffer) throws(PluginFailure) -> UnsafeMutableRawPointer
    /// Without a stream the copy is complete on return.
    func copy(_ bytes: UInt64, from source: Location<Buffer>, to destination: Location<Buffer>, on stream: Stream?) throws(PluginFailure)
    func fill(_ bytes: UInt64, of destination: Location<Buffer>, with byte: UInt8, on stream: Stream?) throws(PluginFailure)
    /// Whether devices of one started plugin copy from each other. By default not: the host then does it.
    static var copiesFromPeers: Bool { get }
    /// From a buffer of another device, or of another opening, into one of this device. Throws `unsupported` where there is no way between them.
    func copy(
        _ bytes: UInt64, from source: Place<Buffer>, of peer: Self, to destination: Place<Buffer>, on stream: Stream?
    ) throws(PluginFailure)
    /// Bytes of memory space `space` that this opening has allocated now.
    func usage(ofSpace space: Int) throws(PluginFailure) -> UInt64
    func makeStream() throws(PluginFailure) -> Stream
    func makeEvent() throws(PluginFailure) -> Event
}

extension Device {
    package func importHost(_ address: UnsafeMutableRawPointer, bytes: UInt64) throws(PluginFailure) -> Buffer {
        throw .unsupported("this device does not import host memory")
    }
    package func hostAddress(of buffer: Buffer) throws(PluginFailure) -> UnsafeMutableRawPointer {
        throw .unsupported("this device's memory is not visible to the host")
    }
    package static var copiesFromPeers: Bool { false }
    package func copy(
        _ bytes: UInt64, from source: Place<Buffer>, of peer: Self, to destination: Place<Buffer>, on stream: Stream?
    ) throws(PluginFailure) {
        throw .unsupported("this device does not copy from others")
    }
}

/// One end of a copy.
package enum Location<Buffer> {
    case buffer(Buffer, offset: UInt64)
    /// An address in host memory, offset included.
    case host(UnsafeMutableRawPointer)
}

/// A byte of a buffer.
package struct Place<Buffer> {
    package let buffer: Buffer
    package let offset: UInt64

    package init(_ buffer: Buffer, offset: UInt64) {
        self.buffer = buffer
        self.offset = offset
    }
}

/// An in-order queue of a device, used by one thread at a time. Released when the host has destroyed it.
package protocol Stream: AnyObject, Sendable {
    /// Waits for all work given before. Throws the first failure since the last call.
    func synchronize() throws(PluginFailure)
    /// Whether all work is done; does not wait.
    var isFinished: Bool { get }
    /// The host's last use: waits for the stream's work.
    func destroy()
    /// Whether work can be dropped. By default not: the host then waits for it.
    static var isCancellable: Bool { get }
    /// Drops the work that has not begun, without waiting; called by any thread, also while another one synchronizes. If anything was dropped the next
    /// `synchronize` throws `cancelled`.
    func cancel() throws(PluginFailure)
}

extension Stream {
    package static var isCancellable: Bool { false }
    package func cancel() throws(PluginFailure) { throw .unsupported("this stream's work cannot be dropped") }
}

/// A point in a stream.
package protocol Event: AnyObject, Sendable {
    associatedtype Stream: PluginKit.Stream
    func record(on stream: Stream) throws(PluginFailure)
    /// Holds back later work on `stream` until the mark is reached.
    func hold(_ stream: Stream) throws(PluginFailure)
    func synchronize() throws(PluginFailure)
    /// Whether the mark is reached; true if it was never recorded.
    var isReached: Bool { get }
    /// The device's time from this mark to `end`. Throws `notReady` unless both are reached.
    func nanoseconds(until end: Self) throws(PluginFailure) -> UInt64
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

/// A stream that keeps everything its work uses until the work is done, however a check ends: the queue may still read and write it.
/// One thread uses it at a time.
final class CheckedStream {
    // In this order: the stream goes first, and its end waits for its work.
    private let stream: Stream
    private var kept: [AnyObject?] = []
    private let raw: RawDevice

    init(_ device: Device) throws {
        raw = try RawDevice(device)
        stream = try device.makeStream()
    }

    var handle: OpaquePointer? { stream.handle }

    func copy(_ count: Int, from source: End, to destination: End) throws {
        kept += [source.owner, destination.owner]
        try raw.copy(UInt64(count), from: source, to: destination, stream: handle).succeeded(
            "a copy of \(count) bytes on a stream")
    }

    func fill(_ count: Int, at destination: End, with byte: UInt8) throws {
        kept.append(destination.owner)
        try raw.fill(UInt64(count), at: destination, with: byte, stream: handle).succeeded(
            "a fill of \(count) bytes on a stream")
    }

    /// Until the next synchronization, or the stream's end.
    func keep(_ owners: [AnyObject]) { kept += owners }

    func record(_ event: Event) throws {
        kept.append(event)
        try event.record(on: stream)
    }

    func wait(for event: Event) throws {
        kept.append(event)
        try event.wait(on: stream)
    }

    func query() throws -> Bool { try stream.query() }

    func cancel() throws { _ = try stream.cancel() }

    /// What the work uses is let go even if some of it failed or was dropped.
    func synchronize() throws {
        defer { kept = [] }
        try stream.synchronize()
    }
}

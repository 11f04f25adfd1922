// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// One message between supervisor and worker: `docs/worker-protocol.md` is the specification.
///
/// On the wire: the four bytes `SBW1`, the number of blobs (32 bits), the length of each (64 bits), then the blobs; all little-endian.
/// Blob 0 is a JSON object, the others are what it speaks of (models, tensors).
package struct Frame: Sendable {
    package static let magic: [UInt8] = Array("SBW1".utf8)
    package static let largestBlobCount = 1 << 16
    /// Bytes of all blobs together.
    package static let largestSize = 1 << 34

    package var blobs: [Data]

    package init(_ blobs: [Data]) { self.blobs = blobs }

    package func encodedHeader() -> Data {
        var header = Data(Self.magic)
        withUnsafeBytes(of: UInt32(blobs.count).littleEndian) { header.append(contentsOf: $0) }
        for blob in blobs { withUnsafeBytes(of: UInt64(blob.count).littleEndian) { header.append(contentsOf: $0) } }
        return header
    }
}

package struct FrameError: Error, Sendable, CustomStringConvertible {
    package enum Reason: Sendable { case ended, malformed, timedOut, interrupted, outOfMemory, system }
    package let reason: Reason
    package let description: String

    package init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }
}

/// Reads and writes frames on a pair of file descriptors. Both sides use it: the worker blocks, the supervisor waits with limits.
package struct FrameChannel: Sendable {
    package let input: Int32
    package let output: Int32
    /// Asked about every 20 ms of waiting; throws to give up.
    private let whileWaiting: (@Sendable () throws(FrameError) -> Void)?

    /// - Parameter whileWaiting: makes both descriptors non-blocking.
    package init(input: Int32, output: Int32, whileWaiting: (@Sendable () throws(FrameError) -> Void)? = nil) {
        self.input = input
        self.output = output
        self.whileWaiting = whileWaiting
        if whileWaiting != nil {
            for descriptor in [input, output] { _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) }
        }
    }

    package func send(_ frame: Frame) throws(FrameError) {
        try write(frame.encodedHeader())
        for blob in frame.blobs { try write(blob) }
    }

    package func receive() throws(FrameError) -> Frame {
        let start = try read(8)
        guard start.prefix(4).elementsEqual(Frame.magic) else {
            throw FrameError(.malformed, "what the worker sent does not begin with SBW1; does it write to standard output?")
        }
        let count = Int(start.suffix(4).enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << UInt32(8 * $1.offset) })
        guard count > 0, count <= Frame.largestBlobCount else { throw FrameError(.malformed, "a message of \(count) blobs") }
        let table = try read(8 * count)
        var lengths: [Int] = []
        var total = 0
        for index in 0..<count {
            let bytes = table.dropFirst(8 * index).prefix(8)
            let length = bytes.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
            guard length <= UInt64(Frame.largestSize), total + Int(length) <= Frame.largestSize else {
                throw FrameError(.malformed, "a message of \(length) bytes and more")
            }
            total += Int(length)
            lengths.append(Int(length))
        }
        var blobs: [Data] = []
        for length in lengths { blobs.append(try read(length)) }
        return Frame(blobs)
    }

    private func write(_ data: Data) throws(FrameError) {
        var done = 0
        while done < data.count {
            let written = data.withUnsafeBytes { Foundation.write(output, $0.baseAddress! + done, $0.count - done) }
            if written > 0 {
                done += written
            } else {
                try wait(for: POLLOUT, on: output)
            }
        }
    }

    private func read(_ count: Int) throws(FrameError) -> Data {
        var data = Data()
        // Grows as the bytes come: a length alone makes nobody allocate.
        while data.count < count {
            let old = data.count
            let piece = min(count - old, max(1 << 16, old))
            data.count = old + piece
            let received = data.withUnsafeMutableBytes { Foundation.read(input, $0.baseAddress! + old, piece) }
            data.count = old + max(received, 0)
            if received == 0 { throw FrameError(.ended, "the other side closed the connection") }
            if received < 0 { try wait(for: POLLIN, on: input) }
        }
        return data
    }

    private func wait(for event: Int32, on descriptor: Int32) throws(FrameError) {
        switch errno {
        case EINTR: return
        case EAGAIN: break
        case EPIPE: throw FrameError(.ended, "the other side closed the connection")
        default: throw FrameError(.system, String(cString: strerror(errno)))
        }
        var request = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        while poll(&request, 1, whileWaiting == nil ? -1 : 20) == 0 { try whileWaiting?() }
    }
}

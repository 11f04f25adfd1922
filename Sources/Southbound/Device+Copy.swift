// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation

/// One end of a copy.
package enum Location {
    /// A byte offset into a buffer.
    case buffer(Buffer, offset: Int)
    /// Host memory. On a queued stream it stays valid and, as a source, unchanged until the stream has passed the copy.
    case host(UnsafeMutableRawPointer?)
}

extension Device {
    /// Copies within the device, or between it and the host. Complete on return unless the stream is queued.
    package func copy(to destination: Location, from source: Location, byteCount: Int, stream: Stream? = nil) throws(PluginError) {
        guard byteCount >= 0 else { throw invalid("cannot copy \(byteCount) bytes") }
        if byteCount == 0 { return }
        let target = try place(destination, byteCount, "destination")
        let origin = try place(source, byteCount, "source")
        try check(stream)
        try call("copy \(byteCount) bytes") { driver.copy(handle, stream?.handle, target, origin, UInt64(byteCount), $0) }
    }

    package func upload(
        _ bytes: UnsafeRawBufferPointer, to buffer: Buffer, offset: Int = 0, stream: Stream? = nil
    ) throws(PluginError) {
        try copy(
            to: .buffer(buffer, offset: offset), from: .host(UnsafeMutableRawPointer(mutating: bytes.baseAddress)), byteCount: bytes.count,
            stream: stream)
    }

    package func download(
        from buffer: Buffer, offset: Int = 0, into bytes: UnsafeMutableRawBufferPointer, stream: Stream? = nil
    ) throws(PluginError) {
        try copy(to: .host(bytes.baseAddress), from: .buffer(buffer, offset: offset), byteCount: bytes.count, stream: stream)
    }

    /// Sets bytes of a buffer. A plugin that cannot is given copies of a pattern, and its stream is synchronized.
    package func fill(
        _ buffer: Buffer, offset: Int = 0, byteCount: Int, with byte: UInt8, stream: Stream? = nil
    ) throws(PluginError) {
        guard byteCount >= 0 else { throw invalid("cannot fill \(byteCount) bytes") }
        let target = try place(.buffer(buffer, offset: offset), byteCount, "destination")
        try check(stream)
        if byteCount == 0 { return }
        if let fill = driver.fill {
            return try call("fill \(byteCount) bytes") { fill(handle, stream?.handle, target, byte, UInt64(byteCount), $0) }
        }
        let chunk = min(byteCount, 1 << 16)
        let pattern = UnsafeMutableRawPointer.allocate(byteCount: chunk, alignment: 64)
        defer { pattern.deallocate() }
        memset(pattern, Int32(byte), chunk)
        var failure: PluginError?
        var done = 0
        while done < byteCount, failure == nil {
            let size = min(chunk, byteCount - done)
            do throws(PluginError) {
                try copy(to: .buffer(buffer, offset: offset + done), from: .host(pattern), byteCount: size, stream: stream)
            } catch {
                failure = error
            }
            done += size
        }
        // The pattern must outlive every copy that was queued, also if a later one failed.
        try stream?.synchronize()
        if let failure { throw failure }
    }

    /// Whether copies from a buffer of `peer` to one of this device need no detour: both are of one plugin, and a way is there. Tries it with a few bytes.
    package func reaches(peer: Device) -> Bool {
        guard peer !== self, peer.plugin === plugin, let copyPeer = driver.copy_peer else { return false }
        let byteCount = 64
        guard let target = try? allocate(byteCount: byteCount), let source = try? peer.allocate(byteCount: byteCount) else { return false }
        let to = sb_location(buffer: target.handle, host: nil, offset: 0)
        let from = sb_location(buffer: source.handle, host: nil, offset: 0)
        return withExtendedLifetime((target, source)) {
            (try? call("copy from a peer") { copyPeer(handle, nil, to, peer.handle, from, UInt64(byteCount), $0) }) != nil
        }
    }

    private func check(_ stream: Stream?) throws(PluginError) {
        if let stream, stream.device !== self { throw invalid("the stream belongs to \(stream.device.name)") }
    }

    private func place(_ location: Location, _ byteCount: Int, _ role: String) throws(PluginError) -> sb_location {
        switch location {
        case .host(let address):
            guard let address else { throw invalid("the \(role) of a copy is NULL") }
            return sb_location(buffer: nil, host: address, offset: 0)
        case .buffer(let buffer, let offset):
            guard buffer.device === self else { throw invalid("the \(role) of a copy belongs to \(buffer.device.name)") }
            guard offset >= 0, offset <= buffer.byteCount, byteCount <= buffer.byteCount - offset else {
                throw invalid("the \(role) (\(byteCount) bytes at offset \(offset)) is outside the buffer of \(buffer.byteCount) bytes")
            }
            return sb_location(buffer: buffer.handle, host: nil, offset: UInt64(offset))
        }
    }
}

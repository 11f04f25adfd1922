// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import Synchronization

package enum LogLevel: UInt32, Sendable, Comparable {
    case debug, info, warning, error
    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

package typealias PluginLog = @Sendable (LogLevel, String) -> Void

/// The services that this host offers to one plugin.
///
/// The plugin may keep the pointer until its library is closed (SB-NEG-002), which never happens: each loading leaves its services, some
/// hundred bytes, behind.
final class HostServices: Sendable {
    private let log: Mutex<PluginLog?>
    nonisolated(unsafe) private(set) var pointer: UnsafePointer<sb_host>

    init(log: PluginLog?) {
        self.log = Mutex(log)
        let table = UnsafeMutablePointer<sb_host>.allocate(capacity: 1)
        pointer = UnsafePointer(table)
        table.initialize(
            to: sb_host(
                size: MemoryLayout<sb_host>.size, version: (SB_VERSION_MAJOR << 16) | SB_VERSION_MINOR, reserved: 0,
                context: Unmanaged.passRetained(self).toOpaque(), log: receiveLog, clock: { _ in clockNanoseconds() }))
    }

    /// Nothing is logged any more.
    func silence() { log.withLock { $0 = nil } }

    fileprivate func receive(_ level: LogLevel, _ message: String) {
        let log = log.withLock { $0 }
        log?(level, message)
    }
}

private let receiveLog: @convention(c) (UnsafeMutableRawPointer?, UInt32, sb_string) -> Void = { context, level, message in
    guard let context else { return }
    let length = max(0, min(message.length, PluginReader.longestText))
    let bytes = UnsafeRawBufferPointer(start: message.data, count: message.data == nil ? 0 : length)
    Unmanaged<HostServices>.fromOpaque(context).takeUnretainedValue()
        .receive(LogLevel(rawValue: level) ?? .error, String(decoding: bytes, as: UTF8.self))
}

private func clockNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

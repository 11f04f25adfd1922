// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
import Foundation

/// Bytes of an error message that the host takes.
private let messageCapacity = 1000

/// Calls `body` with an `sb_error` and turns the status into a `PluginError`. Allocates nothing if the call succeeds.
///
/// - Parameter action: what is being done, for the message: "allocate 64 bytes".
package func withStatus(
    plugin: @autoclosure () -> String, doing action: @autoclosure () -> String, _ body: (UnsafeMutablePointer<sb_error>) -> Int32
) throws(PluginError) {
    let failure = withUnsafeTemporaryAllocation(byteCount: messageCapacity, alignment: 1) { memory -> PluginError? in
        let message = memory.bindMemory(to: CChar.self)
        message[0] = 0
        var error = sb_error(
            size: MemoryLayout<sb_error>.size, flags: 0, reserved: 0, correlation: 0, message: message.baseAddress,
            capacity: message.count)
        let status = body(&error)
        if status == SB_OK { return nil }
        return PluginError(status: status, error, plugin: plugin(), doing: action())
    }
    if let failure { throw failure }
}

extension PluginError {
    /// What a call that failed said, in `error` with its message memory still there.
    package init(status: Int32, _ error: sb_error, plugin: String, doing action: String) {
        let message = UnsafeRawBufferPointer(start: error.message, count: error.capacity)
        self.init(
            .of(status: status), plugin: plugin, "cannot \(action): \(statusText(status, message))",
            isRetryable: error.flags & SB_ERROR_FLAG_RETRY != 0, correlation: error.correlation)
    }
}

extension PluginError.Code {
    /// What a status of `southbridge.h` means; a status that is not in its list is an internal error (SB-ERR-006).
    package static func of(status: Int32) -> Self {
        switch status {
        case SB_ERROR_INVALID_ARGUMENT: .invalidArgument
        case SB_ERROR_UNSUPPORTED: .unsupported
        case SB_ERROR_OUT_OF_MEMORY: .outOfMemory
        case SB_ERROR_NOT_READY: .notReady
        case SB_ERROR_DEVICE_LOST: .deviceLost
        case SB_ERROR_TIMEOUT: .timedOut
        case SB_ERROR_CANCELLED: .cancelled
        default: .callFailed
        }
    }
}

/// "out of memory: the plugin's own words". The text is the plugin's: it ends at the first zero or at the end of `memory`, and is mended if it is not UTF-8.
private func statusText(_ status: Int32, _ memory: UnsafeRawBufferPointer) -> String {
    let said = String(decoding: memory.prefix { $0 != 0 }, as: UTF8.self)
    let meaning =
        switch status {
        case SB_ERROR_INVALID_ARGUMENT: "invalid argument"
        case SB_ERROR_UNSUPPORTED: "unsupported"
        case SB_ERROR_OUT_OF_MEMORY: "out of memory"
        case SB_ERROR_NOT_READY: "not ready"
        case SB_ERROR_DEVICE_LOST: "the device is lost"
        case SB_ERROR_TIMEOUT: "the device did not answer in time"
        case SB_ERROR_CANCELLED: "cancelled"
        case SB_ERROR_INTERNAL: "the plugin failed"
        default: "the plugin failed with the unknown status \(status)"
        }
    return said.isEmpty ? "\(meaning) (the plugin gave no reason)" : "\(meaning): \(said)"
}

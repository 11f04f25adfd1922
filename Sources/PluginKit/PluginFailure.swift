// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// Why a call of the host fails: an `SB_ERROR_*` code and a sentence for a person.
package struct PluginFailure: Error, Sendable, CustomStringConvertible {
    package var code: Int32
    package var message: String
    /// The same call may succeed later.
    package var mayRetry: Bool
    /// `sb_launch.correlation` of the launch that failed; 0 if the failure belongs to none.
    package var correlation: UInt64

    package init(code: Int32, _ message: String, mayRetry: Bool = false, correlation: UInt64 = 0) {
        self.code = code
        self.message = message
        self.mayRetry = mayRetry
        self.correlation = correlation
    }

    package static func invalid(_ message: String) -> PluginFailure { .init(code: SB_ERROR_INVALID_ARGUMENT, message) }
    package static func unsupported(_ message: String) -> PluginFailure { .init(code: SB_ERROR_UNSUPPORTED, message) }
    package static func outOfMemory(_ message: String) -> PluginFailure { .init(code: SB_ERROR_OUT_OF_MEMORY, message, mayRetry: true) }
    package static func notReady(_ message: String) -> PluginFailure { .init(code: SB_ERROR_NOT_READY, message, mayRetry: true) }
    package static func cancelled(_ message: String) -> PluginFailure { .init(code: SB_ERROR_CANCELLED, message, mayRetry: true) }
    package static func `internal`(_ message: String) -> PluginFailure { .init(code: SB_ERROR_INTERNAL, message) }

    package var description: String { message }

    /// Fills the caller's `sb_error`, as far as it is there and reaches, and returns the code.
    func report(to error: UnsafeMutablePointer<sb_error>?) -> Int32 {
        guard let error, error.pointee.size >= MinimumSize.error else { return code }
        error.pointee.flags = mayRetry ? SB_ERROR_FLAG_RETRY : 0
        error.pointee.correlation = correlation
        if let target = error.pointee.message { write(message, to: target, capacity: error.pointee.capacity) }
        return code
    }
}

/// Writes as many whole characters of `text` as fit, and a terminating zero.
func write(_ text: String, to target: UnsafeMutablePointer<CChar>, capacity: Int) {
    guard capacity > 0 else { return }
    var text = text
    text.withUTF8 { bytes in
        var count = min(bytes.count, capacity - 1)
        // A cut inside a character goes back to where the character began.
        if count < bytes.count { while count > 0, bytes[count] & 0xC0 == 0x80 { count -= 1 } }
        if count > 0, let source = bytes.baseAddress { UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count) }
        target[count] = 0
    }
}

/// The sizes that the host's structs had in the version that brought them: what a plugin may read without asking further.
enum MinimumSize {
    static let host = 40
    static let error = 40
    static let tensor = 64
    static let attribute = 72
    static let node = 104
    static let support = 48
    /// As of version 0.3.
    static let supportWithLayouts = 72
    /// As of version 0.4.
    static let supportWithNumerics = 80
    static let launch = 120
    static let graph = 64
    static let programInfo = 24
    /// As of version 0.4.
    static let programInfoWithMemory = 48
    static let execution = 112
    static let counter = 64
}

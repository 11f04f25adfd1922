// SPDX-License-Identifier: Apache-2.0
import CConformance
import Foundation

/// What a plugin has to leave alone in its process (SB-ABI-009).
struct ProcessState: Sendable {
    /// Before any plugin was loaded, if the process looked at it then; loading a library a second time changes nothing any more.
    static let initial = ProcessState()

    let floatingPoint = sbc_floating_point_mode()
    let locale: String
    /// Of the signals 1 to 31.
    let handlers = (1...31).map { sbc_signal_handler($0) }
    let blockedSignals = sbc_blocked_signals()
    let folder = FileManager.default.currentDirectoryPath
    /// Which file each of the three standard streams is; empty if it is closed.
    let streams = (0...2).map { descriptor in
        var status = stat()
        return fstat(Int32(descriptor), &status) == 0 ? "\(status.st_dev):\(status.st_ino)" : ""
    }

    init() { locale = setlocale(LC_ALL, nil).map { String(cString: $0) } ?? "" }
}

/// What the process holds of memory, descriptors and threads.
struct ProcessUse {
    /// Resident, in bytes.
    let resident: Int
    /// Given out by the C library's allocator, in bytes.
    let heap: Int

    static func now() -> ProcessUse { ProcessUse(resident: residentBytes(), heap: sbc_heap_in_use()) }

    static func descriptorCount() -> Int { entries(of: "/proc/self/fd") }
    static func threadCount() -> Int { entries(of: "/proc/self/task") }

    private static func entries(of folder: String) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? 0
    }

    private static func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 128)
        guard fgets(&text, 127, file) != nil else { return 0 }
        let fields = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}

/// Runs `body` over and over and throws if memory grows with it: more than `heap` bytes of the C library's, or 8 MiB of the process.
///
/// - Parameters:
///   - warmUp: runs before the first look, in which caches fill.
///   - action: what is repeated, for the message.
func expectNoGrowth(
    _ action: String, repeating count: Int, warmUp: Int, heap: Int = 128 << 10, _ body: (Int) throws -> Void
) throws {
    for index in 0..<warmUp { try body(index) }
    let before = ProcessUse.now()
    for index in 0..<count { try body(index) }
    let after = ProcessUse.now()
    try expect(
        after.heap - before.heap < heap, .leak,
        "\(action), \(count) times: \(after.heap - before.heap) bytes of the heap did not come back (\((after.heap - before.heap) / count) each time)"
    )
    try expect(
        after.resident - before.resident < 8 << 20, .leak,
        "\(action), \(count) times: the process grew by \((after.resident - before.resident) >> 10) KiB")
}

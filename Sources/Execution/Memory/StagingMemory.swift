// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Host memory for values on their way between devices and for what devices have no room for. Above a limit it is a file without a name, which the system
/// writes to disk when memory is short.
final class StagingMemory: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
    let isFile: Bool

    /// - Parameter fileLimit: more bytes than this go to a file in the folder for temporary files.
    init(byteCount: Int, fileLimit: Int) throws(ExecutionError) {
        isFile = byteCount > fileLimit
        let descriptor = isFile ? try Self.makeFile(byteCount) : -1
        defer { if descriptor >= 0 { close(descriptor) } }
        let flags = isFile ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS
        guard let address = mmap(nil, max(byteCount, 1), PROT_READ | PROT_WRITE, flags, descriptor, 0), address != MAP_FAILED else {
            throw .model("the host has no \(byteCount) bytes for values on their way between devices: \(String(cString: strerror(errno)))")
        }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }

    deinit { munmap(bytes.baseAddress!, max(bytes.count, 1)) }

    private static func makeFile(_ byteCount: Int) throws(ExecutionError) -> Int32 {
        var template = Array((FileManager.default.temporaryDirectory.path + "/southbridge-spill-XXXXXX").utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw failure("create", template) }
        unlink(template)
        // Not ftruncate alone: a full disk must show now, not as a signal during a run.
        let status = posix_fallocate(descriptor, 0, off_t(byteCount))
        guard status == 0 else {
            close(descriptor)
            errno = status
            throw failure("reserve \(byteCount) bytes in", template)
        }
        return descriptor
    }

    private static func failure(_ action: String, _ path: [CChar]) -> ExecutionError {
        let reason = String(cString: strerror(errno))
        let path = path.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        return .model("cannot \(action) the temporary file '\(path)': \(reason); set TMPDIR to a folder with room")
    }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation

/// A plugin's shared library, mapped into the process for good: libraries written in C++ or Swift do not survive being unmapped.
struct SharedLibrary: @unchecked Sendable {
    let path: String
    private let handle: UnsafeMutableRawPointer

    typealias EntryPoint =
        @convention(c) (UnsafePointer<sb_host>?, UnsafeMutablePointer<UnsafePointer<sb_plugin>?>?, UnsafeMutablePointer<sb_error>?) -> Int32

    /// - Parameter plugin: the plugin's name in errors.
    init(path: String, plugin: String) throws(PluginError) {
        try Self.check(path: path, plugin: plugin)
        guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | Int32(RTLD_NODELETE)) else {
            let reason = dlerror().map { String(cString: $0) } ?? "the system gave no reason"
            throw PluginError(.cannotOpen, plugin: plugin, "\(path) cannot be loaded: \(reason)")
        }
        self.path = path
        self.handle = handle
    }

    func entryPoint(plugin: String) throws(PluginError) -> EntryPoint {
        guard let symbol = dlsym(handle, SB_ENTRY_POINT) else {
            throw PluginError(.noEntryPoint, plugin: plugin, "\(path) is a library, but no plugin: it does not export '\(SB_ENTRY_POINT)'")
        }
        return unsafeBitCast(symbol, to: EntryPoint.self)
    }

    /// Refuses what the system's loader would refuse unclearly, or would crash on: it maps a truncated library and then reads beyond its end.
    private static func check(path: String, plugin: String) throws(PluginError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw PluginError(.cannotOpen, plugin: plugin, "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw PluginError(.cannotOpen, plugin: plugin, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw PluginError(.cannotOpen, plugin: plugin, "\(path) is \(isFolder ? "a folder" : "no regular file"), not a shared library")
        }
        var header = Elf64_Ehdr()
        let headerSize = MemoryLayout<Elf64_Ehdr>.size
        guard pread(descriptor, &header, headerSize, 0) == headerSize, header.e_ident.0 == 0x7f, header.e_ident.1 == UInt8(ascii: "E"),
            header.e_ident.2 == UInt8(ascii: "L"), header.e_ident.3 == UInt8(ascii: "F")
        else { throw PluginError(.notALibrary, plugin: plugin, "\(path) is not a shared library (ELF)") }
        guard header.e_ident.4 == UInt8(ELFCLASS64), header.e_ident.5 == UInt8(ELFDATA2LSB), header.e_machine == hostMachine else {
            throw PluginError(.notALibrary, plugin: plugin, "\(path) is built for another kind of processor")
        }
        guard header.e_type == UInt16(ET_DYN) else {
            throw PluginError(.notALibrary, plugin: plugin, "\(path) is an ELF file, but not a shared library")
        }
        var segment = Elf64_Phdr()
        let segmentSize = MemoryLayout<Elf64_Phdr>.size
        for index in 0..<Int(header.e_phnum) {
            let (offset, overflow) = Int(truncatingIfNeeded: header.e_phoff).addingReportingOverflow(index * segmentSize)
            guard !overflow, offset >= 0, pread(descriptor, &segment, segmentSize, off_t(offset)) == segmentSize else {
                throw PluginError(.notALibrary, plugin: plugin, "\(path) is a truncated or damaged shared library")
            }
            let (end, wrapped) = segment.p_offset.addingReportingOverflow(segment.p_filesz)
            if segment.p_type == UInt32(PT_LOAD), wrapped || end > UInt64(status.st_size) {
                throw PluginError(
                    .notALibrary, plugin: plugin, "\(path) is a truncated shared library: it has \(status.st_size) bytes and needs \(end)")
            }
        }
    }

    private static var hostMachine: UInt16 {
        #if arch(x86_64)
            UInt16(EM_X86_64)
        #elseif arch(arm64)
            UInt16(EM_AARCH64)
        #else
            #error("name the ELF machine of this processor")
        #endif
    }
}

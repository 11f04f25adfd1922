// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import Southbound

/// A host of the suite's own making, of any version and size, which ends exactly at the end of a readable page: a plugin that reads
/// beyond the struct's `size` crashes. Mapped for good, as SB-NEG-002 demands.
struct PlayedHost {
    let pointer: UnsafePointer<sb_host>

    /// - Parameter tail: bytes of members that a later version may have added, filled with rubbish.
    init(version: UInt32 = PlayedHost.version, tail: Int = 0) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let size = MemoryLayout<sb_host>.size + tail
        guard let memory = mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else {
            fatalError("no memory for two pages")
        }
        mprotect(memory + page, page, PROT_NONE)
        let start = memory + page - size
        memset(start, 0xA5, size)
        let host = start.bindMemory(to: sb_host.self, capacity: 1)
        host.initialize(
            to: sb_host(
                size: size, version: version, reserved: 0, context: nil, log: { _, _, _ in },
                clock: { _ in
                    var time = timespec()
                    clock_gettime(CLOCK_MONOTONIC, &time)
                    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
                }))
        mprotect(memory, page, PROT_READ)
        pointer = UnsafePointer(host)
    }

    static let version: UInt32 = SB_VERSION_MAJOR << 16 | SB_VERSION_MINOR
}

/// The plugin's first table as the entry point returned it; members beyond its size are 0.
struct RawTable {
    let pointer: UnsafePointer<sb_plugin>
    let table: sb_plugin
    let host: PlayedHost

    init(_ context: CheckContext, host: PlayedHost = PlayedHost()) throws {
        let entry = try EntryPoint(context.reference)
        var plugin: UnsafePointer<sb_plugin>?
        try ask("the entry point") { entry(host.pointer, &plugin, $0) }.succeeded(
            "negotiation with a host of the plugin's own major version")
        guard let plugin else {
            throw CheckFailure.failed(.declaration, "the entry point succeeded, but returned no table (NULL)")
        }
        self.init(plugin, host)
    }

    init(_ pointer: UnsafePointer<sb_plugin>, _ host: PlayedHost) {
        self.pointer = pointer
        self.host = host
        let full = MemoryLayout<sb_plugin>.size
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: full, alignment: 8)
        defer { copy.deallocate() }
        copy.initializeMemory(as: UInt8.self, repeating: 0)
        memcpy(copy.baseAddress!, pointer, min(full, pointer.pointee.size))
        table = copy.load(as: sb_plugin.self)
    }

    var groups: UnsafeBufferPointer<sb_group> { UnsafeBufferPointer(start: table.groups, count: table.group_count) }

    /// Calls `start` with these options. The instance is `untouchedHandle` until the plugin writes one, NULL without a `start`.
    func start(_ options: [(name: String, value: String)] = [], _ instance: inout OpaquePointer?) throws(CheckFailure)
        -> Answer
    {
        guard let start = table.start else {
            instance = nil
            return Answer(status: SB_OK, message: "")
        }
        instance = untouchedHandle
        var texts: [UnsafeMutablePointer<CChar>] = []
        defer { for text in texts { free(text) } }
        func text(_ string: String) -> sb_string {
            texts.append(strdup(string))
            return sb_string(data: texts.last.map { UnsafePointer($0) }, length: string.utf8.count)
        }
        let list = options.map { sb_option(name: text($0.name), value: text($0.value)) }
        return try ask("start") { error in
            list.withUnsafeBufferPointer {
                start(host.pointer, $0.isEmpty ? nil : $0.baseAddress, $0.count, &instance, error)
            }
        }
    }

    /// Starts with the run's own options.
    func started(_ context: CheckContext) throws(CheckFailure) -> OpaquePointer? {
        var instance: OpaquePointer?
        try start(context.options.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, &instance).succeeded("start")
        if table.start != nil, instance == untouchedHandle { instance = nil }
        return instance
    }
}

/// A text of the plugin; nil if it is not UTF-8.
func text(_ string: sb_string) -> String? {
    if string.length == 0 { return "" }
    guard let data = string.data else { return nil }
    return String(validating: UnsafeRawBufferPointer(start: data, count: string.length), as: UTF8.self)
}

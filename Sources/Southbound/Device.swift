// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
package import HardwareModel

/// An open device. Closed when the last reference to it, to a buffer, stream, event or prepared state of it goes.
///
/// Any thread may call it.
package final class Device: @unchecked Sendable {
    package let plugin: Plugin
    package let index: Int
    package let handle: OpaquePointer
    package let model: DeviceModel
    let driver: sb_driver

    init(plugin: Plugin, driver: sb_driver, index: Int, handle: OpaquePointer, model: DeviceModel) {
        self.plugin = plugin
        self.driver = driver
        self.index = index
        self.handle = handle
        self.model = model
    }

    deinit {
        driver.close(handle)
        plugin.deviceClosed()
    }

    /// "npu:0"
    package var name: String { "\(plugin.name):\(index)" }
    /// Of space 0, in bytes: every offset that the plugin gets is a multiple of it.
    package var alignment: Int { model.spaces[0].alignmentBytes }
    /// Buffers of space 0 have addresses that the host may read and write.
    package var isHostVisible: Bool { isHostVisible(space: 0) }

    /// Work on a stream of this device is only queued by a call; without streams every call does its work.
    package var isQueued: Bool { plugin.streams?.execution == SB_EXECUTION_QUEUED }

    func isHostVisible(space: Int) -> Bool { model.spaces[space].isHostVisible && driver.host_address != nil }

    func invalid(_ message: String) -> PluginError { PluginError(.invalidArgument, plugin: plugin.name, "device \(index): \(message)") }

    /// Calls the plugin and turns its status into an error.
    func call(_ action: @autoclosure () -> String, _ body: (UnsafeMutablePointer<sb_error>) -> Int32) throws(PluginError) {
        try withStatus(plugin: plugin.name, doing: action(), body)
    }

    /// New memory; its contents are undefined. A size of 0 takes one byte of the device.
    ///
    /// - Parameter alignment: a power of two in bytes; the space's own by default.
    package func allocate(byteCount: Int, alignment: Int? = nil, space: Int = 0) throws(PluginError) -> Buffer {
        guard byteCount >= 0 else { throw invalid("cannot allocate \(byteCount) bytes") }
        guard model.spaces.indices.contains(space), model.spaces[space].isAllocatable else {
            throw invalid("memory space \(space) does not exist or cannot be allocated")
        }
        let alignment = alignment ?? model.spaces[space].alignmentBytes
        guard alignment > 0, alignment & (alignment - 1) == 0 else { throw invalid("an alignment of \(alignment) is not a power of two") }
        var handle: OpaquePointer?
        try call("allocate \(byteCount) bytes, aligned to \(alignment), in memory space \(space)") {
            driver.allocate(self.handle, UInt32(space), UInt64(max(byteCount, 1)), UInt64(alignment), &handle, $0)
        }
        guard let handle else {
            throw PluginError(.callFailed, plugin: plugin.name, "allocating \(byteCount) bytes succeeded, but gave no handle (NULL)")
        }
        return try Buffer(device: self, handle: handle, byteCount: byteCount, space: space)
    }

    /// A buffer of host memory, not copied; `owner` keeps the memory alive. Nil if the plugin does not import this memory.
    package func importHost(_ bytes: UnsafeRawBufferPointer, owner: AnyObject?) throws(PluginError) -> Buffer? {
        guard let importHost = driver.import_host, let address = UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count > 0
        else { return nil }
        var handle: OpaquePointer?
        do {
            try call("import \(bytes.count) bytes of host memory") { importHost(self.handle, address, UInt64(bytes.count), &handle, $0) }
        } catch {
            if error.code == .unsupported { return nil }
            throw error
        }
        guard let handle else {
            throw PluginError(.callFailed, plugin: plugin.name, "importing host memory succeeded, but gave no handle (NULL)")
        }
        return Buffer(
            device: self, handle: handle, imported: UnsafeMutableRawBufferPointer(start: address, count: bytes.count), owner: owner)
    }

    /// Bytes of a space that this opening of the device has allocated now; nil if the plugin does not tell.
    package func usage(space: Int = 0) throws(PluginError) -> Int? {
        guard let usage = driver.usage else { return nil }
        guard model.spaces.indices.contains(space) else { throw invalid("memory space \(space) does not exist") }
        var bytes: UInt64 = 0
        try call("tell the usage of memory space \(space)") { usage(handle, UInt32(space), &bytes, $0) }
        return Int(clamping: bytes)
    }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// Memory of a device, freed with the last reference. No work that uses it may be in flight then.
package final class Buffer: @unchecked Sendable {
    package let device: Device
    package let handle: OpaquePointer
    package let byteCount: Int
    /// Where the host reaches the first byte; nil if it cannot.
    package let hostAddress: UnsafeMutableRawPointer?
    /// Keeps imported memory alive.
    private let owner: AnyObject?

    /// Takes the handle over, also if it throws.
    init(device: Device, handle: OpaquePointer, byteCount: Int, space: Int) throws(PluginError) {
        self.device = device
        self.handle = handle
        self.byteCount = byteCount
        owner = nil
        do throws(PluginError) {
            hostAddress = try Self.address(of: handle, space: space, device)
        } catch {
            device.driver.free(device.handle, handle)
            throw error
        }
    }

    init(device: Device, handle: OpaquePointer, imported bytes: UnsafeMutableRawBufferPointer, owner: AnyObject?) {
        self.device = device
        self.handle = handle
        self.owner = owner
        byteCount = bytes.count
        hostAddress = bytes.baseAddress
    }

    deinit { device.driver.free(device.handle, handle) }

    private static func address(of handle: OpaquePointer, space: Int, _ device: Device) throws(PluginError) -> UnsafeMutableRawPointer? {
        guard device.isHostVisible(space: space), let hostAddress = device.driver.host_address else { return nil }
        var address: UnsafeMutableRawPointer?
        do {
            try device.call("find the host address of a buffer") { hostAddress(device.handle, handle, &address, $0) }
        } catch {
            if error.code == .unsupported { return nil }
            throw error
        }
        return address
    }
}

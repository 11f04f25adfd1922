// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// An in-order queue of a device. One thread uses it at a time.
package final class Stream: @unchecked Sendable {
    package let device: Device
    /// Nil where the plugin has no streams: every call then does its work before it returns.
    package let handle: OpaquePointer?
    /// Calls only queue their work.
    package var isQueued: Bool { handle != nil && device.plugin.streams?.execution == SB_EXECUTION_QUEUED }

    init(device: Device) throws(PluginError) {
        self.device = device
        guard let streams = device.plugin.streams else {
            handle = nil
            return
        }
        var handle: OpaquePointer?
        try device.call("create a stream") { streams.create(device.handle, &handle, $0) }
        guard let handle else {
            throw PluginError(.callFailed, plugin: device.plugin.name, "creating a stream succeeded, but gave no handle (NULL)")
        }
        self.handle = handle
    }

    deinit {
        if let handle { device.plugin.streams?.destroy(handle) }
    }

    /// Waits for all work given so far. Throws the first failure among it, with its correlation number.
    package func synchronize() throws(PluginError) {
        guard let handle, let streams = device.plugin.streams else { return }
        try device.call("finish the work on a stream") { streams.synchronize(handle, $0) }
    }

    /// Drops the work that has not begun, without waiting; from any thread. Whoever synchronizes next is told that it was cancelled. False if the plugin cannot.
    package func cancel() throws(PluginError) -> Bool {
        guard let handle, let cancel = device.plugin.streams?.cancel else { return false }
        try device.call("cancel the work on a stream") { cancel(handle, $0) }
        return true
    }

    /// Whether all work is done; waits for it if the plugin cannot tell.
    package func query() throws(PluginError) -> Bool {
        guard let handle, let streams = device.plugin.streams else { return true }
        guard let query = streams.query else {
            try synchronize()
            return true
        }
        do {
            try device.call("query a stream") { query(handle, $0) }
            return true
        } catch {
            if error.code == .notReady { return false }
            throw error
        }
    }
}

extension Device {
    package func makeStream() throws(PluginError) -> Stream { try Stream(device: self) }
}

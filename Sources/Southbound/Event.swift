// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// A point in a stream. Where the plugin has no events, recording waits for the stream, and the point is then always reached.
package final class Event: @unchecked Sendable {
    package let device: Device
    /// Nil where the plugin has no events.
    package let handle: OpaquePointer?

    init(device: Device) throws(PluginError) {
        self.device = device
        guard device.plugin.streams != nil, let events = device.plugin.events else {
            handle = nil
            return
        }
        var handle: OpaquePointer?
        try device.call("create an event") { events.create(device.handle, &handle, $0) }
        guard let handle else {
            throw PluginError(.callFailed, plugin: device.plugin.name, "creating an event succeeded, but gave no handle (NULL)")
        }
        self.handle = handle
    }

    deinit {
        if let handle { device.plugin.events?.destroy(handle) }
    }

    /// Marks the work given to the stream so far.
    package func record(on stream: Stream) throws(PluginError) {
        guard let handle, let streamHandle = stream.handle, let events = device.plugin.events else { return try stream.synchronize() }
        try device.call("record an event") { events.record(handle, streamHandle, $0) }
    }

    /// Holds back later work on `stream` until the mark is reached.
    package func wait(on stream: Stream) throws(PluginError) {
        guard let handle, let streamHandle = stream.handle, let events = device.plugin.events else { return }
        try device.call("wait for an event") { events.wait(streamHandle, handle, $0) }
    }

    package func synchronize() throws(PluginError) {
        guard let handle, let events = device.plugin.events else { return }
        try device.call("wait for an event") { events.synchronize(handle, $0) }
    }

    /// Whether the mark is reached; waits for it if the plugin cannot tell.
    package func query() throws(PluginError) -> Bool {
        guard let handle, let events = device.plugin.events else { return true }
        guard let query = events.query else {
            try synchronize()
            return true
        }
        do {
            try device.call("query an event") { query(handle, $0) }
            return true
        } catch {
            if error.code == .notReady { return false }
            throw error
        }
    }

    /// The device's nanoseconds from `start` to this mark; nil if the device has no clock. Throws `notReady` while either is not reached.
    package func elapsed(since start: Event) throws(PluginError) -> UInt64? {
        guard let handle, let startHandle = start.handle, let elapsed = device.plugin.events?.elapsed else { return nil }
        var nanoseconds: UInt64 = 0
        try device.call("measure the time between two events") { elapsed(startHandle, handle, &nanoseconds, $0) }
        return nanoseconds
    }
}

extension Device {
    package func makeEvent() throws(PluginError) -> Event { try Event(device: self) }
}

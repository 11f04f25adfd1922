// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// - Parameter copiesFromPeers: whether the plugin's devices do.
func driverTable(copiesFromPeers: Bool) -> sb_driver {
    var table = sb_driver()
    table.size = MemoryLayout<sb_driver>.size
    table.open = { instance, index, result, error in
        status(error) { () throws(PluginFailure) in
            try give(result, try InstanceHandle.required(instance, "instance").open(Int(index)))
        }
    }
    table.close = { DeviceHandle.release($0) }
    table.allocate = { device, space, bytes, alignment, result, error in
        status(error) { () throws(PluginFailure) in
            let device = try DeviceHandle.required(device, "device")
            guard let result else { throw .invalid("no place is given for the buffer") }
            guard bytes > 0 else { throw .invalid("an allocation needs at least one byte") }
            guard alignment > 0, alignment & (alignment - 1) == 0 else { throw .invalid("alignment \(alignment) is no power of two") }
            result.pointee = try device.allocate(space: Int(space), bytes: bytes, alignment: alignment)
        }
    }
    table.free = { device, buffer in
        if let device = DeviceHandle.unretained(device), let buffer { device.free(buffer) }
    }
    table.copy = { device, stream, destination, source, bytes, error in
        status(error) { () throws(PluginFailure) in
            let device = try DeviceHandle.required(device, "device")
            if bytes == 0 { return }
            try device.copy(bytes, from: source, to: destination, on: StreamHandle.unretained(stream))
        }
    }
    table.count = { instance, result, error in
        status(error) { () throws(PluginFailure) in
            guard let result else { throw .invalid("no place is given for the count") }
            result.pointee = UInt32(clamping: try InstanceHandle.required(instance, "instance").deviceCount())
        }
    }
    table.describe = { instance, index, result, error in
        status(error) { () throws(PluginFailure) in
            guard let result else { throw .invalid("no place is given for the description") }
            result.pointee = try InstanceHandle.required(instance, "instance").hardware(of: Int(index))
        }
    }
    table.host_address = { device, buffer, result, error in
        status(error) { () throws(PluginFailure) in
            guard let buffer, let result else { throw .invalid("host_address was given NULL") }
            result.pointee = try DeviceHandle.required(device, "device").hostAddress(of: buffer)
        }
    }
    table.import_host = { device, address, bytes, result, error in
        status(error) { () throws(PluginFailure) in
            guard let address, let result else { throw .invalid("import_host was given NULL") }
            result.pointee = try DeviceHandle.required(device, "device").importHost(address, bytes: bytes)
        }
    }
    table.fill = { device, stream, destination, byte, bytes, error in
        status(error) { () throws(PluginFailure) in
            let device = try DeviceHandle.required(device, "device")
            if bytes == 0 { return }
            try device.fill(bytes, of: destination, with: byte, on: StreamHandle.unretained(stream))
        }
    }
    table.usage = { device, space, result, error in
        status(error) { () throws(PluginFailure) in
            guard let result else { throw .invalid("no place is given for the usage") }
            result.pointee = try DeviceHandle.required(device, "device").usage(ofSpace: Int(space))
        }
    }
    if copiesFromPeers {
        table.copy_peer = { device, stream, destination, peer, source, bytes, error in
            status(error) { () throws(PluginFailure) in
                let device = try DeviceHandle.required(device, "device")
                let peer = try DeviceHandle.required(peer, "other device")
                if bytes == 0 { return }
                try device.copy(bytes, from: source, of: peer, to: destination, on: StreamHandle.unretained(stream))
            }
        }
    }
    return table
}

/// - Parameter isCancellable: whether the plugin's streams are.
func streamsTable(_ execution: Execution, isCancellable: Bool) -> sb_streams {
    var table = sb_streams()
    table.size = MemoryLayout<sb_streams>.size
    table.execution = execution.rawValue
    table.create = { device, result, error in
        status(error) { () throws(PluginFailure) in try give(result, try DeviceHandle.required(device, "device").makeStream()) }
    }
    table.destroy = { stream in
        StreamHandle.unretained(stream)?.destroy()
        StreamHandle.release(stream)
    }
    table.synchronize = { stream, error in
        status(error) { () throws(PluginFailure) in try StreamHandle.required(stream, "stream").synchronize() }
    }
    table.query = { stream, error in
        status(error) { () throws(PluginFailure) in
            if try !StreamHandle.required(stream, "stream").isFinished { throw .notReady("the stream has work left") }
        }
    }
    if isCancellable {
        table.cancel = { stream, error in
            status(error) { () throws(PluginFailure) in try StreamHandle.required(stream, "stream").cancel() }
        }
    }
    return table
}

func eventsTable() -> sb_events {
    var table = sb_events()
    table.size = MemoryLayout<sb_events>.size
    table.create = { device, result, error in
        status(error) { () throws(PluginFailure) in try give(result, try DeviceHandle.required(device, "device").makeEvent()) }
    }
    table.destroy = { EventHandle.release($0) }
    table.record = { event, stream, error in
        status(error) { () throws(PluginFailure) in
            try EventHandle.required(event, "event").record(on: StreamHandle.required(stream, "stream"))
        }
    }
    table.wait = { stream, event, error in
        status(error) { () throws(PluginFailure) in
            try EventHandle.required(event, "event").hold(StreamHandle.required(stream, "stream"))
        }
    }
    table.synchronize = { event, error in
        status(error) { () throws(PluginFailure) in try EventHandle.required(event, "event").synchronize() }
    }
    table.query = { event, error in
        status(error) { () throws(PluginFailure) in
            if try !EventHandle.required(event, "event").isReached { throw .notReady("the event's mark is not reached") }
        }
    }
    table.elapsed = { start, end, result, error in
        status(error) { () throws(PluginFailure) in
            guard let result else { throw .invalid("no place is given for the time") }
            result.pointee = try EventHandle.required(start, "event").nanoseconds(until: EventHandle.required(end, "event"))
        }
    }
    return table
}

/// Gives a new handle to the host. Throws if the host has no place for it.
func give(_ result: UnsafeMutablePointer<OpaquePointer?>?, _ handle: @autoclosure () throws(PluginFailure) -> some Handle)
    throws(PluginFailure)
{
    guard let result else { throw .invalid("no place is given for the handle") }
    result.pointee = try handle().retainedHandle()
}

extension Handle {
    static func required(_ handle: OpaquePointer?, _ word: String) throws(PluginFailure) -> Self {
        guard let object = unretained(handle) else { throw .invalid("the \(word) is NULL") }
        return object
    }
}

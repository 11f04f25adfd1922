// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

final class TypedDevice<Device: PluginKit.Device>: DeviceHandle, @unchecked Sendable {
    let device: Device

    init(_ device: Device) { self.device = device }

    override func allocate(space: Int, bytes: UInt64, alignment: UInt64) throws(PluginFailure) -> OpaquePointer {
        try device.allocate(space: space, bytes: bytes, alignment: alignment).makeHandle()
    }
    override func importHost(_ address: UnsafeMutableRawPointer, bytes: UInt64) throws(PluginFailure) -> OpaquePointer {
        try device.importHost(address, bytes: bytes).makeHandle()
    }
    override func free(_ buffer: OpaquePointer) {
        device.free(.behind(buffer))
        Device.Buffer.release(buffer)
    }
    override func hostAddress(of buffer: OpaquePointer) throws(PluginFailure) -> UnsafeMutableRawPointer {
        try device.hostAddress(of: .behind(buffer))
    }
    override func copy(_ bytes: UInt64, from source: sb_location, to destination: sb_location, on stream: StreamHandle?)
        throws(PluginFailure)
    {
        try device.copy(bytes, from: location(source), to: location(destination), on: typed(stream))
    }
    override func fill(_ bytes: UInt64, of destination: sb_location, with byte: UInt8, on stream: StreamHandle?) throws(PluginFailure) {
        try device.fill(bytes, of: location(destination), with: byte, on: typed(stream))
    }
    override func copy(
        _ bytes: UInt64, from source: sb_location, of peer: DeviceHandle, to destination: sb_location, on stream: StreamHandle?
    ) throws(PluginFailure) {
        try device.copy(
            bytes, from: place(source), of: TypedDevice<Device>.cast(peer), to: place(destination), on: typed(stream))
    }
    override func usage(ofSpace space: Int) throws(PluginFailure) -> UInt64 { try device.usage(ofSpace: space) }
    override func makeStream() throws(PluginFailure) -> StreamHandle { TypedStream<Device>(try device.makeStream()) }
    override func makeEvent() throws(PluginFailure) -> EventHandle { TypedEvent<Device>(try device.makeEvent()) }
    override var observed: (any ObservedDevice)? { device as? any ObservedDevice }

    /// Throws if the handle is a device of another plugin's type.
    static func cast(_ handle: DeviceHandle) throws(PluginFailure) -> Device {
        guard let typed = handle as? TypedDevice<Device> else { throw .invalid("the device is of another kind than the plugin's") }
        return typed.device
    }

    private func typed(_ stream: StreamHandle?) throws(PluginFailure) -> Device.Stream? {
        guard let stream else { return nil }
        return try TypedStream<Device>.cast(stream)
    }

    private func place(_ end: sb_location) throws(PluginFailure) -> Place<Device.Buffer> {
        guard let buffer = end.buffer else { throw .invalid("a copy between devices needs a buffer at either end") }
        return Place(.behind(buffer), offset: end.offset)
    }

    private func location(_ end: sb_location) throws(PluginFailure) -> Location<Device.Buffer> {
        if let buffer = end.buffer { return .buffer(.behind(buffer), offset: end.offset) }
        guard let host = end.host, let offset = Int(exactly: end.offset) else {
            throw .invalid("a location has neither a buffer nor an address")
        }
        return .host(host + offset)
    }
}

final class TypedStream<Device: PluginKit.Device>: StreamHandle, @unchecked Sendable {
    let stream: Device.Stream

    init(_ stream: Device.Stream) { self.stream = stream }

    static func cast(_ handle: StreamHandle) throws(PluginFailure) -> Device.Stream {
        guard let typed = handle as? TypedStream<Device> else { throw .invalid("the stream belongs to a device of another kind") }
        return typed.stream
    }

    override func synchronize() throws(PluginFailure) { try stream.synchronize() }
    override var isFinished: Bool { stream.isFinished }
    override func destroy() { stream.destroy() }
    override func cancel() throws(PluginFailure) { try stream.cancel() }
}

final class TypedEvent<Device: PluginKit.Device>: EventHandle, @unchecked Sendable {
    let event: Device.Event

    init(_ event: Device.Event) { self.event = event }

    override func record(on stream: StreamHandle) throws(PluginFailure) { try event.record(on: TypedStream<Device>.cast(stream)) }
    override func hold(_ stream: StreamHandle) throws(PluginFailure) { try event.hold(TypedStream<Device>.cast(stream)) }
    override func synchronize() throws(PluginFailure) { try event.synchronize() }
    override var isReached: Bool { event.isReached }
    override func nanoseconds(until end: EventHandle) throws(PluginFailure) -> UInt64 {
        guard let end = end as? TypedEvent<Device> else { throw .invalid("the events belong to devices of different kinds") }
        return try event.nanoseconds(until: end.event)
    }
}

final class TypedKernel<Device: PluginKit.Device, Kernel: PluginKit.Kernel<Device>>: KernelHandle, @unchecked Sendable {
    private let kernel: Kernel
    private let cached: KernelDeclaration

    init(_ kernel: Kernel) {
        self.kernel = kernel
        cached = kernel.declaration
    }

    override var declaration: KernelDeclaration { cached }
    override func support(_ node: NodeView, on device: DeviceHandle) throws(PluginFailure) -> Support {
        kernel.support(node, on: try TypedDevice<Device>.cast(device))
    }
    override func preferredLayouts(_ node: NodeView, on device: DeviceHandle) throws(PluginFailure) -> PreferredLayouts? {
        kernel.preferredLayouts(node, on: try TypedDevice<Device>.cast(device))
    }
    override func prepare(_ node: NodeView, on device: DeviceHandle) throws(PluginFailure) -> StateHandle {
        func state(_ prepared: some PreparedKernel) -> StateHandle { TypedState(prepared) }
        return state(try kernel.prepare(node, on: try TypedDevice<Device>.cast(device)))
    }
}

private final class TypedState<Prepared: PreparedKernel>: StateHandle, @unchecked Sendable {
    private let prepared: Prepared

    init(_ prepared: Prepared) { self.prepared = prepared }

    override func launch(_ launch: LaunchView) throws(PluginFailure) { try prepared.launch(launch) }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// A Swift object whose address is a handle of the header. Being given out is one retain, being given back one release.
protocol Handle: AnyObject {}

extension Handle {
    /// The handle for the host, which owns it until it gives it back.
    func retainedHandle() -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }

    /// The object behind a handle; nil for NULL.
    static func unretained(_ handle: OpaquePointer?) -> Self? {
        handle.map { Unmanaged<Self>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
    }

    static func release(_ handle: OpaquePointer?) {
        handle.map { Unmanaged<Self>.fromOpaque(UnsafeRawPointer($0)).release() }
    }
}

/// `sb_instance`, `sb_device`, `sb_stream`, `sb_event`, `sb_state`: C functions cannot be generic, so each handle is an abstract class whose
/// only subclass knows the plugin's types.
class InstanceHandle: Handle, @unchecked Sendable {
    func deviceCount() -> Int { abstract() }
    func hardware(of index: Int) throws(PluginFailure) -> UnsafePointer<sb_hardware> { abstract() }
    func open(_ index: Int) throws(PluginFailure) -> DeviceHandle { abstract() }
    func owns(_ kernel: UnsafePointer<sb_kernel>) -> Bool { abstract() }
    /// Nil if the plugin has no group "graphs".
    var graphs: GraphsHandle? { abstract() }
}

class DeviceHandle: Handle, @unchecked Sendable {
    func allocate(space: Int, bytes: UInt64, alignment: UInt64) throws(PluginFailure) -> OpaquePointer { abstract() }
    func importHost(_ address: UnsafeMutableRawPointer, bytes: UInt64) throws(PluginFailure) -> OpaquePointer { abstract() }
    func free(_ buffer: OpaquePointer) { abstract() }
    func hostAddress(of buffer: OpaquePointer) throws(PluginFailure) -> UnsafeMutableRawPointer { abstract() }
    func copy(_ bytes: UInt64, from source: sb_location, to destination: sb_location, on stream: StreamHandle?) throws(PluginFailure) {
        abstract()
    }
    func fill(_ bytes: UInt64, of destination: sb_location, with byte: UInt8, on stream: StreamHandle?) throws(PluginFailure) { abstract() }
    func copy(_ bytes: UInt64, from source: sb_location, of peer: DeviceHandle, to destination: sb_location, on stream: StreamHandle?)
        throws(PluginFailure)
    { abstract() }
    func usage(ofSpace space: Int) throws(PluginFailure) -> UInt64 { abstract() }
    func makeStream() throws(PluginFailure) -> StreamHandle { abstract() }
    func makeEvent() throws(PluginFailure) -> EventHandle { abstract() }
    /// Nil if the plugin has no group "observation".
    var observed: (any ObservedDevice)? { abstract() }
    let counterTexts = StableTexts()
}

class StreamHandle: Handle, @unchecked Sendable {
    func synchronize() throws(PluginFailure) { abstract() }
    var isFinished: Bool { abstract() }
    func destroy() { abstract() }
    func cancel() throws(PluginFailure) { abstract() }
}

class EventHandle: Handle, @unchecked Sendable {
    func record(on stream: StreamHandle) throws(PluginFailure) { abstract() }
    func hold(_ stream: StreamHandle) throws(PluginFailure) { abstract() }
    func synchronize() throws(PluginFailure) { abstract() }
    var isReached: Bool { abstract() }
    func nanoseconds(until end: EventHandle) throws(PluginFailure) -> UInt64 { abstract() }
}

class StateHandle: Handle, @unchecked Sendable {
    func launch(_ launch: LaunchView) throws(PluginFailure) { abstract() }
}

class ProgramHandle: Handle, @unchecked Sendable {
    var program: any CompiledProgram { abstract() }
    func execute(_ execution: ExecutionView) throws(PluginFailure) { abstract() }
}

/// A plugin's graph compiler; the host has no handle of it.
class GraphsHandle: @unchecked Sendable {
    var numerics: sb_numerics? { abstract() }
    func claim(_ graph: GraphView, on device: DeviceHandle) throws(PluginFailure) -> [UInt32] { abstract() }
    func compile(_ graph: GraphView, on device: DeviceHandle) throws(PluginFailure) -> ProgramHandle { abstract() }
    func load(_ artefact: UnsafeRawBufferPointer, on device: DeviceHandle) throws(PluginFailure) -> ProgramHandle { abstract() }
    func verdict(_ artefact: UnsafeRawBufferPointer, on device: DeviceHandle) throws(PluginFailure) -> ArtefactVerdict { abstract() }
}

/// What `sb_kernel.context` points to.
class KernelHandle: Handle, @unchecked Sendable {
    func support(_ node: NodeView, on device: DeviceHandle) throws(PluginFailure) -> Support { abstract() }
    func preferredLayouts(_ node: NodeView, on device: DeviceHandle) throws(PluginFailure) -> PreferredLayouts? { abstract() }
    func prepare(_ node: NodeView, on device: DeviceHandle) throws(PluginFailure) -> StateHandle { abstract() }
    var declaration: KernelDeclaration { abstract() }
}

private func abstract() -> Never { preconditionFailure("an abstract member was called") }

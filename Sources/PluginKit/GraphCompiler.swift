// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// The plugin's own compiler: it takes subgraphs and makes programs of them. Called from any thread.
package protocol GraphCompiler<Device>: Sendable {
    associatedtype Device: PluginKit.Device
    /// What programs keep to in their arithmetic; nil: the defaults of SB-NUM-001.
    var numerics: sb_numerics? { get }
    /// One number per node: 0 leaves the node to kernels, equal numbers above 0 put nodes into one program. Depends on nothing but the graph
    /// and the device.
    func claim(_ graph: GraphView, on device: Device) throws(PluginFailure) -> [UInt32]
    /// Makes a program of a graph, usually of a claimed group. Nothing of the graph is valid after the call; constants are to be copied.
    func compile(_ graph: GraphView, on device: Device) throws(PluginFailure) -> any CompiledProgram
    /// Makes a program of an artefact that `verdict` has just called compatible.
    func load(_ artefact: UnsafeRawBufferPointer, on device: Device) throws(PluginFailure) -> any CompiledProgram
    /// What any bytes are to this compiler and device.
    func verdict(_ artefact: UnsafeRawBufferPointer, on device: Device) -> ArtefactVerdict
}

/// What a graph compiler made of a graph. Serves any number of executions, also at once on several streams; they allocate nothing.
package protocol CompiledProgram: AnyObject, Sendable {
    /// Bytes that each execution needs.
    var workspace: UInt64 { get }
    /// Expected nanoseconds; 0 is unknown.
    var cost: Double { get }
    /// Bytes of the plugin's own that the program holds; 0 is unknown.
    var residentBytes: UInt64 { get }
    func execute(_ execution: ExecutionView) throws(PluginFailure)
    /// The artefact. The same program gives the same bytes.
    func save() throws(PluginFailure) -> [UInt8]
}

extension CompiledProgram {
    package var residentBytes: UInt64 { 0 }
}

package enum ArtefactVerdict: UInt32, Sendable {
    case compatible
    /// Of the plugin or its compiler.
    case otherVersion
    /// Made for another device, or another kind of it.
    case otherDevice
    /// Or no artefact of this plugin at all.
    case damaged
}

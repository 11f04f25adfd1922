// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
package import HardwareModel

/// A plugin's own compiler for subgraphs. Lives as long as its plugin.
package final class GraphCompiler: @unchecked Sendable {
    package unowned let plugin: Plugin
    /// A full-size copy of the plugin's table.
    package let table: sb_graphs
    /// What programs declare about their arithmetic.
    package let numerics: NumericFacts

    init(plugin: Plugin, table: sb_graphs, numerics: NumericFacts) {
        self.plugin = plugin
        self.table = table
        self.numerics = numerics
    }

    package var savesArtefacts: Bool { table.save != nil }

    /// Which nodes the plugin would compile: a number per node, 0 for those left to kernels, equal numbers for one program.
    package func claim(_ graph: GraphDescriptor, on device: Device) throws(PluginError) -> [UInt32] {
        var groups = [UInt32](repeating: 0, count: graph.nodeCount)
        try withStatus(plugin: plugin.name, doing: "claim nodes of a graph of \(graph.nodeCount)") { error in
            withExtendedLifetime(graph) { table.claim(plugin.instance, device.handle, graph.pointer, &groups, error) }
        }
        return groups
    }

    package func compile(_ graph: GraphDescriptor, on device: Device) throws(PluginError) -> CompiledProgram {
        var handle: OpaquePointer?
        try withStatus(plugin: plugin.name, doing: "compile a graph of \(graph.nodeCount) nodes") { error in
            withExtendedLifetime(graph) { table.compile(plugin.instance, device.handle, graph.pointer, &handle, error) }
        }
        return try CompiledProgram(self, device, handle, doing: "compiling a graph")
    }

    /// Makes a program of an artefact.
    package func load(_ artefact: [UInt8], on device: Device) throws(PluginError) -> CompiledProgram {
        guard let load = table.load else { throw noArtefacts }
        var handle: OpaquePointer?
        try withStatus(plugin: plugin.name, doing: "load an artefact of \(artefact.count) bytes") {
            load(plugin.instance, device.handle, artefact, UInt64(artefact.count), &handle, $0)
        }
        return try CompiledProgram(self, device, handle, doing: "loading an artefact")
    }

    /// What any bytes are to this plugin and device.
    package func verdict(_ artefact: [UInt8], on device: Device) throws(PluginError) -> ArtefactVerdict {
        guard let verdict = table.verdict else { throw noArtefacts }
        var answer = UInt32.max
        try withStatus(plugin: plugin.name, doing: "judge an artefact of \(artefact.count) bytes") {
            verdict(plugin.instance, device.handle, artefact, UInt64(artefact.count), &answer, $0)
        }
        guard let known = ArtefactVerdict(rawValue: answer) else {
            throw PluginError(.callFailed, plugin: plugin.name, "the verdict about an artefact is \(answer), which means nothing")
        }
        return known
    }

    var noArtefacts: PluginError { PluginError(.unsupported, plugin: plugin.name, "the plugin's programs cannot be saved") }
}

package enum ArtefactVerdict: UInt32, Sendable {
    case compatible, otherVersion, otherDevice, damaged
}

/// What a graph compiler made of a graph; released with the last reference. Serves any number of executions, also at once on several streams.
package final class CompiledProgram: @unchecked Sendable {
    package let compiler: GraphCompiler
    package let handle: OpaquePointer
    /// That each execution needs.
    package let workspaceBytes: Int
    /// Expected; 0 is unknown.
    package let costNanoseconds: Double
    /// What it declares about its arithmetic.
    package let numerics: NumericFacts
    /// Of the plugin's own, for as long as the program lives; 0 is unknown.
    package let residentBytes: Int
    /// Of the plugin's own, for each execution beside the workspace.
    package let executionBytes: Int
    private let plugin: Plugin
    private let device: Device

    /// Takes the handle over, also if it throws.
    init(_ compiler: GraphCompiler, _ device: Device, _ handle: OpaquePointer?, doing action: String) throws(PluginError) {
        let plugin = compiler.plugin
        guard let handle else { throw PluginError(.callFailed, plugin: plugin.name, "\(action) succeeded, but gave no handle (NULL)") }
        do throws(PluginError) {
            let info = try Self.info(compiler, handle)
            guard let workspace = Int(exactly: info.workspace) else {
                throw PluginError(.outOfMemory, plugin: plugin.name, "a program asks for a workspace of \(info.workspace) bytes")
            }
            workspaceBytes = workspace
            costNanoseconds = info.cost.isFinite ? max(0, info.cost) : 0
            residentBytes = Int(clamping: info.resident)
            executionBytes = Int(clamping: info.per_execution)
            numerics =
                info.numerics == nil
                ? compiler.numerics : try NumericFacts(info.numerics, of: "a program's description", PluginReader(plugin: plugin.name))
        } catch {
            compiler.table.release?(handle)
            throw error
        }
        self.compiler = compiler
        self.plugin = plugin
        self.device = device
        self.handle = handle
    }

    deinit { compiler.table.release?(handle) }

    private static func info(_ compiler: GraphCompiler, _ program: OpaquePointer) throws(PluginError) -> sb_program_info {
        var info = sb_program_info()
        info.size = MemoryLayout<sb_program_info>.size
        guard let describe = compiler.table.describe else { return info }
        try withStatus(plugin: compiler.plugin.name, doing: "describe a program") { describe(program, &info, $0) }
        return info
    }

    /// The artefact: the program in a form that outlives the process.
    package func save() throws(PluginError) -> [UInt8] {
        guard let save = compiler.table.save else { throw compiler.noArtefacts }
        var size: UInt64 = 0
        try withStatus(plugin: plugin.name, doing: "tell the size of an artefact") { save(handle, nil, 0, &size, $0) }
        guard let capacity = Int(exactly: size), capacity < 1 << 34 else {
            throw PluginError(.callFailed, plugin: plugin.name, "an artefact of \(size) bytes cannot be")
        }
        var artefact = [UInt8](repeating: 0, count: capacity)
        var written: UInt64 = 0
        try withStatus(plugin: plugin.name, doing: "save a program in \(capacity) bytes") {
            save(handle, &artefact, UInt64(capacity), &written, $0)
        }
        guard written <= size else {
            throw PluginError(.callFailed, plugin: plugin.name, "an artefact of \(written) bytes was announced with \(size)")
        }
        return Array(artefact.prefix(Int(written)))
    }
}

extension CompiledProgram {
    /// Executes and waits.
    ///
    /// - Parameters:
    ///   - graph: the compiled graph, or another descriptor of it: its tensors are used, so it serves one execution at a time.
    ///   - workspace: of at least `workspaceBytes`.
    package func execute(
        _ graph: GraphDescriptor, inputs: [Buffer], outputs: [Buffer], workspace: Buffer?, stream: Stream?
    ) throws(PluginError) {
        for (tensor, buffer) in zip(graph.inputs + graph.outputs, inputs + outputs) {
            tensor.pointee.buffer = buffer.handle
            tensor.pointee.offset = 0
            tensor.pointee.host = buffer.hostAddress
        }
        let memory = CMemory()
        let execution = memory.allocate(sb_execution())
        execution.pointee.size = MemoryLayout<sb_execution>.size
        execution.pointee.instance = plugin.instance
        execution.pointee.device = device.handle
        execution.pointee.stream = stream?.handle
        execution.pointee.program = handle
        execution.pointee.inputs = graph.pointer.pointee.inputs
        execution.pointee.input_count = graph.inputs.count
        execution.pointee.outputs = graph.pointer.pointee.outputs
        execution.pointee.output_count = graph.outputs.count
        execution.pointee.workspace = workspace?.handle
        execution.pointee.workspace_bytes = UInt64(workspace?.byteCount ?? 0)
        execution.pointee.workspace_host = workspace?.hostAddress
        execution.pointee.correlation = 1
        // What it points to stays until the stream has passed it.
        let result = Result { () throws(PluginError) in
            try withStatus(plugin: plugin.name, doing: "execute a program") { compiler.table.execute(execution, $0) }
        }
        try stream?.synchronize()
        withExtendedLifetime(memory) {}
        try result.get()
    }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

func graphsTable(numerics: UnsafePointer<sb_numerics>?) -> sb_graphs {
    var table = sb_graphs()
    table.size = MemoryLayout<sb_graphs>.size
    table.numerics = numerics
    table.claim = { instance, device, graph, groups, error in
        status(error) { () throws(PluginFailure) in
            let graph = try GraphView(validating: graph)
            guard let groups else { throw .invalid("claim was given no place for its answer") }
            let claimed = try compiler(of: instance).claim(graph, on: DeviceHandle.required(device, "device"))
            precondition(
                claimed.count == graph.nodes.count, "a graph compiler answered about \(claimed.count) nodes of \(graph.nodes.count)")
            for (index, group) in claimed.enumerated() { groups[index] = group }
        }
    }
    table.compile = { instance, device, graph, result, error in
        status(error) { () throws(PluginFailure) in
            let graph = try GraphView(validating: graph)
            let (compiler, device) = (try compiler(of: instance), try DeviceHandle.required(device, "device"))
            try give(result, try compiler.compile(graph, on: device))
        }
    }
    table.execute = { execution, detail in
        guard let view = ExecutionView(execution), let program = view.raw.pointee.program else {
            return PluginFailure.invalid("an execution is NULL, shorter than in version 0.2, or has no program").report(to: detail)
        }
        // No retain, no allocation, as for launches.
        return Unmanaged<ProgramHandle>.fromOpaque(UnsafeRawPointer(program))._withUnsafeGuaranteedRef { program in
            do throws(PluginFailure) {
                try program.execute(view)
                return SB_OK
            } catch {
                var failure = error
                failure.correlation = view.correlation
                return failure.report(to: detail)
            }
        }
    }
    table.release = { ProgramHandle.release($0) }
    table.describe = { program, info, error in
        status(error) { () throws(PluginFailure) in
            let program = try ProgramHandle.required(program, "program").program
            guard let info, info.pointee.size >= MinimumSize.programInfo else {
                throw .invalid("describe was given no place for its answer")
            }
            info.pointee.workspace = program.workspace
            info.pointee.cost = program.cost
            if info.pointee.size >= MinimumSize.programInfoWithMemory { info.pointee.resident = program.residentBytes }
        }
    }
    table.save = { program, data, capacity, bytes, error in
        status(error) { () throws(PluginFailure) in
            let program = try ProgramHandle.required(program, "program").program
            guard let bytes else { throw .invalid("save was given no place for the size") }
            let artefact = try program.save()
            if let data {
                guard capacity >= UInt64(artefact.count) else {
                    throw .invalid("an artefact of \(artefact.count) bytes does not fit into \(capacity)")
                }
                artefact.withUnsafeBytes { data.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            }
            bytes.pointee = UInt64(artefact.count)
        }
    }
    table.load = { instance, device, data, bytes, result, error in
        status(error) { () throws(PluginFailure) in
            let (compiler, device) = (try compiler(of: instance), try DeviceHandle.required(device, "device"))
            let artefact = try artefact(data, bytes)
            switch try compiler.verdict(artefact, on: device) {
            case .compatible: break
            case .damaged: throw .invalid("the artefact is damaged, or is none of this plugin")
            case .otherDevice: throw .unsupported("the artefact was made for another device")
            case .otherVersion: throw .unsupported("the artefact was made by another version of the plugin's compiler")
            }
            try give(result, try compiler.load(artefact, on: device))
        }
    }
    table.verdict = { instance, device, data, bytes, verdict, error in
        status(error) { () throws(PluginFailure) in
            let (compiler, device) = (try compiler(of: instance), try DeviceHandle.required(device, "device"))
            guard let verdict else { throw .invalid("verdict was given no place for its answer") }
            verdict.pointee = try compiler.verdict(artefact(data, bytes), on: device).rawValue
        }
    }
    return table
}

private func compiler(of instance: OpaquePointer?) throws(PluginFailure) -> GraphsHandle {
    guard let graphs = try InstanceHandle.required(instance, "instance").graphs else { throw .unsupported("the plugin compiles no graphs") }
    return graphs
}

private func artefact(_ data: UnsafeRawPointer?, _ bytes: UInt64) throws(PluginFailure) -> UnsafeRawBufferPointer {
    guard bytes == 0 || data != nil, let count = Int(exactly: bytes) else {
        throw .invalid("an artefact of \(bytes) bytes is NULL or too large")
    }
    return UnsafeRawBufferPointer(start: data, count: count)
}

final class TypedGraphs<Device: PluginKit.Device, Compiler: GraphCompiler<Device>>: GraphsHandle, @unchecked Sendable {
    private let compiler: Compiler

    init(_ compiler: Compiler) { self.compiler = compiler }

    override var numerics: sb_numerics? { compiler.numerics }
    override func claim(_ graph: GraphView, on device: DeviceHandle) throws(PluginFailure) -> [UInt32] {
        try compiler.claim(graph, on: try TypedDevice<Device>.cast(device))
    }
    override func compile(_ graph: GraphView, on device: DeviceHandle) throws(PluginFailure) -> ProgramHandle {
        handle(try compiler.compile(graph, on: try TypedDevice<Device>.cast(device)))
    }
    override func load(_ artefact: UnsafeRawBufferPointer, on device: DeviceHandle) throws(PluginFailure) -> ProgramHandle {
        handle(try compiler.load(artefact, on: try TypedDevice<Device>.cast(device)))
    }
    override func verdict(_ artefact: UnsafeRawBufferPointer, on device: DeviceHandle) throws(PluginFailure) -> ArtefactVerdict {
        compiler.verdict(artefact, on: try TypedDevice<Device>.cast(device))
    }

    private func handle(_ program: any CompiledProgram) -> ProgramHandle {
        func typed(_ program: some CompiledProgram) -> ProgramHandle { TypedProgram(program) }
        return typed(program)
    }
}

private final class TypedProgram<Program: CompiledProgram>: ProgramHandle, @unchecked Sendable {
    private let compiled: Program

    init(_ compiled: Program) { self.compiled = compiled }

    override var program: any CompiledProgram { compiled }
    override func execute(_ execution: ExecutionView) throws(PluginFailure) { try compiled.execute(execution) }
}

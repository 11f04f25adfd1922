// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit

/// The chip's compiler: products with what follows them and chains of elementwise nodes become one program each. Everything else goes by kernels.
struct NPUGraphCompiler: GraphCompiler {
    /// Those of the kernels together: functions are approximated, and float32 goes through the matrix unit in three parts.
    var numerics: sb_numerics? {
        sb_numerics(
            size: MemoryLayout<sb_numerics>.size, accumulator_type: 0, input_bits: Profile.Float32.bfloat16x3.inputBits,
            flags: SB_NUMERICS_FLUSHES_DENORMALS, reserved: 0, function_error: approximateFunctions.function_error, value_type: 0,
            reserved2: 0)
    }

    func claim(_ graph: GraphView, on device: NPUDevice) -> [UInt32] {
        var answer = [UInt32](repeating: 0, count: graph.nodes.count)
        guard device.compilesGraphs else { return answer }
        for (number, nodes) in Grouping(FusionGraph(graph, device.profile)).fused.enumerated() {
            for node in nodes { answer[node] = UInt32(number + 1) }
        }
        return answer
    }

    func compile(_ graph: GraphView, on device: NPUDevice) throws(PluginFailure) -> any CompiledProgram {
        let lowering: Lowering
        do throws(Refusal) {
            lowering = try FusedLowering.lower(FusionGraph(graph, device.profile))
        } catch {
            throw .unsupported("the chip's compiler does not take the graph: \(error.text)")
        }
        let name = graph.nodes.prefix(6).map(\.operatorName).joined(separator: "+") + (graph.nodes.count > 6 ? "+..." : "")
        return FusedProgram(try ResidentProgram(lowering, name: name, device))
    }

    func load(_ artefact: UnsafeRawBufferPointer, on device: NPUDevice) throws(PluginFailure) -> any CompiledProgram {
        FusedProgram(try ResidentProgram(try Artefact.program(artefact, device.profile), name: "artefact", device))
    }

    func verdict(_ artefact: UnsafeRawBufferPointer, on device: NPUDevice) -> ArtefactVerdict { Artefact.verdict(artefact, device.profile) }
}

final class FusedProgram: CompiledProgram {
    private let resident: ResidentProgram

    init(_ resident: ResidentProgram) { self.resident = resident }

    var workspace: UInt64 { UInt64(resident.lowering.workspace) }
    var cost: Double { resident.lowering.program.seconds * 1e9 }

    var residentBytes: UInt64 { resident.constantBytes }

    func execute(_ execution: ExecutionView) throws(PluginFailure) {
        try resident.run(
            on: execution.stream(of: NPUDevice.self), correlation: execution.correlation,
            workspace: execution.workspace(as: NPUBuffer.self),
            input: { index throws(PluginFailure) in try execution.input(index) },
            output: { index throws(PluginFailure) in try execution.output(index) })
    }

    func save() -> [UInt8] { Artefact.bytes(of: resident) }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Tensors

/// A kernel that is one tile program per node: one function from a node to its program, asked for the support and for the preparation alike.
struct LoweredKernel: Kernel {
    let declaration: KernelDeclaration
    /// How the node becomes a part of a larger program; nil if it stays a program of its own.
    let fusion: Fusion?
    private let lower: @Sendable (NodeView, Profile) throws(Refusal) -> Lowering
    private let prefer: (@Sendable (NodeView, Profile) -> Layouts?)?

    /// Of a node's inputs and outputs.
    typealias Layouts = (inputs: [UInt32], outputs: [UInt32])

    /// What a fused program is made of.
    enum Fusion: Sendable {
        /// The first `inputs` inputs (nil: all), broadcast to the output's shape, through an expression.
        case elementwise(inputs: Int?, @Sendable (NodeView, [Term]) throws(Refusal) -> Term)
        /// A product, whose epilogue may go on.
        case product(@Sendable (NodeView, Profile) throws(Refusal) -> ProductProblem)
    }

    init(
        _ operatorName: String, name: String? = nil, domain: String = "", since: Int, until: Int = 0, types: [DataType],
        flags: KernelFlags = .deterministic,
        hostInputs: Set<Int> = [], numerics: sb_numerics? = nil, fusion: Fusion? = nil,
        prefer: (@Sendable (NodeView, Profile) -> Layouts?)? = nil,
        lower: @escaping @Sendable (NodeView, Profile) throws(Refusal) -> Lowering
    ) {
        declaration = KernelDeclaration(
            name: name ?? operatorName, domain: domain, operatorName: operatorName, since: UInt32(since), until: UInt32(until),
            dataTypes: types.reduce(0) { $0 | 1 << UInt64($1.rawValue) }, flags: flags,
            hostInputs: hostInputs.reduce(0) { $0 | 1 << UInt64($1) },
            numerics: numerics)
        self.fusion = fusion
        self.prefer = prefer
        self.lower = lower
    }

    func support(_ node: NodeView, on device: NPUDevice) -> Support {
        do throws(Refusal) {
            let lowering = try lowering(of: node, device.profile)
            return .yes(workspace: UInt64(lowering.workspace), cost: lowering.program.seconds * 1e9, numerics: numerics(of: node))
        } catch  where error.isEarly && declaration.hostInputs != 0 {
            return .yes()
        } catch {
            return .no(error.reason, error.text)
        }
    }

    /// A function of 16 bits is computed in float32 and rounded once: it is as good as one that is not approximated.
    private func numerics(of node: NodeView) -> UnsafePointer<sb_numerics>? {
        guard case .elementwise? = fusion, (declaration.numerics?.function_error ?? 0) > 0,
            [SB_TYPE_FLOAT16, SB_TYPE_BFLOAT16].contains(node.dataType)
        else { return nil }
        return Self.exactFunctions
    }

    private static nonisolated(unsafe) let exactFunctions: UnsafePointer<sb_numerics> = {
        let facts = UnsafeMutablePointer<sb_numerics>.allocate(capacity: 1)
        facts.initialize(to: sb_numerics())
        facts.pointee.size = MemoryLayout<sb_numerics>.size
        return UnsafePointer(facts)
    }()

    func preferredLayouts(_ node: NodeView, on device: NPUDevice) -> PreferredLayouts? {
        guard let layouts = prefer?(node, device.profile) else { return nil }
        return node.with(inputs: layouts.inputs, outputs: layouts.outputs) { node in
            guard let lowering = try? lowering(of: node, device.profile) else { return nil }
            return PreferredLayouts(inputs: layouts.inputs, outputs: layouts.outputs, cost: lowering.program.seconds * 1e9)
        }
    }

    func prepare(_ node: NodeView, on device: NPUDevice) throws(PluginFailure) -> any PreparedKernel {
        let lowering: Lowering
        do throws(Refusal) {
            lowering = try self.lowering(of: node, device.profile)
        } catch  where error.isEarly && declaration.hostInputs != 0 {
            return LatePreparation(node, name: declaration.name, hostInputs: declaration.hostInputs, device, lower)
        } catch {
            throw .unsupported(error.text)
        }
        return try PreparedProgram(lowering, name: declaration.name, device)
    }

    private func lowering(of node: NodeView, _ profile: Profile) throws(Refusal) -> Lowering {
        try profile.lowerings.lowering(of: node, kernel: declaration.name) { () throws(Refusal) in try lower(node, profile) }
    }
}

/// A program with its constants in device memory.
final class ResidentProgram: @unchecked Sendable {
    let lowering: Lowering
    let device: NPUDevice
    private var constants: [Int: NPUBuffer] = [:]

    /// What recorded activities are called.
    let name: String

    init(_ lowering: Lowering, name: String, _ device: NPUDevice) throws(PluginFailure) {
        self.lowering = lowering
        self.name = name
        self.device = device
        for (slot, source) in lowering.sources.enumerated() {
            guard case .constant(let fill) = source, lowering.slotBytes[slot] > 0 else { continue }
            let buffer = try device.memory.allocate(UInt64(lowering.slotBytes[slot]), alignment: 64)
            constants[slot] = buffer
            fill(buffer.bytes)
        }
    }

    /// Of device memory.
    var constantBytes: UInt64 { constants.values.reduce(0) { $0 + UInt64($1.byteCount) } }

    /// What fills a slot once and for all.
    func constant(_ slot: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: constants[slot]?.bytes, count: constants[slot]?.byteCount ?? 0)
    }

    func run(
        on stream: NPUStream?, correlation: UInt64, workspace: (buffer: NPUBuffer, offset: UInt64, bytes: UInt64)?,
        input: (Int) throws(PluginFailure) -> TensorView, output: (Int) throws(PluginFailure) -> TensorView
    ) throws(PluginFailure) {
        var bindings: [npu_binding] = []
        bindings.reserveCapacity(lowering.sources.count)
        for (slot, source) in lowering.sources.enumerated() {
            switch source {
            case .input(let index): bindings.append(try input(index).binding)
            case .output(let index): bindings.append(try output(index).binding)
            case .workspace(let offset):
                guard let workspace, workspace.bytes >= UInt64(lowering.workspace) else {
                    throw .invalid("the launch has no workspace of \(lowering.workspace) bytes")
                }
                bindings.append(npu_binding(workspace.buffer, offset: workspace.offset + UInt64(offset)))
            case .constant:
                let buffer = constants[slot]
                bindings.append(npu_binding(address: buffer?.bytes, bytes: UInt64(buffer?.byteCount ?? 0)))
            }
        }
        try device.launch(self, bindings, on: stream, correlation: correlation)
    }
}

/// A node that is one program.
final class PreparedProgram: PreparedKernel {
    private let resident: ResidentProgram

    init(_ lowering: Lowering, name: String, _ device: NPUDevice) throws(PluginFailure) {
        resident = try ResidentProgram(lowering, name: name, device)
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let raw = launch.raw.pointee
        try resident.run(
            on: launch.stream(of: NPUDevice.self), correlation: launch.correlation,
            workspace: raw.workspace.map { (NPUBuffer.behind($0), raw.workspace_offset, raw.workspace_bytes) },
            input: { index throws(PluginFailure) in try launch.input(index) },
            output: { index throws(PluginFailure) in try launch.output(index) })
    }
}

extension TensorView {
    /// Where the simulator finds the tensor, up to the end of its buffer. Tensors without elements may have no buffer.
    fileprivate var binding: npu_binding { buffer(as: NPUBuffer.self).map { npu_binding($0, offset: offset) } ?? npu_binding() }
}

extension npu_binding {
    fileprivate init(_ buffer: NPUBuffer, offset: UInt64) {
        self.init()
        guard offset <= UInt64(buffer.byteCount) else { return }
        address = buffer.bytes + Int(offset)
        bytes = UInt64(buffer.byteCount) - offset
    }
}

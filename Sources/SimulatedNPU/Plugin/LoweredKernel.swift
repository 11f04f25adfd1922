// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Tensors

/// A kernel that is one tile program per node: one function from a node to its program, asked for the support and for the preparation alike.
struct LoweredKernel: Kernel {
    let declaration: KernelDeclaration
    private let lower: @Sendable (NodeView, Profile) throws(Refusal) -> Lowering

    init(
        _ operatorName: String, name: String? = nil, since: Int, until: Int = 0, types: [DataType], flags: KernelFlags = .deterministic,
        hostInputs: Set<Int> = [], numerics: sb_numerics? = nil,
        lower: @escaping @Sendable (NodeView, Profile) throws(Refusal) -> Lowering
    ) {
        declaration = KernelDeclaration(
            name: name ?? operatorName, operatorName: operatorName, since: UInt32(since), until: UInt32(until),
            dataTypes: types.reduce(0) { $0 | 1 << UInt64($1.rawValue) }, flags: flags,
            hostInputs: hostInputs.reduce(0) { $0 | 1 << UInt64($1) },
            numerics: numerics)
        self.lower = lower
    }

    func support(_ node: NodeView, on device: NPUDevice) -> Support {
        do throws(Refusal) {
            let lowering = try lower(node, device.profile)
            return .yes(workspace: UInt64(lowering.workspace), cost: lowering.program.seconds * 1e9)
        } catch where error.isEarly && declaration.hostInputs != 0 {
            return .yes()
        } catch {
            return .no(error.reason, error.text)
        }
    }

    func prepare(_ node: NodeView, on device: NPUDevice) throws(PluginFailure) -> any PreparedKernel {
        let lowering: Lowering
        do throws(Refusal) {
            lowering = try lower(node, device.profile)
        } catch where error.isEarly && declaration.hostInputs != 0 {
            return LatePreparation(node, hostInputs: declaration.hostInputs, device, lower)
        } catch {
            throw .unsupported(error.text)
        }
        return try PreparedProgram(lowering, device)
    }
}

/// A program with its constants in device memory.
final class PreparedProgram: PreparedKernel, @unchecked Sendable {
    private let lowering: Lowering
    private let device: NPUDevice
    private var constants: [Int: NPUBuffer] = [:]

    init(_ lowering: Lowering, _ device: NPUDevice) throws(PluginFailure) {
        self.lowering = lowering
        self.device = device
        for (slot, source) in lowering.sources.enumerated() {
            guard case .constant(let fill) = source, lowering.slotBytes[slot] > 0 else { continue }
            let buffer = try device.memory.allocate(UInt64(lowering.slotBytes[slot]), alignment: 64)
            constants[slot] = buffer
            fill(buffer.bytes)
        }
    }

    deinit { for buffer in constants.values { device.memory.release(buffer) } }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        var bindings: [npu_binding] = []
        bindings.reserveCapacity(lowering.sources.count)
        for (slot, source) in lowering.sources.enumerated() {
            switch source {
            case .input(let index): bindings.append(try launch.input(index).binding)
            case .output(let index): bindings.append(try launch.output(index).binding)
            case .workspace(let offset):
                guard let raw = launch.raw.pointee.workspace, launch.raw.pointee.workspace_bytes >= UInt64(lowering.workspace) else {
                    throw .invalid("the launch has no workspace of \(lowering.workspace) bytes")
                }
                bindings.append(npu_binding(raw, offset: launch.raw.pointee.workspace_offset + UInt64(offset)))
            case .constant:
                let buffer = constants[slot]
                bindings.append(npu_binding(address: buffer?.bytes, bytes: UInt64(buffer?.byteCount ?? 0)))
            }
        }
        try device.launch(lowering.program, bindings, on: launch.stream(of: NPUDevice.self), correlation: launch.correlation)
    }
}

extension TensorView {
    /// Where the simulator finds the tensor, up to the end of its buffer. Tensors without elements may have no buffer.
    fileprivate var binding: npu_binding { raw.pointee.buffer.map { npu_binding($0, offset: offset) } ?? npu_binding() }
}

extension npu_binding {
    fileprivate init(_ handle: OpaquePointer, offset: UInt64) {
        let buffer = Unmanaged<NPUBuffer>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
        self.init()
        guard offset <= UInt64(buffer.byteCount) else { return }
        address = buffer.bytes + Int(offset)
        bytes = UInt64(buffer.byteCount) - offset
    }
}

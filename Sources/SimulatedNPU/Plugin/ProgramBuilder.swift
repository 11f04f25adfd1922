// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Why a node is left to another device.
package struct Refusal: Error {
    let reason: Support.Reason
    let text: String

    /// A value decides the program that is known only when the node is launched.
    let isEarly: Bool

    init(_ reason: Support.Reason, _ text: String) {
        self.reason = reason
        self.text = text
        isEarly = false
    }

    init(unknownInput index: Int) {
        reason = .other
        text = "input \(index) is not known before the run"
        isEarly = true
    }
}

/// What fills a slot of a program at each launch.
enum SlotSource {
    case input(Int)
    case output(Int)
    /// Bytes from the start of the launch's workspace.
    case workspace(offset: Int)
    /// Made once, when the node is prepared.
    case constant(@Sendable (UnsafeMutableRawPointer) -> Void)
}

/// Builds the tile program of a node: slots for its tensors, places in the local memories, instructions.
///
/// Places in local memories are the same in every core; nothing is given back.
final class ProgramBuilder {
    let profile: Profile
    let cores: Int
    var config: npu_config { profile.config }
    private var raw: OpaquePointer
    private var sources: [SlotSource] = []
    private var slotBytes: [UInt64] = []
    private var workspace = 0
    private var used = [Int](repeating: 0, count: Int(NPU_SPACE_COUNT.rawValue))

    /// - Parameter cores: how many of the chip's cores the program uses; nil: all.
    init(_ profile: Profile, cores: Int? = nil) {
        self.profile = profile
        self.cores = max(min(cores ?? Int(profile.config.cores), Int(profile.config.cores)), 1)
        var config = profile.config
        raw = npu_program_create(&config, UInt32(self.cores))
    }

    deinit { npu_program_destroy(raw) }

    // MARK: Slots

    func input(_ index: Int, bytes: Int) -> npu_address { slot(.input(index), bytes) }
    func output(_ index: Int, bytes: Int) -> npu_address { slot(.output(index), bytes) }
    func constant(bytes: Int, _ fill: @escaping @Sendable (UnsafeMutableRawPointer) -> Void) -> npu_address { slot(.constant(fill), bytes) }

    func workspace(bytes: Int) -> npu_address {
        slot(.workspace(offset: workspace), bytes)
    }

    func slot(_ source: SlotSource, _ bytes: Int) -> npu_address {
        if case .workspace(let offset) = source { workspace = max(workspace, offset + roundUp(bytes, to: DeviceMemory.alignment)) }
        sources.append(source)
        slotBytes.append(UInt64(bytes))
        var address = npu_address()
        address.space = UInt8(NPU_DEVICE.rawValue)
        address.slot = UInt32(sources.count - 1)
        return address
    }

    // MARK: Local memories

    func free(in space: npu_space) -> Int { Int(config.bytes(of: space)) - used[Int(space.rawValue)] }

    /// Throws if the memory is full.
    func allocate(_ bytes: Int, in space: npu_space) throws(Refusal) -> npu_address {
        guard bytes <= free(in: space) else { throw Refusal(.memory, "the chip's local memories are too small for it") }
        var address = npu_address()
        address.space = UInt8(space.rawValue)
        address.offset = UInt64(used[Int(space.rawValue)])
        used[Int(space.rawValue)] += min(roundUp(bytes, to: 64), free(in: space))
        return address
    }

    // MARK: Instructions

    /// `dimensions`: the slowest first; strides in bytes.
    func copy(core: Int, to destination: npu_address, from source: npu_address, run: Int, _ dimensions: [CopyDimension] = []) {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_COPY.rawValue
        var copy = npu_copy()
        copy.destination = destination
        copy.source = source
        copy.run = UInt64(run)
        let kept = dimensions.filter { $0.count != 1 }
        precondition(kept.count <= Int(NPU_COPY_RANK))
        copy.rank = UInt32(kept.count)
        withUnsafeMutableBytes(of: &copy.dimension) { bytes in
            let target = bytes.bindMemory(to: npu_copy_dimension.self)
            for (index, dimension) in kept.enumerated() {
                target[index] = npu_copy_dimension(
                    count: UInt64(dimension.count), destination_stride: Int64(dimension.to), source_stride: Int64(dimension.from))
            }
        }
        instruction.copy = copy
        npu_program_append(raw, UInt32(core), &instruction)
    }

    /// `bytes` bytes of a pattern, in a local memory.
    func fill(
        core: Int, _ destination: npu_address, bytes: Int, count: Int = 1, stride: Int = 0, pattern: UInt64 = 0, patternBytes: Int = 1
    ) {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_FILL.rawValue
        instruction.fill = npu_fill(
            destination: destination, run: UInt64(bytes), count: UInt64(count), stride: UInt64(stride), pattern: pattern,
            pattern_bytes: UInt32(patternBytes), reserved: 0)
        npu_program_append(raw, UInt32(core), &instruction)
    }

    func gather(core: Int, _ gather: npu_gather) {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_GATHER.rawValue
        instruction.gather = gather
        npu_program_append(raw, UInt32(core), &instruction)
    }

    func patch(core: Int, _ patch: npu_patch) {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_PATCH.rawValue
        instruction.patch = patch
        npu_program_append(raw, UInt32(core), &instruction)
    }

    func matrix(core: Int, _ matrix: npu_matrix) {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_MATRIX.rawValue
        instruction.matrix = matrix
        npu_program_append(raw, UInt32(core), &instruction)
    }

    func vector(
        core: Int, _ operation: npu_vector_operation, to destination: npu_operand, _ a: npu_operand, _ b: npu_operand = npu_operand(),
        _ c: npu_operand = npu_operand(), rows: Int = 1, count: Int, flags: UInt32 = 0, parameter: Double = 0
    ) {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_VECTOR.rawValue
        instruction.vector = npu_vector(
            destination: destination, a: a, b: b, c: c, rows: UInt64(rows), count: UInt64(count), operation: operation.rawValue,
            flags: flags, parameter: parameter)
        npu_program_append(raw, UInt32(core), &instruction)
    }

    /// Holds all cores back until all have come here.
    func barrier() {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_BARRIER.rawValue
        npu_program_append(raw, 0, &instruction)
    }

    /// The program, checked, infinitely slow if it takes `limit` seconds or more. Throws what the check finds, which is a fault of the lowering and never one of the node.
    func finish(limit: Double = .infinity) throws(Refusal) -> Lowering {
        if let fault = npu_program_check(raw, slotBytes, slotBytes.count) { throw Refusal(.other, String(cString: fault)) }
        let firstOutput = sources.indices.first {
            if case .output = sources[$0] { slotBytes[$0] > 0 } else { false }
        }
        let program = TileProgram(raw, slotBytes: slotBytes.map(Int.init), firstOutput: firstOutput, limit: limit)
        var config = profile.config
        raw = npu_program_create(&config, 1)
        return Lowering(program: program, sources: sources, slotBytes: slotBytes.map(Int.init), workspace: workspace)
    }
}

struct CopyDimension {
    var count: Int
    /// Bytes between steps.
    var to, from: Int
}

/// A node's program and what its slots are filled with.
struct Lowering: @unchecked Sendable {
    let program: TileProgram
    let sources: [SlotSource]
    let slotBytes: [Int]
    /// Bytes that each launch needs.
    let workspace: Int
}

extension npu_config {
    func bytes(of space: npu_space) -> UInt64 {
        switch space {
        case NPU_L1: space_bytes.1
        case NPU_ACCUMULATORS: space_bytes.2
        case NPU_VECTORS: space_bytes.3
        default: device_bytes
        }
    }
}

extension npu_address {
    static func + (address: npu_address, bytes: Int) -> npu_address {
        var result = address
        result.offset += UInt64(bytes)
        return result
    }

    /// Elements of `type` that lie there; strides in elements.
    func operand(_ type: DataType, rowStride: Int = 0, stride: Int = 1) -> npu_operand {
        npu_operand(address: self, row_stride: Int64(rowStride), stride: Int64(stride), type: type.rawValue, reserved: 0)
    }
}

func roundUp(_ value: Int, to step: Int) -> Int { (value + step - 1) / step * step }
func divideUp(_ value: Int, by step: Int) -> Int { (value + step - 1) / step }

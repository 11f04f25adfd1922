// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// A node as phases of vector work: which tensors it uses and what happens to them in which order. Block sizes are found when the program is built.
struct VectorLowering {
    private enum Phase {
        case vector(VectorPhase)
        case gather(GatherPhase)
        /// What was stored may be loaded again.
        case barrier
    }

    private struct Slot {
        let source: SlotSource
        let bytes: Int
    }

    private var slots: [Slot] = []
    private var phases: [Phase] = []

    // MARK: Tensors

    /// An input or output as a whole. `strides`: of the iteration space; dense if left out.
    mutating func input(_ index: Int, _ operand: Operand, strides: [Int]? = nil, offset: Int = 0, as type: npu_type? = nil) throws(Refusal)
        -> Access
    {
        try access(.input(index), operand, strides, offset, type)
    }

    mutating func output(_ index: Int, _ operand: Operand, strides: [Int]? = nil, offset: Int = 0, as type: npu_type? = nil) throws(Refusal)
        -> Access
    {
        try access(.output(index), operand, strides, offset, type)
    }

    private mutating func access(_ source: SlotSource, _ operand: Operand, _ strides: [Int]?, _ offset: Int, _ type: npu_type?)
        throws(Refusal) -> Access
    {
        guard let type = type ?? operand.type.vectorType else {
            throw Refusal(.dataType, "the vector unit does not take \(operand.type.name)")
        }
        return Access(
            address: slot(source, operand.bytes) + offset * operand.width, type: type, strides: strides ?? denseStrides(operand.shape))
    }

    /// Memory of the launch's own, dense.
    mutating func workspace(_ shape: [Int], _ type: npu_type) -> Access {
        let bytes = shape.reduce(1, *) * type.width
        let offset = slots.reduce(0) { if case .workspace = $1.source { $0 + roundUp($1.bytes, to: DeviceMemory.alignment) } else { $0 } }
        return Access(address: slot(.workspace(offset: offset), bytes), type: type, strides: denseStrides(shape))
    }

    private mutating func slot(_ source: SlotSource, _ bytes: Int) -> npu_address {
        var address = npu_address()
        address.space = UInt8(NPU_DEVICE.rawValue)
        if let index = slots.firstIndex(where: { $0.source == source }) {
            address.slot = UInt32(index)
        } else {
            slots.append(Slot(source: source, bytes: bytes))
            address.slot = UInt32(slots.count - 1)
        }
        return address
    }

    // MARK: Phases

    mutating func add(_ phase: VectorPhase) { phases.append(.vector(phase)) }
    mutating func add(_ phase: GatherPhase) { phases.append(.gather(phase)) }
    mutating func addBarrier() { phases.append(.barrier) }

    /// Blocks of several sizes are tried, with all cores and with fewer, and the fastest program is kept: larger memories and more cores only add to the choice.
    func build(_ profile: Profile) throws(Refusal) -> Lowering {
        let most = phases.reduce(1) { if case .vector(let phase) = $1 { max($0, phase.elementCount) } else { $0 } }
        let capacity = Int(profile.config.bytes(of: NPU_VECTORS))
        var (best, failure): (Lowering?, Refusal?)
        var budget = 512
        while true {
            let isLast = budget >= most || budget >= capacity
            // Small blocks of a large tensor would be a long program for nothing.
            if most / budget <= 4096 || isLast {
                do throws(Refusal) {
                    for lowering in try programs(profile, budget: budget)
                    where best.map({ lowering.program.seconds < $0.program.seconds }) ?? true {
                        best = lowering
                    }
                } catch {
                    failure = error
                }
            }
            if isLast { break }
            budget *= 4
        }
        guard let best else { throw failure ?? Refusal(.other, "there is no program") }
        return best
    }

    /// Cores that get no block would only take their share of the bandwidth; with few blocks some number of cores shares them more evenly than all.
    private func programs(_ profile: Profile, budget: Int) throws(Refusal) -> [Lowering] {
        let cores = Int(profile.config.cores)
        let (all, blocks) = try program(profile, budget: budget, cores: cores)
        if blocks > 512 || cores == 1 { return [all] }
        var counts = Set([min(blocks, cores)])
        for halving in 1..<16 where cores >> halving > 0 && cores >> halving < blocks { counts.insert(cores >> halving) }
        var result = blocks >= cores ? [all] : []
        for count in counts.sorted() where count > 0 && count < cores {
            result.append(try program(profile, budget: budget, cores: count).lowering)
        }
        return result.isEmpty ? [all] : result
    }

    private func program(_ profile: Profile, budget: Int, cores: Int) throws(Refusal) -> (lowering: Lowering, blocks: Int) {
        let builder = ProgramBuilder(profile, cores: cores)
        for slot in slots { _ = builder.slot(slot.source, slot.bytes) }
        let capacity = builder.free(in: NPU_VECTORS)
        let arena = try builder.allocate(capacity, in: NPU_VECTORS)
        // Between two barriers blocks of one phase and the next go to the cores in turn.
        var (blocks, most) = (0, 0)
        for phase in phases {
            switch phase {
            case .vector(let phase):
                blocks = try PhaseEmitter(phase, builder, arena: arena, capacity: capacity).emit(budget: budget, after: blocks)
            case .gather(let phase): blocks = phase.emit(builder, arena: arena, capacity: capacity, after: blocks)
            case .barrier:
                builder.barrier()
                blocks = 0
            }
            most = max(most, blocks)
        }
        return (try builder.finish(), most)
    }
}

extension SlotSource {
    static func == (a: SlotSource, b: SlotSource) -> Bool {
        switch (a, b) {
        case (.input(let a), .input(let b)), (.output(let a), .output(let b)), (.workspace(let a), .workspace(let b)): a == b
        default: false
        }
    }
}

extension DataType {
    /// As the vector unit calls it; nil for what it does not take.
    var vectorType: npu_type? {
        switch self {
        case .float32, .float16, .bfloat16, .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64, .bool:
            npu_type(rawValue: rawValue)
        default: nil
        }
    }

    /// Integers as wide as the type, for what is moved and not computed with; nil for elements that are no whole bytes.
    var movedType: npu_type? {
        switch bits {
        case 8: NPU_UINT8
        case 16: NPU_UINT16
        case 32: NPU_UINT32
        case 64: NPU_UINT64
        default: nil
        }
    }
}

/// Strides in elements of a dense row-major tensor.
func denseStrides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1) }
    return strides
}

/// Strides by which a dense tensor is read as if it had shape `target` (NumPy's broadcasting).
func broadcastStrides(_ shape: [Int], to target: [Int]) throws(Refusal) -> [Int] {
    try require(shape.count <= target.count, .shape, "\(shape) does not broadcast to \(target)")
    var strides = [Int](repeating: 0, count: target.count - shape.count)
    for ((size, stride), wanted) in zip(zip(shape, denseStrides(shape)), target.dropFirst(strides.count)) {
        try require(size == wanted || size == 1, .shape, "\(shape) does not broadcast to \(target)")
        strides.append(size == 1 ? 0 : stride)
    }
    return strides
}

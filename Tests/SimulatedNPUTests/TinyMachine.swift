// SPDX-License-Identifier: Apache-2.0
import SimulatedNPUMachine

/// A chip with round figures: one byte of device memory takes a nanosecond of one core's share, one cycle takes a nanosecond, a tile takes two.
func roundConfig(cores: UInt32 = 1) -> npu_config {
    var config = npu_config()
    config.cores = cores
    (config.tile_m, config.tile_n, config.tile_k) = (16, 16, 16)
    config.clock = 1e9
    (config.float16_rate, config.bfloat16_rate, config.int8_rate) = (4096, 4096, 8192)
    (config.vector_float32_rate, config.vector_float16_rate) = (32, 64)
    (config.device_bandwidth, config.l2_bandwidth) = (1e9 * Double(cores), 4e9 * Double(cores))
    (config.device_latency, config.l2_latency) = (100e-9, 50e-9)
    config.l1_bandwidth = 64e9
    (config.device_bytes, config.l2_bytes) = (1 << 30, 0)
    config.space_bytes = (0, 1 << 18, 1 << 16, 1 << 16)
    (config.link_bandwidth, config.link_latency) = (1e9, 0)
    return config
}

/// A program being written. Places are (space, offset); slot 0 is read, slot 1 written.
final class TestProgram {
    let raw: OpaquePointer
    private let slots: [UInt64]

    init(_ config: npu_config, cores: UInt32 = 1, slots: [UInt64]) {
        var config = config
        raw = npu_program_create(&config, cores)
        self.slots = slots
    }

    deinit { npu_program_destroy(raw) }

    /// What the check finds; nil if nothing.
    func fault() -> String? { npu_program_check(raw, slots, slots.count).map { String(cString: $0) } }

    func time() -> (seconds: Double, counters: npu_counters) {
        var counters = npu_counters()
        let seconds = npu_time(raw, .infinity, &counters, nil, nil)
        return (seconds, counters)
    }

    func copy(core: UInt32 = 0, to destination: npu_address, from source: npu_address, bytes: Int) {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_COPY.rawValue
        var copy = npu_copy()
        (copy.destination, copy.source, copy.run) = (destination, source, UInt64(bytes))
        instruction.copy = copy
        npu_program_append(raw, core, &instruction)
    }

    func multiply(core: UInt32 = 0, _ m: UInt32, _ n: UInt32, _ k: UInt32, a: Int, b: Int, accumulators: Int = 0, accumulate: Bool = false)
    {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_MATRIX.rawValue
        var matrix = npu_matrix()
        (matrix.m, matrix.n, matrix.k) = (m, n, k)
        (matrix.a, matrix.b, matrix.accumulators) = (place(NPU_L1, a), place(NPU_L1, b), place(NPU_ACCUMULATORS, accumulators))
        (matrix.a_type, matrix.b_type) = (UInt8(NPU_FLOAT16.rawValue), UInt8(NPU_FLOAT16.rawValue))
        matrix.accumulate = accumulate ? 1 : 0
        instruction.matrix = matrix
        npu_program_append(raw, core, &instruction)
    }

    func add(core: UInt32 = 0, _ type: npu_type, count: Int, to destination: Int, _ a: Int, _ b: Int, stride: Int64 = 1) {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_VECTOR.rawValue
        var vector = npu_vector()
        func operand(_ offset: Int, _ stride: Int64 = 1) -> npu_operand {
            npu_operand(address: place(NPU_VECTORS, offset), row_stride: 0, stride: stride, type: type.rawValue, reserved: 0)
        }
        (vector.destination, vector.a, vector.b) = (operand(destination), operand(a), operand(b, stride))
        (vector.rows, vector.count, vector.operation) = (1, UInt64(count), NPU_V_ADD.rawValue)
        instruction.vector = vector
        npu_program_append(raw, core, &instruction)
    }

    func barrier() {
        var instruction = npu_instruction()
        instruction.opcode = NPU_OP_BARRIER.rawValue
        npu_program_append(raw, 0, &instruction)
    }
}

func place(_ space: npu_space, _ offset: Int) -> npu_address {
    npu_address(space: UInt8(space.rawValue), reserved: (0, 0, 0), slot: 0, offset: UInt64(offset))
}

func device(_ slot: UInt32, _ offset: Int = 0) -> npu_address {
    npu_address(space: UInt8(NPU_DEVICE.rawValue), reserved: (0, 0, 0), slot: slot, offset: UInt64(offset))
}

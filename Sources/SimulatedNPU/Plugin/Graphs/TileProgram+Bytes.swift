// SPDX-License-Identifier: Apache-2.0
import SimulatedNPUMachine

extension TileProgram {
    private static let width = MemoryLayout<npu_instruction>.stride

    /// The instructions of all cores, core by core.
    func write(to writer: inout ByteWriter) {
        let cores = npu_program_cores(raw)
        writer.add(UInt64(cores))
        for core in 0..<cores {
            var count = 0
            let instructions = npu_program_list(raw, core, &count)
            writer.add(UInt64(count))
            writer.bytes += UnsafeRawBufferPointer(start: instructions, count: count * Self.width)
        }
    }

    /// Nil unless the bytes are instructions that pass the machine's check.
    convenience init?(reading reader: inout ByteReader, _ profile: Profile, slotBytes: [Int], firstOutput: Int?) {
        guard let cores = reader.take(UInt64.self), cores >= 1, cores <= UInt64(profile.config.cores) else { return nil }
        var lists: [[npu_instruction]] = []
        for _ in 0..<cores {
            guard let count = reader.take(UInt64.self), count < 1 << 32, let bytes = reader.take(bytes: Int(count) * Self.width) else {
                return nil
            }
            lists.append(
                bytes.withUnsafeBytes { bytes in
                    (0..<Int(count)).map { bytes.loadUnaligned(fromByteOffset: $0 * Self.width, as: npu_instruction.self) }
                })
        }
        var config = profile.config
        guard let program = npu_program_create(&config, UInt32(cores)) else { return nil }
        // A barrier goes to all cores at once, so all of them must have as many.
        var segments = lists.map { $0.split(omittingEmptySubsequences: false) { $0.opcode == NPU_OP_BARRIER.rawValue } }
        let count = segments[0].count
        guard segments.allSatisfy({ $0.count == count }) else {
            npu_program_destroy(program)
            return nil
        }
        for segment in 0..<count {
            for core in segments.indices {
                for var instruction in segments[core][segment] { npu_program_append(program, UInt32(core), &instruction) }
            }
            if segment + 1 < count {
                var barrier = npu_instruction()
                barrier.opcode = NPU_OP_BARRIER.rawValue
                npu_program_append(program, 0, &barrier)
            }
        }
        segments = []
        guard npu_program_check(program, slotBytes.map(UInt64.init), slotBytes.count) == nil else {
            npu_program_destroy(program)
            return nil
        }
        self.init(program, slotBytes: slotBytes, firstOutput: firstOutput)
    }
}

// SPDX-License-Identifier: Apache-2.0
import SimulatedNPUMachine

/// Runs of bytes picked by indices: for every outer place o and index i, destination[o][i] = source[o][index[i]].
struct GatherPhase {
    let source, indices, destination: npu_address
    let indexType: npu_type
    /// Places before the axis, indices, size of the axis, bytes behind it.
    let outer, count, axis, run: Int

    /// Chunks of indices go to the cores in turn; a run that does not fit is picked in parts.
    /// Returns how many chunks have gone to the cores, `first` of them before.
    func emit(_ builder: ProgramBuilder, arena: npu_address, capacity: Int, after first: Int) -> Int {
        if outer * count * run == 0 { return first }
        // Two sets of indices and of runs.
        let half = capacity / 2 / 64 * 64
        let part = min(run, half / 2)
        let chunk = max(min((half - 64) / (part + indexType.width), divideUp(outer * count, by: builder.cores), count, 1 << 20), 1)
        var turn = first
        for place in 0..<outer {
            for begin in stride(from: 0, to: count, by: chunk) {
                let (core, local) = (turn % builder.cores, arena + turn / builder.cores % 2 * half)
                turn += 1
                let number = min(chunk, count - begin)
                builder.copy(core: core, to: local, from: indices + begin * indexType.width, run: number * indexType.width)
                for byte in stride(from: 0, to: run, by: part) {
                    let bytes = min(part, run - byte)
                    let picked = local + roundUp(number * indexType.width, to: 64)
                    builder.gather(
                        core: core,
                        npu_gather(
                            destination: picked, source: source + (place * axis * run + byte), indices: local,
                            index_type: indexType.rawValue, reserved: 0, run: UInt64(bytes), count: UInt64(number), stride: UInt64(run),
                            limit: UInt64(axis)))
                    builder.copy(
                        core: core, to: destination + (place * count + begin) * run + byte, from: picked, width: bytes,
                        [(count: number, to: run, from: bytes)])
                }
            }
        }
        return turn
    }
}

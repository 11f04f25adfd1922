// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine

/// A checked program and how long it takes on the chip.
package final class TileProgram: @unchecked Sendable {
    let raw: OpaquePointer
    /// From its first instruction to its last.
    let seconds: Double
    let counters: npu_counters
    /// The slot of the first output that has elements.
    let firstOutput: Int?
    private let slotBytes: [Int]

    /// Takes over an `npu_program` that has passed its check. A program that takes `limit` seconds or more is infinitely slow.
    init(_ raw: OpaquePointer, slotBytes: [Int], firstOutput: Int?, limit: Double = .infinity) {
        self.raw = raw
        self.slotBytes = slotBytes
        self.firstOutput = firstOutput
        var counters = npu_counters()
        seconds = npu_time(raw, limit, &counters, nil, nil)
        self.counters = counters
    }

    deinit { npu_program_destroy(raw) }

    var instructionCount: UInt64 { npu_program_count(raw) }

    func slotBytes(_ slot: Int) -> Int { slotBytes[slot] }

    func run(on machine: OpaquePointer, _ bindings: [npu_binding]) -> PluginFailure? {
        let capacity = 200
        let message = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
        defer { message.deallocate() }
        guard npu_execute(machine, raw, bindings, bindings.count, message, capacity) != 0 else { return nil }
        return .invalid(String(cString: message))
    }
}

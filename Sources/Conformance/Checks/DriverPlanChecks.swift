// SPDX-License-Identifier: Apache-2.0
import Compiler
import HardwareModel
import Southbound
import Tensors

/// Group "memory": plans that are sound come back sound.
let planChecks: [Check] = [
    Check("driver/plan/amend", .driver, ["SB-PLN-001", "SB-PLN-002"]) { context in
        let device = try context.openDevice()
        guard device.plugin.memory != nil else { throw CheckFailure.unsupported("the plugin has no group 'memory'") }
        for round in 0..<50 {
            let random = CounterRandom(seed: context.seed, case: "driver/plan/amend", tensor: "\(round)")
            let steps = 1 + round * 2
            let lifetimes = (0...UInt64(round * 3)).map { index in
                let first = Int(random.integer(3 * index, below: UInt64(steps)))
                let last = min(first + Int(random.integer(3 * index + 1, below: 8)), steps - 1)
                return Lifetime(byteCount: Int(random.integer(3 * index + 2, below: 100_000)), first: first, last: last)
            }
            try check(ArenaPlan(lifetimes, alignment: device.alignment), lifetimes, device, round)
        }
    }
]

private func check(_ plan: ArenaPlan, _ lifetimes: [Lifetime], _ device: Device, _ round: Int) throws {
    let requests = lifetimes.map { MemoryRequest(byteCount: $0.byteCount, first: $0.first, last: $0.last) }
    let amended = try device.amend(requests, offsets: plan.offsets, byteCount: plan.byteCount, alignment: device.alignment)
    guard let amended else { return }
    let capacity = device.model.spaces[0].capacityBytes
    guard let byteCount = Int(exactly: amended.byteCount), capacity == 0 || byteCount <= capacity else {
        throw CheckFailure.failed(.memory, "in plan \(round) the whole became \(amended.byteCount) bytes, more than the device has")
    }
    let whole = ArenaPlan(
        offsets: amended.offsets.map { Int(clamping: $0) }, byteCount: byteCount, lowerBound: plan.lowerBound, strategy: "amended")
    if let fault = whole.firstFault(lifetimes, alignment: device.alignment) {
        throw CheckFailure.failed(.memory, "in plan \(round), which was sound, \(fault.description { "request \($0)" }) after the change")
    }
}

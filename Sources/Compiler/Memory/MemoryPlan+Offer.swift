// SPDX-License-Identifier: Apache-2.0
import HardwareModel
package import Southbound

extension MemoryPlan {
    /// Takes the changes over that the device's plugin makes to the plan, if they are sound.
    ///
    /// - Returns: why they are not taken, for a person; nil if they are, or there are none.
    package mutating func offer(to device: Device) -> String? {
        let requests = lifetimes.map { MemoryRequest(byteCount: $0.byteCount, first: $0.first, last: $0.last) }
        let amended: (offsets: [UInt64], byteCount: UInt64)?
        do throws(PluginError) {
            amended = try device.amend(requests, offsets: offsets, byteCount: byteCount, alignment: alignment, space: space)
        } catch {
            return "\(device.name): the stack's own memory plan is used: \(error.message)"
        }
        guard let amended else { return nil }
        let capacity = device.model.spaces[space].capacityBytes
        let refusal = "\(device.name): the stack's own memory plan is used: in the one that '\(device.plugin.name)' made of it "
        guard let byteCount = Int(exactly: amended.byteCount), capacity == 0 || byteCount <= capacity else {
            return refusal + "the arena has \(amended.byteCount) bytes, more than the device"
        }
        let plan = ArenaPlan(
            offsets: amended.offsets.map { Int(clamping: $0) }, byteCount: byteCount, lowerBound: lowerBound,
            strategy: "amended by \(device.plugin.name)")
        if let fault = plan.firstFault(lifetimes, alignment: alignment) { return refusal + fault.description { names[$0] } }
        arena = plan
        return nil
    }
}

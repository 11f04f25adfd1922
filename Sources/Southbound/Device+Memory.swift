// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// Memory for one tensor or workspace, from step `first` to step `last`.
package struct MemoryRequest: Sendable {
    package let byteCount: Int
    package let first: Int
    package let last: Int

    package init(byteCount: Int, first: Int, last: Int) {
        self.byteCount = byteCount
        self.first = first
        self.last = last
    }
}

extension Device {
    /// The plan as the plugin would have it, which nobody has verified; nil if it has no word in it (it has no group "memory") or changes nothing.
    ///
    /// - Parameters:
    ///   - offsets: of the host's plan, one per request.
    ///   - byteCount: of the whole.
    package func amend(
        _ requests: [MemoryRequest], offsets: [Int], byteCount: Int, alignment: Int, space: Int = 0
    ) throws(PluginError) -> (offsets: [UInt64], byteCount: UInt64)? {
        guard let amend = plugin.memory?.amend, !requests.isEmpty else { return nil }
        let memory = CMemory()
        let list = memory.array(
            requests.map { sb_memory_request(bytes: UInt64($0.byteCount), first: UInt64($0.first), last: UInt64($0.last)) })
        let given = offsets.map(UInt64.init)
        let places = memory.array(given)
        var plan = sb_memory_plan()
        plan.size = MemoryLayout<sb_memory_plan>.size
        plan.space = UInt32(space)
        plan.alignment = UInt64(alignment)
        plan.requests = UnsafePointer(list)
        plan.request_count = requests.count
        plan.offsets = places
        plan.bytes = UInt64(byteCount)
        try call("amend a plan of \(requests.count) requests") { amend(plugin.instance, handle, &plan, $0) }
        // Where it wrote to, whatever the record says now.
        let amended = Array(UnsafeBufferPointer(start: places, count: requests.count))
        return withExtendedLifetime(memory) { amended == given && plan.bytes == byteCount ? nil : (amended, plan.bytes) }
    }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

extension HardwareDescription {
    /// The description as the header has it; lives as long as `memory`.
    func cValue(in memory: StableMemory) -> UnsafePointer<sb_hardware> {
        var result = sb_hardware()
        result.size = MemoryLayout<sb_hardware>.size
        result.id = memory.string(id)
        result.name = memory.string(name)
        result.family = family.rawValue
        result.flags = isSimulated ? SB_HARDWARE_FLAG_SIMULATED : 0
        result.driver = memory.string(driver)
        result.firmware = memory.string(firmware)
        result.serial = memory.string(serial)
        result.spaces = memory.pointers(spaces.map { $0.cValue(in: memory) })
        result.space_count = spaces.count
        result.units = memory.pointers(units.map { $0.cValue(in: memory) })
        result.unit_count = units.count
        result.links = memory.pointers(links.map(\.cValue))
        result.link_count = links.count
        result.layouts = memory.pointers(layouts.map { $0.cValue(in: memory) })
        result.layout_count = layouts.count
        result.launch_latency = picosecondsLaunchLatency
        result.queue_depth = queueDepth
        result.largest_rank = largestRank
        return UnsafePointer(memory.value(result))
    }
}

extension HardwareDescription.Space {
    fileprivate func cValue(in memory: StableMemory) -> sb_memory_space {
        sb_memory_space(
            size: MemoryLayout<sb_memory_space>.size, name: memory.string(name), kind: kind.rawValue,
            flags: (isAllocatable ? SB_SPACE_FLAG_ALLOCATABLE : 0) | (isHostVisible ? SB_SPACE_FLAG_HOST_VISIBLE : 0), level: level,
            count: count, capacity: capacity, bandwidth: bandwidth, latency: picosecondsLatency, alignment: alignment, largest: largest)
    }
}

extension HardwareDescription.Unit {
    fileprivate func cValue(in memory: StableMemory) -> sb_compute_unit {
        let rates = rates.map { sb_rate(data_type: $0.dataType, accumulator_type: $0.accumulatorType, per_cycle: $0.perCycle) }
        return sb_compute_unit(
            size: MemoryLayout<sb_compute_unit>.size, name: memory.string(name), kind: kind.rawValue, count: count, clock: clock,
            tile_m: tile.m, tile_n: tile.n, tile_k: tile.k, reserved: 0, rates: memory.array(rates), rate_count: rates.count)
    }
}

extension HardwareDescription.Link {
    fileprivate var cValue: sb_link {
        sb_link(size: MemoryLayout<sb_link>.size, kind: kind.rawValue, peer: peer, bandwidth: bandwidth, latency: picosecondsLatency)
    }
}

extension HardwareDescription.Layout {
    fileprivate func cValue(in memory: StableMemory) -> sb_layout {
        sb_layout(
            size: MemoryLayout<sb_layout>.size, name: memory.string(name), value: value, block_rows: blockRows, block_columns: blockColumns,
            reserved: 0, blocks: nil, block_rank: 0)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Tensors

extension DeviceModel {
    /// Everything in the description that breaks the rules of `southbridge.h`, section 4, one sentence each.
    ///
    /// - Parameter deviceCount: devices of the plugin, for links to peers.
    package func faults(deviceCount: Int) -> [String] {
        var faults: [String] = []
        if id.isEmpty { faults.append("the device has no id") }
        if name.isEmpty { faults.append("the device has no name") }
        if spaces.isEmpty { faults.append("the device has no memory space") }
        if let first = spaces.first, !first.isAllocatable { faults.append("memory space 0 ('\(first.name)') cannot be allocated") }
        for (index, space) in spaces.enumerated() {
            faults += space.faults.map { "memory space \(index) ('\(space.name)') \($0)" }
        }
        for (index, unit) in units.enumerated() {
            faults += unit.faults.map { "compute unit \(index) ('\(unit.name)') \($0)" }
        }
        if [launchLatencyPicoseconds, queueDepth, largestRank].contains(where: { $0 < 0 }) { faults.append("a limit is negative") }
        faults += layouts.flatMap(\.faults)
        for (index, link) in links.enumerated() {
            if link.kind == .peer, !(0..<deviceCount).contains(link.peer ?? -1) {
                faults.append("link \(index) leads to device \(link.peer ?? -1), but there are \(deviceCount) devices")
            }
            if link.bandwidthBytesPerSecond < 0 || link.latencyPicoseconds < 0 { faults.append("link \(index) has a negative figure") }
        }
        return faults
    }
}

extension Layout {
    package var faults: [String] {
        var faults: [String] = []
        if name.isEmpty { faults.append("a layout has no name") }
        if value < 1 { faults.append("layout '\(name)' has the value \(value), which is the dense one's or none") }
        let blocks = blocks ?? [blockRows, blockColumns]
        if blocks.isEmpty || blocks.contains(where: { $0 < 1 }) { faults.append("layout '\(name)' has blocks of \(blockText)") }
        return faults
    }
}

extension MemorySpace {
    fileprivate var faults: [String] {
        var faults: [String] = []
        if [level, capacityBytes, bandwidthBytesPerSecond, latencyPicoseconds, largestAllocationBytes].contains(where: { $0 < 0 }) {
            faults.append("has a negative figure")
        }
        if count < 1 { faults.append("has a count of \(count)") }
        if capacityBytes.multipliedReportingOverflow(by: count).overflow { faults.append("has a capacity that overflows") }
        if alignmentBytes < 1 || alignmentBytes & (alignmentBytes - 1) != 0 {
            faults.append("has an alignment of \(alignmentBytes), which is not a power of two")
        }
        if capacityBytes > 0, largestAllocationBytes > capacityBytes {
            faults.append("says that one allocation may take \(largestAllocationBytes) bytes, but its capacity is \(capacityBytes)")
        }
        return faults
    }
}

extension ComputeUnit {
    fileprivate var faults: [String] {
        var faults: [String] = []
        if [count, clockHertz, tile.m, tile.n, tile.k].contains(where: { $0 < 0 }) { faults.append("has a negative figure") }
        for rate in rates {
            if !rate.operationsPerCycle.isFinite || rate.operationsPerCycle < 0 {
                faults.append("does \(rate.operationsPerCycle) operations per cycle on \(rate.dataType)")
            }
            for type in [rate.dataType, rate.accumulatorType] where !type.isEmpty && !DataType.allCases.contains(where: { $0.name == type })
            {
                faults.append("has a rate for '\(type)', which is no data type")
            }
            if rate.dataType.isEmpty { faults.append("has a rate for no data type") }
        }
        return faults
    }
}

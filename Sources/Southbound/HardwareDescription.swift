// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import HardwareModel
import Tensors

extension PluginReader {
    private static let mostParts = 256

    /// Of a library's own table. Those of one with a driver are its devices'.
    func layouts(of table: sb_operators) throws(PluginError) -> [Layout] {
        var layouts: [Layout] = []
        for pointer in try array(table.layouts, count: table.layout_count, atMost: Self.mostParts, "the library's layouts") {
            layouts.append(try layout(pointer, "the library's layout \(layouts.count)"))
        }
        let values = layouts.map(\.value)
        let faults = layouts.flatMap(\.faults) + (Set(values).count < values.count ? ["two layouts have the same value"] : [])
        guard faults.isEmpty else {
            throw PluginError(.invalidDescription, plugin: plugin, "the operator library: \(faults.joined(separator: "; "))")
        }
        return layouts
    }

    /// Asks the driver for a device's description and checks it.
    func model(of index: Int, count: Int, _ driver: sb_driver, _ instance: OpaquePointer?) throws(PluginError) -> DeviceModel {
        let subject = "device \(index)"
        guard let describe = driver.describe else {
            return DeviceModel(id: "\(plugin):\(index)", name: plugin, family: .other)
        }
        var pointer: UnsafePointer<sb_hardware>?
        try withStatus(plugin: plugin, doing: "describe device \(index)") { describe(instance, UInt32(index), &pointer, $0) }
        let record: sb_hardware = try read(pointer, "sb_hardware", of: subject)
        var model = DeviceModel(
            id: try text(record.id, "\(subject): its id"), name: try text(record.name, "\(subject): its name"),
            family: record.family == SB_FAMILY_CPU
                ? .cpu : record.family == SB_FAMILY_GPGPU ? .gpgpu : record.family == SB_FAMILY_NPU ? .npu : .other,
            driver: try text(record.driver, "\(subject): its driver's version"),
            firmware: try text(record.firmware, "\(subject): its firmware's version"),
            serial: try text(record.serial, "\(subject): its serial number"),
            isSimulated: record.flags & SB_HARDWARE_FLAG_SIMULATED != 0, spaces: [])
        for pointer in try array(record.spaces, count: record.space_count, atMost: Self.mostParts, "\(subject): memory spaces") {
            model.spaces.append(try space(pointer, "\(subject): memory space \(model.spaces.count)"))
        }
        if model.spaces.isEmpty { model.spaces = [.unknown] }
        for pointer in try array(record.units, count: record.unit_count, atMost: Self.mostParts, "\(subject): compute units") {
            model.units.append(try unit(pointer, "\(subject): compute unit \(model.units.count)"))
        }
        for pointer in try array(record.links, count: record.link_count, atMost: Self.mostParts, "\(subject): links") {
            model.links.append(try link(pointer, "\(subject): link \(model.links.count)"))
        }
        for pointer in try array(record.layouts, count: record.layout_count, atMost: Self.mostParts, "\(subject): layouts") {
            model.layouts.append(try layout(pointer, "\(subject): layout \(model.layouts.count)"))
        }
        model.launchLatencyPicoseconds = try figure(record.launch_latency, "\(subject): its launch latency")
        model.queueDepth = Int(record.queue_depth)
        model.largestRank = Int(record.largest_rank)
        let faults = model.faults(deviceCount: count)
        guard faults.isEmpty else {
            throw PluginError(.invalidDescription, plugin: plugin, "\(subject): \(faults.joined(separator: "; "))")
        }
        return model
    }

    private func space(_ pointer: UnsafePointer<sb_memory_space>?, _ subject: String) throws(PluginError) -> MemorySpace {
        let record: sb_memory_space = try read(pointer, "sb_memory_space", of: subject)
        let kind: MemorySpace.Kind =
            switch record.kind {
            case SB_SPACE_DEVICE: .device
            case SB_SPACE_HOST: .host
            case SB_SPACE_CACHE: .cache
            case SB_SPACE_SCRATCH: .scratch
            default: .other
            }
        let capacity = try figure(record.capacity, "\(subject): its capacity")
        return MemorySpace(
            name: try text(record.name, "\(subject): its name"), kind: kind,
            isAllocatable: record.flags & SB_SPACE_FLAG_ALLOCATABLE != 0, isHostVisible: record.flags & SB_SPACE_FLAG_HOST_VISIBLE != 0,
            level: Int(record.level), count: max(1, Int(record.count)), capacityBytes: capacity,
            bandwidthBytesPerSecond: try figure(record.bandwidth, "\(subject): its bandwidth"),
            latencyPicoseconds: try figure(record.latency, "\(subject): its latency"),
            alignmentBytes: record.alignment == 0 ? 64 : try figure(record.alignment, "\(subject): its alignment"),
            largestAllocationBytes: record.largest == 0 ? capacity : try figure(record.largest, "\(subject): its largest allocation"))
    }

    private func unit(_ pointer: UnsafePointer<sb_compute_unit>?, _ subject: String) throws(PluginError) -> ComputeUnit {
        let record: sb_compute_unit = try read(pointer, "sb_compute_unit", of: subject)
        let kind: ComputeUnit.Kind =
            switch record.kind {
            case SB_UNIT_SCALAR: .scalar
            case SB_UNIT_VECTOR: .vector
            case SB_UNIT_MATRIX: .matrix
            default: .other
            }
        let rates = try array(record.rates, count: record.rate_count, atMost: Self.mostParts, "\(subject): rates")
        return ComputeUnit(
            name: try text(record.name, "\(subject): its name"), kind: kind, count: Int(record.count),
            clockHertz: try figure(record.clock, "\(subject): its clock"),
            tile: .init(m: Int(record.tile_m), n: Int(record.tile_n), k: Int(record.tile_k)),
            // A rate for a data type that this host does not know is skipped (SB-ABI-012).
            rates: rates.compactMap { rate in
                DataType(rawValue: rate.data_type).map {
                    .init(
                        dataType: $0.name, accumulatorType: DataType(rawValue: rate.accumulator_type)?.name ?? "",
                        operationsPerCycle: rate.per_cycle)
                }
            })
    }

    private func link(_ pointer: UnsafePointer<sb_link>?, _ subject: String) throws(PluginError) -> Link {
        let record: sb_link = try read(pointer, "sb_link", of: subject)
        return Link(
            kind: record.kind == SB_LINK_HOST ? .host : record.kind == SB_LINK_PEER ? .peer : .other,
            peer: record.kind == SB_LINK_PEER ? Int(record.peer) : nil,
            bandwidthBytesPerSecond: try figure(record.bandwidth, "\(subject): its bandwidth"),
            latencyPicoseconds: try figure(record.latency, "\(subject): its latency"))
    }

    fileprivate func layout(_ pointer: UnsafePointer<sb_layout>?, _ subject: String) throws(PluginError) -> Layout {
        let record: sb_layout = try read(pointer, "sb_layout", of: subject)
        return Layout(
            name: try text(record.name, "\(subject): its name"), value: Int(record.value), blockRows: Int(record.block_rows),
            blockColumns: Int(record.block_columns),
            blocks: record.blocks == nil
                ? nil : try array(record.blocks, count: record.block_rank, atMost: 64, "\(subject): blocks").map(Int.init))
    }

    private func figure(_ value: UInt64, _ subject: @autoclosure () -> String) throws(PluginError) -> Int {
        guard let figure = Int(exactly: value) else {
            throw PluginError(.invalidDescription, plugin: plugin, "\(subject()) of \(value) cannot be")
        }
        return figure
    }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import HardwareModel
import PluginKit
import SimulatedNPUMachine
import Synchronization
import Tensors

/// A chip: its description as data, and the machine that follows from it.
package final class Profile: @unchecked Sendable {
    /// How products of float32 go through a matrix unit that takes 16 bits.
    enum Float32: String, CaseIterable {
        case bfloat16x3, bfloat16x2, bfloat16

        /// Of bfloat16 that a float32 becomes.
        var parts: Int {
            switch self {
            case .bfloat16x3: 3
            case .bfloat16x2: 2
            case .bfloat16: 1
            }
        }

        /// Of parts of both sides that are not left out.
        var products: Int {
            switch self {
            case .bfloat16x3: 6
            case .bfloat16x2: 3
            case .bfloat16: 1
            }
        }

        /// Bits of a float32 that products keep. Of three parts the products of the second with the third are left out (together below 2^-23), of two that of the
        /// second parts (with the roundings of the second parts below 2^-15).
        var inputBits: UInt32 {
            switch self {
            case .bfloat16x3: 23
            case .bfloat16x2: 16
            case .bfloat16: 8
            }
        }
    }

    let model: DeviceModel
    let config: npu_config
    let peers: PeerLink
    let float32: Float32
    /// That look for fast programs at once.
    let threads: Int
    let lowerings = LoweringCache()
    /// The fastest blockings of products that were asked for before.
    private let blockings = Mutex<[String: ProductBlocking]>([:])

    /// - Parameters:
    ///   - nameOrPath: a profile that comes with the project, or a YAML file.
    ///   - devices: how many of the chip there are.
    init(_ nameOrPath: String, float32: Float32, devices: Int, threads: Int) throws(PluginFailure) {
        var described: DeviceModel
        do throws(DescriptionError) {
            described = try HardwareProfile.read(nameOrPath, of: "npu", besideLibraryAt: String(cString: npu_library_path()))
        } catch {
            throw .invalid("option 'profile': \(error)")
        }
        let faults = described.faults(deviceCount: devices) + described.contradictions
        guard faults.isEmpty else { throw .invalid("option 'profile': '\(described.name)': \(faults.joined(separator: "; "))") }
        self.float32 = float32
        self.threads = max(min(threads, 8), 1)
        config = try npu_config(described)
        // A description of one chip names one peer at most; all pairs are alike. Without one the way goes through the switch that the host hangs on.
        let link = described.links.first { $0.kind == .peer && $0.bandwidthBytesPerSecond > 0 }
        peers = PeerLink(
            bandwidth: link.map { Double($0.bandwidthBytesPerSecond) } ?? config.link_bandwidth,
            latency: link.map { Double($0.latencyPicoseconds) * 1e-12 } ?? config.link_latency)
        // What the matrix unit does with a float32 follows from the option.
        for index in described.units.indices where described.units[index].kind == .matrix && config.bfloat16_rate > 0 {
            described.units[index].rates.removeAll { $0.dataType == DataType.float32.name }
            described.units[index].rates.append(
                ComputeUnit.Rate(
                    dataType: DataType.float32.name, accumulatorType: DataType.float32.name,
                    operationsPerCycle: config.bfloat16_rate / Double(float32.products)))
        }
        model = described
    }

    /// Of everything that a compiled program depends on (FNV-1a).
    var digest: UInt64 {
        var config = config
        return withUnsafeBytes(of: &config) { $0.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } }
    }

    func blocking(for signature: String) -> ProductBlocking? { blockings.withLock { $0[signature] } }
    func remember(_ blocking: ProductBlocking, for signature: String) { blockings.withLock { $0[signature] = blocking } }

    /// Device `index` of `count`: the chip's links to the host, and one to each other device.
    func description(of index: Int, among count: Int) -> HardwareDescription {
        var result = HardwareDescription(id: index == 0 ? model.id : "\(model.id)-\(index)", name: model.name, family: .npu)
        result.driver = model.driver
        result.firmware = model.firmware
        result.serial = model.serial
        result.spaces = model.spaces.map(HardwareDescription.Space.init)
        result.units = model.units.map(HardwareDescription.Unit.init)
        result.isSimulated = true
        result.links = model.links.filter { $0.kind == .host }.map { link in
            var result = HardwareDescription.Link(kind: .host)
            result.bandwidth = UInt64(link.bandwidthBytesPerSecond)
            result.picosecondsLatency = UInt64(link.latencyPicoseconds)
            return result
        }
        for peer in 0..<count where peer != index {
            var link = HardwareDescription.Link(kind: .peer)
            link.peer = UInt32(peer)
            link.bandwidth = UInt64(peers.bandwidth)
            link.picosecondsLatency = UInt64((peers.latency * 1e12).rounded())
            result.links.append(link)
        }
        result.layouts = model.layouts.map {
            HardwareDescription.Layout(
                name: $0.name, value: UInt32($0.value), blockRows: UInt32($0.blockRows), blockColumns: UInt32($0.blockColumns))
        }
        result.picosecondsLaunchLatency = UInt64(model.launchLatencyPicoseconds)
        result.queueDepth = UInt32(model.queueDepth)
        result.largestRank = UInt32(model.largestRank)
        return result
    }
}

extension npu_config {
    /// The machine that a description comes to. Throws where a part is missing that it cannot do without.
    init(_ model: DeviceModel) throws(PluginFailure) {
        func space(_ name: String) throws(PluginFailure) -> MemorySpace {
            guard let space = model.spaces.first(where: { $0.name == name }), space.capacityBytes > 0, space.bandwidthBytesPerSecond > 0
            else {
                throw .invalid("option 'profile': '\(model.name)' has no memory space '\(name)' with a capacity and a bandwidth")
            }
            return space
        }
        func unit(_ kind: ComputeUnit.Kind) throws(PluginFailure) -> ComputeUnit {
            guard let unit = model.units.first(where: { $0.kind == kind }), unit.count > 0, unit.clockHertz > 0 else {
                throw .invalid("option 'profile': '\(model.name)' has no \(kind.rawValue) unit with a clock")
            }
            return unit
        }
        self.init()
        let (matrix, vector) = (try unit(.matrix), try unit(.vector))
        let (device, l2, l1) = (try space("device"), try space("l2"), try space("l1"))
        guard let link = model.links.first(where: { $0.kind == .host }), link.bandwidthBytesPerSecond > 0 else {
            throw .invalid("option 'profile': '\(model.name)' has no link to the host with a bandwidth")
        }
        guard matrix.tile.m > 0, matrix.tile.n > 0, matrix.tile.k > 0, vector.count == matrix.count, vector.clockHertz == matrix.clockHertz
        else {
            throw .invalid("option 'profile': '\(model.name)' needs a tile, and as many vector as matrix units, of one clock")
        }
        cores = UInt32(matrix.count)
        (tile_m, tile_n, tile_k) = (UInt32(matrix.tile.m), UInt32(matrix.tile.n), UInt32(matrix.tile.k))
        clock = Double(matrix.clockHertz)
        (float16_rate, bfloat16_rate, int8_rate) = (matrix.rate(.float16), matrix.rate(.bfloat16), matrix.rate(.int8))
        vector_float32_rate = vector.rate(.float32)
        guard vector_float32_rate > 0 else {
            throw .invalid("option 'profile': '\(model.name)' has a vector unit without a rate for float32")
        }
        vector_float16_rate = max(vector.rate(.float16), vector_float32_rate)
        (device_bandwidth, l2_bandwidth) = (Double(device.bandwidthBytesPerSecond), Double(l2.bandwidthBytesPerSecond))
        (device_latency, l2_latency) = (Double(device.latencyPicoseconds) * 1e-12, Double(l2.latencyPicoseconds) * 1e-12)
        l1_bandwidth = Double(l1.bandwidthBytesPerSecond) / Double(max(l1.count, 1))
        (device_bytes, l2_bytes) = (UInt64(device.capacityBytes), UInt64(l2.capacityBytes))
        space_bytes.1 = UInt64(l1.capacityBytes)
        space_bytes.2 = UInt64(try space("accumulators").capacityBytes)
        space_bytes.3 = UInt64(try space("vectors").capacityBytes)
        launch_latency = Double(model.launchLatencyPicoseconds) * 1e-12
        link_bandwidth = Double(link.bandwidthBytesPerSecond)
        link_latency = Double(link.latencyPicoseconds) * 1e-12
    }
}

extension ComputeUnit {
    fileprivate func rate(_ type: DataType) -> Double { rates.first { $0.dataType == type.name }?.operationsPerCycle ?? 0 }
}

extension HardwareDescription.Space {
    fileprivate init(_ space: MemorySpace) {
        let kind: Kind =
            switch space.kind {
            case .host: .host
            case .cache: .cache
            case .scratch: .scratch
            case .device, .other: .device
            }
        self.init(name: space.name, kind: kind, capacity: UInt64(space.capacityBytes))
        isAllocatable = space.isAllocatable
        level = UInt32(space.level)
        count = UInt32(space.count)
        bandwidth = UInt64(space.bandwidthBytesPerSecond)
        picosecondsLatency = UInt64(space.latencyPicoseconds)
        alignment = UInt64(space.alignmentBytes)
        largest = UInt64(space.largestAllocationBytes)
    }
}

extension HardwareDescription.Unit {
    fileprivate init(_ unit: ComputeUnit) {
        let kind: Kind =
            switch unit.kind {
            case .matrix: .matrix
            case .vector: .vector
            case .scalar, .other: .scalar
            }
        self.init(name: unit.name, kind: kind, count: UInt32(unit.count), clock: UInt64(unit.clockHertz))
        tile = (UInt32(unit.tile.m), UInt32(unit.tile.n), UInt32(unit.tile.k))
        let types = Dictionary(uniqueKeysWithValues: DataType.allCases.map { ($0.name, $0.rawValue) })
        rates = unit.rates.map {
            HardwareDescription.Rate(
                dataType: types[$0.dataType] ?? 0, accumulatorType: types[$0.accumulatorType] ?? 0, perCycle: $0.operationsPerCycle)
        }
    }
}

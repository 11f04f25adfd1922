// SPDX-License-Identifier: Apache-2.0

/// A device described as data: what `devices --json` prints and what placement, alignment and cost are derived from.
///
/// The stored names are the keys in JSON and YAML, with their units. A figure of 0 is unknown.
package struct DeviceModel: Codable, Sendable, Hashable {
    /// The same for the same piece of hardware in every process.
    package var id: String
    package var name: String
    package var family: Family
    /// Versions and serial number as far as the plugin knows them, else empty.
    package var driver: String
    package var firmware: String
    package var serial: String
    /// Results are real, times and counters are those of a model.
    package var isSimulated: Bool
    /// Space 0 is the one in which tensors are kept.
    package var spaces: [MemorySpace]
    package var units: [ComputeUnit]
    package var links: [Link]
    package var layouts: [Layout]
    /// From the host's call to the first cycle of a kernel, on an idle device.
    package var launchLatencyPicoseconds: Int
    /// Commands that a stream holds before the host has to wait.
    package var queueDepth: Int
    /// Most dimensions that a tensor may have.
    package var largestRank: Int

    package init(
        id: String, name: String, family: Family, driver: String = "", firmware: String = "", serial: String = "",
        isSimulated: Bool = false, spaces: [MemorySpace] = [.unknown], units: [ComputeUnit] = [], links: [Link] = [],
        layouts: [Layout] = [],
        launchLatencyPicoseconds: Int = 0, queueDepth: Int = 0, largestRank: Int = 0
    ) {
        self.id = id
        self.name = name
        self.family = family
        self.driver = driver
        self.firmware = firmware
        self.serial = serial
        self.isSimulated = isSimulated
        self.spaces = spaces
        self.units = units
        self.links = links
        self.layouts = layouts
        self.launchLatencyPicoseconds = launchLatencyPicoseconds
        self.queueDepth = queueDepth
        self.largestRank = largestRank
    }

    package enum Family: String, Codable, Sendable, Hashable, CaseIterable { case cpu, gpgpu, npu, other }

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case id, name, family, driver, firmware, serial
        case isSimulated = "simulated"
        case spaces, units, links, layouts
        case launchLatencyPicoseconds, queueDepth, largestRank
    }
}

extension DeviceModel {
    /// Reports of older versions have no layouts and limits, and do not say what is simulated.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try container.decode(String.self, forKey: .id), name: try container.decode(String.self, forKey: .name),
            family: try container.decode(Family.self, forKey: .family), driver: try container.decode(String.self, forKey: .driver),
            firmware: try container.decode(String.self, forKey: .firmware), serial: try container.decode(String.self, forKey: .serial),
            isSimulated: try container.decodeIfPresent(Bool.self, forKey: .isSimulated) ?? false,
            spaces: try container.decode([MemorySpace].self, forKey: .spaces),
            units: try container.decode([ComputeUnit].self, forKey: .units), links: try container.decode([Link].self, forKey: .links),
            layouts: try container.decodeIfPresent([Layout].self, forKey: .layouts) ?? [],
            launchLatencyPicoseconds: try container.decodeIfPresent(Int.self, forKey: .launchLatencyPicoseconds) ?? 0,
            queueDepth: try container.decodeIfPresent(Int.self, forKey: .queueDepth) ?? 0,
            largestRank: try container.decodeIfPresent(Int.self, forKey: .largestRank) ?? 0)
    }
}

package struct MemorySpace: Codable, Sendable, Hashable {
    package enum Kind: String, Codable, Sendable, Hashable, CaseIterable { case device, host, cache, scratch, other }

    package var name: String
    package var kind: Kind
    package var isAllocatable: Bool
    package var isHostVisible: Bool
    /// Of on-chip memory: 1 is the nearest to the compute units, then 2, 3; else 0.
    package var level: Int
    /// How many of it the device has; at least 1.
    package var count: Int
    /// Of one of them.
    package var capacityBytes: Int
    /// Of all of them together.
    package var bandwidthBytesPerSecond: Int
    package var latencyPicoseconds: Int
    /// A power of two.
    package var alignmentBytes: Int
    package var largestAllocationBytes: Int

    package init(
        name: String, kind: Kind, isAllocatable: Bool = true, isHostVisible: Bool = false, level: Int = 0, count: Int = 1,
        capacityBytes: Int = 0, bandwidthBytesPerSecond: Int = 0, latencyPicoseconds: Int = 0, alignmentBytes: Int = 64,
        largestAllocationBytes: Int = 0
    ) {
        self.name = name
        self.kind = kind
        self.isAllocatable = isAllocatable
        self.isHostVisible = isHostVisible
        self.level = level
        self.count = count
        self.capacityBytes = capacityBytes
        self.bandwidthBytesPerSecond = bandwidthBytesPerSecond
        self.latencyPicoseconds = latencyPicoseconds
        self.alignmentBytes = alignmentBytes
        self.largestAllocationBytes = largestAllocationBytes
    }

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, kind, isAllocatable, isHostVisible, level, count
        case capacityBytes, bandwidthBytesPerSecond, latencyPicoseconds, alignmentBytes, largestAllocationBytes
    }

    /// The space of a device that describes none: of unknown size, aligned to 64 bytes.
    package static let unknown = MemorySpace(name: "memory", kind: .device)
}

package struct ComputeUnit: Codable, Sendable, Hashable {
    package enum Kind: String, Codable, Sendable, Hashable, CaseIterable { case scalar, vector, matrix, other }

    package var name: String
    package var kind: Kind
    package var count: Int
    package var clockHertz: Int
    /// Native tile of a matrix unit; `n` alone is the number of 32-bit lanes of a vector unit.
    package var tile: Tile
    package var rates: [Rate]

    package init(name: String, kind: Kind, count: Int, clockHertz: Int = 0, tile: Tile = Tile(), rates: [Rate] = []) {
        self.name = name
        self.kind = kind
        self.count = count
        self.clockHertz = clockHertz
        self.tile = tile
        self.rates = rates
    }

    package enum CodingKeys: String, CodingKey, CaseIterable { case name, kind, count, clockHertz, tile, rates }

    /// A product of m x k by k x n.
    package struct Tile: Codable, Sendable, Hashable {
        package enum CodingKeys: String, CodingKey, CaseIterable { case m, n, k }

        package var m: Int
        package var n: Int
        package var k: Int
        package init(m: Int = 0, n: Int = 0, k: Int = 0) {
            self.m = m
            self.n = n
            self.k = k
        }
    }

    /// Operations of one unit in one cycle; a multiply-add is two.
    package struct Rate: Codable, Sendable, Hashable {
        package enum CodingKeys: String, CodingKey, CaseIterable { case dataType, accumulatorType, operationsPerCycle }

        /// Names of `DataType`; the accumulator's is empty where it is unknown.
        package var dataType: String
        package var accumulatorType: String
        package var operationsPerCycle: Double
        package init(dataType: String, accumulatorType: String = "", operationsPerCycle: Double) {
            self.dataType = dataType
            self.accumulatorType = accumulatorType
            self.operationsPerCycle = operationsPerCycle
        }
    }
}

package struct Link: Codable, Sendable, Hashable {
    package enum Kind: String, Codable, Sendable, Hashable, CaseIterable { case host, peer, other }
    package enum CodingKeys: String, CodingKey, CaseIterable { case kind, peer, bandwidthBytesPerSecond, latencyPicoseconds }

    package var kind: Kind
    /// Index of the other device of the same plugin, of a peer link.
    package var peer: Int?
    package var bandwidthBytesPerSecond: Int
    package var latencyPicoseconds: Int

    package init(kind: Kind, peer: Int? = nil, bandwidthBytesPerSecond: Int = 0, latencyPicoseconds: Int = 0) {
        self.kind = kind
        self.peer = peer
        self.bandwidthBytesPerSecond = bandwidthBytesPerSecond
        self.latencyPicoseconds = latencyPicoseconds
    }
}

/// A blocked layout: of matrices in blocks of `blockRows` x `blockColumns` elements, each of them dense, or of tensors of one rank that are cut along every dimension.
package struct Layout: Codable, Sendable, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable { case name, value, blockRows, blockColumns, blocks }

    package var name: String
    /// What tensors in this layout carry as their `layout`; 0 is the dense one, which nobody lists.
    package var value: Int
    /// 0 where there are `blocks`.
    package var blockRows: Int
    package var blockColumns: Int
    /// An entry per dimension (SB-HW-007); nil: the last two dimensions are cut.
    package var blocks: [Int]?

    package init(name: String, value: Int, blockRows: Int = 0, blockColumns: Int = 0, blocks: [Int]? = nil) {
        self.name = name
        self.value = value
        self.blockRows = blocks == nil ? blockRows : 0
        self.blockColumns = blocks == nil ? blockColumns : 0
        self.blocks = blocks
    }

    /// Of a block: "16 × 16", "1 × 16 × 1 × 1".
    package var blockText: String { (blocks ?? [blockRows, blockColumns]).map(String.init).joined(separator: " × ") }

    /// Whether a tensor of this shape can lie in this layout.
    package func holds(_ shape: [Int]) -> Bool { blocks.map { $0.count == shape.count } ?? true }

    /// A shape filled up to whole blocks. Where the last two dimensions are cut, one without them counts as a matrix of one row (SB-HW-006).
    package func filled(_ shape: [Int]) -> [Int] {
        func up(_ size: Int, _ block: Int) -> Int { (size + block - 1) / block * block }
        if let blocks { return zip(shape, blocks).map(up) }
        var filled = [Int](repeating: 1, count: max(2 - shape.count, 0)) + shape
        filled[filled.count - 2] = up(filled[filled.count - 2], blockRows)
        filled[filled.count - 1] = up(filled[filled.count - 1], blockColumns)
        return filled
    }
}

// SPDX-License-Identifier: Apache-2.0

extension DeviceModel {
    /// The description as YAML that `init(yaml:)` reads as the same model. What has its default is left out.
    package var yaml: String {
        var text = Block()
        text.add(CodingKeys.id, quoted(id))
        text.add(CodingKeys.name, quoted(name))
        text.add(CodingKeys.family, family.rawValue)
        for (key, value) in [(CodingKeys.driver, driver), (.firmware, firmware), (.serial, serial)] where !value.isEmpty {
            text.add(key, quoted(value))
        }
        if isSimulated { text.add(CodingKeys.isSimulated, "true") }
        text.add(CodingKeys.spaces, spaces.map(\.block))
        text.add(CodingKeys.units, units.map(\.block))
        text.add(CodingKeys.links, links.map(\.block))
        text.add(CodingKeys.layouts, layouts.map(\.block))
        text.add(CodingKeys.launchLatencyPicoseconds, launchLatencyPicoseconds, .picoseconds)
        text.add(CodingKeys.queueDepth, queueDepth)
        text.add(CodingKeys.largestRank, largestRank)
        return text.lines.joined(separator: "\n") + "\n"
    }
}

extension MemorySpace {
    fileprivate var block: Block {
        var text = Block()
        text.add(CodingKeys.name, quoted(name))
        text.add(CodingKeys.kind, kind.rawValue)
        if isAllocatable { text.add(CodingKeys.isAllocatable, "true") }
        if isHostVisible { text.add(CodingKeys.isHostVisible, "true") }
        text.add(CodingKeys.level, level)
        text.add(CodingKeys.count, count, default: 1)
        text.add(CodingKeys.capacityBytes, capacityBytes, .bytes)
        text.add(CodingKeys.bandwidthBytesPerSecond, bandwidthBytesPerSecond, .bytesPerSecond)
        text.add(CodingKeys.latencyPicoseconds, latencyPicoseconds, .picoseconds)
        text.add(CodingKeys.alignmentBytes, alignmentBytes, .bytes, default: 64)
        text.add(CodingKeys.largestAllocationBytes, largestAllocationBytes, .bytes, default: capacityBytes)
        return text
    }
}

extension ComputeUnit {
    fileprivate var block: Block {
        var text = Block()
        text.add(CodingKeys.name, quoted(name))
        text.add(CodingKeys.kind, kind.rawValue)
        text.add(CodingKeys.count, count, default: 1)
        text.add(CodingKeys.clockHertz, clockHertz, .hertz)
        if tile != Tile() { text.add(CodingKeys.tile, "{m: \(tile.m), n: \(tile.n), k: \(tile.k)}") }
        text.add(CodingKeys.rates, rates.map(\.block))
        return text
    }
}

extension ComputeUnit.Rate {
    fileprivate var block: Block {
        var text = Block()
        text.add(CodingKeys.dataType, dataType)
        if !accumulatorType.isEmpty { text.add(CodingKeys.accumulatorType, accumulatorType) }
        text.add(CodingKeys.operationsPerCycle, Int(exactly: operationsPerCycle).map(String.init) ?? "\(operationsPerCycle)")
        return text
    }
}

extension Link {
    fileprivate var block: Block {
        var text = Block()
        text.add(CodingKeys.kind, kind.rawValue)
        if let peer { text.add(CodingKeys.peer, "\(peer)") }
        text.add(CodingKeys.bandwidthBytesPerSecond, bandwidthBytesPerSecond, .bytesPerSecond)
        text.add(CodingKeys.latencyPicoseconds, latencyPicoseconds, .picoseconds)
        return text
    }
}

extension Layout {
    fileprivate var block: Block {
        var text = Block()
        text.add(CodingKeys.name, quoted(name))
        text.add(CodingKeys.value, "\(value)")
        if let blocks {
            text.add(CodingKeys.blocks, "[\(blocks.map(String.init).joined(separator: ", "))]")
        } else {
            text.add(CodingKeys.blockRows, "\(blockRows)")
            text.add(CodingKeys.blockColumns, "\(blockColumns)")
        }
        return text
    }
}

/// Lines of `key: value`.
private struct Block {
    var lines: [String] = []

    mutating func add(_ key: some CodingKey, _ value: String) { lines.append("\(key.stringValue): \(value)") }

    mutating func add(_ key: some CodingKey, _ value: Int, default fallback: Int = 0) {
        if value != fallback { add(key, "\(value)") }
    }

    mutating func add(_ key: some CodingKey, _ value: Int, _ quantity: Quantity, default fallback: Int = 0) {
        if value != fallback { add(key, quantity.text(value)) }
    }

    /// A list, nothing where it is empty.
    mutating func add(_ key: some CodingKey, _ blocks: [Block]) {
        guard !blocks.isEmpty else { return }
        lines.append("\(key.stringValue):")
        for block in blocks {
            lines += block.lines.enumerated().map { ($0 == 0 ? "  - " : "    ") + $1 }
        }
    }
}

/// A YAML string in double quotes.
private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case _ where scalar.properties.generalCategory == .control || scalar.value == 0x2028 || scalar.value == 0x2029:
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}

// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Tensors
import Yams

extension DeviceModel {
    /// Reads a description that a person wrote: the keys of the JSON model, with figures as plain numbers or with units (`1.2 TB/s`).
    ///
    /// What it says is not judged here: see `faults(deviceCount:)` and `contradictions`.
    package init(yaml text: String) throws(DescriptionError) {
        guard text.utf8.count <= 1 << 20 else { throw DescriptionError("a description is at most 1 MiB, not \(text.utf8.count) bytes") }
        let root: Node
        do {
            guard let node = try Yams.compose(yaml: text) else { throw DescriptionError("the file is empty") }
            root = node
        } catch let error as DescriptionError {
            throw error
        } catch {
            throw DescriptionError(error)
        }
        self = try Self.read(YAMLFields(root))
    }

    /// Reads a file; errors name it.
    package init(yamlFile file: URL) throws(DescriptionError) {
        guard let data = try? Data(contentsOf: file) else { throw DescriptionError(file: file.relativePath, "cannot be read") }
        guard let text = String(data: data, encoding: .utf8) else { throw DescriptionError(file: file.relativePath, "is not UTF-8 text") }
        do {
            try self.init(yaml: text)
        } catch {
            var error = error
            error.file = file.relativePath
            throw error
        }
    }

    private static func read(_ fields: YAMLFields<CodingKeys>) throws(DescriptionError) -> DeviceModel {
        DeviceModel(
            id: try fields.text(.id), name: try fields.text(.name), family: try fields.choice(.family, of: Family.self),
            driver: try fields.text(.driver, default: ""), firmware: try fields.text(.firmware, default: ""),
            serial: try fields.text(.serial, default: ""), isSimulated: try fields.flag(.isSimulated, default: false),
            spaces: try fields.list(.spaces, MemorySpace.read),
            units: try fields.list(.units, ComputeUnit.read), links: try fields.list(.links, Link.read),
            layouts: try fields.list(.layouts, Layout.read),
            launchLatencyPicoseconds: try fields.quantity(.launchLatencyPicoseconds, .picoseconds),
            queueDepth: try fields.integer(.queueDepth, in: unsigned, default: 0),
            largestRank: try fields.integer(.largestRank, in: unsigned, default: 0))
    }
}

/// What an `uint32_t` of the header holds.
private let unsigned = 0...Int(UInt32.max)
private let positive = 1...Int(UInt32.max)
private let dataTypes = DataType.allCases.map(\.name)

extension MemorySpace {
    fileprivate static func read(_ fields: YAMLFields<CodingKeys>) throws(DescriptionError) -> MemorySpace {
        let capacity = try fields.quantity(.capacityBytes, .bytes)
        return MemorySpace(
            name: try fields.text(.name), kind: try fields.choice(.kind, of: Kind.self),
            isAllocatable: try fields.flag(.isAllocatable, default: false), isHostVisible: try fields.flag(.isHostVisible, default: false),
            level: try fields.integer(.level, in: unsigned, default: 0), count: try fields.integer(.count, in: positive, default: 1),
            capacityBytes: capacity, bandwidthBytesPerSecond: try fields.quantity(.bandwidthBytesPerSecond, .bytesPerSecond),
            latencyPicoseconds: try fields.quantity(.latencyPicoseconds, .picoseconds),
            alignmentBytes: try fields.quantity(.alignmentBytes, .bytes, default: 64),
            largestAllocationBytes: try fields.quantity(.largestAllocationBytes, .bytes, default: capacity))
    }
}

extension ComputeUnit {
    fileprivate static func read(_ fields: YAMLFields<CodingKeys>) throws(DescriptionError) -> ComputeUnit {
        ComputeUnit(
            name: try fields.text(.name), kind: try fields.choice(.kind, of: Kind.self),
            count: try fields.integer(.count, in: positive, default: 1), clockHertz: try fields.quantity(.clockHertz, .hertz),
            tile: try fields.mapping(.tile, default: Tile(), Tile.read), rates: try fields.list(.rates, Rate.read))
    }
}

extension ComputeUnit.Tile {
    fileprivate static func read(_ fields: YAMLFields<CodingKeys>) throws(DescriptionError) -> Self {
        Self(
            m: try fields.integer(.m, in: unsigned, default: 0), n: try fields.integer(.n, in: unsigned, default: 0),
            k: try fields.integer(.k, in: unsigned, default: 0))
    }
}

extension ComputeUnit.Rate {
    fileprivate static func read(_ fields: YAMLFields<CodingKeys>) throws(DescriptionError) -> Self {
        Self(
            dataType: try fields.text(.dataType, among: dataTypes),
            accumulatorType: try fields.text(.accumulatorType, among: dataTypes + [""], default: ""),
            operationsPerCycle: try fields.number(.operationsPerCycle))
    }
}

extension Link {
    fileprivate static func read(_ fields: YAMLFields<CodingKeys>) throws(DescriptionError) -> Link {
        let kind = try fields.choice(.kind, of: Kind.self)
        return Link(
            kind: kind, peer: kind == .peer || fields.contains(.peer) ? try fields.integer(.peer, in: unsigned) : nil,
            bandwidthBytesPerSecond: try fields.quantity(.bandwidthBytesPerSecond, .bytesPerSecond),
            latencyPicoseconds: try fields.quantity(.latencyPicoseconds, .picoseconds))
    }
}

extension Layout {
    fileprivate static func read(_ fields: YAMLFields<CodingKeys>) throws(DescriptionError) -> Layout {
        let name = try fields.text(.name), value = try fields.integer(.value, in: positive)
        if fields.contains(.blocks) { return Layout(name: name, value: value, blocks: try fields.integers(.blocks, in: positive)) }
        return Layout(
            name: name, value: value, blockRows: try fields.integer(.blockRows, in: positive),
            blockColumns: try fields.integer(.blockColumns, in: positive))
    }
}

extension DescriptionError {
    /// From what the YAML parser says.
    fileprivate init(_ error: any Error) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            self.init(line: mark.line, column: mark.column, "not valid YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            self.init(
                line: context.mark.line, column: context.mark.column,
                "the key '\(duplicates.first.map { "\($0)" } ?? "")' stands twice in one mapping")
        default: self.init("not valid YAML: \(error)")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import HardwareModel
import Reports
import Southbound

struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices",
        abstract: "List devices with their hardware model.",
        discussion: """
            A file that ends in .yaml describes a chip, which need not exist: it is read, checked and printed like a device. docs/hardware-model.md tells what
            stands in it. A plugin that can measure itself (option 'measure') is told to.

            EXAMPLES
              southbridge devices
              southbridge devices ./libchip.so --json
              southbridge devices cpu --option cpu.threads=1
              southbridge devices my-chip.yaml --svg pictures
              southbridge devices npu --yaml > my-chip.yaml
            """)

    @Argument(help: "Plugins to ask, or .yaml files; the built-in plugins if left out.")
    var plugins: [String] = []

    @Option(
        help: ArgumentHelp(
            "Draw each device's roofline and memory to DIR/DEVICE-roofline.svg and DIR/DEVICE-memory.svg.", valueName: "dir"),
        completion: .directory)
    var svg: String?

    @Flag(help: "Print the models as YAML, which can be changed and read again.")
    var yaml = false

    @OptionGroup var flags: PluginFlags

    private struct Entry: Encodable {
        let device: String
        /// Nil for a file.
        let plugin: PluginIdentity?
        let model: DeviceModel

        enum CodingKeys: String, CodingKey { case device, plugin, derived }

        /// One object: the device's name, plugin and derived figures beside the keys of its model.
        func encode(to encoder: any Encoder) throws {
            try model.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(device, forKey: .device)
            try container.encodeIfPresent(plugin, forKey: .plugin)
            try container.encode(DerivedFigures(model), forKey: .derived)
        }
    }

    func validate() throws {
        if yaml, flags.json { throw ValidationError("--yaml and --json exclude each other") }
    }

    func run() throws {
        let files = plugins.filter(Self.isDescription)
        let described = try files.map { Entry(device: $0, plugin: nil, model: try readDescription($0)) }
        let loaded = plugins.isEmpty || files.count < plugins.count || !flags.libraries.isEmpty ? try loadPlugins() : []
        let entries =
            described
            + (try loaded.flatMap { plugin in
                try (0..<plugin.deviceCount).map { index in
                    Entry(device: "\(plugin.name):\(index)", plugin: plugin.identity, model: try plugin.model(ofDevice: index))
                }
            })
        if let svg { for file in try entries.flatMap({ try draw($0, to: svg) }) { standardError(file) } }
        if flags.json { return try printJSON(entries) }
        if yaml { return print(entries.map(\.model.yaml).joined(separator: "---\n"), terminator: "") }
        for entry in entries {
            print(entry.model.text(titled: entry.device))
            for sentence in entry.model.contradictions { print("  doubtful: \(sentence)") }
        }
        for plugin in loaded {
            let kernels = plugin.library?.kernels ?? []
            let operators = Set(kernels.map { "\($0.domain)::\($0.operatorName)" }).count
            print(
                "\(plugin.name): \(kernels.count) kernels for \(operators) operators; header \(plugin.identity.abi), \(plugin.identity.path)"
            )
        }
    }

    private static func isDescription(_ argument: String) -> Bool { argument.hasSuffix(".yaml") || argument.hasSuffix(".yml") }

    private func loadPlugins() throws -> [Plugin] {
        let installation = try Installation.locate()
        let named = try flags.named
        let given = plugins.filter { !Self.isDescription($0) }
        let names = given.isEmpty && plugins.isEmpty ? installation.builtInPlugins : given
        let loaded = try (names + flags.libraries).map {
            try Plugin.load(.parse($0, installation: installation), namedOptions: named, measuring: true)
        }
        try named.check(names: loaded.map(\.name))
        return loaded
    }

    /// A chip that is only described has to be free of faults and contradictions.
    private func readDescription(_ path: String) throws -> DeviceModel {
        let model = try DeviceModel(yamlFile: URL(filePath: path))
        let faults = model.faults(deviceCount: 1) + model.contradictions
        guard faults.isEmpty else {
            throw CommandFailure(
                code: 2, "\(path): \(faults.count == 1 ? "a fault" : "\(faults.count) faults")\n  \(faults.joined(separator: "\n  "))")
        }
        return model
    }

    /// The files written.
    private func draw(_ entry: Entry, to folder: String) throws -> [String] {
        let folder = URL(filePath: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let name =
            entry.plugin == nil
            ? URL(filePath: entry.device).deletingPathExtension().lastPathComponent : entry.device.replacingOccurrences(of: ":", with: "-")
        let pictures = [
            ("roofline", RooflineChart(title: "Roofline of \(entry.model.name)", entry.model.roofline).svg),
            ("memory", MemoryChart(entry.model).svg),
        ]
        return try pictures.compactMap { kind, picture in
            guard let picture else { return nil }
            let file = folder.appending(path: "\(name)-\(kind).svg")
            try Data(picture.utf8).write(to: file, options: .atomic)
            return file.relativePath
        }
    }
}

extension DeviceModel {
    /// The model for a person, several lines.
    fileprivate func text(titled title: String) -> String {
        var lines = ["\(title)  \(name) (\(family.rawValue)\(isSimulated ? ", simulated" : ""))"]
        lines += spaces.map { "  memory  \($0.name): \($0.facts.joined(separator: ", "))" }
        for unit in units {
            let clock = unit.clockHertz > 0 ? " at \(Quantity.hertz.shown(unit.clockHertz))" : ""
            let tile = unit.tile
            let shape = unit.kind == .matrix ? ", tile \(tile.m) × \(tile.n) × \(tile.k)" : tile.n > 0 ? ", \(tile.n) lanes" : ""
            lines.append("  \(unit.kind.rawValue)  \(unit.name): \(unit.count) \(unit.count == 1 ? "unit" : "units")\(clock)\(shape)")
            lines += unit.rates.map { "    \(text($0, of: unit))" }
        }
        for link in links {
            let speed = link.bandwidthBytesPerSecond > 0 ? Quantity.bytesPerSecond.shown(link.bandwidthBytesPerSecond) : "speed unknown"
            let time = link.seconds(moving: Double(DerivedFigures.transferBytes)).map {
                ", \(Quantity.bytes.shown(DerivedFigures.transferBytes)) takes \(secondsText($0))"
            }
            lines.append("  link  to \(link.destination): \(speed)\(time ?? "")")
        }
        lines += layouts.map { "  layout  \($0.name) (\($0.value)): blocks of \($0.blockText)" }
        var limits: [String] = []
        if launchLatencyPicoseconds > 0 { limits.append("a launch takes \(Quantity.picoseconds.shown(launchLatencyPicoseconds))") }
        if queueDepth > 0 { limits.append("\(queueDepth) commands in a queue") }
        if largestRank > 0 { limits.append("tensors of up to \(largestRank) dimensions") }
        if !limits.isEmpty { lines.append("  limits  \(limits.joined(separator: ", "))") }
        return lines.joined(separator: "\n")
    }

    /// `float16 into float32: 8192 operations a cycle, peak 295 TFLOP/s, ridge at 246 operations a byte`.
    private func text(_ rate: ComputeUnit.Rate, of unit: ComputeUnit) -> String {
        let into = rate.accumulatorType.isEmpty || rate.accumulatorType == rate.dataType ? "" : " into \(rate.accumulatorType)"
        var facts = ["\(threeDigits(rate.operationsPerCycle)) operations a cycle"]
        let peak = rate.operationsPerCycle * Double(unit.count) * Double(unit.clockHertz)
        if peak > 0 { facts.append("peak \(operationRateText(peak, rate.dataType))") }
        if peak > 0, roofline.bytesPerSecond > 0 {
            facts.append("ridge at \(threeDigits(peak / roofline.bytesPerSecond)) operations a byte")
        }
        return "\(rate.dataType)\(into): \(facts.joined(separator: ", "))"
    }
}

extension MemorySpace {
    fileprivate var facts: [String] {
        var facts = [capacityBytes > 0 ? Quantity.bytes.shown(capacityBytes) : "size unknown"]
        if count > 1 { facts[0] = "\(count) × \(facts[0])" }
        if bandwidthBytesPerSecond > 0 { facts.append(Quantity.bytesPerSecond.shown(bandwidthBytesPerSecond)) }
        if latencyPicoseconds > 0 { facts.append("answers after \(Quantity.picoseconds.shown(latencyPicoseconds))") }
        if isAllocatable { facts.append("aligned to \(alignmentBytes) B") }
        return facts
    }
}

/// 1536 → "1.5 KiB".
func byteText(_ count: some BinaryInteger) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(count)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    return "\(unit == 0 ? "\(count)" : tenths(value)) \(units[unit])"
}

func tenths(_ value: Double) -> String { String((value * 10).rounded() / 10) }

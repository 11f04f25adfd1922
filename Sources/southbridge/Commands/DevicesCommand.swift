// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import HardwareModel
import Southbound

struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices",
        abstract: "List devices with their hardware model.",
        discussion: """
            EXAMPLES
              southbridge devices
              southbridge devices ./libchip.so --json
              southbridge devices cpu --option cpu.threads=1
            """)

    @Argument(help: "Plugins to ask; the built-in ones if left out.")
    var plugins: [String] = []

    @OptionGroup var flags: PluginFlags

    private struct Entry: Encodable {
        let device: String
        let plugin: PluginIdentity
        let model: DeviceModel

        enum CodingKeys: String, CodingKey { case device, plugin }

        /// One object: the device's name and plugin beside the keys of its model.
        func encode(to encoder: any Encoder) throws {
            try model.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(device, forKey: .device)
            try container.encode(plugin, forKey: .plugin)
        }
    }

    func run() throws {
        let installation = try Installation.locate()
        let named = try flags.named
        let names = plugins.isEmpty ? installation.builtInPlugins : plugins
        let loaded = try (names + flags.libraries).map { try Plugin.load(.parse($0, installation: installation), namedOptions: named) }
        try named.check(names: loaded.map(\.name))
        let entries = try loaded.flatMap { plugin in
            try (0..<plugin.deviceCount).map { index in
                Entry(device: "\(plugin.name):\(index)", plugin: plugin.identity, model: try plugin.model(ofDevice: index))
            }
        }
        if flags.json { return try printJSON(entries) }
        for entry in entries { print(entry.model.text(titled: entry.device)) }
        for plugin in loaded {
            let kernels = plugin.library?.kernels ?? []
            let operators = Set(kernels.map { "\($0.domain)::\($0.operatorName)" }).count
            print(
                "\(plugin.name): \(kernels.count) kernels for \(operators) operators; header \(plugin.identity.abi), \(plugin.identity.path)"
            )
        }
    }
}

extension DeviceModel {
    /// The model for a person, several lines.
    fileprivate func text(titled title: String) -> String {
        var lines = ["\(title)  \(name) (\(family.rawValue))"]
        for space in spaces {
            var facts = [space.capacityBytes > 0 ? byteText(space.capacityBytes) : "size unknown"]
            if space.count > 1 { facts[0] = "\(space.count) × \(facts[0])" }
            if space.bandwidthBytesPerSecond > 0 { facts.append("\(byteText(space.bandwidthBytesPerSecond))/s") }
            if space.isAllocatable { facts.append("aligned to \(space.alignmentBytes) B") }
            lines.append("  memory  \(space.name): \(facts.joined(separator: ", "))")
        }
        for unit in units {
            let clock = unit.clockHertz > 0 ? " at \(tenths(Double(unit.clockHertz) / 1e9)) GHz" : ""
            lines.append("  \(unit.kind.rawValue)  \(unit.name): \(unit.count) units\(clock)")
            for rate in unit.rates {
                let peak = rate.operationsPerCycle * Double(unit.count) * Double(unit.clockHertz) / 1e9
                let rateText = unit.clockHertz > 0 ? ", \(tenths(peak)) GFLOP/s" : ""
                lines.append("    \(rate.dataType): \(tenths(rate.operationsPerCycle)) operations a cycle\(rateText)")
            }
        }
        for link in links {
            lines.append("  link  to \(link.kind.rawValue): \(byteText(link.bandwidthBytesPerSecond))/s")
        }
        return lines.joined(separator: "\n")
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

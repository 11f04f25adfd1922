// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import HardwareModel

/// What a plugin said before it was started, read and checked.
struct Negotiation {
    let table: sb_plugin
    let identity: PluginIdentity
    let options: [OptionSchema]
    let driver: sb_driver?
    let streams: sb_streams?
    let events: sb_events?
    let operators: (table: sb_operators, kernels: [Kernel], layouts: [Layout])?
    let graphs: (table: sb_graphs, numerics: NumericFacts)?
    let observation: sb_observation?
    let passes: (table: sb_passes, list: [PassDescription])?
    let memory: sb_memory?

    private static let mostGroups = 256
    private static let mostOptions = 1024

    /// Calls the entry point and reads everything that it leads to.
    init(_ library: SharedLibrary, host: HostServices, givenName: String?) throws(PluginError) {
        var reader = PluginReader(plugin: givenName ?? library.path)
        let entry = try library.entryPoint(plugin: reader.plugin)
        var pointer: UnsafePointer<sb_plugin>?
        do {
            try withStatus(plugin: reader.plugin, doing: "negotiate") { entry(host.pointer, &pointer, $0) }
        } catch {
            throw PluginError(
                .entryFailed, plugin: reader.plugin, "the plugin refuses this host (version \(Self.hostVersion)): \(error.message)")
        }
        table = try reader.read(versionChecked: pointer)
        let name = try reader.text(table.name, "the plugin's name")
        guard isIdentifier(name) else {
            throw PluginError(
                .invalidDescription, plugin: reader.plugin, "the plugin's name '\(name)' is no identifier (letters, digits, '-' and '_')")
        }
        reader.plugin = givenName ?? name
        identity = PluginIdentity(
            name: name, vendor: try reader.text(table.vendor, "the plugin's vendor"),
            version: try reader.text(table.plugin_version, "the plugin's version"),
            abi: "\(table.version >> 16).\(table.version & 0xffff)", path: library.path)
        options = try Self.options(of: table, reader)

        let groups = try Self.groups(of: table, reader)
        driver = try groups["driver"].map { (table) throws(PluginError) in try reader.read(table, "sb_driver") }
        streams = try groups["streams"].map { (table) throws(PluginError) in try reader.read(table, "sb_streams") }
        events = try groups["events"].map { (table) throws(PluginError) in try reader.read(table, "sb_events") }
        operators = try groups["operators"].map { (pointer) throws(PluginError) in
            let table: sb_operators = try reader.read(pointer, "sb_operators")
            return (table, try Kernel.list(of: table, reader), try reader.layouts(of: table))
        }
        graphs = try groups["graphs"].map { (pointer) throws(PluginError) in
            let table: sb_graphs = try reader.read(pointer, "sb_graphs")
            return (table, try NumericFacts(table.numerics, of: "the graph compiler", reader))
        }
        observation = try groups["observation"].map { (table) throws(PluginError) in try reader.read(table, "sb_observation") }
        passes = try groups["passes"].map { (pointer) throws(PluginError) in
            let table: sb_passes = try reader.read(pointer, "sb_passes")
            return (table, try PassDescription.list(of: table, reader))
        }
        memory = try groups["memory"].map { (table) throws(PluginError) in try reader.read(table, "sb_memory") }
        if driver == nil, operators == nil, graphs == nil {
            throw PluginError(
                .noGroup, plugin: reader.plugin, "the plugin offers none of the groups 'driver', 'operators' and 'graphs', version 1")
        }
        if let streams, streams.execution != SB_EXECUTION_INLINE, streams.execution != SB_EXECUTION_QUEUED {
            throw PluginError(
                .invalidDescription, plugin: reader.plugin,
                "sb_streams.execution is \(streams.execution), neither inline (0) nor queued (1)")
        }
    }

    static let hostVersion = "\(SB_VERSION_MAJOR).\(SB_VERSION_MINOR)"

    /// The tables of the groups that this host knows, by name.
    private static func groups(of table: sb_plugin, _ reader: PluginReader) throws(PluginError) -> [String: UnsafeRawPointer] {
        var seen: Set<String> = []
        var tables: [String: UnsafeRawPointer] = [:]
        for group in try reader.array(table.groups, count: table.group_count, atMost: mostGroups, "the groups") {
            let name = try reader.text(group.name, "a group's name")
            guard seen.insert("\(name) \(group.version)").inserted else {
                throw PluginError(
                    .duplicateGroup, plugin: reader.plugin, "the group '\(name)', version \(group.version), stands in the list twice")
            }
            guard Structure.all.contains(where: { $0.group == name && $0.groupVersion == group.version }) else { continue }
            guard let pointer = group.table else {
                throw PluginError(.missingTable, plugin: reader.plugin, "the table of the group '\(name)' is NULL")
            }
            tables[name] = pointer
        }
        return tables
    }

    private static func options(of table: sb_plugin, _ reader: PluginReader) throws(PluginError) -> [OptionSchema] {
        var options: [OptionSchema] = []
        for pointer in try reader.array(table.options, count: table.option_count, atMost: mostOptions, "the options") {
            let record: sb_option_schema = try reader.read(pointer, "sb_option_schema", of: "option \(options.count)")
            let option = try OptionSchema(record, reader)
            guard !options.contains(where: { $0.name == option.name }) else {
                throw PluginError(.invalidDescription, plugin: reader.plugin, "the option '\(option.name)' is listed twice")
            }
            options.append(option)
        }
        return options
    }
}

extension PluginReader {
    /// The plugin's first table. Its version is looked at before anything whose place another major version might have changed.
    fileprivate func read(versionChecked pointer: UnsafePointer<sb_plugin>?) throws(PluginError) -> sb_plugin {
        guard let pointer else {
            throw PluginError(.missingTable, plugin: plugin, "the entry point succeeded, but returned no table (NULL)")
        }
        let raw = UnsafeRawPointer(pointer)
        let versionEnd = MemoryLayout<sb_plugin>.offset(of: \.version)! + MemoryLayout<UInt32>.size
        if UInt(bitPattern: raw) % 8 == 0, UInt(bitPattern: raw.load(as: Int.self)) >= versionEnd {
            let version = raw.load(fromByteOffset: versionEnd - MemoryLayout<UInt32>.size, as: UInt32.self)
            guard version >> 16 == SB_VERSION_MAJOR else {
                throw PluginError(
                    .wrongMajorVersion, plugin: plugin,
                    "the plugin is built for version \(version >> 16).\(version & 0xffff) of southbridge.h, this host for \(Negotiation.hostVersion): "
                        + "the major versions differ")
            }
        }
        return try read(pointer, "sb_plugin", of: "the plugin")
    }

    /// A group's table.
    fileprivate func read<Record: BitwiseCopyable>(_ table: UnsafeRawPointer, _ name: String) throws(PluginError) -> Record {
        let group = Structure.named(name).group ?? name
        return try read(table.assumingMemoryBound(to: Record.self), name, of: "group '\(group)'")
    }
}

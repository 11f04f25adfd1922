// SPDX-License-Identifier: Apache-2.0
package import Southbound

/// The devices of one command, opened: each plugin loaded once, devices in the order of preference, the reference CPU last to take what nobody else does.
package final class DeviceSet: Sendable {
    package let devices: [Device]
    /// The name of the device that the list does not have and that was added; nil if none was.
    package let fallback: String?
    /// Operator libraries that bring no device.
    package let libraries: [OperatorLibrary]
    private let plugins: [Plugin]

    /// - Parameters:
    ///   - list: `npu:0,./libchip.so`, as `--device` takes it.
    ///   - fallback: a built-in plugin whose device 0 is added at the end unless it is there already; nil for none.
    package init(
        _ list: String, libraries paths: [String] = [], options: NamedOptions = NamedOptions(), fallback: String? = "cpu",
        installation: Installation
    ) throws(PluginError) {
        var references: [DeviceReference] = []
        var hasFallback = false
        for entry in list.split(separator: ",", omittingEmptySubsequences: false) {
            references.append(try DeviceReference.parse(String(entry), installation: installation))
        }
        if let fallback, let path = installation.builtInPlugin(named: fallback), !references.contains(where: { $0.plugin.path == path }) {
            references.append(try DeviceReference.parse(fallback, installation: installation))
            hasFallback = true
        }
        var loaded: [PluginReference: Plugin] = [:]
        var devices: [Device] = []
        for reference in references {
            let plugin: Plugin
            if let known = loaded[reference.plugin] {
                plugin = known
            } else {
                plugin = try Plugin.load(reference.plugin, namedOptions: options)
                loaded[reference.plugin] = plugin
            }
            devices.append(try plugin.openDevice(reference.index))
        }
        var plugins = Array(loaded.values)
        var libraries: [OperatorLibrary] = []
        for path in paths {
            let plugin = try Plugin.load(PluginReference.parse(path, installation: installation), namedOptions: options)
            plugins.append(plugin)
            guard let library = plugin.library else {
                throw PluginError(.noGroup, plugin: plugin.name, "offers no operator library (group \"operators\")")
            }
            libraries.append(library)
        }
        try options.check(names: plugins.map(\.name))
        self.devices = devices
        self.fallback = hasFallback ? devices.last?.name : nil
        self.libraries = libraries
        self.plugins = plugins
    }
}

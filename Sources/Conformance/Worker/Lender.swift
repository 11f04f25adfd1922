// SPDX-License-Identifier: Apache-2.0
import Foundation
import Southbound

/// An operator library without a driver works on devices whose memory the host sees: the reference CPU plugin lends it one.
func lender(for plugin: Plugin) throws -> Plugin {
    let installation = try Installation.locate()
    guard let path = installation.builtInPlugin(named: "cpu") else {
        throw InstallationError(
            "the reference plugin, which lends its device to libraries without one, is not in \(installation.pluginFolder.path)")
    }
    // Kernels are denied by the name of their plugin.
    return try Plugin.load(PluginReference(givenName: plugin.name == "cpu" ? "reference-cpu" : nil, path: path), options: [:])
}

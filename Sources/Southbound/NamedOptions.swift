// SPDX-License-Identifier: Apache-2.0

/// Options of several plugins as a command line gives them: `NAME.KEY=VALUE`, NAME being a plugin's declared or given name.
package struct NamedOptions: Sendable {
    private var byName: [String: [String: String]] = [:]

    package init() {}

    package init(_ texts: [String]) throws(PluginError) {
        for text in texts {
            guard let equals = text.firstIndex(of: "="), let dot = text[..<equals].firstIndex(of: "."), dot > text.startIndex else {
                throw PluginError(.badOption, plugin: text, "an option is NAME.KEY=VALUE, such as cpu.threads=1")
            }
            let (name, key) = (String(text[..<dot]), String(text[text.index(after: dot)..<equals]))
            guard byName[name]?[key] == nil else { throw PluginError(.badOption, plugin: name, "option '\(key)' is given twice") }
            byName[name, default: [:]][key] = String(text[text.index(after: equals)...])
        }
    }

    package subscript(name: String) -> [String: String] { byName[name] ?? [:] }

    /// The options of the one plugin that they must all be for. Throws if they name several.
    package func single() throws(PluginError) -> (name: String?, options: [String: String]) {
        guard byName.count <= 1 else {
            throw PluginError(.badOption, plugin: byName.keys.sorted().joined(separator: ", "), "this command takes options of one plugin")
        }
        return (byName.first?.key, byName.first?.value ?? [:])
    }

    /// Throws if options were given for a plugin that the command does not use.
    package func check(names: [String]) throws(PluginError) {
        for name in byName.keys.sorted() where !names.contains(name) {
            throw PluginError(
                .badOption, plugin: name, "options are given for it, but the plugins of this command are \(names.joined(separator: ", "))")
        }
    }
}

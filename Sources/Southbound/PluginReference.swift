// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Which plugin a person means: `cpu`, `./libchip.so`, `chip=./libchip.so`, `second=cpu`.
package struct PluginReference: Sendable, Hashable {
    /// The name to use in this process instead of the one that the plugin declares.
    package let givenName: String?
    /// Absolute; of something that only a worker knows, the word that was given.
    package let path: String

    /// The given name, else what the file's name suggests: `chip` for `libchip.so`, `cpu` for the built-in one.
    package var displayName: String {
        if let givenName { return givenName }
        var name = URL(filePath: path).deletingPathExtension().lastPathComponent
        for prefix in ["lib", "southbridge_"] where name.hasPrefix(prefix) && name.count > prefix.count { name.removeFirst(prefix.count) }
        return name
    }

    package init(givenName: String? = nil, path: String) {
        self.givenName = givenName
        self.path = URL(filePath: path).standardizedFileURL.path
    }

    /// Something that a foreign worker knows by a word of its own and that is no file here.
    private init(givenName: String?, word: String) {
        self.givenName = givenName
        path = word
    }

    /// Reads a built-in name, a path, or `NAME=` before either. A path has a '/' or '.' in it, or names a file that is there.
    /// - Parameter isServedByWorker: a foreign worker loads it, so any other word is taken, too, and handed to the worker as it is.
    package static func parse(
        _ text: String, installation: Installation, isServedByWorker: Bool = false
    ) throws(PluginError) -> PluginReference {
        var name: String?
        var word = text
        if let split = text.firstIndex(of: "="), isIdentifier(String(text[..<split])) {
            name = String(text[..<split])
            word = String(text[text.index(after: split)...])
        }
        do {
            return PluginReference(givenName: name, path: try path(of: word, installation))
        } catch {
            guard isServedByWorker, !word.isEmpty else { throw error }
            return PluginReference(givenName: name, word: word)
        }
    }

    private static func path(of text: String, _ installation: Installation) throws(PluginError) -> String {
        if let path = installation.builtInPlugin(named: text) { return path }
        guard !text.isEmpty else { throw PluginError(.unknownPlugin, plugin: text, "a plugin's name or path is empty") }
        if text.contains("/") || text.contains(".") || FileManager.default.fileExists(atPath: text) { return text }
        let known = installation.builtInPlugins
        throw PluginError(
            .unknownPlugin, plugin: text,
            "is neither built in (\(known.isEmpty ? "no plugin is, in \(installation.pluginFolder.path)" : known.joined(separator: ", "))) "
                + "nor a file; give the path of a shared library")
    }
}

/// Which device a person means: `PLUGIN` or `PLUGIN:INDEX`.
package struct DeviceReference: Sendable, Hashable {
    package let plugin: PluginReference
    package let index: Int

    /// Reads one entry of `--device`. A ':' that no digits follow belongs to the plugin's path.
    package static func parse(_ text: String, installation: Installation) throws(PluginError) -> DeviceReference {
        if let split = text.lastIndex(of: ":") {
            let digits = text[text.index(after: split)...]
            if !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
                let plugin = String(text[..<split])
                guard let index = Int(digits) else { throw PluginError(.unknownDevice, plugin: plugin, "has no device number \(digits)") }
                return DeviceReference(plugin: try .parse(plugin, installation: installation), index: index)
            }
        }
        return DeviceReference(plugin: try .parse(text, installation: installation), index: 0)
    }
}

// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Southbound

/// Flags of every command that loads plugins.
struct PluginFlags: ParsableArguments {
    @Option(name: .customLong("option"), help: ArgumentHelp("Set an option of a plugin (repeatable).", valueName: "name.key=value"))
    var options: [String] = []

    @Option(
        name: .customLong("library"), help: ArgumentHelp("Add an operator library that brings no device (repeatable).", valueName: "path"))
    var libraries: [String] = []

    @Flag(help: "Print JSON on standard output.")
    var json = false

    var named: NamedOptions { get throws { try NamedOptions(options) } }
}

/// `KEY=VALUE`, split at the first equals sign.
func keyAndValue(_ text: String, flag: String) throws -> (key: String, value: String) {
    guard let split = text.firstIndex(of: "="), split > text.startIndex else {
        throw CommandFailure(code: 2, "\(flag) takes NAME=VALUE, not '\(text)'")
    }
    return (String(text[..<split]), String(text[text.index(after: split)...]))
}

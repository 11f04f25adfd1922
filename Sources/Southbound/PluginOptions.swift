// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// One option that a plugin takes.
package struct OptionSchema: Codable, Sendable, Hashable {
    package enum Kind: String, Codable, Sendable, Hashable { case string, integer, number, boolean, path }

    package let name: String
    package let kind: Kind
    /// Empty: none.
    package let defaultValue: String
    package let help: String

    init(_ record: sb_option_schema, _ reader: PluginReader) throws(PluginError) {
        let name = try reader.text(record.name, "an option's name")
        guard isIdentifier(name) else {
            throw PluginError(
                .invalidDescription, plugin: reader.plugin, "the option's name '\(name)' is no identifier (letters, digits, '-' and '_')")
        }
        self.name = name
        kind =
            switch record.type {
            case SB_OPTION_INTEGER: .integer
            case SB_OPTION_NUMBER: .number
            case SB_OPTION_BOOLEAN: .boolean
            case SB_OPTION_PATH: .path
            default: .string
            }
        defaultValue = try reader.text(record.default_value, "the default of option '\(name)'")
        help = try reader.text(record.help, "the help of option '\(name)'")
        if !defaultValue.isEmpty, let fault = fault(in: defaultValue) {
            throw PluginError(.invalidDescription, plugin: reader.plugin, "the default of option '\(name)' is wrong: \(fault)")
        }
    }

    /// Why `value` is no value of this option; nil if it is one.
    func fault(in value: String) -> String? {
        let fits =
            switch kind {
            case .string: true
            case .integer: Int64(value) != nil
            case .number: Double(value)?.isFinite == true
            case .boolean: value == "true" || value == "false"
            case .path: !value.isEmpty && !value.utf8.contains(0)
            }
        let wanted =
            switch kind {
            case .string: "a text"
            case .integer: "an integer"
            case .number: "a number"
            case .boolean: "true or false"
            case .path: "a path"
            }
        return fits ? nil : "'\(value)' is not \(wanted)"
    }

    /// Throws unless every given option is in the schema and has a value of its type.
    static func check(_ given: [String: String], against schema: [OptionSchema], plugin: String) throws(PluginError) {
        for (name, value) in given.sorted(by: { $0.key < $1.key }) {
            guard let option = schema.first(where: { $0.name == name }) else {
                let known = schema.isEmpty ? "it takes none" : "it takes \(schema.map(\.name).joined(separator: ", "))"
                throw PluginError(.badOption, plugin: plugin, "the plugin has no option '\(name)'; \(known)")
            }
            if let fault = option.fault(in: value) {
                throw PluginError(.badOption, plugin: plugin, "option '\(name)': \(fault)")
            }
        }
    }
}

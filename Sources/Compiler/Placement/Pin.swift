// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Southbound
package import Tensors

/// A rule `PATTERN=DEVICE` of the user: nodes that match run on that device alone.
///
/// The pattern is a shell pattern for the node's name or operator; `name:` or `op:` before it looks at only one of them, `type:` at the data type of the first
/// input as far as the model declares it. The device is one of the run by its name, or all of a plugin by the plugin's name.
package struct Pin: Sendable {
    package let pattern: String
    package let device: String

    package init(_ rule: (pattern: String, device: String)) { (pattern, device) = (rule.pattern, rule.device) }

    package var text: String { "\(pattern)=\(device)" }

    package func names(_ other: Device) -> Bool { device == other.name || device == other.plugin.name }

    package func matches(_ node: Node, _ type: DataType?) -> Bool {
        if let rest = after("name:") { return Compiler.matches(node.name, rest) }
        if let rest = after("op:") { return Compiler.matches(node.operatorName, rest) }
        if let rest = after("type:") { return type.map { Compiler.matches($0.name, rest) } ?? false }
        return Compiler.matches(node.name, pattern) || Compiler.matches(node.operatorName, pattern)
    }

    private func after(_ prefix: String) -> String? { pattern.hasPrefix(prefix) ? String(pattern.dropFirst(prefix.count)) : nil }

    /// Reads the rules of a file: one a line, empty lines and those that begin with '#' left out.
    package static func rules(in text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " || $0 == "\t" } }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
            .map(String.init)
    }
}

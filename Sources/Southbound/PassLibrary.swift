// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
package import Graph
package import Operators
import Tensors

/// The passes that a plugin brings, and what it says of operators of its own. Lives as long as its plugin.
package final class PassLibrary: @unchecked Sendable {
    package unowned let plugin: Plugin
    /// In the plugin's own order.
    package let passes: [PassDescription]
    private let table: sb_passes

    init(plugin: Plugin, table: sb_passes, passes: [PassDescription]) {
        self.plugin = plugin
        self.table = table
        self.passes = passes
    }

    /// Lets a pass read and rewrite what the editor shows. It runs in this process and on this thread: nothing can end it from outside.
    package func run(_ pass: PassDescription, _ editor: UnsafeMutablePointer<sb_editor>) throws(PluginError) {
        try withStatus(plugin: plugin.name, doing: "run pass '\(pass.name)'") { pass.record.run(plugin.instance, editor, $0) }
    }

    /// Whether it can be asked about operators.
    package var knowsOperators: Bool { table.infer != nil }

    /// Types and shapes of the outputs of a node in a domain of the plugin's own. Throws `unsupported` for operators that the plugin does not know.
    package func infer(
        domain: String, operatorName: String, version: Int, attributes: [String: Attribute], inputs: [ConcreteType?], outputCount: Int
    ) throws(PluginError) -> [ConcreteType] {
        let what = "infer '\(domain)::\(operatorName)'"
        guard let infer = table.infer else { throw PluginError(.unsupported, plugin: plugin.name, "cannot \(what): it has no operators") }
        let memory = NodeMemory(plugin: plugin.name, subject: "node '\(operatorName)'")
        var given: [UnsafeMutablePointer<sb_tensor>?] = []
        for input in inputs {
            if let input { given.append(try memory.tensor(TensorDescriptor(input.dataType, input.shape))) } else { given.append(nil) }
        }
        var results: [UnsafeMutablePointer<sb_tensor>?] = []
        for _ in 0..<outputCount { results.append(memory.emptyTensor()) }
        let node = try memory.node(
            kernel: nil, domain: domain, operatorName: operatorName, version: version, attributes: attributes, inputs: given,
            outputs: results)
        let pointers = memory.list(mutable: results)
        try withStatus(plugin: plugin.name, doing: what) { error in
            withExtendedLifetime(memory) { infer(plugin.instance, node, pointers, error) }
        }
        var types: [ConcreteType] = []
        for case let result? in results {
            let rank = Int(result.pointee.rank)
            guard let type = DataType(rawValue: result.pointee.data_type), type != .string, rank <= 64 else {
                throw PluginError(
                    .invalidDescription, plugin: plugin.name,
                    "cannot \(what): it says data type \(result.pointee.data_type) and rank \(rank)")
            }
            let shape = (0..<rank).map { Int(result.pointee.shape[$0]) }
            guard shape.allSatisfy({ $0 >= 0 }), elementCount(shape) != nil else {
                throw PluginError(.invalidDescription, plugin: plugin.name, "cannot \(what): it says shape \(shape)")
            }
            types.append(ConcreteType(type, shape))
        }
        return types
    }
}

/// What a plugin says of one of its passes.
package struct PassDescription: @unchecked Sendable {
    package let name: String
    package let help: String
    /// A pass of the same plugin and stage that must have run before; nil: none.
    package let after: String?
    /// `SB_STAGE_*`.
    package let stage: UInt32
    fileprivate let record: sb_pass

    private static let mostPasses = 4096

    static func list(of table: sb_passes, _ reader: PluginReader) throws(PluginError) -> [PassDescription] {
        var passes: [PassDescription] = []
        for (index, pointer) in try reader.array(table.passes, count: table.pass_count, atMost: mostPasses, "the passes").enumerated() {
            let record: sb_pass = try reader.read(pointer, "sb_pass", of: "pass \(index)")
            let name = try reader.text(record.name, "pass \(index): its name")
            let after = try reader.text(record.after, "pass '\(name)': the pass that it comes after")
            guard !passes.contains(where: { $0.name == name }) else {
                throw PluginError(.invalidDescription, plugin: reader.plugin, "two passes have the name '\(name)'")
            }
            guard record.stage <= SB_STAGE_FINAL else {
                throw PluginError(.invalidDescription, plugin: reader.plugin, "pass '\(name)' has the stage \(record.stage), which is none")
            }
            passes.append(
                PassDescription(
                    name: name, help: try reader.text(record.help, "pass '\(name)': its help"), after: after.isEmpty ? nil : after,
                    stage: record.stage, record: record))
        }
        return passes
    }
}

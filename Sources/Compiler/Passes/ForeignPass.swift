// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Graph
package import Southbound

extension Pass {
    /// The passes of a plugin, under their own names; one that has the name of another pass gets the plugin's before it.
    package static func all(of library: PassLibrary, besides others: [Pass] = []) -> [Pass] {
        func name(_ own: String) -> String { others.contains { $0.name == own } ? "\(library.plugin.name)/\(own)" : own }
        return library.passes.map { pass in
            let stage: Stage = pass.stage == SB_STAGE_SIMPLIFY ? .simplify : pass.stage == SB_STAGE_FUSE ? .fuse : .final
            return Pass(
                name(pass.name), help: pass.help, stage: stage, plugin: library.plugin.name, after: pass.after.map(name)
            ) { graph in
                let editor = ForeignEditor(graph, pass: pass.name, plugin: library.plugin.name)
                try library.run(pass, editor.pointer)
                graph = try editor.finish()
            }
        }
    }
}

/// An `sb_editor` over a graph, for one run of a plugin's pass.
///
/// A change that would break the graph is refused, and the pass with it: `finish` then throws.
final class ForeignEditor {
    var graph: PassGraph
    private var original: PassGraph
    let pass: String
    let plugin: String
    let memory: NodeMemory
    private let record: UnsafeMutablePointer<Record>
    /// The first change that would have broken the graph.
    private var breach: String?
    /// What was asked for, so that asking again costs nothing.
    var nodes: [Int: (inputs: [ValueID?], pointer: UnsafePointer<sb_node>)] = [:]
    var tensors: [Int: UnsafeMutablePointer<sb_tensor>] = [:]
    var replacements: [(old: NodeID, new: NodeID)] = []

    /// The struct that a plugin sees, and behind it what leads from there to this object.
    private struct Record {
        var editor: sb_editor
        var owner: UnsafeRawPointer
    }

    init(_ graph: PassGraph, pass: String, plugin: String) {
        self.graph = graph
        self.pass = pass
        self.plugin = plugin
        original = graph
        memory = NodeMemory(plugin: plugin, subject: "pass '\(pass)'")
        record = .allocate(capacity: 1)
        record.initialize(to: Record(editor: Self.table, owner: UnsafeRawPointer(record)))
        record.pointee.owner = UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { record.deallocate() }

    var pointer: UnsafeMutablePointer<sb_editor> { UnsafeMutableRawPointer(record).assumingMemoryBound(to: sb_editor.self) }

    static func of(_ editor: UnsafeMutablePointer<sb_editor>?) -> ForeignEditor? {
        guard let editor else { return nil }
        let record = UnsafeRawPointer(editor).assumingMemoryBound(to: Record.self)
        return Unmanaged<ForeignEditor>.fromOpaque(record.pointee.owner).takeUnretainedValue()
    }

    /// The graph as the pass leaves it, each new node with the name and the origins of what it stands for.
    func finish() throws(GraphError) -> PassGraph {
        if let breach { throw GraphError("it asks for a change that breaks the graph: \(breach)") }
        for (old, new) in replacements where new.index >= original.editor.nodeCount {
            guard let node = original.node(old) else { continue }
            let origins = Set(members(of: old).flatMap { original.node($0)?.origins ?? [] } + (graph.node(new)?.origins ?? []))
            graph.rename(new, node.name, origins: origins.sorted { $0.index < $1.index })
        }
        return graph
    }

    /// A node of the original graph, and those that led to it alone.
    private func members(of node: NodeID) -> Set<NodeID> {
        var (open, members) = ([node], Set([node]))
        while let next = open.popLast().flatMap({ original.node($0) }) {
            for case let input? in next.inputs where !original.editor.isOutput(input) {
                if let source = original.editor.producer(of: input), original.readers(of: input).allSatisfy(members.contains),
                    members.insert(source).inserted
                {
                    open.append(source)
                }
            }
        }
        return members
    }

    // MARK: Changes

    /// Refuses what would break the graph; the first such change is remembered.
    func refuse(_ message: String, _ error: UnsafeMutablePointer<sb_error>?) -> Int32 {
        breach = breach ?? message
        return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, message)
    }

    /// A value that something writes.
    func value(_ number: UInt32) -> ValueID? {
        let value = ValueID(Int(number))
        return graph.editor.isWritten(value) ? value : nil
    }
}

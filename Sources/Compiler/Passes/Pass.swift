// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// One rewriting of graphs, as a value.
package struct Pass: Sendable {
    /// In this order. Passes of `simplify` are repeated until none of them changes anything.
    package enum Stage: Int, Sendable, CaseIterable { case simplify, fuse, final }

    /// Unique among the passes of a run: how it is switched off, counted and blamed.
    package let name: String
    /// One line for a person.
    package let help: String
    package let stage: Stage
    /// The plugin that brings it; nil for the stack's own.
    package var plugin: String?
    /// A pass that must have run before, of the same stage.
    package var after: String?
    /// What it makes computes in the type that the user asked for, and so with that type's roundings.
    package var narrows = false
    /// Its result counts only if nothing is wrong with it.
    package let run: @Sendable (inout PassGraph) throws -> Void

    package init(
        _ name: String, help: String, stage: Stage, plugin: String? = nil, after: String? = nil, narrows: Bool = false,
        run: @escaping @Sendable (inout PassGraph) throws -> Void
    ) {
        self.name = name
        self.help = help
        self.stage = stage
        self.plugin = plugin
        self.after = after
        self.narrows = narrows
        self.run = run
    }
}

/// What passes may count on: the devices that the graph is for, and what the user asks.
package struct PassTarget: Sendable {
    /// Whether a device has a kernel for an operator (domain, name, version) on a type, and no compiler of its own ahead of it that would want the parts.
    package var offers: @Sendable (_ domain: String, _ operatorName: String, _ version: Int, _ type: DataType) -> Bool
    /// Whether who runs an operator (domain, name, version) on the first type, rather the devices that the user named, has a kernel on the second, too.
    package var narrows: @Sendable (_ domain: String, _ operatorName: String, _ version: Int, _ type: DataType, _ narrow: DataType) -> Bool
    /// Whether the user has a say in where the node runs: it then stays as it is, so that the word holds for all of it.
    package var isPinned: @Sendable (Node) -> Bool
    /// The type in which products of float32 are to be computed; nil: float32.
    package var mixed: DataType?

    package init(
        offers: @escaping @Sendable (String, String, Int, DataType) -> Bool = { _, _, _, _ in false },
        narrows: @escaping @Sendable (String, String, Int, DataType, DataType) -> Bool = { _, _, _, _, _ in false },
        isPinned: @escaping @Sendable (Node) -> Bool = { _ in false }, mixed: DataType? = nil
    ) {
        self.offers = offers
        self.narrows = narrows
        self.isPinned = isPinned
        self.mixed = mixed
    }
}

/// What the passes of one plan came to.
package struct PassReport: Sendable {
    package struct Entry: Sendable {
        package let name: String
        package let stage: Pass.Stage
        package let plugin: String?
        package var runs = 0
        /// Before the first run, and after the last.
        package var nodesBefore: Int
        package var nodesAfter: Int
        package var rewrites = 0
        package var seconds = 0.0
        /// What else the pass counts, by what it is.
        package var figures: [String: Int] = [:]
    }

    /// In the order in which they ran first.
    package var entries: [Entry] = []
    /// What went wrong with passes that were undone, for a person.
    package var remarks: [String] = []

    package init() {}
}

// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// A graph that every pass of a plugin rewrites, one pass at a time: what it computes must stay.
package struct PassCase: Sendable, Hashable {
    /// The graph. Its aspect is not looked at.
    private let graph: GraphCase

    package static let suite = "passes"
    package static let specification = ["SB-PAS-004", "SB-PAS-007", "SB-PAS-008", "SB-PAS-009"]

    /// `passes/gated/float32-signed`.
    package var id: String { "\(Self.suite)/\(graph.shape.name)/\(graph.type.name)-\(graph.data.rawValue)" }

    var type: DataType { graph.type }

    /// The graphs by name, and some random ones.
    package static let all: [PassCase] = GraphCase.all.filter { $0.aspect == .run && $0.isEarly }.map { PassCase(graph: $0) }

    package func draft(seed: UInt64) throws -> (graph: Graph, inputs: [HostTensor]) { try graph.draft(seed: seed) }
}

extension GraphCase {
    /// A named graph, or one of the first random ones.
    fileprivate var isEarly: Bool {
        if case .random(let number) = shape { number <= 10 } else { true }
    }
}

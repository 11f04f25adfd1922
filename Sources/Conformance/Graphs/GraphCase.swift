// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// One thing that is tried on a graph of our own, which is known by its names until it is run.
package struct GraphCase: Sendable, Hashable {
    /// How the graph's data are drawn.
    package enum Data: String, Sendable, CaseIterable {
        /// Small whole numbers: where every intermediate value is exact, any order and any fusion gives the same bits.
        case exact
        case signed
    }

    package enum Aspect: String, Sendable, CaseIterable {
        /// The outputs are right, and nothing else is written.
        case run
        /// The program gives the bits that the plugin's kernels give, one after the other, where both are exact.
        case chained
        /// The same graph is claimed in the same way, in groups that can be run one after the other.
        case claim
        /// A program that was saved and loaded gives the same bits.
        case artefact
        /// A damaged artefact is called so and refused, and the next call works.
        case damage
        /// Executions at once on two streams do not disturb each other.
        case together
        /// A program keeps nothing of the graph: its constants are overwritten before it runs.
        case freed

        /// Done by the worker on its own, since the program is held against itself.
        package var isTrial: Bool { self != .run && self != .chained }

        var specification: [String] {
            switch self {
            case .run: ["SB-GRA-002", "SB-GRA-007", "SB-GRA-010", "SB-GRA-013"]
            case .chained: ["SB-GRA-013"]
            case .claim: ["SB-GRA-004", "SB-GRA-005", "SB-GRA-006"]
            case .artefact: ["SB-GRA-014", "SB-GRA-015"]
            case .damage: ["SB-GRA-016", "SB-GRA-017"]
            case .together: ["SB-GRA-009", "SB-GRA-011"]
            case .freed: ["SB-GRA-008"]
            }
        }
    }

    package enum Shape: Sendable, Hashable {
        case pattern(GraphPattern)
        /// A number, from 1.
        case random(Int)

        var name: String {
            switch self {
            case .pattern(let pattern): pattern.rawValue
            case .random(let number): "random-\(number)"
            }
        }
    }

    package let shape: Shape
    package let type: DataType
    package let data: Data
    package let aspect: Aspect

    package static let suite = "graphs"
    private static let randomCount = 40

    /// `graphs/residual/float32-exact-run`.
    package var id: String { "\(Self.suite)/\(shape.name)/\(type.name)-\(data.rawValue)-\(aspect.rawValue)" }

    /// Every aspect of the graphs by name, and what random graphs come to.
    package static let all: [GraphCase] = {
        let shapes = GraphPattern.allCases.map(Shape.pattern) + (1...randomCount).map(Shape.random)
        var cases: [GraphCase] = []
        for shape in shapes {
            for type in [DataType.float32, .float16] {
                cases.append(GraphCase(shape: shape, type: type, data: .exact, aspect: .run))
                cases.append(GraphCase(shape: shape, type: type, data: .signed, aspect: .run))
                cases.append(GraphCase(shape: shape, type: type, data: .exact, aspect: .chained))
                cases.append(GraphCase(shape: shape, type: type, data: .signed, aspect: .claim))
                guard case .pattern = shape else { continue }
                for aspect in Aspect.allCases where aspect.isTrial && aspect != .claim {
                    cases.append(GraphCase(shape: shape, type: type, data: .signed, aspect: aspect))
                }
            }
        }
        return cases
    }()

    /// What every claim about the level rests on.
    package static let specification = Array(Set(Aspect.allCases.flatMap(\.specification))).sorted()

    /// The graph and its inputs for the values that `seed` draws. Ids do not hang on the seed; a random graph's nodes do.
    package func draft(seed: UInt64) throws -> (graph: Graph, inputs: [HostTensor]) {
        // The same graph for all aspects.
        var draft = GraphDraft(type: type, data: data, seed: seed, id: "\(Self.suite)/\(shape.name)/\(type.name)-\(data.rawValue)")
        switch shape {
        case .pattern(let pattern): try pattern.build(&draft)
        case .random: try GraphPattern.buildRandom(&draft)
        }
        return (draft.graph, draft.inputs)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tensors

/// One thing that a run decides.
package struct Case: Sendable {
    package enum Body: Sendable {
        /// Named code in the worker.
        case check
        /// A model with inputs and expected outputs.
        case model(ModelCase)
        /// One operator on data of our own, judged by the lenses.
        case generated(GeneratedCase)
        /// A call with results of an independent program.
        case golden(GoldenCase)
        /// Two calls whose results must agree, whatever is right: lens 5.
        case relation(RelatedCase)
        /// What the plugin declares for an operator and type, held against what it takes.
        case offer(Offer)
        /// What a kernel declares about its arithmetic, held against its results.
        case probe(Probe)
        /// A graph of our own, for plugins that compile graphs.
        case graph(GraphCase)
        /// A graph of our own, for plugins that rewrite graphs.
        case pass(PassCase)
        /// The same as `generated`, with the call already made: a reproducer.
        case call(CallCase)
        /// The worker must end well after it has loaded the plugin and opened a device.
        case cleanExit
    }

    /// `suite/group/case`.
    package let id: String
    package let level: Level
    package let body: Body
    package let specification: [String]

    package var suite: String { String(id.prefix { $0 != "/" }) }
}

extension Case {
    /// The cases of the levels `load` and `driver`.
    package static func checks() -> [Case] {
        Check.all.map { Case(id: $0.id, level: $0.level, body: .check, specification: $0.specification) }
            + [Case(id: "load/process/clean-exit", level: .load, body: .cleanExit, specification: ["SB-ABI-008", "SB-ABI-009"])]
    }

    /// Whether a plugin with these groups of the header has what the case is about.
    ///
    /// - Parameter isChosen: the user named the case's suite.
    func applies(to groups: [String], isChosen: Bool) -> Bool {
        switch body {
        case .graph: groups.contains("graphs")
        case .pass: groups.contains("passes")
        default: level.applies(to: groups, isChosen: isChosen)
        }
    }

    /// The shard that a case belongs to is the same on every machine and for every seed.
    func belongs(to shard: Shard) -> Bool {
        CounterRandom(seed: 0, case: id, tensor: "shard").integer(0, below: UInt64(shard.count)) == shard.index - 1
    }
}

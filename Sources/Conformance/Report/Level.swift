// SPDX-License-Identifier: Apache-2.0

/// A rung of the conformance ladder, or one of the two disciplines beside it.
package enum Level: String, Codable, CaseIterable, Sendable {
    case load, driver, rejects, operators, graphs, models, training, parallel
    case endurance, performance

    /// The rungs, lowest first. Each needs the one before it.
    package static let ladder: [Level] = [
        .load, .driver, .rejects, .operators, .graphs, .models, .training, .parallel,
    ]

    /// Whether a plugin with these groups of the header plays the role that the level is about. A plugin without kernels that compiles no graphs either is still
    /// asked for `operators`, and does not reach it; a compiler without kernels is asked, for programs of one node, where the suite was chosen.
    func applies(to groups: [String], isChosen: Bool) -> Bool {
        switch self {
        case .driver: groups.contains("driver")
        case .operators: groups.contains("operators") || !groups.contains("graphs") || isChosen
        case .graphs: groups.contains("graphs") || groups.contains("passes")
        default: true
        }
    }

    /// False for `endurance` and `performance`, which no rung needs.
    package var isOnLadder: Bool { self < .endurance }
}

extension Level: Comparable {
    /// The order of the ladder. `endurance` and `performance` sort after it and claim nothing by that.
    package static func < (left: Level, right: Level) -> Bool { left.order < right.order }

    private var order: Int {
        switch self {
        case .load: 0
        case .driver: 1
        case .rejects: 2
        case .operators: 3
        case .graphs: 4
        case .models: 5
        case .training: 6
        case .parallel: 7
        case .endurance: 8
        case .performance: 9
        }
    }
}

/// How one level ended, and the cases that say so.
package struct LevelResult: Codable, Equatable, Sendable {
    package enum Outcome: String, Codable, CaseIterable, Sendable {
        case passed
        case failed
        /// Not asked for, or a level below it did not pass.
        case notReached
        /// The plugin has no such role; for example a pure graph compiler on `operators`, or an operator library without a driver on `driver`.
        case notApplicable
    }

    package var level: Level
    package var outcome: Outcome
    /// Over the cases of this level alone.
    package var summary: Summary

    package init(level: Level, outcome: Outcome, summary: Summary) {
        self.level = level
        self.outcome = outcome
        self.summary = summary
    }
}

// SPDX-License-Identifier: Apache-2.0

/// What may be claimed. Made by the harness; renderers repeat it and never recompute it.
package struct Verdict: Codable, Equatable, Sendable {
    /// The highest level that passed with all below it; nil if not even `load` did.
    @Nullable package var level: Level?
    package var requestedLevel: Level
    package var profile: String
    /// Nil for a filtered, sharded or suite-limited run, from which nothing may be claimed.
    @Nullable package var conformant: Bool?
    @Nullable package var grade: Grade?

    package init(
        level: Level?, requestedLevel: Level, profile: String, conformant: Bool?, grade: Grade? = nil
    ) {
        self.level = level
        self.requestedLevel = requestedLevel
        self.profile = profile
        self.conformant = conformant
        self.grade = grade
    }
}

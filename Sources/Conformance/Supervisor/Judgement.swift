// SPDX-License-Identifier: Apache-2.0

/// What all verdicts together say about each level, by the profile `declared`: what a plugin offers must be right.
package struct Judgement: Sendable {
    package let levels: [LevelResult]
    /// The highest level that passed with all below it.
    package let highest: Level?
    /// The lower of the grades of what passed; nil where nothing was graded.
    package let grade: Grade?
    /// The requested level was reached.
    package let isConformant: Bool

    package init(_ cases: [CaseResult], requested: Level) {
        let byLevel = Dictionary(grouping: cases, by: \.level)
        levels = Level.allCases.map { level in
            let summary = Summary(byLevel[level] ?? [])
            return LevelResult(level: level, outcome: Self.outcome(summary, isRequested: level <= requested), summary: summary)
        }
        var highest: Level?
        var isUnbroken = true
        for result in levels where result.level.isOnLadder && result.level <= requested {
            switch result.outcome {
            case .passed: if isUnbroken { highest = result.level }
            case .notApplicable: break
            case .failed, .notReached: isUnbroken = false
            }
        }
        self.highest = highest
        let grades = cases.filter { $0.status == .passed }.compactMap(\.grade)
        grade = grades.isEmpty ? nil : grades.contains(.b) ? .b : .a
        isConformant = isUnbroken && highest != nil
    }

    /// A level without a case in this version of the suite is not applicable; one in which the plugin offers nothing is not reached.
    private static func outcome(_ summary: Summary, isRequested: Bool) -> LevelResult.Outcome {
        if summary.total == 0 { return isRequested ? .notApplicable : .notReached }
        if summary.needingAttention > 0 { return .failed }
        if summary[.notRun] > 0 || summary[.passed] == 0 { return .notReached }
        return .passed
    }
}

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Tensors

/// The results as Markdown, and in full for a log.
struct StudyTables {
    private static let begin = "<!-- tables: made by `make numerics` -->"
    private static let end = "<!-- end of tables -->"
    private let results: [(subject: StudyClass, tally: ClassTally)]

    init(_ results: [(StudyClass, ClassTally)]) { self.results = results.map { (subject: $0.0, tally: $0.1) } }

    /// Replaces what stands between the markers of a document.
    func write(into path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let begin = text.range(of: Self.begin), let end = text.range(of: Self.end), begin.upperBound <= end.lowerBound else {
            throw ConformanceError.internal("\(path) has no markers for the tables")
        }
        try (text[..<begin.upperBound] + "\n\n\(markdown)\n" + text[end.lowerBound...]).write(
            toFile: path, atomically: true, encoding: .utf8)
    }

    private var markdown: String { [rights, faults, missed].joined(separator: "\n\n") + "\n" }

    private var rights: String {
        var lines = [
            "| class | implementations | outputs | false alarms | grade A | largest error / bound |", "|---|---|---:|---:|---:|---:|",
        ]
        for (subject, tally) in results {
            let all = tally.implementations
            let (a, b) = (all.values.reduce(0) { $0 + $1.gradedA }, all.values.reduce(0) { $0 + $1.gradedB })
            let worst = all.max { $0.value.worst < $1.value.worst }
            let names = subject.implementations.map(\.name).filter { all[$0] != nil }.joined(separator: "; ")
            let ratio = worst.map { $0.value.worst == 0 ? "0" : String(format: "%.2f, %@", $0.value.worst, $0.key) } ?? ""
            lines.append(
                "| \(subject.name) | \(names) | \(grouped(tally.outputs)) | \(tally.falseAlarms) | \(percent(a, of: a + b)) | \(ratio) |")
        }
        return lines.joined(separator: "\n")
    }

    private var faults: String {
        var lines = [
            "| fault | \(results.map(\.subject.name).joined(separator: " | ")) |",
            "|---|\(String(repeating: "---:|", count: results.count))",
        ]
        for fault in Fault.all {
            let cells = results.map { _, tally in
                guard let counted = tally.faults[fault.name] else { return "–" }
                let b = counted.gradedB > 0 ? " +\(percent(counted.gradedB, of: counted.runs))" : ""
                return "\(percent(counted.failed, of: counted.runs))\(b), \(counted.caught.count)/\(counted.groups.count)"
            }
            lines.append("| \(fault.name) | \(cells.joined(separator: " | ")) |")
        }
        return lines.joined(separator: "\n")
    }

    /// Groups that a demanded fault got past.
    private var missed: String {
        let lines = results.flatMap { subject, tally in
            Fault.all.compactMap { fault -> String? in
                let groups = tally.faults[fault.name]?.missedOnDemand ?? []
                return groups.isEmpty
                    ? nil
                    : "- \(subject.name), \(fault.name): \(groups.map { "\($0.operatorName) \($0.type.name)" }.joined(separator: ", "))"
            }
        }
        return lines.isEmpty
            ? "No fault of a kind that the suite demands gets past a group."
            : "Groups that a fault of a demanded kind gets past:\n\n" + lines.joined(separator: "\n")
    }

    private func percent(_ part: Int, of whole: Int) -> String {
        guard whole > 0 else { return "" }
        let share = 100 * Double(part) / Double(whole)
        // Nothing but all is 100 %.
        return part == whole ? "100 %" : String(format: "%.*f %%", share >= 99.95 ? 2 : share >= 10 ? 0 : 1, min(share, 99.99))
    }

    private func grouped(_ number: Int) -> String {
        let digits = Array(String(number).reversed())
        return String(
            stride(from: 0, to: digits.count, by: 3).map { String(digits[$0..<min($0 + 3, digits.count)]) }.joined(separator: ",")
                .reversed())
    }

    /// Everything that was counted.
    var log: String {
        var lines: [String] = []
        for (subject, tally) in results {
            lines.append("# \(subject.name): \(tally.cases) cases in \(tally.groups.count) groups")
            for (name, one) in tally.implementations.sorted(by: { $0.key < $1.key }) {
                lines.append(
                    "\(name)\t\(one.runs) runs\t\(one.outputs) outputs\tA \(one.gradedA)\tB \(one.gradedB)\tworst \(one.worst)\t\(one.falseAlarms.count) false alarms"
                )
                lines += one.falseAlarms.prefix(60).map { "  FALSE ALARM \($0)" }
            }
            for fault in Fault.all {
                guard let one = tally.faults[fault.name] else { continue }
                lines.append(
                    "\(fault.name)\t\(one.runs) runs\t\(one.failed) failed\t\(one.gradedB) graded B\t\(one.caught.count) of \(one.groups.count) groups"
                )
                if !one.missed.isEmpty {
                    lines.append(
                        "  missed by \(one.missed.map { "\($0.operatorName) \($0.type.name)\(one.demanded.contains($0) ? " (demanded)" : "")" }.joined(separator: ", "))"
                    )
                }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

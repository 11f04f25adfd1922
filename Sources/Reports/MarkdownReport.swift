// SPDX-License-Identifier: Apache-2.0
import Conformance

/// A run as Markdown, for a pull request or a mail.
struct MarkdownReport {
    private static let listed = 50
    let text: String

    init(_ report: Report) {
        var lines = ["# Conformance of \(escaped(report.title))", "", escaped(report.claim), ""]
        lines += ["| level | outcome | passed of all | cases |", "|---|---|---:|---|"]
        for level in report.levels where level.summary.total > 0 || report.isOutOfScope(level) {
            lines.append(
                "| \(level.level.rawValue) | \(level.outcome.rawValue) | \(level.summary[.passed]) of \(level.summary.total) | \(Report.counts(level.summary)) |"
            )
        }
        lines.append("| all | | \(report.summary[.passed]) of \(report.summary.total) | \(Report.counts(report.summary)) |")
        let bad = report.needingAttention
        if !bad.isEmpty {
            lines += ["", "## Needing attention: \(bad.count) of \(report.summary.total)", ""]
            for result in bad.prefix(Self.listed) {
                let kind = result.failure.map { " (\($0.rawValue))" } ?? ""
                lines.append("- **\(result.status.rawValue)**\(kind) \(code(result.id)): \(escaped(firstLine(result.message)))")
                if let reproducer = result.reproducer { lines.append("  \(code(reproducer))") }
            }
            if bad.count > Self.listed { lines.append("- and \(bad.count - Self.listed) more: see report.html") }
        }
        if let specification = report.specification {
            let without = specification.withoutCase
            lines += [
                "", "## Specification", "",
                "\(specification.identifiers - without.count) of \(specification.identifiers) identifiers of the header are cited by a case.",
            ]
            if !without.isEmpty { lines.append("Without a case: \(without.map(escaped).joined(separator: ", ")).") }
        }
        lines += ["", "## Run", "", "| | |", "|---|---|"]
        lines += report.facts.map { "| \(escaped($0.name)) | \(escaped($0.value)) |" }
        text = lines.joined(separator: "\n") + "\n"
    }
}

private func firstLine(_ message: String?) -> String {
    String((message ?? "").split(whereSeparator: \.isNewline).first?.prefix(300) ?? "")
}

/// Text in which nothing is markup, a table's cell is not left, and no line ends.
private func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        if scalar.properties.generalCategory == .control || scalar == "\u{2028}" || scalar == "\u{2029}" {
            result += " "
        } else if "\\`*_{}[]<>()#!|~&".unicodeScalars.contains(scalar) {
            result += "\\\(scalar)"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// A code span that the text can't end.
private func code(_ text: String) -> String {
    let plain = String(text.map { $0.isNewline ? " " : $0 })
    var longest = 0
    var current = 0
    for character in plain {
        current = character == "`" ? current + 1 : 0
        longest = max(longest, current)
    }
    let fence = String(repeating: "`", count: longest + 1)
    return longest == 0 ? "`\(plain)`" : "\(fence) \(plain) \(fence)"
}

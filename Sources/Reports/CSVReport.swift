// SPDX-License-Identifier: Apache-2.0
import Conformance

/// The cases as a table for a spreadsheet (RFC 4180).
struct CSVReport {
    let text: String

    init(_ report: Report) {
        var rows = [
            [
                "id", "suite", "level", "operator", "dataType", "status", "grade", "failure", "seconds", "measured", "bound", "unit",
                "message",
            ]
        ]
        rows += report.cases.map { result in
            [
                result.id, result.suite, result.level.rawValue, result.operator ?? "", result.dataType ?? "", result.status.rawValue,
                result.grade?.rawValue ?? "", result.failure?.rawValue ?? "", seconds(result.seconds),
                result.error.map { "\($0.measured)" } ?? "", result.error.map { "\($0.bound)" } ?? "", result.error?.unit ?? "",
                result.message ?? "",
            ]
        }
        text = rows.map { $0.map(field).joined(separator: ",") + "\r\n" }.joined()
    }
}

/// A field that a spreadsheet shows and does not compute: text that would begin a formula gets an apostrophe before it.
private func field(_ text: String) -> String {
    let isFormula = text.first.map { "=+-@\t\r".contains($0) } ?? false
    let isNumber = Double(text) != nil
    let shown = isFormula && !isNumber ? "'" + text : text
    guard shown.contains(where: { ",\"\n\r\r\n".contains($0) || $0.isNewline }) else { return shown }
    return "\"" + shown.replacing("\"", with: "\"\"") + "\""
}

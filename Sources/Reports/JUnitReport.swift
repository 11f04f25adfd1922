// SPDX-License-Identifier: Apache-2.0
import Conformance

/// A run in the XML that CI systems read (the schema of Ant's JUnit task, as Jenkins and GitLab take it): a test suite per suite of the run.
struct JUnitReport {
    let text: String

    init(_ report: Report) {
        let suites = Dictionary(grouping: report.cases, by: \.suite).sorted { $0.key < $1.key }
        var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<testsuites\(Self.counts(report.cases, name: report.title))>"]
        for (name, cases) in suites {
            lines.append(
                "  <testsuite\(Self.counts(cases, name: name)) timestamp=\"\(xml(report.run.started))\" hostname=\"\(xml(report.host.cpu))\">"
            )
            lines.append("    <properties>")
            for fact in report.facts { lines.append("      <property name=\"\(xml(fact.name))\" value=\"\(xml(fact.value))\"/>") }
            lines.append("    </properties>")
            for result in cases { lines.append(Self.element(result)) }
            lines.append("  </testsuite>")
        }
        lines.append("</testsuites>\n")
        text = lines.joined(separator: "\n")
    }

    private enum Kind: String { case passed, failure, error, skipped }

    private static func kind(_ status: Status) -> Kind {
        switch status {
        case .passed: .passed
        case .failed, .unexpectedPass, .flaky, .mistrusted: .failure
        case .crashed, .timedOut, .infrastructure: .error
        case .unsupported, .expectedFailure, .notRun: .skipped
        }
    }

    private static func counts(_ cases: [CaseResult], name: String) -> String {
        func count(_ wanted: Kind) -> Int { cases.count { kind($0.status) == wanted } }
        let time = seconds(cases.reduce(0) { $0 + $1.seconds })
        return " name=\"\(xml(name))\" tests=\"\(cases.count)\" failures=\"\(count(.failure))\" errors=\"\(count(.error))\" "
            + "skipped=\"\(count(.skipped))\" time=\"\(time)\""
    }

    private static func element(_ result: CaseResult) -> String {
        // `suite/group/case`: the class is what stands before the last slash.
        let slash = result.id.lastIndex(of: "/")
        let group = slash.map { String(result.id[..<$0]).replacing("/", with: ".") } ?? result.suite
        let name = slash.map { String(result.id[result.id.index(after: $0)...]) } ?? result.id
        let start = "    <testcase classname=\"\(xml(group))\" name=\"\(xml(name))\" time=\"\(seconds(result.seconds))\""
        let kind = kind(result.status)
        if kind == .passed { return start + "/>" }
        let word = result.failure.map { "\(result.status.rawValue) (\($0.rawValue))" } ?? result.status.rawValue
        let message = result.message ?? ""
        if kind == .skipped { return start + "><skipped message=\"\(xml("\(word): \(message)"))\"/></testcase>" }
        let body = [message, result.reproducer].compactMap { $0 }.joined(separator: "\n")
        let summary = message.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        return start + "><\(kind.rawValue) type=\"\(xml(word))\" message=\"\(xml(summary))\">\(xml(body))</\(kind.rawValue)></testcase>"
    }
}

/// Text for an attribute or an element of XML 1.0; characters that it forbids become the replacement character.
func xml(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        case "\n", "\t": result += "&#\(scalar.value);"
        case "\u{20}"..."\u{7e}", "\u{a0}"..."\u{d7ff}", "\u{e000}"..."\u{fffd}", "\u{10000}"..."\u{10ffff}":
            result.unicodeScalars.append(scalar)
        default: result += "\u{fffd}"
        }
    }
    return result
}

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation

/// A run as one HTML file that needs nothing else: tables for who reads from above, and a list of all cases to be filtered.
struct HTMLReport {
    let text: String

    init(_ report: Report) throws {
        text = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>Conformance of \(xml(report.title))</title>
            <style>\(htmlStyle)</style>
            </head>
            <body>
            <header>
            <p class="kicker">Southbridge conformance report</p>
            <h1>\(xml(report.title))</h1>
            <p class="claim \(Self.claimClass(report))">\(xml(report.claim))</p>
            </header>
            <main>
            \(Self.levels(report))
            \(Self.attention(report))
            \(Self.caseList(report))
            \(Self.operators(report))
            \(Self.specification(report))
            \(Self.facts(report))
            </main>
            <script id="cases" type="application/json">\(try Self.data(report))</script>
            <script>\(htmlScript)</script>
            </body>
            </html>

            """
    }

    private static func claimClass(_ report: Report) -> String {
        switch report.verdict.conformant {
        case true?: "good"
        case false?: "bad"
        case nil: "open"
        }
    }

    private static func levels(_ report: Report) -> String {
        let rows = report.levels.filter { $0.summary.total > 0 || report.isOutOfScope($0) }.map { level in
            """
            <tr><th scope="row">\(level.level.rawValue)</th><td><span class="outcome \(level.outcome.rawValue)">\(level.outcome.rawValue)</span></td>\
            <td class="number">\(level.summary[.passed]) of \(level.summary.total)</td><td>\(bar(level.summary))<span class="counts">\(Report.counts(level.summary))</span></td></tr>
            """
        }
        return """
            <section aria-labelledby="levels"><h2 id="levels">Levels</h2>
            <div class="wide"><table><thead><tr><th scope="col">level</th><th scope="col">outcome</th><th scope="col" class="number">passed</th><th scope="col">cases</th></tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            <tr class="total"><th scope="row">all</th><td></td><td class="number">\(report.summary[.passed]) of \(report.summary.total)</td><td>\(bar(report.summary))<span class="counts">\(Report.counts(report.summary))</span></td></tr>
            </tbody></table></div></section>
            """
    }

    /// The shares of the statuses as one bar.
    private static func bar(_ summary: Summary) -> String {
        let parts = Status.allCases.filter { summary[$0] > 0 }.map {
            "<i class=\"\($0.rawValue)\" style=\"flex-grow:\(summary[$0])\" title=\"\(summary[$0]) \($0.rawValue)\"></i>"
        }
        return "<span class=\"bar\" aria-hidden=\"true\">\(parts.joined())</span>"
    }

    private static let listed = 20

    private static func attention(_ report: Report) -> String {
        let bad = report.needingAttention
        guard !bad.isEmpty else { return "" }
        let items = bad.prefix(listed).map { result in
            """
            <li><span class="status \(result.status.rawValue)">\(result.status.rawValue)\(result.failure.map { " · \($0.rawValue)" } ?? "")</span> <code>\(xml(result.id))</code>
            <pre>\(xml(result.message ?? ""))</pre>\(result.reproducer.map { "<p class=\"again\">again: <code>\(xml($0))</code></p>" } ?? "")</li>
            """
        }
        let rest = bad.count > listed ? "<p>and \(bad.count - listed) more: filter the cases below.</p>" : ""
        return """
            <section aria-labelledby="attention"><h2 id="attention">Needing attention: \(bad.count) of \(report.summary.total)</h2>
            <ul class="attention">
            \(items.joined(separator: "\n"))
            </ul>\(rest)</section>
            """
    }

    private static func caseList(_ report: Report) -> String {
        let statuses = Status.allCases.filter { report.summary[$0] > 0 }.map { status in
            "<label><input type=\"checkbox\" name=\"status\" value=\"\(status.rawValue)\" checked> <span class=\"status \(status.rawValue)\">\(status.rawValue)</span> \(report.summary[status])</label>"
        }
        let operators = report.byOperator.map { "<option>\(xml($0.name))</option>" }
        return """
            <section aria-labelledby="cases-title"><h2 id="cases-title">Cases</h2>
            <form id="filter" role="search" aria-label="Filter the cases">
            <fieldset><legend>status</legend>\(statuses.joined(separator: " "))</fieldset>
            <label>operator <select name="operator"><option value="">all</option>\(operators.joined())</select></label>
            <label>text <input type="search" name="text" placeholder="part of an id or a message"></label>
            </form>
            <p id="shown" role="status"></p>
            <noscript><p>The list of cases needs JavaScript; report.md and report.json hold the same.</p></noscript>
            <div class="wide"><table class="cases"><thead><tr><th scope="col">case</th><th scope="col">status</th><th scope="col">operator</th><th scope="col">type</th><th scope="col">ran on</th><th scope="col" class="number">ms</th></tr></thead>
            <tbody id="rows"></tbody></table></div>
            <p><button type="button" id="more" hidden>show more</button></p></section>
            """
    }

    private static func operators(_ report: Report) -> String {
        let operators = report.byOperator
        guard !operators.isEmpty else { return "" }
        let rows = operators.map { name, summary in
            "<tr><th scope=\"row\">\(xml(name))</th><td class=\"number\">\(summary[.passed]) of \(summary.total)</td><td>\(bar(summary))<span class=\"counts\">\(Report.counts(summary))</span></td></tr>"
        }
        return """
            <section aria-labelledby="operators"><h2 id="operators">Operators</h2>
            <details><summary>\(operators.count) operators</summary><div class="wide"><table><thead><tr><th scope="col">operator</th><th scope="col" class="number">passed</th><th scope="col">cases</th></tr></thead><tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table></div></details></section>
            """
    }

    private static func specification(_ report: Report) -> String {
        guard let specification = report.specification else { return "" }
        let without = specification.withoutCase
        let list = without.isEmpty ? "" : "<p>Without a case: \(without.map { "<code>\(xml($0))</code>" }.joined(separator: ", "))</p>"
        return """
            <section aria-labelledby="specification"><h2 id="specification">Specification</h2>
            <p>\(specification.identifiers - without.count) of \(specification.identifiers) identifiers of the header are cited by a case.</p>\(list)</section>
            """
    }

    private static func facts(_ report: Report) -> String {
        let rows = report.facts.map { "<tr><th scope=\"row\">\(xml($0.name))</th><td>\(xml($0.value))</td></tr>" }
        let models = report.devices.map { device in
            let model = (try? ReportJSON.encodeIndented(JSONValue.object(device.model))).map { String(decoding: $0, as: UTF8.self) } ?? ""
            return "<details><summary>hardware model of \(xml(device.id))</summary><pre>\(xml(model))</pre></details>"
        }
        return """
            <section aria-labelledby="run"><h2 id="run">Run</h2>
            <div class="wide"><table class="facts"><tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table></div>
            \(models.joined(separator: "\n"))</section>
            """
    }

    /// What the script shows of each case.
    private struct Row: Encodable {
        let id, status: String
        let operatorName, dataType, failure, message, reproducer: String?
        let milliseconds: Double
        let placement: [String: Int]?
        let specification: [String]

        init(_ result: CaseResult) {
            id = result.id
            status = result.status.rawValue
            operatorName = result.operator
            dataType = result.dataType
            failure = result.failure?.rawValue
            message = result.message
            reproducer = result.reproducer
            milliseconds = (result.seconds * 10_000).rounded() / 10
            placement = result.placement
            specification = result.specification
        }

        enum CodingKeys: String, CodingKey {
            case id, status, dataType, failure, message, reproducer, placement, specification
            case operatorName = "operator"
            case milliseconds = "ms"
        }
    }

    /// JSON that no text in it can end: `<` and `>` are escaped, and the two line ends that JavaScript knows and JSON does not.
    private static func data(_ report: Report) throws -> String {
        let bad = report.needingAttention
        let rest = report.cases.filter { !$0.status.needsAttention }
        return String(decoding: try ReportJSON.encode((bad + rest).map(Row.init)), as: UTF8.self)
            .replacing("<", with: "\\u003c").replacing(">", with: "\\u003e").replacing("&", with: "\\u0026")
            .replacing("\u{2028}", with: "\\u2028").replacing("\u{2029}", with: "\\u2029")
    }
}

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import FoundationXML
import Reports
import TestSupport
import Testing

/// Every form of a report whose strings are hostile.
@Suite struct ReportFormatTests {
    static let hostile = "</script><script>alert(1)</script> \"quoted\" | `tick` & <b>\u{0}\u{1b}[31m\u{2028}=1+1\nsecond line ]]>"

    static func report(cases count: Int = 0) -> Report {
        var cases = Status.allCases.map { status in
            CaseResult(
                id: "onnx/node/\(status.rawValue)", suite: "onnx", level: .operators, operator: "Re<lu", dataType: "float32",
                status: status,
                failure: status == .failed ? .numeric : nil, seconds: 0.25,
                error: .init(measured: .infinity, bound: 1e-3, unit: "absolute"),
                message: hostile, reproducer: "southbridge conform 'x y'", placement: ["npu:0": 1, "host": 2], specification: ["SB-OPS-005"]
            )
        }
        cases += (0..<count).map { CaseResult(id: "onnx/many/case_\($0)", suite: "onnx", level: .operators, status: .passed) }
        let summary = Summary(cases)
        return Report(
            suite: .init(version: "0.1.0", digest: "sha256:00"),
            plugin: .init(name: hostile, vendor: hostile, version: "1", abi: "0.1", path: "/x"),
            host: .init(cpu: "a <cpu>", cores: 2, os: "Debian"), devices: [.init(id: "npu:0", model: ["name": .string(hostile)])],
            run: .init(seed: 7, started: "2026-11-24T10:00:00Z", seconds: 1.5, command: "southbridge conform x"),
            verdict: .init(level: .driver, requestedLevel: .models, profile: "declared", conformant: false),
            levels: [.init(level: .operators, outcome: .failed, summary: summary)], cases: cases,
            specification: .init(identifiers: 3, withoutCase: ["SB-ABI-001"]))
    }

    private func text(_ format: ReportFormat, cases: Int = 0) throws -> String {
        String(decoding: try render(Self.report(cases: cases), as: format), as: UTF8.self)
    }

    @Test func htmlHoldsNoForeignMarkup() throws {
        let html = try text(.html)
        #expect(html.components(separatedBy: "<script").count == 3)
        #expect(html.components(separatedBy: "</script>").count == 3)
        #expect(!html.contains("<b>") && !html.contains("Re<lu") && !html.contains("\u{1b}"))
        #expect(!html.contains("http://") && !html.contains("https://"))
        let data = html.components(separatedBy: "type=\"application/json\">")[1].components(separatedBy: "</script>")[0]
        #expect(!data.contains("\u{2028}") && !data.contains("<"))
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(data.utf8)) as? [[String: Any]])
        #expect(rows.count == Status.allCases.count)
        #expect(rows[0]["message"] as? String == Self.hostile)
        #expect(html.contains("SB-ABI-001"))
    }

    @Test func markdownStaysInItsCells() throws {
        let lines = try text(.md).split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("| operators | failed | 1 of 11 |") })
        #expect(!lines.contains { $0.hasPrefix("second line") })
        #expect(!lines.contains { $0.contains("<script>") && !$0.contains("\\<script") })
        // A cell of the table of facts has two columns, whatever the strings.
        for line in lines where line.hasPrefix("| Plugin |") {
            #expect(line.replacing("\\|", with: "").count(where: { $0 == "|" }) == 3)
        }
    }

    @Test func junitParsesAndCounts() throws {
        final class Counter: NSObject, XMLParserDelegate {
            var elements: [String: Int] = [:]
            var suites: [[String: String]] = []
            func parser(
                _: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?, attributes: [String: String]
            ) {
                elements[name, default: 0] += 1
                if name == "testsuite" { suites.append(attributes) }
            }
        }
        let parser = XMLParser(data: try render(Self.report(), as: .junit))
        let counter = Counter()
        parser.delegate = counter
        #expect(parser.parse(), "\(String(describing: parser.parserError))")
        #expect(counter.elements["testcase"] == 11)
        #expect(counter.elements["failure"] == 4 && counter.elements["error"] == 3 && counter.elements["skipped"] == 3)
        #expect(
            counter.suites[0]["tests"] == "11" && counter.suites[0]["failures"] == "4" && counter.suites[0]["errors"] == "3"
                && counter.suites[0]["skipped"] == "3")
    }

    @Test func csvComputesNothing() throws {
        let text = try text(.csv)
        let records = text.components(separatedBy: "\r\n").dropLast()
        #expect(records.count == 12)
        #expect(records[1].hasSuffix("\"\(Self.hostile.replacing("\"", with: "\"\""))\""))
        var report = Self.report()
        report.cases[0].message = "=cmd()"
        #expect(String(decoding: try render(report, as: .csv), as: UTF8.self).contains(",'=cmd()\r\n"))
    }

    @Test func jsonIsReadBack() throws {
        let read = try Report(decoding: render(Self.report(), as: .json))
        #expect(read.plugin.name == Self.hostile)
        #expect(read.cases[0].error?.measured == .infinity)
    }

    @Test func twentyThousandCasesAreOneFile() throws {
        let html = try text(.html, cases: 20_000)
        #expect(html.contains("case_19999"))
        #expect(html.utf8.count < 8_000_000)
        #expect(try text(.md, cases: 20_000).split(separator: "\n").count < 100)
    }

    @Test func filesAppearWhole() throws {
        try withTemporaryFolder { folder in
            let files = try writeReports(Self.report(), to: folder)
            #expect(FileManager.default.fileExists(atPath: files.html.path))
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(names == ["junit.xml", "report.html", "report.json", "report.md"])
        }
    }
}

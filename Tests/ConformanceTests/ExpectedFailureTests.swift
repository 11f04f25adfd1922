// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import TestSupport
import Testing

/// `conform --expected-failures FILE`.
@Suite struct ExpectedFailureTests {
    private static let failing = "onnx/node/test_neg"
    private static let passing = "onnx/node/test_relu"

    private func entry(_ id: String, _ more: [String: Any] = [:]) -> [String: Any] {
        ["case": id, "reason": "forgets the sign", "owner": "tests", "link": "library_alone.c", "expires": "2999-12-31"].merging(more) {
            $1
        }
    }

    /// One case that fails and one that passes, with a list.
    private func conform(_ list: [[String: Any]], _ more: [String] = []) throws -> (report: Report, result: CommandResult) {
        try withTemporaryFolder { folder in
            let plugin = try buildPlugin("Tests/Plugins/library_alone.c", flags: ["-DWRONG"])
            let file = folder.appending(path: "known.json")
            try JSONSerialization.data(withJSONObject: list).write(to: file)
            let result = try runCommand(
                products.appending(path: "southbridge").path,
                [
                    "conform", plugin.path, "--suite", "onnx", "--filter", "onnx/node/test_[nr]e[gl]*", "--seed", "1",
                    "--expected-failures", file.path,
                    "--output", folder.appending(path: "run").path,
                ] + more)
            let data = try? Data(contentsOf: folder.appending(path: "run/report.json"))
            return (try Report(decoding: try #require(data, "\(result.error)")), result)
        }
    }

    private func status(_ id: String, _ report: Report) -> Status? { report.cases.first { $0.id == id }?.status }

    private func listed(_ more: [String: Any] = [:]) -> [[String: Any]] {
        [entry(Self.failing, more), entry("onnx/node/test_neg_example", more)]
    }

    @Test func aListedFailureIsExpected() throws {
        let (report, result) = try conform(listed())
        #expect(result.status == 0, "\(result.output)\(result.error)")
        #expect(status(Self.failing, report) == .expectedFailure && status(Self.passing, report) == .passed)
        #expect(report.verdict.conformant == nil)
        #expect(report.run.expectedFailures?.path.hasSuffix("known.json") == true)
        #expect(result.output.contains("2 failures are excused"))
    }

    @Test func aListedCaseThatPassesIsTheListsFault() throws {
        let (report, result) = try conform(listed() + [entry(Self.passing)])
        #expect(result.status == 1)
        #expect(status(Self.passing, report) == .unexpectedPass)
        #expect(try conform(listed() + [entry(Self.passing, ["always": false])]).result.status == 0)
    }

    @Test func anEntryHoldsForItsDevicesUntilItsDay() throws {
        #expect(try conform(listed(["device": "*"])).result.status == 0)
        #expect(try conform(listed(["device": "another chip*"])).result.status == 1)
        #expect(try conform(listed(["expires": "2026-01-31"])).result.status == 1)
    }

    private static let malformed: [(text: String, says: String)] = [
        ("{}", "JSON array"), ("[{\"case\": \"a\"}]", "entry 0 has no 'reason'"), ("[{\"case\": 1}]", "'case' of entry 0"),
        ("nonsense", "JSON array"),
        (
            "[{\"case\": \"a\", \"reason\": \"b\", \"owner\": \"c\", \"link\": \"d\", \"expires\": \"soon\"}]",
            "'expires' of entry 0 is 'soon'"
        ),
        ("[{\"case\": \"a\", \"reason\": \"\", \"owner\": \"c\", \"link\": \"d\", \"expires\": \"2999-01-31\"}]", "empty reason"),
    ]

    @Test(arguments: malformed.indices) func aBrokenListIsOneClearError(_ index: Int) throws {
        let (text, says) = Self.malformed[index]
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "known.json")
            try Data(text.utf8).write(to: file)
            let result = try southbridge(
                "conform", try minimalPlugin().path, "--level", "load", "--expected-failures", file.path, "--output", "run", in: folder)
            #expect(result.status == 2 && result.error.contains(says) && result.error.contains("known.json"), "\(result.error)")
        }
    }

    @Test func resumingKeepsTheList() throws {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "known.json")
            try Data("[]".utf8).write(to: file)
            func conform(_ more: String...) throws -> CommandResult {
                try runCommand(
                    products.appending(path: "southbridge").path,
                    ["conform", try minimalPlugin().path, "--level", "load", "--output", "run"] + more, in: folder)
            }
            #expect(try conform("--expected-failures", "missing.json").status == 2)
            #expect(try conform("--expected-failures", file.path).status == 0)
            #expect(try conform("--resume").status == 0)
            try Data("[ ]".utf8).write(to: file)
            let changed = try conform("--resume")
            #expect(changed.status == 2 && changed.error.contains("has changed"), "\(changed.error)")
        }
    }
}

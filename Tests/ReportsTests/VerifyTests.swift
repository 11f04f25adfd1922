// SPDX-License-Identifier: Apache-2.0
import Foundation
import Reports
import TestSupport
import Testing

/// A run of the real suite, tampered with.
@Suite struct VerifyTests {
    @Test func findsWhatWasChanged() throws {
        try withTemporaryFolder { folder in
            #expect(
                try southbridge("conform", minimalPlugin().path, "--level", "load", "--seed", "1", "--output", "run", in: folder).status
                    == 0)
            let run = folder.appending(path: "run")
            #expect(try verifyRun(in: run).isEmpty)
            let (log, report) = (run.appending(path: "run.jsonl"), run.appending(path: "report.json"))
            let (lines, text) = (try String(contentsOf: log, encoding: .utf8), try String(contentsOf: report, encoding: .utf8))
            var list = lines.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)

            func problems(log newLog: String? = nil, report newReport: String? = nil) throws -> [String] {
                try (newLog ?? lines).write(to: log, atomically: true, encoding: .utf8)
                try (newReport ?? text).write(to: report, atomically: true, encoding: .utf8)
                return try verifyRun(in: run)
            }
            #expect(try !problems(log: lines.replacing("\"seconds\":0.", with: "\"seconds\":1.", maxReplacements: 1)).isEmpty)
            let removed = list.remove(at: 3)
            #expect(try !problems(log: list.joined(separator: "\n")).isEmpty)
            list.insert(removed, at: 4)
            #expect(try !problems(log: list.joined(separator: "\n")).isEmpty)
            #expect(try !problems(log: String(lines.dropLast(40))).isEmpty)
            #expect(try !problems(log: lines.split(separator: "\n").dropLast().joined(separator: "\n") + "\n").isEmpty)
            #expect(try problems(report: text.replacing("\"seconds\" : 0.", with: "\"seconds\" : 9.", maxReplacements: 2)).count >= 1)
            #expect(try problems().isEmpty)
        }
    }
}

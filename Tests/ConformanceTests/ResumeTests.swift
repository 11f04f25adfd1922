// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import TestSupport
import Testing

/// A run that was killed goes on where it was, and decides the same.
@Suite struct ResumeTests {
    private static let arguments = ["conform", "cpu", "--suite", "onnx", "--seed", "11", "--cases", "600"]

    @Test func aKilledRunResumesToTheSameVerdicts() throws {
        try withTemporaryFolder { folder in
            let undisturbed = folder.appending(path: "undisturbed")
            let killed = folder.appending(path: "killed")
            let program = products.appending(path: "southbridge")
            #expect(try runCommand(program.path, Self.arguments + ["--output", undisturbed.path]).status == 0)

            let process = Process()
            process.executableURL = program
            process.arguments = Self.arguments + ["--output", killed.path]
            (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
            try process.run()
            let log = killed.appending(path: "run.jsonl")
            // Killed once some verdicts are in: a line is a verdict.
            while (try? Data(contentsOf: log))?.count(where: { $0 == UInt8(ascii: "\n") }) ?? 0 < 30 && process.isRunning { usleep(1000) }
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let decided = try verdicts(killed, complete: false)
            #expect(!decided.isEmpty && decided.count < 600)
            // As a kill in the middle of a write leaves it.
            let handle = try FileHandle(forWritingTo: log)
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(#"{"id":"onnx/no"#.utf8))
            try handle.close()

            let again = try southbridge("conform", "cpu", "--output", killed.path, "--resume")
            #expect(again.status == 0, "\(again.error)")
            let verdictsOfBoth = (try verdicts(undisturbed, complete: true), try verdicts(killed, complete: true))
            #expect(verdictsOfBoth.0 == verdictsOfBoth.1)
            #expect(verdictsOfBoth.0.count == 600)
            #expect(try southbridge("report", killed.path, "--verify").status == 0)
        }
    }

    /// A build that ends while the suite runs: the results would be those of two plugins.
    @Test func aPluginThatChangesUnderARunEndsIt() throws {
        try withTemporaryFolder { folder in
            let plugin = folder.appending(path: "libminimal.so")
            try FileManager.default.copyItem(at: minimalPlugin(), to: plugin)
            let output = folder.appending(path: "run")
            let process = Process(), errors = Pipe()
            process.executableURL = products.appending(path: "southbridge")
            process.arguments = ["conform", plugin.path, "--level", "driver", "--jobs", "1", "--output", output.path]
            (process.standardOutput, process.standardError) = (FileHandle.nullDevice, errors)
            try process.run()
            let log = output.appending(path: "run.jsonl")
            while (try? Data(contentsOf: log))?.count(where: { $0 == UInt8(ascii: "\n") }) ?? 0 < 3 && process.isRunning { usleep(1000) }
            // As a linker does it: another file in the same place.
            let other = folder.appending(path: "other.so")
            try (Data(contentsOf: plugin) + Data([0])).write(to: other)
            try #require(rename(other.path, plugin.path) == 0)
            let message = try errors.fileHandleForReading.readToEnd().map { String(decoding: $0, as: UTF8.self) } ?? ""
            process.waitUntilExit()
            #expect(process.terminationStatus == 2 && message.contains("changed during the run"), "\(message)")
            #expect(!FileManager.default.fileExists(atPath: output.appending(path: "report.json").path))
            #expect(FileManager.default.fileExists(atPath: log.path))
        }
    }

    @Test func refusesWhatWouldMixTwoRuns() throws {
        try withTemporaryFolder { folder in
            let plugin = folder.appending(path: "libminimal.so")
            try FileManager.default.copyItem(at: minimalPlugin(), to: plugin)
            func conform(_ more: String...) throws -> CommandResult {
                try runCommand(
                    products.appending(path: "southbridge").path, ["conform", plugin.path, "--level", "load", "--output", "run"] + more,
                    in: folder)
            }
            #expect(try conform().status == 0)
            #expect(try conform().status == 2)
            #expect(try conform("--resume").status == 0)
            #expect(try conform("--resume", "--seed", "12345").status == 2)
            let handle = try FileHandle(forWritingTo: plugin)
            try handle.seekToEnd()
            try handle.write(contentsOf: Data([0]))
            try handle.close()
            let other = try conform("--resume")
            #expect(other.status == 2)
            #expect(other.error.contains("another build of the plugin"))
        }
    }

    private func verdicts(_ folder: URL, complete: Bool) throws -> [String: Status] {
        if complete {
            let report = try Report(decoding: Data(contentsOf: folder.appending(path: "report.json")))
            return Dictionary(uniqueKeysWithValues: report.cases.map { ($0.id, $0.status) })
        }
        struct Line: Decodable { let id: String?, status: Status? }
        let lines = try Data(contentsOf: folder.appending(path: "run.jsonl")).split(separator: UInt8(ascii: "\n"))
        return Dictionary(
            uniqueKeysWithValues: lines.dropFirst().compactMap { line in
                guard let line = try? JSONDecoder().decode(Line.self, from: line), let id = line.id, let status = line.status else {
                    return nil
                }
                return (id, status)
            })
    }
}

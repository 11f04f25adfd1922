// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import TestSupport
import Testing

/// Programs of others behind the worker protocol, driven by the real supervisor: their verdicts are those of any plugin.
@Suite struct ForeignWorkerTests {
    private static let python = repository.appending(path: "build/venv/bin/python").path
    private static func command(_ script: String) -> String {
        "\(shellQuoted(python)) \(shellQuoted(repository.appending(path: script).path))"
    }

    private func conform(_ worker: String, _ more: [String], in folder: URL) throws -> (report: Report, status: Int32) {
        let output = folder.appending(path: "run")
        let arguments = ["conform", "sample-chip", "--worker", worker, "--seed", "3", "--jobs", "1", "--output", output.path] + more
        let result = try runCommand(products.appending(path: "southbridge").path, arguments, in: folder)
        let data = try? Data(contentsOf: output.appending(path: "report.json"))
        return (try Report(decoding: try #require(data, "\(result.error)")), result.status)
    }

    @Test func aForeignWorkerIsJudgedLikeAPlugin() throws {
        let names = ["add", "add_bcast", "relu", "abs", "sub", "neg", "mul"]
        try withTemporaryFolder { folder in
            let corpus = folder.appending(path: "corpus")
            try FileManager.default.createDirectory(at: corpus, withIntermediateDirectories: true)
            for name in names {
                try FileManager.default.createSymbolicLink(
                    at: corpus.appending(path: name),
                    withDestinationURL: repository.appending(path: "build/corpus/node/test_\(name)"))
            }
            let worker = Self.command("Tests/Workers/numpy_worker.py")
            let (report, status) = try conform(worker, ["--suite", "corpus", "--corpus", corpus.path], in: folder)
            #expect(status == 1)
            #expect(report.plugin.reached == .bridged && report.plugin.name == "numpy-sample" && report.plugin.path == "sample-chip")
            let cases = Dictionary(uniqueKeysWithValues: report.cases.map { ($0.id.split(separator: "/").last.map(String.init)!, $0) })
            let expected: [String: Status] = [
                "add": .passed, "add_bcast": .passed, "relu": .passed, "abs": .passed, "sub": .failed, "neg": .crashed, "mul": .unsupported,
            ]
            #expect(cases.mapValues(\.status) == expected)
            #expect(cases["sub"]?.failure == .numeric)
            #expect(cases["neg"]?.message?.contains("status 7") == true)
            #expect(cases["mul"]?.message == "no kernel for Mul")
            let reproducer = try #require(cases["sub"]?.reproducer)
            #expect(reproducer == "southbridge reproduce . corpus/corpus/sub", "\(reproducer)")
        }
    }

    /// A worker without the capability `checks` is not blamed for them, and a run without them claims nothing.
    @Test func whatAWorkerCannotBeAskedIsNotRun() throws {
        try withTemporaryFolder { folder in
            let (report, status) = try conform(Self.command("Tests/Workers/numpy_worker.py"), ["--level", "load"], in: folder)
            #expect(status == 1)
            #expect(report.verdict.level == nil && report.verdict.conformant == false)
            let passed = report.cases.filter { $0.status == .passed }.map(\.id)
            #expect(passed == ["load/process/clean-exit"])
            #expect(report.cases.filter { $0.status != .notRun }.count == 1 && report.cases.count > 5)
        }
    }

    @Test func theReferenceEvaluatorPasses() throws {
        try withTemporaryFolder { folder in
            let worker = Self.command("Conformance/Bridges/onnxruntime_worker.py") + " --reference"
            let (report, status) = try conform(worker, ["--suite", "onnx", "--filter", "test_add*"], in: folder)
            #expect(status == 0)
            #expect(report.cases.count >= 5 && report.cases.allSatisfy { $0.status == .passed })
        }
    }

    @Test func aNameAloneNeedsAWorker() throws {
        let result = try southbridge("conform", "sample-chip", "--suite", "onnx")
        #expect(result.status != 0 && result.error.contains("neither built in"))
    }
}

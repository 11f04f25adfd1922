// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import TestSupport
import Testing

/// `conform` on the passes of a plugin: right ones pass, and each planted fault costs the cases that show it, with the pass's name.
@Suite struct PassTests {
    private func conform(_ flags: [String] = [], filter: String = "passes/*") throws -> (report: Report, status: Int32) {
        try withTemporaryFolder { folder in
            let plugin = try buildPlugin("Tests/Plugins/graph_passes.c", flags: flags)
            let output = folder.appending(path: "run").path
            let result = try southbridge(
                "conform", plugin.path, "--suite", "passes", "--level", "graphs", "--seed", "7", "--jobs", "1", "--timeout", "2",
                "--filter", filter,
                "--output", output)
            let data = try? Data(contentsOf: URL(filePath: "\(output)/report.json"))
            return (try Report(decoding: try #require(data, "\(result.error)")), result.status)
        }
    }

    @Test func rightPassesPass() throws {
        let (report, status) = try conform()
        let attention = report.cases.filter { $0.status.needsAttention }
        #expect(status == 0 && attention.isEmpty, "\(attention.prefix(3))")
        #expect(report.cases.count { $0.status == .passed } > 40)
        // The plugin's own operator is run by its kernel.
        #expect(report.cases.contains { $0.id == "passes/gated/float32-signed" && $0.status == .passed })
    }

    /// By fault: how it shows, and on which graph.
    private static let faults: [(fault: String, pass: String, status: Status, failure: FailureKind?, graph: String)] = [
        ("makes_a_cycle", "repeated", .failed, .errorCode, "bias"), ("removes_wanted", "repeated", .failed, .errorCode, "constants"),
        ("changes_type", "repeated", .failed, .errorCode, "constants"), ("reads_nothing", "repeated", .failed, .errorCode, "square"),
        ("changes_numerics", "repeated", .failed, .numeric, "bias"), ("loses_sign", "repeated", .failed, .numeric, "random-*"),
        ("loops_for_ever", "repeated", .timedOut, nil, "diamond"), ("crashes", "repeated", .crashed, nil, "diamond"),
        ("fails", "repeated", .failed, .errorCode, "chain"), ("works_by_turns", "repeated", .failed, .determinism, "repeated"),
        ("scribbles", "repeated", .failed, .memory, "chain"), ("infers_wrong_shape", "silu", .failed, .errorCode, "gated"),
    ]

    @Test(arguments: faults.indices) func aFaultIsNamed(_ index: Int) throws {
        let (fault, pass, status, failure, graph) = Self.faults[index]
        let (report, exit) = try conform(["-DFAULT=\(fault)"], filter: "passes/\(graph)/float32-signed")
        #expect(exit == 1)
        let found = report.cases.filter { $0.status == status && $0.failure == failure && $0.message?.contains("pass '\(pass)'") == true }
        #expect(!found.isEmpty, "\(fault): \(report.cases.map { "\($0.id) \($0.status) \($0.message ?? "")" })")
        #expect(!report.cases.contains { $0.status == .infrastructure || $0.status == .notRun })
    }

    @Test func everyFaultIsTried() throws {
        let source = try String(contentsOf: repository.appending(path: "Tests/Plugins/graph_passes.c"), encoding: .utf8)
        let names = source.components(separatedBy: "enum fault {")[1].components(separatedBy: "};")[0].split(separator: "\n").compactMap {
            $0.split(separator: ",").first.map { $0.trimmingCharacters(in: .whitespaces) }
        }
        #expect(names.filter { !$0.isEmpty && $0 != "none" }.sorted() == Self.faults.map(\.fault).sorted())
    }

    @Test func aPluginWithoutPassesIsNotAsked() throws {
        try withTemporaryFolder { folder in
            let output = folder.appending(path: "run").path
            let result = try southbridge(
                "conform", try minimalPlugin().path, "--suite", "passes", "--level", "graphs", "--output", output)
            #expect(result.status == 2 && result.error.contains("no group"))
        }
    }
}

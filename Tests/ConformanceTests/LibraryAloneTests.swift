// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import TestSupport
import Testing

/// `conform` on an operator library without a driver: its kernels, and no others, on the device of the reference CPU plugin.
@Suite struct LibraryAloneTests {
    private func conform(_ arguments: [String], flags: [String] = []) throws -> (report: Report, result: CommandResult) {
        try withTemporaryFolder { folder in
            let plugin = try buildPlugin("Tests/Plugins/library_alone.c", flags: flags)
            let output = folder.appending(path: "run").path
            let result = try runCommand(
                products.appending(path: "southbridge").path,
                ["conform", plugin.path, "--seed", "3", "--jobs", "1", "--output", output] + arguments)
            let data = try? Data(contentsOf: URL(filePath: "\(output)/report.json"))
            return (try Report(decoding: try #require(data, "\(result.error)")), result)
        }
    }

    @Test func driverDoesNotApply() throws {
        let (report, result) = try conform(["--level", "driver"])
        #expect(result.status == 0, "\(result.output)\(result.error)")
        #expect(report.verdict.level == .load && report.verdict.conformant == true)
        #expect(report.levels.first { $0.level == .driver }?.outcome == .notApplicable)
        #expect(report.cases.allSatisfy { $0.level == .load })
        #expect(result.output.split(separator: "\n").contains { $0.contains("driver") && $0.contains("notApplicable") })
    }

    @Test func itsOwnKernelsAreJudged() throws {
        let (report, result) = try conform(["--suite", "onnx", "--filter", "onnx/node/test_[anr]*"])
        #expect(result.status == 0, "\(result.output)\(result.error)")
        #expect(report.devices.map(\.id) == ["cpu:0"] && report.plugin.name == "alone")
        let byID = Dictionary(uniqueKeysWithValues: report.cases.map { ($0.id, $0) })
        for id in ["onnx/node/test_neg", "onnx/node/test_relu"] {
            #expect(byID[id]?.status == .passed && byID[id]?.placement == ["cpu:0": 1], "\(id): \(byID[id]?.message ?? "")")
        }
        // The reference plugin has kernels for these.
        for id in ["onnx/node/test_abs", "onnx/node/test_add"] { #expect(byID[id]?.status == .unsupported) }
        #expect(report.summary[.infrastructure] == 0 && report.summary[.crashed] == 0)
    }

    @Test func generatedCasesAreJudged() throws {
        let (report, result) = try conform(["--suite", "operators", "--filter", "operators/Neg/*"])
        #expect(result.status == 0, "\(result.output)\(result.error)")
        #expect(report.summary[.passed] > 10 && report.summary[.infrastructure] == 0)
    }

    @Test func aWrongKernelFails() throws {
        let (report, result) = try conform(["--suite", "onnx", "--filter", "onnx/node/test_neg*"], flags: ["-DWRONG"])
        #expect(result.status == 1)
        #expect(report.summary[.failed] == report.summary.total && report.cases.allSatisfy { $0.failure == .numeric })
    }

    @Test func aCrashCostsItsCaseAlone() throws {
        let (report, result) = try conform(["--suite", "onnx", "--filter", "onnx/node/test_[nr]*"], flags: ["-DCRASHES"])
        #expect(result.status == 1)
        #expect(report.cases.first { $0.id == "onnx/node/test_neg" }?.status == .crashed)
        #expect(report.cases.first { $0.id == "onnx/node/test_relu" }?.status == .passed)
    }

    /// A NaN that Relu loses is a failure, but where the kernel declares it; and the report says so.
    @Test func ignoringNaNIsDeclaredOrWrong() throws {
        let (report, result) = try conform(["--suite", "operators", "--filter", "operators/Relu/*"], flags: ["-DIGNORES_NAN"])
        #expect(result.status == 0, "\(result.output)")
        #expect(report.plugin.declaredFacts["ignoresNaN"] == .array(["Neg", "Relu"]))
        #expect(report.summary[.passed] > 10)
    }

    /// What an answer says holds for its node instead of what the kernel declares (SB-NUM-003).
    @Test func anAnswerDeclaresForItsNode() throws {
        let (report, result) = try conform(["--suite", "operators", "--filter", "operators/Relu/*"], flags: ["-DANSWERS_NAN"])
        #expect(result.status == 0, "\(result.output)")
        #expect(report.plugin.declaredFacts["ignoresNaN"] == .array(["Relu"]) && report.summary[.passed] > 10)
    }

    /// A layout of the library's own, cut along the channels; a kernel that leaves a block out is found.
    @Test(arguments: [([], 0), (["-DWRONG"], 1)] as [([String], Int32)]) func itsOwnLayouts(flags: [String], status: Int32) throws {
        try withTemporaryFolder { folder in
            let plugin = try buildPlugin("Tests/Plugins/library_layouts.c", flags: flags)
            let output = folder.appending(path: "run").path
            let result = try southbridge("conform", plugin.path, "--suite", "layouts", "--jobs", "1", "--output", output)
            #expect(result.status == status, "\(result.output)\(result.error)")
            let report = try Report(decoding: Data(contentsOf: URL(filePath: "\(output)/report.json")))
            #expect(report.summary[.passed] == (status == 0 ? 2 : 1) && report.summary.total == 2)
        }
    }

    @Test func aLibraryMayBeNamedLikeTheLender() throws {
        let plugin = try buildPlugin("Tests/Plugins/library_alone.c")
        try withTemporaryFolder { folder in
            let output = folder.appending(path: "run").path
            let result = try southbridge(
                "conform", "cpu=\(plugin.path)", "--suite", "onnx", "--filter", "onnx/node/test_neg", "--output", output)
            #expect(result.status == 0, "\(result.output)\(result.error)")
            #expect(try Report(decoding: Data(contentsOf: URL(filePath: "\(output)/report.json"))).summary[.passed] == 1)
        }
    }
}

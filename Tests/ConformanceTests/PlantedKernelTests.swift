// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Graph
import ONNX
import TestSupport
import Testing

/// Kernels with one fault each, of kinds that chips had: found, named for what they are, and reduced to the smallest call that shows them.
@Suite struct PlantedKernelTests {
    private func run(_ operatorName: String, _ body: (_ folder: String, _ cases: [String: CaseResult]) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let plugin = try buildPlugin("Tests/Plugins/planted_kernels.c")
            let output = folder.appending(path: "run").path
            let result = try southbridge(
                "conform", plugin.path, "--level", "operators", "--filter", "operators/\(operatorName)/float32*", "--seed", "11", "--jobs",
                "1",
                "--output", output)
            #expect(result.status == (operatorName == "Sub" ? 0 : 1), "\(result.error)")
            let report = try Report(decoding: Data(contentsOf: URL(filePath: "\(output)/report.json")))
            try body(output, Dictionary(uniqueKeysWithValues: report.cases.map { ($0.id, $0) }))
        }
    }

    @Test func aMissedTailIsReducedToTheSmallestProduct() throws {
        try run("MatMul") { folder, cases in
            let failed = cases.values.filter { $0.status == .failed }
            #expect(!failed.isEmpty)
            #expect(failed.allSatisfy { $0.message?.contains("a missed tail") == true })
            let shrunk = failed.filter { $0.message?.contains("smallest failing case") == true }
            #expect(!shrunk.isEmpty)
            for result in shrunk {
                #expect(result.message?.contains("MatMul(float32 [1, 1], float32 [1, 17])") == true, "\(result.message ?? "")")
                let model = try readModel(path: "\(folder)/failures/\(result.id)/model.onnx").graph
                #expect(model.nodes.count == 1)
                let again = try southbridge("reproduce", folder, result.id)
                #expect(again.status == 1 && again.output.contains("only the last 1 of 17 along axis 1"), "\(again.output)")
            }
            #expect(cases["operators/MatMul/float32-tail-16x16x16-exact"]?.status == .passed)
        }
    }

    @Test func stridesShowWhoWritesByThem() throws {
        try run("Add") { _, cases in
            let failed = cases.values.filter { $0.status == .failed }
            #expect(failed.count > 10)
            #expect(
                failed.allSatisfy { $0.message?.contains("with strided inputs: ") == true && [.memory, .numeric].contains($0.failure) })
            #expect(failed.contains { $0.message?.contains("past the end") == true })
        }
        try run("Sub") { _, cases in
            #expect(cases.values.contains { $0.status == .passed } && !cases.values.contains { $0.status == .failed })
        }
    }

    @Test func aPlanReusedForAnotherShapeShowsInTheSecondCall() throws {
        try run("Transpose") { folder, cases in
            let second = cases["operators/Transpose/float32-field-factorisation-b-signed"]
            #expect(second?.status == .failed)
            #expect(second?.message?.hasPrefix("run just after operators/Transpose/float32-field-factorisation-a-signed: ") == true)
            #expect(cases["operators/Transpose/float32-field-factorisation-a-signed"]?.status == .passed)
            let again = try southbridge("reproduce", folder, "operators/Transpose/float32-field-factorisation-b-signed")
            #expect(again.status == 1)
        }
    }

    @Test func lowerPrecisionIsNamed() throws {
        try run("Mul") { _, cases in
            let failed = cases.values.filter { $0.status == .failed }
            #expect(failed.contains { $0.message?.contains("too narrow a type") == true })
            #expect(cases["operators/Mul/float32-row-signed"]?.status == .failed)
        }
    }
}

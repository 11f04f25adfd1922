// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Graph
import HardwareModel
import Operators
import Tensors
import TestSupport
import Testing

/// The page "Add an operator" is true: its example compiles, and everything that the page promises for it works.
@Suite struct AddOperatorTests {
    private let catalog = OperatorCatalog(families: [OperatorCatalog.standard.all, [hardtanh]])

    @Test func pageShowsTheCodeThatIsCompiledHere() throws {
        let page = try String(contentsOf: repository.appending(path: "docs/add-an-operator.md"), encoding: .utf8)
        let block = try #require(page.components(separatedBy: "```swift\n").dropFirst().first?.components(separatedBy: "```").first)
        let source = try String(contentsOf: repository.appending(path: "Tests/OperatorsTests/HardtanhExample.swift"), encoding: .utf8)
        #expect(source.hasSuffix("\n\n" + block))
        for suite in ["SampleTests", "DecompositionTests", "GradientTests", "HostileNodeTests", "CorpusReferenceTests"] {
            #expect(page.contains(suite))
            #expect(FileManager.default.fileExists(atPath: repository.appending(path: "Tests/OperatorsTests/\(suite).swift").path))
        }
    }

    @Test func referenceComputes() throws {
        let x = try HostTensor(.float32, [4], doubles: [-3, -0.5, 0.125, .nan])
        let y = try #require(
            hardtanh.evaluate(opset: 20, attributes: ["min_val": .float(-0.25)], inputs: [x], wanted: [true])[0])
        #expect(Array(y.decodedDoubles().prefix(3)) == [-0.25, -0.25, 0.125])
        #expect(y.decodedDoubles()[3].isNaN)
    }

    @Test func samplesAreValid() throws { try SampleTests.checkSamples(of: hardtanh) }

    @Test func decompositionAgrees() throws {
        let outcome = try DecompositionTests.checkDecomposition(of: hardtanh, catalog: catalog)
        #expect(outcome.decomposed > 0 && outcome.refusals.isEmpty)
    }

    @Test func gradientAgrees() throws { #expect(try GradientTests.checkGradient(of: hardtanh) > 0) }

    /// Cases for every data type, which accept the reference's results and notice wrong ones.
    @Test func suiteHasCasesForIt() throws {
        let cases = GeneratedCase.all(catalog: catalog).filter { $0.operatorName == "Hardtanh" }
        #expect(Set(cases.map(\.type)) == [.float16, .bfloat16, .float32, .float64])
        for testCase in cases where testCase.sample == "narrow" {
            let call = try testCase.call(seed: 1, catalog: catalog)
            let right = try hardtanh.evaluate(opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: [true])
            #expect(try Judge(call, facts: .strict).finding(on: right).failure == nil)
            let wrong = try HostTensor(testCase.type, [7, 5], doubles: right[0]!.decodedDoubles().map { $0 * 0.5 + 0.0625 })
            #expect(try Judge(call, facts: .strict).finding(on: [wrong]).failure != nil)
        }
    }
}

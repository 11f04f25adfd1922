// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import HardwareModel
import Operators
import Tensors
import TestSupport
import Testing

/// The catalogue's reference against results that an independent program computed to 60 digits.
@Suite struct GoldenTests {
    private static let folder = repository.appending(path: "Conformance/Golden/operators")

    @Test func theReferencePassesThemAll() throws {
        let cases = try GoldenCase.all(in: Self.folder)
        #expect(cases.count >= 400)
        #expect(Set(cases.map(\.id)).count == cases.count)
        #expect(Set(cases.map(\.operatorName)).count >= 100)
        for golden in cases {
            let (call, results) = try golden.load()
            let outputs = try call.definition.evaluate(
                opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
            let finding = try Judge(call, facts: .strict, golden: results).finding(on: outputs)
            #expect(finding.failure == nil, "\(golden.id) (\(golden.why)): \(finding.message ?? "")")
        }
    }

    @Test func aChangedByteShows() throws {
        try withTemporaryFolder { temporary in
            let folder = temporary.appending(path: "operators")
            try FileManager.default.copyItem(at: Self.folder, to: folder)
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".safetensors") }
            for name in files {
                var data = try Data(contentsOf: folder.appending(path: name))
                data[data.count - 1] ^= 1
                try data.write(to: folder.appending(path: name))
            }
            for golden in try GoldenCase.all(in: folder).prefix(20) {
                #expect(throws: ConformanceError.self) { try golden.load() }
            }
        }
    }

    @Test func whatIsNotThereIsOneSentence() {
        #expect(throws: ConformanceError.self) { try GoldenCase.all(in: URL(filePath: "/nonexistent")) }
    }
}

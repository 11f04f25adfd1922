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
        #expect(cases.count >= 2000)
        #expect(Set(cases.map(\.id)).count == cases.count)
        #expect(Set(cases.map(\.operatorName)).count >= 150)
        for golden in cases {
            let (call, results) = try golden.load()
            let outputs = try call.definition.evaluate(opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
            let finding = try Judge(call, facts: .strict, golden: results).finding(on: outputs)
            #expect(finding.failure == nil, "\(golden.id) (\(golden.why)): \(finding.message ?? "")")
        }
    }

    /// Where the reference is a few steps of float64 arithmetic it errs by no more than 2 ULP of float64, whatever the type: far less than any bound on a kernel.
    @Test func theReferenceIsNearTheExactResults() throws {
        let classes: Set<NumericClass> = [.movement, .cast, .arithmetic, .division, .transcendental]
        var worst: [String: (ulps: Double, id: String)] = [:]
        for golden in try GoldenCase.all(in: Self.folder) {
            let (call, exact) = try golden.load()
            guard classes.contains(call.definition.numericClass) else { continue }
            let context = try call.definition.context(opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
            let computed = try call.definition.results(context)
            let rests = try golden.rests()
            for (index, expected) in exact.enumerated() {
                guard let expected, let actual = computed[index], case .floats(let values) = actual.elements else { continue }
                // Where the reference must itself store a narrow type, as a cast does, both are stored.
                let stored = call.definition.numericClass == .cast ? try actual.hostTensor().decodedDoubles() : values
                for (element, (value, high)) in zip(stored, expected.floats).enumerated() where value != high && high.isFinite {
                    let error = abs(value - high - (rests[index]?[element] ?? 0)) / high.ulp
                    if error > worst[golden.operatorName]?.ulps ?? 0 { worst[golden.operatorName] = (error, golden.id) }
                }
            }
        }
        #expect(worst["Sin"] != nil)
        for (name, found) in worst { #expect(found.ulps <= 2, "\(name): \(found.ulps) ULP in \(found.id)") }
    }

    /// No bound is so wide that one element, half as large again, goes unnoticed.
    @Test func aWrongElementIsNoticed() throws {
        for golden in try GoldenCase.all(in: Self.folder) {
            let (call, results) = try golden.load()
            var outputs = try results.map { try $0?.hostTensor() }
            guard let result = results[0], result.count > 0 else { continue }
            if case .floats(var values) = result.elements {
                let element = values.indices.max { weight(values[$0]) < weight(values[$1]) }!
                values[element] = values[element] == 0 || !values[element].isFinite ? 1 : values[element] * 1.5
                outputs[0] = try HostTensor(result.dataType, result.shape, doubles: values)
            } else {
                var values = result.integers
                values[values.count / 2] = values[values.count / 2] == 0 ? 1 : 0
                outputs[0] = try HostTensor(result.dataType, result.shape, integers: values)
            }
            #expect(try Judge(call, facts: .strict, golden: results).finding(on: outputs).failure != nil, "\(golden.id)")
        }
    }

    /// Larger is better, but what overflows when it grows, and what is not finite, comes last.
    private func weight(_ value: Double) -> Double { value.isFinite && abs(value) < 10_000 ? abs(value) : -1 }

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

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Operators
import Tensors
import TestSupport
import Testing

@Suite struct GeneratedCaseTests {
    private static let cases = GeneratedCase.all()

    @Test func thereAreManyAndEachHasItsName() {
        #expect(Self.cases.count >= 15_000)
        #expect(Set(Self.cases.map(\.id)).count == Self.cases.count)
        #expect(Set(Self.cases.map(\.operatorName)).count >= 130)
    }

    @Test func namesDoNotDependOnTheSeed() {
        for definition in OperatorCatalog.standard.all where definition.samples != nil {
            for type in definition.sampledTypes {
                let names = { definition.samples(type: type, version: definition.sampledVersions[0], seed: $0).map(\.name) }
                #expect(names(1) == names(2), "\(definition.name) of \(type.name)")
            }
        }
    }

    @Test func theSameSeedGivesTheSameCalls() throws {
        for generated in Self.cases.filter({ $0.id.hashed % 97 == 0 }) {
            let (one, two) = (try generated.call(seed: 7), try generated.call(seed: 7))
            #expect(
                zip(one.inputs, two.inputs).allSatisfy {
                    Data($0?.bytes ?? .init(start: nil, count: 0)) == Data($1?.bytes ?? .init(start: nil, count: 0))
                })
            #expect(one.inputs.count == two.inputs.count)
        }
    }

    /// Known by their bits, so that a change of the generator, or another machine, shows.
    @Test func aCallIsTheSameOnAnyMachine() throws {
        let generated = try #require(Self.cases.first { $0.id == "operators/Add/float32-row-right-signed" })
        let inputs = try generated.call(seed: 1).inputs
        #expect(inputs.count == 2)
        #expect(inputs[0]?.shape.count == 2 && inputs[1]?.shape.count == 1)
        let first = try #require(inputs[0]).decodedDoubles()
        let random = CounterRandom(seed: 1, case: generated.id, tensor: "input_0")
        #expect(first.indices.allSatisfy { Float(first[$0]) == Float(random.normal(UInt64($0))) })
    }

    /// Bugs that real chips had (operators), each by a case of its name.
    @Test(arguments: [
        "MatMul/float32-field-small-then-large-exact", "Transpose/float32-field-factorisation-b-signed",
        "Add/int64-field-zero-dimensional-signed",
        "ReduceSum/float32-field-tile-padding-exact", "ReduceMax/float32-field-tile-padding-all-signed",
        "Attention/float32-field-masked-row-signed",
        "Attention/float32-field-one-allowed-last-signed", "TopK/float32-field-large-batch-special",
        "Cast/float32-to-int32-field-not-a-number-signed",
        "QuantizeLinear/float32-uint8-field-ties-signed", "Max/float32-field-one-input-signed", "Min/float32-field-one-input-signed",
    ]) func fieldBugsHaveCases(name: String) {
        #expect(Self.cases.contains { $0.id == "operators/\(name)" })
    }

    @Test func theInt8ProductOfOneInstructionSetHasACase() {
        #expect(Self.cases.contains { $0.operatorName == "MatMulInteger" && $0.sample.contains("field-pair-sums") })
    }

    /// Right results of a kernel that may be the judge's own reference are no evidence.
    @Test func genericKernelsAreNotCredited() throws {
        try withTemporaryFolder { folder in
            let output = folder.appending(path: "run").path
            let result = try southbridge("conform", "cpu", "--level", "operators", "--filter", "*/Det/*", "--seed", "1", "--output", output)
            let report = try Report(decoding: Data(contentsOf: URL(filePath: "\(output)/report.json")))
            let generated = report.cases.filter { $0.suite == "operators" }
            #expect(result.status == 0 && !generated.isEmpty)
            #expect(generated.allSatisfy { $0.status == .unsupported && $0.message?.contains("generic_Det") == true })
        }
    }
}

extension String {
    fileprivate var hashed: Int { utf8.reduce(5381) { ($0 &* 33 &+ Int($1)) & 0xFFFF_FFFF } }
}

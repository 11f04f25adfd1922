// SPDX-License-Identifier: Apache-2.0
import Conformance
import Operators
import Tensors
import Testing

/// Every sample of every operator is valid for every type and version that it is made for.
@Suite struct SampleTests {
    static let sampledOperators = OperatorCatalog.standard.all.filter { $0.samples != nil }.map(\.name)

    /// A node's data type is that of its first input, but for Where: what SB-OPS-002 says.
    @Test func whereAloneIsTypedByItsSecondInput() throws {
        let others = OperatorCatalog.standard.all.filter { !$0.inputs.isEmpty && !$0.isHostOperator && $0.typingInput != 0 }
        #expect(others.map(\.name) == ["Where"])
        let choose = try #require(others.first)
        #expect(choose.dataType(inputs: [.bool, .int8, .int8], outputs: [.int8]) == .int8)
        #expect(choose.sampledTypes.count > 20)
    }

    @Test(arguments: sampledOperators) func samplesAreValid(operatorName: String) throws {
        let definition = try #require(OperatorCatalog.standard.all.first { $0.name == operatorName })
        #expect(try Self.checkSamples(of: definition) > 0)
    }

    /// Returns how many there are.
    @discardableResult
    static func checkSamples(of definition: OperatorDefinition) throws -> Int {
        var count = 0
        for version in definition.sampledVersions {
            for type in definition.sampledTypes {
                let samples = definition.samples(type: type, version: version, seed: 3)
                #expect(Set(samples.map(\.name)).count == samples.count, "\(definition.name) \(version) \(type.name)")
                for sample in samples {
                    let label = "\(definition.name) \(version) \(type.name) \(sample.name)"
                    let call = try sampleCall(definition, version: version, sample, type: type)
                    do {
                        let results = try definition.evaluate(
                            opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
                        #expect(zip(results, call.wanted).allSatisfy { ($0 != nil) == $1 }, "\(label)")
                    } catch {
                        Issue.record("\(label): \(error)")
                    }
                    count += 1
                }
            }
        }
        return count
    }
}

/// A sample with data of the family that it is first tried with.
func sampleCall(
    _ definition: OperatorDefinition, version: Int, opset: Int? = nil, _ sample: Sample, type: DataType
) throws -> OperatorCall {
    let family = DataFamily.families(for: definition, sample, type: type).first { $0 != .exact } ?? .signed
    return try family.call(
        definition, opset: opset ?? definition.sampledOpset(version: version), sample, seed: 3,
        case: "\(definition.name)/\(type.name)/\(version)/\(sample.name)")
}

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Graph
import HardwareModel
import Operators
import Tensors
import Testing

/// Lens 5: relations that operators have are found, right results keep them, and results that break them show.
@Suite struct RelationTests {
    private func call(_ name: String, _ inputs: [HostTensor], _ attributes: [(String, Int64)] = []) throws -> OperatorCall {
        let definition = try #require(OperatorCatalog.standard["", name])
        return OperatorCall(
            definition, opset: definition.since.last!, attributes: Dictionary(uniqueKeysWithValues: attributes.map { ($0, .int($1)) }),
            inputs: inputs)
    }

    private func numbers(_ shape: [Int], _ step: Double = 0.37) throws -> HostTensor {
        try HostTensor(.float32, shape, doubles: (0..<shape.reduce(1, *)).map { Double(($0 * 7) % 11) * step - 1.5 })
    }

    private func holding(_ call: OperatorCall) -> Set<Relation> { Set(Relation.allCases.filter { $0.related(to: call) != nil }) }

    @Test func operatorsHaveTheRelationsThatTheyShould() throws {
        let batch: Set<Relation> = [.permutedBatch, .paddedBatch, .firstOfBatch]
        let (x, whole) = (try numbers([4, 5]), try numbers([4, 5], 1))
        #expect(holding(try call("Relu", [x])) == batch.union([.scaled]))
        #expect(holding(try call("Exp", [x])) == batch)
        #expect(holding(try call("Softmax", [whole])) == batch.union([.shifted]))
        #expect(holding(try call("Softmax", [whole], [("axis", 0)])) == [.permutedBatch, .shifted])
        #expect(holding(try call("MatMul", [x, numbers([5, 3])])) == batch.union([.scaled, .transposed]))
        #expect(holding(try call("ReduceMax", [whole], [("keepdims", 0)])) == [.scaled, .shifted])
        #expect(holding(try call("ArgMax", [whole], [("axis", 1)])) == batch.union([.scaled, .shifted]))
    }

    @Test func rightResultsKeepThem() throws {
        for related in RelatedCase.candidates()
        where related.base.type == .float32 && ["MatMul", "Softmax", "Add", "Conv"].contains(related.base.operatorName) {
            let call = try related.base.call(seed: 4)
            guard let other = related.relation.related(to: call) else { continue }
            let finding = other.finding(
                on: try evaluate(call), try evaluate(other.other), try Judge(call, facts: .strict), try Judge(other.other, facts: .strict))
            #expect(finding.failure == nil, "\(related.id): \(finding.message ?? "")")
        }
    }

    @Test func aNeighbourThatChangesAnotherRowShows() throws {
        let call = try call("Softmax", [numbers([3, 4])])
        let padded = try #require(Relation.paddedBatch.related(to: call))
        // A kernel that subtracts the greatest of the whole batch: NaN of the added entries reaches all.
        let spoiled = try HostTensor(.float32, [5, 4], doubles: [Double](repeating: .nan, count: 20))
        let finding = padded.finding(
            on: try evaluate(call), [spoiled], try Judge(call, facts: .strict), try Judge(padded.other, facts: .strict))
        #expect(finding.failure == .numeric)
    }

    @Test(arguments: [Relation.permutedBatch, .scaled, .transposed]) func aChangedElementShows(relation: Relation) throws {
        let call = try call("MatMul", [numbers([3, 4]), numbers([4, 5])])
        let related = try #require(relation.related(to: call))
        var wrong = try #require(try evaluate(related.other)[0])
        var values = wrong.decodedDoubles()
        values[7] *= 1.001
        wrong = try HostTensor(.float32, wrong.shape, doubles: values)
        let finding = related.finding(
            on: try evaluate(call), [wrong], try Judge(call, facts: .strict), try Judge(related.other, facts: .strict))
        #expect(finding.failure == .numeric && finding.message?.contains("element 7") == true)
    }

    private func evaluate(_ call: OperatorCall) throws -> [HostTensor?] {
        try call.definition.evaluate(opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
    }
}

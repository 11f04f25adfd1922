// SPDX-License-Identifier: Apache-2.0
import Conformance
import Graph
import Operators
import Tensors
import Testing

/// Decompositions give what the operators' own references give: what moves and compares bit for bit, the rest within what the roundings of the parts explain
/// (`NoisyEvaluation`).
@Suite struct DecompositionTests {
    static let operators = OperatorCatalog.standard.all.filter { $0.domain.isEmpty && $0.decomposer != nil }.map(\.name)

    struct Outcome {
        var decomposed = 0
        /// Samples of the newest version that are not decomposed, with the reason.
        var refusals: [String: String] = [:]
    }

    @Test func mostOperatorsThatCanBeWrittenInPartsAre() { #expect(Self.operators.count >= 70) }

    @Test(arguments: operators) func partsAgreeWithTheWhole(operatorName: String) throws {
        let definition = try #require(OperatorCatalog.standard["", operatorName])
        let outcome = try Self.checkDecomposition(of: definition)
        #expect(outcome.decomposed > 0)
        let reasons = Set(outcome.refusals.values)
        #expect(reasons == Self.expectedRefusals[operatorName] ?? [], "\(outcome.refusals)")
    }

    /// Infinities, NaN, zeros, and numbers whose powers overflow: what the whole makes of them the parts make, too.
    @Test(arguments: operators) func partsAgreeOnSpecialValues(operatorName: String) throws {
        let definition = try #require(OperatorCatalog.standard["", operatorName])
        let values = [0, -0.0, 1, -1, 0.5, -0.5, 20, -20, 100, -100, 1e30, -1e30, 1e-30, -1e-30, .infinity, -.infinity, .nan]
        for type in [DataType.float32, .float64, .float16] {
            let x = try HostTensor(type, [values.count], doubles: values)
            guard Self.isElementwise(definition), let version = definition.since.last,
                (try? definition.evaluate(opset: version, attributes: [:], inputs: [x], wanted: [true])[0]?.shape) == x.shape
            else { continue }
            let call = OperatorCall(definition, opset: OperatorCatalog.opsets.upperBound, inputs: [x])
            #expect(try Self.compare(call, "\(operatorName) \(type.name)") == nil)
        }
    }

    private static func isElementwise(_ definition: OperatorDefinition) -> Bool {
        definition.inputs.count == 1 && definition.attributes["axis"] == nil && definition.attributes["axes"] == nil
            && [.movement, .arithmetic, .division, .transcendental, .composite].contains(definition.numericClass)
    }

    /// Tries all samples: those of the newest version at the newest operator set, too.
    static func checkDecomposition(of definition: OperatorDefinition, catalog: OperatorCatalog = .standard) throws -> Outcome {
        var outcome = Outcome()
        let whole = [DataType.int64, .int8, .int32].first(where: definition.sampledTypes.contains)
        let types = definition.sampledTypes.filter { [.float32, .float64, .float16, .bool].contains($0) || $0 == whole }
        for (age, version) in definition.sampledVersions.enumerated() {
            for type in types {
                for sample in definition.samples(type: type, version: version, seed: 3) {
                    for opset in age == 0 ? [version, OperatorCatalog.opsets.upperBound] : [version] {
                        let label = "\(definition.name) opset \(opset) \(type.name) \(sample.name)"
                        let call = try sampleCall(
                            definition, version: version, opset: max(opset, OperatorCatalog.opsets.lowerBound), sample, type: type)
                        if let refusal = try compare(call, label, catalog: catalog) {
                            if opset == OperatorCatalog.opsets.upperBound { outcome.refusals["\(type.name) \(sample.name)"] = refusal }
                        } else {
                            outcome.decomposed += 1
                        }
                    }
                }
            }
        }
        return outcome
    }

    /// Returns why the call is not decomposed.
    private static func compare(_ call: OperatorCall, _ label: String, catalog: OperatorCatalog = .standard) throws -> String? {
        let fragment: Fragment
        do {
            guard let parts = try decomposition(of: call, catalog) else { return "no decomposition" }
            fragment = parts
        } catch .unsupported(let reason) {
            return reason
        } catch {
            Issue.record("\(label): \(error)")
            return nil
        }
        let expected = try call.definition.evaluate(
            opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted
        ).compactMap { $0 }
        let inputs = Dictionary(uniqueKeysWithValues: zip(fragment.graph.inputs, call.inputs.compactMap { $0 }))
        let results = try NoisyEvaluation(graph: fragment.graph, catalog: catalog).results(inputs)
        #expect(results.count == expected.count, "\(label)")
        for (index, (result, expected)) in zip(results, expected).enumerated() {
            let (actual, allowance) = result
            #expect(actual.dataType == expected.dataType && actual.shape == expected.shape, "\(label), output \(index)")
            let isExact = [.movement, .integer].contains(call.definition.numericClass)
            let (left, right) = (actual.decodedDoubles(), expected.decodedDoubles())
            let worst = zip(left, right).enumerated().first { position, pair in
                if pair.0 == pair.1 || pair.0.isNaN && pair.1.isNaN { return false }
                if isExact { return true }
                // A quantised value may fall to the other side of a tie that the noise crosses, too.
                if !actual.dataType.isFloat { return abs(pair.0 - pair.1) > 1 || allowance[position] == 0 }
                return !(abs(pair.0 - pair.1) <= allowance[position])
            }
            if let (position, pair) = worst {
                Issue.record(
                    "\(label), output \(index) [\(position)]: \(pair.0) in parts, \(pair.1) as a whole, allowed \(allowance[position]); parts: \(fragment.operatorNames)"
                )
            }
        }
        return nil
    }

    /// Asks as placement does: with the values that are asked for, and no others.
    private static func decomposition(of call: OperatorCall, _ catalog: OperatorCatalog) throws(OperatorError) -> Fragment? {
        let types = call.inputs.map { $0.map { ConcreteType($0.dataType, $0.shape) } }
        var values: [Int: HostTensor] = [:]
        while true {
            do throws(OperatorError) {
                return try call.definition.decomposition(
                    opset: call.opset, attributes: call.attributes, inputs: types, wanted: call.wanted, values: values, catalog: catalog)
            } catch {
                guard case .needsValue(let index) = error, values[index] == nil else { throw error }
                values[index] = call.inputs[index]
            }
        }
    }

    /// Why samples of the newest version stay whole, where some do.
    private static let expectedRefusals: [String: Set<String>] = [
        "Attention": ["lengths per batch are not decomposed"],
        "BatchNormalization": ["the statistics of training are not decomposed"],
        "Einsum": ["a term names a label twice"],
        "Hardmax": ["an empty line has no greatest element"],
        "OneHot": ["only int32 and int64 indices are compared"],
        "QuantizeLinear": ["blocks are not decomposed", "only float32 is quantised in parts, and to 8 or 16 bits"],
        "ReduceL2": ["integers go through float64"],
        "ReduceLogSum": ["integers go through float64"],
        "ReduceLogSumExp": ["integers go through float64"],
        "ReduceMin": ["the lowest integer has no negative"],
        "Shrink": ["integers are shrunk by parts of one"],
        "Tile": ["nothing is repeated"],
    ]
}

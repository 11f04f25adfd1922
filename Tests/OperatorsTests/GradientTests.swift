// SPDX-License-Identifier: Apache-2.0
import Conformance
import Graph
import Operators
import Tensors
import Testing

/// Gradients against central differences of the float64 reference, along random directions of each input.
@Suite struct GradientTests {
    static let operators = OperatorCatalog.standard.all.filter { $0.differentiator != nil }.map(\.name)

    @Test func commonOperatorsHaveGradients() { #expect(Self.operators.count >= 20) }

    @Test(arguments: operators) func gradientAgreesWithDifferences(operatorName: String) throws {
        let definition = try #require(OperatorCatalog.standard["", operatorName])
        #expect(try Self.checkGradient(of: definition) > 0)
    }

    /// Returns how many directions were tried.
    static func checkGradient(of definition: OperatorDefinition) throws -> Int {
        var count = 0
        for (age, version) in definition.sampledVersions.enumerated() {
            for sample in definition.samples(type: .float64, version: version, seed: 3) {
                let opset = age == 0 ? OperatorCatalog.opsets.upperBound : max(version, OperatorCatalog.opsets.lowerBound)
                let call = try sampleCall(definition, version: version, opset: opset, sample, type: .float64)
                count += try check(call, "\(definition.name) \(version) \(sample.name)")
            }
        }
        return count
    }

    private static func check(_ call: OperatorCall, _ label: String) throws -> Int {
        let types = call.inputs.map { $0.map { ConcreteType($0.dataType, $0.shape) } }
        let values = Dictionary(uniqueKeysWithValues: call.inputs.enumerated().compactMap { index, tensor in tensor.map { (index, $0) } })
        let parts: (fragment: Fragment, of: [Int])
        do throws(OperatorError) {
            guard
                let found = try call.definition.gradient(
                    opset: call.opset, attributes: call.attributes, inputs: types, wanted: call.wanted, values: values)
            else { return 0 }
            parts = found
        } catch {
            guard case .unsupported = error else { throw error }
            return 0
        }
        let outputs = try results(call)
        guard outputs.allSatisfy({ $0.decodedDoubles().allSatisfy(\.isFinite) }), outputs.contains(where: { $0.count > 0 }) else {
            return 0
        }
        let random = CounterRandom(seed: 5, case: label, tensor: "weights")
        let weights = try outputs.enumerated().map { index, output in
            try HostTensor(.float64, output.shape, doubles: (0..<output.count).map { random.normal(UInt64(index << 32 + $0)) })
        }
        let inputs = Dictionary(
            uniqueKeysWithValues: zip(parts.fragment.graph.inputs, call.inputs.compactMap { $0 } + outputs + weights))
        let gradients = try evaluate(parts.fragment.graph, inputs: inputs)
        for (input, gradient) in zip(parts.of, gradients) {
            let tensor = try #require(call.inputs[input])
            #expect(gradient.dataType == tensor.dataType && gradient.shape == tensor.shape, "\(label), input \(input)")
            let direction = (0..<tensor.count).map { CounterRandom(seed: 7, case: label, tensor: "\(input)").normal(UInt64($0)) }
            let analytic = zip(gradient.decodedDoubles(), direction).reduce(0) { $0 + $1.0 * $1.1 }
            // A point beside x is rounded to the type.
            let steepness = zip(gradient.decodedDoubles(), tensor.decodedDoubles()).reduce(0) { $0 + abs($1.0 * $1.1) }
            let difference = try Difference(call, input, direction, weights.flatMap { $0.decodedDoubles() }, steepness: steepness)
            #expect(
                abs(analytic - difference.value) <= difference.allowance,
                "\(label), input \(input): \(analytic), by differences \(difference.value) within \(difference.allowance)")
        }
        return gradients.count
    }

    private static func results(_ call: OperatorCall) throws -> [HostTensor] {
        try call.definition.evaluate(opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted).compactMap {
            $0
        }
    }

    /// The derivative of Σ w·f along a direction of one input.
    private struct Difference {
        let value: Double
        /// Of the step, which a half as long step tells, and of the roundings: n u per sum of n terms of the largest size that occurs.
        let allowance: Double

        init(_ call: OperatorCall, _ input: Int, _ direction: [Double], _ weights: [Double], steepness: Double) throws {
            let x = call.inputs[input]!
            func weighted(_ step: Double) throws -> [Double] {
                var moved = call
                moved.inputs[input] = try HostTensor(
                    .float64, x.shape, doubles: zip(x.decodedDoubles(), direction).map { $0 + step * $1 })
                return zip(try results(moved).flatMap { $0.decodedDoubles() }, weights).map { $0 * $1 }
            }
            func slope(_ step: Double) throws -> Double {
                zip(try weighted(step), try weighted(-step)).reduce(0) { $0 + ($1.0 - $1.1) } / (2 * step)
            }
            let step = 1e-5
            let (long, short) = (try slope(step), try slope(step / 2))
            let context = try call.definition.context(
                opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
            let terms = Double(try call.definition.terms?(context) ?? 1)
            let largest = call.inputs.compactMap { $0 }.flatMap { $0.decodedDoubles() }.map(abs).max() ?? 1
            let size = zip(try weighted(0), weights).reduce(0) { $0 + abs($1.0) + abs($1.1) * max(largest * largest, 1) * (terms - 1) }
            value = short
            allowance = abs(long - short) + (8 * terms * size + 2 * steepness) * 0x1p-53 / step
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import HardwareModel
import Operators
import Tensors

/// Works out, for each output of a call, which values are right. One file per group of classes holds the formulas.
struct Bounds: Sendable {
    let call: OperatorCall
    let facts: NumericFacts
    let context: ReferenceContext
    let results: [ReferenceTensor?]
    /// The reference's own results, where `results` come from somewhere else.
    var computed: [ReferenceTensor?]?

    var definition: OperatorDefinition { call.definition }

    /// The type whose arithmetic the operator does: that of the first floating-point input, else of the first output.
    var dataType: DataType {
        call.inputs.lazy.compactMap { $0?.dataType }.first(where: \.isFloat) ?? results.lazy.compactMap { $0?.dataType }.first ?? .float32
    }
    var accumulator: NumberFormat { NumberFormat(facts.accumulator(for: dataType)) }
    /// Half the distance of the numbers that a store rounds to, or the whole where it does not round to nearest: k of the bounds.
    var k: Double { facts.truncates ? 1 : 0.5 }
    /// u of one step in the accumulator: twice as much where both the kernel and the reference err in float64, and where steps truncate.
    var step: Double { accumulator.unit * (isDouble ? 2 : 1) * (facts.truncates ? 2 : 1) }
    /// σ: what a result that is lost in an underflow may be off by.
    var underflow: Double { facts.flushesDenormals ? accumulator.smallestNormal : accumulator.smallest / 2 }
    /// What rounding of inputs before a product does to it: (1 + u_in)² − 1.
    var inputRounding: Double {
        guard let bits = facts.inputBits else { return 0 }
        let unit = Double(sign: .plus, exponent: -bits, significand: 1)
        return (1 + unit) * (1 + unit) - 1
    }
    /// The reference computes in float64: where the kernel does so too, both err.
    var isDouble: Bool { accumulator.precision >= 53 }

    func rule(for result: ReferenceTensor, _ index: Int) throws(OperatorError) -> Judge.Rule {
        if let property = property(index) { return .property(property) }
        guard result.dataType.isFloat else { return try integers(result, index) }
        var acceptance = try floats(result, index)
        if facts.truncates { acceptance.admitLargest(NumberFormat(result.dataType)) }
        if facts.ignoresNaN { acceptance = try ignoringNaN(acceptance, result, index) }
        if facts.flushesDenormals { acceptance = try flushed(acceptance, result, index) }
        return .numbers(acceptance)
    }

    private func floats(_ result: ReferenceTensor, _ index: Int) throws(OperatorError) -> Acceptance {
        let format = NumberFormat(result.dataType)
        switch numericClass {
        case .movement, .property, .integer: return exactly(result)
        case .cast: return facts.truncates ? rounded(result, format, ulps: 1) : exactly(result)
        case .arithmetic where definition.name == "Range": return try progression(result, format, index)
        case .arithmetic:
            return hasFloatAttributes && format.precision < accumulator.precision
                ? roundedTwice(result, format, ulps: k) : rounded(result, format, ulps: k)
        case .division:
            // Softsign is two steps: 1 + |x| is rounded, too.
            let isTwice = definition.name == "Softsign"
            var acceptance = isTwice ? roundedTwice(result, format, ulps: 2.5) : rounded(result, format, ulps: 2.5)
            let tight = isTwice ? roundedTwice(result, format, ulps: 0.5) : rounded(result, format, ulps: 0.5)
            acceptance.tight = (tight.lower, tight.upper)
            if isDouble { try admitLargest(into: &acceptance, format, index) }
            return acceptance
        case .transcendental: return try transcendental(result, format, index)
        case .dot, .sum: return try sum(result, format, index)
        case .product: return product(result, format)
        case .softmax: return functionOfSum(result, format) ?? softmax(result, format)
        case .variance, .normalisation:
            if let acceptance = try normalisation(result, format, index) { return acceptance }
            return try noiseFloor(result, format, index)
        case .quantised: return try quantisedFloats(result, format, index)
        case .composite where isCopy(index): return exactly(result)
        case .composite:
            if let acceptance = functionOfSum(result, format) { return acceptance }
            if let acceptance = try fused(result, format) { return acceptance }
            return try noiseFloor(result, format, index)
        case .random: return exactly(result)
        }
    }

    /// The class in force: some operators change theirs with an attribute.
    var numericClass: NumericClass {
        switch definition.name {
        case "ScatterElements", "ScatterND":
            switch context.attributes.string("reduction") {
            case "add": return .dot
            case "mul": return .product
            default: return .movement
            }
        case "Resize", "Upsample": return context.attributes.string("mode") == "nearest" ? .movement : .composite
        case "GridSample": return context.attributes.string("mode") == "nearest" ? .movement : .composite
        case "AffineGrid", "DeformConv", "TreeEnsemble", "TfIdfVectorizer": return .composite
        default: return definition.numericClass
        }
    }

    /// An output that only moves elements, of an operator that computes the others.
    private func isCopy(_ output: Int) -> Bool {
        switch definition.name {
        case "Attention": output == 1 || output == 2
        case "CausalConvWithState": output == 1
        default: false
        }
    }

    // MARK: Exact and correctly rounded results

    private func exactly(_ result: ReferenceTensor) -> Acceptance {
        var acceptance = Acceptance(exactly: result.roundedFloats)
        acceptance.signOfZeroCounts =
            !["Max", "Min", "Clip", "Relu", "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "Round", "Ceil", "Floor"].contains(
                definition.name)
            && definition.numericClass == .movement
        return acceptance
    }

    /// Within so many ULP; half an ULP is the number that rounding to nearest gives, and no other.
    private func rounded(_ result: ReferenceTensor, _ format: NumberFormat, ulps: Double) -> Acceptance {
        let nearest = result.roundedFloats
        if ulps <= 0.5 && !isDouble { return Acceptance(exactly: nearest) }
        // In float64 the reference is itself rounded: half an ULP more. Where it is correctly rounded and so must be the kernel, both are equal.
        if isDouble && ulps <= 0.5 { return Acceptance(exactly: nearest) }
        let slack = isDouble ? 0.5 : 0
        let values = result.floats
        var acceptance = Acceptance(values, within: values.map { $0.isFinite ? (ulps + slack) * format.ulp($0) : 0 })
        for index in values.indices where !nearest[index].isNaN {
            acceptance.lower[index] = min(acceptance.lower[index], nearest[index])
            acceptance.upper[index] = max(acceptance.upper[index], nearest[index])
        }
        return acceptance
    }

    /// In float64 the reference itself overflows, and an infinity does not tell how little is missing: half the dividend does. Near the largest number that is right, too.
    private func admitLargest(into acceptance: inout Acceptance, _ format: NumberFormat, _ index: Int) throws(OperatorError) {
        guard definition.name == "Div", acceptance.expected.contains(where: \.isInfinite),
            let halves = try evaluated(movingInputs: { value, _, input, _ in input == 0 ? value / 2 : value }, output: index)
        else { return }
        for element in halves.indices
        where acceptance.expected[element].isInfinite && abs(halves[element]) <= format.largest / 2 * (1 + 8 * format.unit) {
            acceptance.lower[element] = min(acceptance.lower[element], Double(signOf: halves[element], magnitudeOf: format.largest))
            acceptance.upper[element] = max(acceptance.upper[element], Double(signOf: halves[element], magnitudeOf: format.largest))
        }
    }

    /// Within so many ULP of a result that was rounded in the accumulator before: E = u·|r| + k·ulp(|r| + u·|r|).
    private func roundedTwice(_ result: ReferenceTensor, _ format: NumberFormat, ulps: Double) -> Acceptance {
        let unit = step
        var acceptance = Acceptance(
            result.floats,
            within: result.floats.map {
                $0.isFinite
                    ? unit * abs($0) + ulps * format.ulp((1 + unit) * $0) + (abs($0) < accumulator.smallestNormal ? underflow : 0) : 0
            })
        acceptance.admitRounded(result)
        return acceptance
    }

    /// Range: element i is start + i·delta, or the one before plus delta: with m = |start| + i·|delta| at most E = (i + 2)·u·m + k·ulp(|r| + E).
    private func progression(_ result: ReferenceTensor, _ format: NumberFormat, _ index: Int) throws(OperatorError) -> Acceptance {
        guard let magnitudes = try magnitudes(output: index) else { return exactly(result) }
        var acceptance = Acceptance(
            result.floats,
            within: zip(result.floats, magnitudes).enumerated().map { place, pair in
                let error = Double(place + 2) * step * pair.1
                return error + k * format.ulp(abs(pair.0) + error)
            })
        acceptance.admitRounded(result)
        return acceptance
    }

    /// LeakyRelu, Shrink: the parameter is a float32. Times or plus a number of a narrower type it does not fit into a float32 again, so that right kernels round twice.
    private var hasFloatAttributes: Bool {
        definition.attributes.keys.contains { context.attributes.float($0) != nil }
    }

    private func integers(_ result: ReferenceTensor, _ index: Int) throws(OperatorError) -> Judge.Rule {
        if facts.flushesDenormals, result.dataType == .bool { return try flushedTruth(result, index) }
        guard numericClass == .quantised else { return .exact }
        return try quantisedSteps(result, index)
    }

    // MARK: The reference on other inputs

    /// An output of the reference with each element of the floating-point inputs changed; nil if the reference refuses.
    /// - Parameter move: from (value, format, input, element).
    func evaluated(
        movingInputs move: (Double, NumberFormat, Int, Int) -> Double, attributes: NodeAttributes? = nil, output: Int
    ) throws(OperatorError) -> [Double]? {
        var inputs = context.inputs
        for position in inputs.indices {
            guard let input = inputs[position], case .floats(let values) = input.elements else { continue }
            let format = NumberFormat(input.dataType)
            var moved = values
            for element in moved.indices { moved[element] = move(values[element], format, position, element) }
            inputs[position]!.elements = .floats(moved)
        }
        let other = ReferenceContext(attributes: attributes ?? context.attributes, inputs: inputs, outputs: context.outputs)
        guard let results = try? definition.results(other), output < results.count, let result = results[output],
            result.shape == self.results[output]?.shape
        else { return nil }
        guard attributes == nil, let own = computed?[output], let right = self.results[output] else { return result.floats }
        return Self.recentred(result, own: own, right: right)
    }

    /// What moving the inputs changes, applied to the right results: where the reference itself is wrong, its error must not widen a bound.
    private static func recentred(_ moved: ReferenceTensor, own: ReferenceTensor, right: ReferenceTensor) -> [Double] {
        let (ownRounded, rightRounded) = (
            own.dataType.isFloat ? own.roundedFloats : own.floats, right.dataType.isFloat ? right.roundedFloats : right.floats
        )
        let (own, right) = (own.floats, right.floats)
        return moved.floats.enumerated().map { element, value in
            let isSame = ownRounded[element] == rightRounded[element] || ownRounded[element].isNaN && rightRounded[element].isNaN
            if isSame { return value }
            guard own[element].isFinite, right[element].isFinite else { return right[element] }
            return value.isFinite ? right[element] + (value - own[element]) : value
        }
    }
}

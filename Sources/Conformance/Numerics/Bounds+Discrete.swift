// SPDX-License-Identifier: Apache-2.0
import Foundation
import Operators
import Tensors

extension Bounds {
    // MARK: Quantised results

    /// The accumulators are exact; a step up or down is right only where the value before rounding lies near a tie, nearer than 2^-10 of a step or four units of the
    /// scale's type: where scaling by a hair gives another step.
    func quantisedSteps(_ result: ReferenceTensor, _ index: Int) throws(OperatorError) -> Judge.Rule {
        var (lower, upper) = (result.wrappedIntegers, result.wrappedIntegers)
        for (direction, position) in [(-1.0, scalePosition), (1.0, scalePosition)] {
            let hair = 1 + direction * hairsBreadth(result.dataType)
            let moved = try evaluated(movingInputs: { value, _, input, _ in input == position ? value * hair : value }, output: index)
            guard let moved else { continue }
            let wrapped = ReferenceTensor(result.dataType, result.shape, .integers(moved.map { Int64($0) })).wrappedIntegers
            for element in wrapped.indices {
                lower[element] = min(lower[element], wrapped[element])
                upper[element] = max(upper[element], wrapped[element])
            }
        }
        // What integer NaN becomes is nobody's rule: devices differ.
        if definition.name == "QuantizeLinear", case .floats(let values)? = context.inputs[0]?.elements {
            for element in values.indices where values[element].isNaN { (lower[element], upper[element]) = (.min, .max) }
        }
        return .steps(lower: lower, upper: upper)
    }

    /// The input that scales the result: the output's scale of a quantised product, the scale of QuantizeLinear, the data of DynamicQuantizeLinear.
    private var scalePosition: Int {
        switch definition.name {
        case "QLinearMatMul", "QLinearConv": 6
        case "QuantizeLinear": 1
        default: 0
        }
    }

    /// A share of the value: 2^-10 of a step at the far end of an 8-bit type, at least four units of the scale.
    private func hairsBreadth(_ type: DataType) -> Double {
        let scale = call.inputs.indices.contains(scalePosition) ? call.inputs[scalePosition]?.dataType : nil
        let unit = NumberFormat(scale.flatMap { $0.isFloat ? $0 : nil } ?? .float32).unit
        return max(Double(sign: .plus, exponent: -10 - type.bits, significand: 1), 4 * unit)
    }

    /// DequantizeLinear rounds one product; scales of DynamicQuantizeLinear are a difference and a quotient; fp8 results may fall on either side of a tie.
    func quantisedFloats(_ result: ReferenceTensor, _ format: NumberFormat, _ index: Int) throws(OperatorError) -> Acceptance {
        let values = result.roundedFloats
        var acceptance = Acceptance(exactly: values)
        if definition.name == "QuantizeLinear" {
            for direction in [-1.0, 1.0] {
                let hair = 1 + direction * hairsBreadth(result.dataType)
                let moved = try evaluated(movingInputs: { value, _, input, _ in input == 1 ? value * hair : value }, output: index)
                guard let moved else { continue }
                let stored = ReferenceTensor(result.dataType, result.shape, .floats(moved)).roundedFloats
                for element in stored.indices where !stored[element].isNaN {
                    acceptance.lower[element] = min(acceptance.lower[element], stored[element])
                    acceptance.upper[element] = max(acceptance.upper[element], stored[element])
                }
            }
        } else {
            let ulps = definition.name == "DynamicQuantizeLinear" ? 2 : definition.name == "DequantizeLinear" ? 2 * k - 0.5 : 1
            if ulps > 0.5 { acceptance = Acceptance(values, within: values.map { ulps * format.ulp($0) }) }
        }
        return acceptance
    }

    // MARK: Properties

    /// For operators whose results are not one set of numbers; nil for all others.
    func property(_ index: Int) -> (@Sendable ([HostTensor?]) -> String?)? {
        switch definition.name {
        case "TopK": return hasNaN || context.attributes.int("sorted") == 0 ? topK(index) : nil
        case "ArgMax", "ArgMin": return hasNaN ? indicesInRange(index) : nil
        case _ where numericClass == .random && definition.name != "Dropout": return distribution(index)
        case "Cast", "CastLike": return results[index].map { $0.dataType.isInteger } == true ? consistentCast(index) : nil
        case "Dropout": return context.attributes.version >= 12 && trainingMode ? dropout(index) : nil
        default: return nil
        }
    }

    private var hasNaN: Bool { context.inputs.first.flatMap { $0 }?.floats.contains(where: \.isNaN) ?? false }
    private var trainingMode: Bool { context.has(2) && context.inputs[2]?.integers.first == 1 }

    private var axisSize: Int {
        guard let input = context.inputs.first.flatMap({ $0 }), !input.shape.isEmpty else { return 1 }
        let axis = context.attributes.int("axis") ?? (definition.name == "TopK" ? -1 : 0)
        return input.shape[axis < 0 ? axis + input.shape.count : axis]
    }

    private func indicesInRange(_ index: Int) -> @Sendable ([HostTensor?]) -> String? {
        let size = Int64(axisSize)
        return { outputs in
            let values = outputs[index]!.decodedIntegers()
            return values.first { $0 < 0 || $0 >= size }.map { "index \($0) is outside an axis of \(size)" }
        }
    }

    /// Indices in range and each once, values those at the indices; which of equal elements, and where NaN goes, is the kernel's choice.
    private func topK(_ index: Int) -> @Sendable ([HostTensor?]) -> String? {
        let input = context.inputs[0]!
        let axis = context.attributes.int("axis") ?? -1
        let position = axis < 0 ? axis + input.shape.count : axis
        let lines = groups(of: input.shape, over: [position])
        let expected = results[0]?.floats.sorted { $0 < $1 }
        let size = Int64(axisSize)
        let mayHaveNaN = hasNaN
        return { outputs in
            guard outputs.count > 1, let indices = outputs[1]?.decodedIntegers(), let values = outputs[0] else { return nil }
            if let bad = indices.first(where: { $0 < 0 || $0 >= size }) { return "index \(bad) is outside an axis of \(size)" }
            let chosen = ReferenceTensor(values).floats
            let outputLines = self.groups(of: values.shape, over: [position])
            for (line, places) in zip(lines, outputLines) {
                if Set(places.map { indices[$0] }).count != places.count { return "an index comes twice in one line" }
                for place in places {
                    let there = input.floats[line[Int(indices[place])]]
                    if !(there == chosen[place] || there.isNaN && chosen[place].isNaN) {
                        return "the value \(chosen[place]) is not the one at its index, \(there)"
                    }
                }
            }
            if !mayHaveNaN, let expected, chosen.sorted(by: <) != expected { return "the values are not the greatest" }
            return nil
        }
    }

    /// Ranges, and mean and deviation within five standard errors (one in 1.7 million).
    private func distribution(_ index: Int) -> @Sendable ([HostTensor?]) -> String? {
        let attributes = context.attributes
        let name = definition.name
        let probabilities = context.inputs.first.flatMap { $0 }
        return { outputs in
            guard let output = outputs[index] else { return "the output is missing" }
            let values = output.dataType.isFloat ? output.decodedDoubles() : output.decodedIntegers().map(Double.init)
            let count = Double(values.count)
            let unit = NumberFormat(output.dataType).unit
            let mean = values.reduce(0, +) / max(count, 1)
            func far(_ expected: Double, _ deviation: Double) -> String? {
                let limit = 5 * deviation / max(count, 1).squareRoot() + 2 * unit * (abs(expected) + deviation)
                return count >= 100 && abs(mean - expected) > limit ? "the mean is \(mean), expected \(expected) within \(limit)" : nil
            }
            switch name {
            case _ where name.hasPrefix("RandomUniform"):
                let (low, high) = (attributes.float("low") ?? 0, attributes.float("high") ?? 1)
                let slack = 2 * unit * max(abs(low), abs(high))
                if let bad = values.first(where: { !($0 >= low - slack && $0 <= high + slack) }) {
                    return "\(bad) is outside \(low) to \(high)"
                }
                return far((low + high) / 2, (high - low) / 12.0.squareRoot())
            case _ where name.hasPrefix("RandomNormal"):
                if values.contains(where: { !$0.isFinite }) { return "a number is not finite" }
                let scale = attributes.float("scale") ?? 1
                return far(attributes.float("mean") ?? 0, scale)
            case "Bernoulli":
                if let bad = values.first(where: { $0 != 0 && $0 != 1 }) { return "\(bad) is neither 0 nor 1" }
                let expected = (probabilities?.floats.reduce(0, +) ?? 0) / max(count, 1)
                return far(expected, 0.5)
            case "Multinomial":
                let classes = Double(probabilities?.shape.last ?? 1)
                return values.first { $0 < 0 || $0 >= classes }.map { "\($0) is no class of \(Int(classes))" }
            default: return nil
            }
        }
    }

    /// Floats that an integer type holds are cut off at the point; what comes of NaN and of those outside it is open, but the same value gives the same result at
    /// every place. Nil where all are inside.
    private func consistentCast(_ index: Int) -> (@Sendable ([HostTensor?]) -> String?)? {
        guard let input = context.inputs.first.flatMap({ $0 }), case .floats(let values) = input.elements, let result = results[index]
        else { return nil }
        let bits = result.dataType.bits
        let (low, high) =
            result.dataType.kind == .unsignedInteger ? (0.0, exp2(Double(bits))) : (-exp2(Double(bits - 1)), exp2(Double(bits - 1)))
        let isInside = values.map { $0.rounded(.towardZero) >= low && $0.rounded(.towardZero) < high }
        if isInside.allSatisfy({ $0 }) { return nil }
        let expected = result.wrappedIntegers
        return { outputs in
            let actual = outputs[index]!.decodedIntegers()
            var outside: [UInt64: Int64] = [:]
            for element in actual.indices {
                let value = values[element]
                if isInside[element] {
                    if actual[element] != expected[element] { return "\(value) gives \(actual[element]), not \(expected[element])" }
                } else if let earlier = outside.updateValue(actual[element], forKey: value.bitPattern), earlier != actual[element] {
                    return "\(value), which the type does not hold, gives \(earlier) at one place and \(actual[element]) at another"
                }
            }
            return nil
        }
    }

    /// Kept elements are scaled by 1 / (1 − ratio), the others zero.
    private func dropout(_ index: Int) -> @Sendable ([HostTensor?]) -> String? {
        guard index == 0, let input = context.inputs.first.flatMap({ $0 }) else { return { _ in nil } }
        let ratio = context.has(1) ? context.inputs[1]?.floats.first ?? 0.5 : 0.5
        let scale = ratio < 1 ? 1 / (1 - ratio) : 0
        return { outputs in
            guard let output = outputs[0] else { return "the output is missing" }
            let format = NumberFormat(output.dataType)
            for (value, x) in zip(output.decodedDoubles(), input.floats) where value != 0 {
                if !(abs(value - x * scale) <= 2 * format.ulp(x * scale)) { return "\(value) is neither 0 nor \(x) scaled by \(scale)" }
            }
            return nil
        }
    }
}

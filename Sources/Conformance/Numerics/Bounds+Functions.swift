// SPDX-License-Identifier: Apache-2.0
import Foundation
import HardwareModel
import Operators
import Tensors

extension Bounds {
    /// f(x) is right within e ULP of what f takes on over [x − δ·ulp, x + δ·ulp]: an interval, so that steep places need no derivative. With two arguments
    /// (Pow, Mod ...) both move. Float32 and wider: δ ½ and e 2 for grade A, δ 2 and e 4 for B; 16 bits: δ ½, e 1.
    func transcendental(_ result: ReferenceTensor, _ format: NumberFormat, _ index: Int) throws(OperatorError) -> Acceptance {
        let isNarrow = format.precision <= 11
        let tight = try interval(result, format, index, delta: 0.5, ulps: isNarrow ? 1 : 2)
        let (slack, windowSlack) = (definitionSlack, windowSlack)
        if isNarrow && facts.functionError == nil && slack == nil && windowSlack == nil { return tight }
        var acceptance = tight
        if !isNarrow || facts.functionError != nil {
            acceptance = try interval(result, format, index, delta: isNarrow ? 0.5 : 2, ulps: facts.functionError ?? 4)
        }
        acceptance.tight = (tight.lower, tight.upper)
        if let windowSlack {
            for element in acceptance.lower.indices {
                acceptance.lower[element] -= windowSlack
                acceptance.upper[element] += windowSlack
            }
        }
        if let slack, let x = context.inputs[0]?.floats {
            for element in x.indices where acceptance.expected[element].isFinite && x[element].isFinite {
                acceptance.lower[element] -= slack(x[element])
                acceptance.upper[element] += slack(x[element])
            }
        }
        return acceptance
    }

    /// ONNX defines some activations by simpler functions, and a kernel that carries the definition out step by step is right, too (grade B), though it cancels: with e the error
    /// of a function in ULP (2u each), Elu's α·(exp x − 1) is off by α·(2e + 2)·u, Gelu's x/2·(1 + erf ...) by |x|/2·(2e + 4)·u, its form with tanh by |x|/2·(2e + 6)·u,
    /// log(1 + exp x) by (2e + 2)·u. In 1/(1 + exp(−x)) the exponential may overflow where the result is not zero yet: that is off by the inverse of the largest number.
    private var definitionSlack: ((Double) -> Double)? {
        let (e, unit) = (2 * (facts.functionError ?? 2), step)
        let attributes = context.attributes
        func parameter(_ name: String) -> Double { abs(attributes.float(name) ?? 1) }
        let (alpha, gamma, vanishing) = (parameter("alpha"), parameter("gamma"), 1 / accumulator.largest)
        switch definition.name {
        case "Elu": return { $0 < 0 ? alpha * (e + 2) * unit : 0 }
        case "Selu": return { $0 < 0 ? alpha * gamma * (e + 3) * unit : 0 }
        case "Celu": return { $0 < 0 ? alpha * (e + 3) * unit : 0 }
        case "Gelu":
            let steps = attributes.string("approximate") == "tanh" ? e + 6 : e + 4
            return { abs($0) / 2 * (steps * unit + vanishing) }
        case "Softplus": return { _ in (e + 2) * unit }
        case "Mish": return { abs($0) * (2 * e + 4) * unit }
        case "Sigmoid": return { _ in vanishing }
        case "Swish": return { abs($0) * vanishing }
        default: return nil
        }
    }

    /// Windows are a − b·cos t + c·cos 2t with a + b + c at most one, and cancel at the ends: off by (2e + 3)·u for the terms and their sum, and by three roundings of an angle
    /// of up to 2π, 6π·u·(b + 2c).
    private var windowSlack: Double? {
        let parts: (b: Double, c: Double)
        switch definition.name {
        case "HannWindow": parts = (0.5, 0)
        case "HammingWindow": parts = (21.0 / 46, 0)
        case "BlackmanWindow": parts = (0.5, 0.08)
        default: return nil
        }
        return step * (2 * (facts.functionError ?? 2) + 3 + 6 * .pi * (parts.b + 2 * parts.c))
    }

    private func interval(
        _ result: ReferenceTensor, _ format: NumberFormat, _ index: Int, delta: Double, ulps: Double
    ) throws(OperatorError) -> Acceptance {
        let values = result.floats
        var acceptance = Acceptance(values, within: values.map { _ in 0 })
        let moving = context.inputs.indices.filter { position in
            if case .floats? = context.inputs[position]?.elements { true } else { false }
        }
        for directions in Self.corners(of: moving.count) {
            let moved = try evaluated(
                movingInputs: { value, format, position, _ in
                    let direction = moving.firstIndex(of: position).map { directions[$0] } ?? 0
                    return value.isFinite ? value + direction * delta * format.ulp(value) : value
                }, output: index)
            guard let moved else { continue }
            for element in moved.indices where !moved[element].isNaN {
                // A rising function that falls has a pole in between.
                if definition.name == "Tan", moved[element] != values[element], (directions[0] > 0) != (moved[element] > values[element]) {
                    (acceptance.lower[element], acceptance.upper[element]) = (-.infinity, .infinity)
                }
                acceptance.lower[element] = min(acceptance.lower[element], moved[element])
                acceptance.upper[element] = max(acceptance.upper[element], moved[element])
            }
        }
        // In float64 the reference's own function is within one ULP. A store that truncates loses another half.
        let allowed = ulps + (isDouble ? 1 : 0) + (facts.truncates ? 0.5 : 0)
        for element in values.indices where values[element].isFinite {
            acceptance.lower[element] -= allowed * format.ulp(acceptance.lower[element])
            acceptance.upper[element] += allowed * format.ulp(acceptance.upper[element])
        }
        return acceptance
    }

    private static func corners(of count: Int) -> [[Double]] {
        var result: [[Double]] = [[]]
        for _ in 0..<min(count, 2) { result = result.flatMap { corner in [-1, 0, 1].map { corner + [$0] } } }
        return result.map { $0 + [Double](repeating: 0, count: max(count - 2, 0)) }
    }

    /// |r|·n·u + k·ulp(r), and what an underflow on the way may lose.
    func product(_ result: ReferenceTensor, _ format: NumberFormat) -> Acceptance {
        let values = result.floats
        let count = Double(terms ?? 1)
        let largest = context.inputs.first.flatMap { $0 }?.floats.reduce(1) { max($0, $1.isFinite ? abs($1) : $0) } ?? 1
        let later = min(pow(largest, min(count, 64)), 1e30)
        var acceptance = Acceptance(values, within: values.map { abs($0) * count * step + k * format.ulp($0) + later * underflow })
        // A partial product may overflow or underflow where the whole does not.
        if pow(largest, count) >= accumulator.largest { acceptance.isFree = values.map { _ in true } }
        acceptance.admitRounded(result)
        return acceptance
    }

    /// n of the bounds; nil where the operator has none.
    var terms: Int? { definition.terms.flatMap { try? $0(context) } }

    /// With d = x − max and D = Σ y·|d|: E = y·u·(|d| + D + 4·e + n + 2) + k·ulp(y) + (1 + 2e)·σ, e being the error of exp in ULP (of subnormal numbers, too:
    /// one of their ULP is 2σ). The logarithm's own: u·(|d| + D + 4·e + n + 2 + 2e·|log Σ| + |y|) + k·ulp(y).
    func softmax(_ result: ReferenceTensor, _ format: NumberFormat) -> Acceptance {
        guard let input = context.inputs.first.flatMap({ $0 }) else { return Acceptance(exactly: result.roundedFloats) }
        let (x, y) = (input.floats, result.floats)
        let isLogarithm = definition.name == "LogSoftmax"
        let functionError = facts.functionError ?? 2
        let unit = step
        var bound = [Double](repeating: 0, count: y.count)
        for line in softmaxLines(input.shape) {
            let greatest = line.reduce(-Double.infinity) { max($0, x[$1]) }
            let weights = line.map { isLogarithm ? exp(y[$0]) : y[$0] }
            let distance = line.map { abs(x[$0] - greatest) }
            let mean = zip(weights, distance).reduce(0.0) { $1.0 > 0 ? $0 + $1.0 * $1.1 : $0 }
            let logarithm = isLogarithm ? line.reduce(0.0) { $0 + exp(x[$1] - greatest) }.logarithm : 0
            for (place, element) in line.enumerated() {
                let common = distance[place] + mean + 4 * functionError + Double(line.count) + 2
                bound[element] =
                    isLogarithm
                    ? unit * (common + 2 * functionError * abs(logarithm) + abs(y[element])) + k * format.ulp(y[element])
                    : y[element] * unit * common + k * format.ulp(y[element]) + (1 + 2 * functionError) * underflow
            }
        }
        var acceptance = Acceptance(y, within: bound.map { $0.isNaN ? 0 : $0 })
        acceptance.admitRounded(result)
        return acceptance
    }

    /// The elements that are normalised together: along `axis`, before version 13 over everything from it on.
    private func softmaxLines(_ shape: [Int]) -> [[Int]] {
        if shape.isEmpty { return [[0]] }
        let attributes = context.attributes
        let rank = shape.count
        if attributes.version < 13 {
            let axis = attributes.int("axis") ?? 1
            let first = axis < 0 ? axis + rank : axis
            let length = shape[first...].reduce(1, *)
            return (0..<shape[..<first].reduce(1, *)).map { row in (0..<length).map { row * length + $0 } }
        }
        let axis = attributes.int("axis") ?? -1
        return groups(of: shape, over: [axis < 0 ? axis + rank : axis])
    }

    /// The flat indices of a tensor in groups, each over all positions of `axes`.
    func groups(of shape: [Int], over axes: [Int]) -> [[Int]] {
        let strides = denseStrides(shape)
        let kept = shape.indices.filter { !axes.contains($0) }
        let inner = stridedIndices(shape: axes.map { shape[$0] }, strides: axes.map { strides[$0] })
        return stridedIndices(shape: kept.map { shape[$0] }, strides: kept.map { strides[$0] }).map { base in inner.map { base + $0 } }
    }
}

extension Acceptance {
    /// Truncation never gives infinity: what is too large becomes the largest number.
    mutating func admitLargest(_ format: NumberFormat) {
        for index in expected.indices where expected[index].isFinite {
            if upper[index] > format.largest { lower[index] = min(lower[index], format.largest) }
            if lower[index] < -format.largest { upper[index] = max(upper[index], -format.largest) }
        }
    }

    /// What rounding the reference to the type gives is always right.
    mutating func admitRounded(_ result: ReferenceTensor) {
        let nearest = result.roundedFloats
        for index in nearest.indices where nearest[index].isFinite {
            lower[index] = min(lower[index], nearest[index])
            upper[index] = max(upper[index], nearest[index])
        }
    }
}

extension Double {
    fileprivate var logarithm: Double { log(self) }
}

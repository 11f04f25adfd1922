// SPDX-License-Identifier: Apache-2.0
import Foundation
import HardwareModel
import Operators
import Tensors

extension Bounds {
    /// Roots and logarithms of sums: the bound of the sum, carried through the function; nil for all other operators. What a sum of n terms loses grows with n, which moving the
    /// inputs by a unit (the noise floor) does not show.
    func functionOfSum(_ result: ReferenceTensor, _ format: NumberFormat) -> Acceptance? {
        switch definition.name {
        case "ReduceL2": rootOfSum(result, format, power: 2, powerError: 0)
        case "LpPool", "GlobalLpPool": rootOfSum(result, format, power: Double(context.attributes.int("p") ?? 2), powerError: functionError)
        case "ReduceLogSum": logarithmOfSum(result, format)
        case "ReduceLogSumExp": logarithmOfExponentials(result, format)
        default: nil
        }
    }

    private var functionError: Double { facts.functionError ?? 2 }
    private func count(_ result: ReferenceTensor) -> Double {
        Double(terms ?? max((context.inputs.first.flatMap { $0?.count } ?? 1) / max(result.count, 1), 1))
    }

    /// With s = Σ|x|^p, off by (n + 2 + 2e)·u·s + n·σ, and r = s^(1/p): E = |r|·u·((n + 2 + 2e)/p + 1 + 2e) + what the root makes of n·σ + k·ulp(|r| + E).
    private func rootOfSum(_ result: ReferenceTensor, _ format: NumberFormat, power: Double, powerError e: Double) -> Acceptance {
        let n = count(result)
        let largest = context.inputs[0]!.floats.reduce(0) { max($0, abs($1)) }
        var acceptance = Acceptance(
            result.floats,
            within: result.floats.map { r in
                let lost = n * underflow
                let error = abs(r) * step * ((n + 2 + 2 * e) / power + 1 + 2 * e) + min(pow(lost, 1 / power), lost / pow(abs(r), power - 1))
                return error.isFinite ? error + k * format.ulp(abs(r) + error) : 0
            })
        acceptance.admitRounded(result)
        // A power may overflow although the root does not.
        if !(n * pow(largest, power) < accumulator.largest / 2) { acceptance.isFree = result.floats.map(\.isFinite) }
        return acceptance
    }

    /// With s = Σx and m = Σ|x|: the logarithm over s ± ((n + 2)·u·m + n·σ), e ULP beside. Where that interval reaches zero, nothing is demanded.
    private func logarithmOfSum(_ result: ReferenceTensor, _ format: NumberFormat) -> Acceptance? {
        let x = context.inputs[0]!
        guard let groups = reducedGroups(x.shape), groups.count == result.count else { return nil }
        let (values, y) = (x.floats, result.floats)
        var acceptance = Acceptance(y, within: y.map { _ in 0 })
        acceptance.isFree = y.map { _ in false }
        for (element, group) in groups.enumerated() {
            let (sum, magnitude) = group.reduce((0.0, 0.0)) { ($0.0 + values[$1], $0.1 + abs(values[$1])) }
            let error = (Double(group.count) + 2) * step * magnitude + Double(group.count) * underflow
            if magnitude > 0, abs(sum) <= error { acceptance.isFree[element] = true }
            guard sum > error, error.isFinite, sum.isFinite else { continue }
            let (low, high) = (log(sum - error), log(sum + error))
            acceptance.lower[element] = low - 2 * functionError * step * abs(low) - k * format.ulp(low)
            acceptance.upper[element] = high + 2 * functionError * step * abs(high) + k * format.ulp(high)
        }
        acceptance.admitRounded(result)
        return acceptance
    }

    /// log Σ exp(x) = g + log Σ exp(x − g), g the maximum. With d = x − g and D = Σ w·|d|, w the softmax: E = u·(D + 2e + n + 1 + 2e·|log Σ| + |y|) + k·ulp(|y| + E).
    private func logarithmOfExponentials(_ result: ReferenceTensor, _ format: NumberFormat) -> Acceptance? {
        let x = context.inputs[0]!
        guard let groups = reducedGroups(x.shape), groups.count == result.count else { return nil }
        let (values, y, e) = (x.floats, result.floats, functionError)
        var acceptance = Acceptance(
            y,
            within: zip(groups, y).map { group, y in
                let greatest = group.reduce(-Double.infinity) { max($0, values[$1]) }
                guard greatest.isFinite, y.isFinite else { return 0 }
                let distance = group.reduce(0.0) { sum, index in
                    let weight = exp(values[index] - y)
                    return weight > 0 ? sum + weight * (greatest - values[index]) : sum
                }
                let error = step * (distance + 2 * e + Double(group.count) + 1 + 2 * e * abs(y - greatest) + abs(y))
                return error + k * format.ulp(abs(y) + error)
            })
        acceptance.admitRounded(result)
        return acceptance
    }

    /// What a reduction folds into each output element: the axes are an attribute or, later, an input.
    private func reducedGroups(_ shape: [Int]) -> [[Int]]? {
        let given = context.attributes.ints("axes") ?? (context.has(1) ? context.inputs[1]!.integers.map { Int($0) } : [])
        var axes = given.map { $0 < 0 ? $0 + shape.count : $0 }
        if axes.isEmpty { axes = context.attributes.flag("noop_with_empty_axes") ? [] : Array(shape.indices) }
        return groups(of: shape, over: axes)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import HardwareModel
import Operators
import Tensors

extension Bounds {
    /// Sums of n products with m = Σ|a||b| + |bias|: E = e + k·ulp(|r| + e) with e = m·((1 + u_in)² − 1 + (n + 2)·u_acc) + n·σ, for every order of summation (Jeannerod and
    /// Rump, "Improved error bounds for inner products in floating-point arithmetic", 2013); the two more roundings are those of a scale and of a bias. A mean rounds once
    /// more. Sums that truncate have twice the u_acc.
    ///
    /// Where all inputs are whole numbers times a power of two and m fits into the significand, every partial sum is exact: lens 1.
    func sum(_ result: ReferenceTensor, _ format: NumberFormat, _ index: Int) throws(OperatorError) -> Acceptance {
        let values = result.floats
        guard let magnitudes = try magnitudes(output: index) else { return try noiseFloor(result, format, index) }
        let count = Double(terms ?? defaultTerms(result))
        if !facts.usesTransforms, !isMean, isExact(magnitudes, format) { return Acceptance(exactly: result.roundedFloats) }
        let unit = accumulator.unit
        let tile = facts.usesTransforms ? magnitudes.reduce(0) { $1.isFinite ? max($0, $1) : $0 } : nil
        var bound: [Double] = []
        bound.reserveCapacity(values.count)
        for element in values.indices {
            let m = tile ?? magnitudes[element]
            let error = m * (inputRounding + (count + 2) * step) + count * underflow
            // The sum that is stored may lie in the next binade already, where steps are twice as wide.
            bound.append(error + (k + (isMean ? 1 : 0)) * format.ulp(abs(values[element]) + error))
        }
        var acceptance = Acceptance(values, within: bound.map { $0.isNaN ? 0 : $0 })
        acceptance.admitRounded(result)
        // A partial sum may overflow although the whole does not.
        let limit = accumulator.largest / 2
        if magnitudes.contains(where: { !($0 < limit) }) {
            acceptance.isFree = zip(magnitudes, values).map { !($0 < limit) && $1.isFinite }
        }
        let spread = count.squareRoot()
        acceptance.typicalErrors = zip(values, magnitudes).map { unit * $1 * spread + format.ulp($0) / 2 }
        return acceptance
    }

    private var isMean: Bool {
        ["Mean", "ReduceMean", "AveragePool", "GlobalAveragePool", "LpPool", "GlobalLpPool"].contains(definition.name)
    }

    /// Elements of the first input for each of the output's.
    private func defaultTerms(_ result: ReferenceTensor) -> Int {
        let largest = context.inputs.compactMap { $0?.count }.max() ?? 1
        return max(largest / max(result.count, 1), context.inputs.count, 2)
    }

    /// m of every element: the reference on absolute values, with absolute scales.
    func magnitudes(output: Int) throws(OperatorError) -> [Double]? {
        var attributes = call.attributes
        for name in ["alpha", "beta"] {
            if case .float(let value)? = attributes[name] { attributes[name] = .float(abs(value)) }
        }
        let absolute = NodeAttributes(version: context.version, given: attributes, rules: definition.attributes)
        return try evaluated(movingInputs: { value, _, _, _ in abs(value) }, attributes: absolute, output: output)?.map { abs($0) }
    }

    /// Whether every partial sum is representable, in the accumulator and in the output.
    private func isExact(_ magnitudes: [Double], _ format: NumberFormat) -> Bool {
        guard let largest = magnitudes.max(), largest.isFinite else { return false }
        var smallest = 1.0
        for case let input? in context.inputs {
            guard case .floats(let values) = input.elements else { continue }
            guard let unit = Self.commonUnit(values) else { return false }
            // Squares are products of one input with itself.
            smallest *= definition.name == "ReduceSumSquare" ? unit * unit : unit
        }
        for name in ["alpha", "beta"] {
            if let value = context.attributes.float(name), value != 1 { return false }
        }
        let bits = min(accumulator.precision, format.precision, facts.inputBits ?? 53)
        return largest / smallest <= Double(sign: .plus, exponent: bits, significand: 1) && smallest >= accumulator.smallestNormal
    }

    /// The largest power of two, at most 1, that divides all values; nil where there is none of reasonable size.
    private static func commonUnit(_ values: [Double]) -> Double? {
        var exponent = 0
        for value in values where value != 0 {
            guard value.isFinite else { return nil }
            exponent = min(exponent, Int(value.exponent) - value.significandWidth)
            if exponent < -64 { return nil }
        }
        return Double(sign: .plus, exponent: exponent, significand: 1)
    }

    /// Composites: the error of right runs is measured, not derived. Each run moves every element of the floating-point inputs by up to two units of the declared
    /// accumulator at random, which is what rounding on the way does by the standard backward analysis (Higham, chapter 3), and rounds the result as the kernel stores it.
    /// Keys of attention move by more: see `scoreUnits`.
    /// Right is what keeps twice the worst root mean square error of eight such runs (three times for 16-bit types) and four times their worst element.
    func noiseFloor(_ result: ReferenceTensor, _ format: NumberFormat, _ index: Int) throws(OperatorError) -> Acceptance {
        let values = result.floats
        let isResampling = ["Resize", "Upsample"].contains(definition.name)
        let scoreUnits = scoreUnits()
        var worstElement = 0.0
        var worstSquare = 0.0
        for run in 0..<8 {
            let random = CounterRandom(seed: UInt64(run), case: "noise floor", tensor: definition.name)
            let unit = max(accumulator.unit, inputRounding)
            let moved = try evaluated(
                movingInputs: { value, _, position, element in
                    // Scales are exact: moved, they would name another size, and no run would be left to measure.
                    if position > 0 && isResampling { return value }
                    let share = 2 * random.uniform(UInt64(position) << 40 | UInt64(element)) - 1
                    let ofScores = scoreUnits != nil && (position == 1 || position == 4) ? scoreUnits! * accumulator.unit : 0
                    return value * (1 + max(2 * unit, ofScores) * share)
                }, output: index)
            guard let moved else { continue }
            let stored = ReferenceTensor(result.dataType, result.shape, .floats(moved)).roundedFloats
            var squares = 0.0
            for element in values.indices where values[element].isFinite && stored[element].isFinite {
                let error = abs(stored[element] - values[element])
                worstElement = max(worstElement, error)
                squares += error * error
            }
            worstSquare = max(worstSquare, squares / Double(max(values.count, 1)))
        }
        // In float64 the reference errs as much as a kernel. The root of n squares: n·u each for their sum, of which the root keeps half, and two roundings.
        let sides = isDouble && definition.name == "ReduceL2" ? (Double(terms ?? defaultTerms(result)) + 4) * accumulator.unit : 0
        let places = isResampling ? placeError(result) : 0
        let weighted = index == 0 ? weightedSumError() : (bound: 0, typical: 0)
        var acceptance = Acceptance(
            values,
            within: values.map { 4 * worstElement + 2 * k * format.ulp($0) + ($0.isFinite ? sides * abs($0) + places + weighted.bound : 0) }
        )
        acceptance.admitRounded(result)
        let rounding = values.reduce(0) { $1.isFinite ? $0 + pow(k * format.ulp($1), 2) : $0 } / Double(max(values.count, 1))
        // Of a few elements the root mean square says no more than each of them.
        if values.count >= 64 {
            let largest = values.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
            acceptance.rootMeanSquareLimit =
                (format.precision <= 11 ? 3 : 2) * worstSquare.squareRoot() + rounding.squareRoot() + sides * largest + places / 4
                + weighted.typical
        }
        return acceptance
    }

    /// Attention: a score is a sum of d products that is scaled, and the largest is taken off, so that product i goes through d − i + 3 roundings, (d + 3)/2 + 1 on average.
    /// The error of a sum is one of either factor (Higham, section 3.1): by so many units keys move.
    private func scoreUnits() -> Double? {
        guard ["Attention", "FlexAttention"].contains(definition.name), let keys = context.inputs.dropFirst().first ?? nil,
            let width = keys.shape.last
        else { return nil }
        let heads = keys.shape.count == 3 ? context.attributes.int("kv_num_heads") ?? 1 : 1
        return Double(width / max(heads, 1) + 3) / 2 + 1
    }

    /// Attention ends in a sum over n keys with weights that add up to one, so Σ|a||b| is at most max|v|: (n + 2)·u·max|v|, and √n·u·max|v| for the root mean square.
    private func weightedSumError() -> (bound: Double, typical: Double) {
        func input(_ index: Int) -> ReferenceTensor? { index < context.inputs.count ? context.inputs[index] : nil }
        guard definition.name == "Attention", let keys = input(1), keys.shape.count >= 2 else { return (0, 0) }
        let past = input(4).map { $0.shape.count == 4 ? $0.shape[2] : 0 } ?? 0
        let count = Double(keys.shape[keys.shape.count - 2] + past)
        let largest = [input(2), input(5)].reduce(0.0) { most, values in
            values?.floats.reduce(most) { $1.isFinite ? max($0, abs($1)) : $0 } ?? most
        }
        return ((count + 2) * accumulator.unit * largest, count.squareRoot() * accumulator.unit * largest)
    }

    /// Resampling: a place on an axis of L elements comes out of four roundings of numbers up to L + 1, and a step of one changes the weighted sum by at most twice the
    /// largest |x| (linear) or four times (cubic). Per axis 4·u·(L + 1)·(2 or 4)·max|x|; four random roundings of places spread over the axis make about a quarter of it.
    private func placeError(_ result: ReferenceTensor) -> Double {
        guard let x = context.inputs[0] else { return 0 }
        let largest = x.floats.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
        let slope = context.attributes.string("mode") == "cubic" ? 4.0 : 2.0
        let lengths = zip(x.shape, result.shape).reduce(0.0) { $1.0 == $1.1 ? $0 : $0 + Double($1.0) + 1 }
        return 4 * accumulator.unit * lengths * slope * largest
    }
}

extension Double {
    /// Bits of the significand behind its leading one that are in use.
    fileprivate var significandWidth: Int { self == 0 ? 0 : 52 - significandBitPattern.trailingZeroBitCount.clamped(to: 52) }
}

extension Int {
    fileprivate func clamped(to limit: Int) -> Int { Swift.min(self, limit) }
}

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Operators
import Tensors

/// Quantisation, quantised products and casts, in any arithmetic.
enum QuantisedKernel {
    /// One scale for all elements, or one per place on axis 1.
    private static func scales(_ context: ReferenceContext, _ position: Int) -> (Int) -> Int {
        let shape = context.inputs[0]!.shape
        guard context.inputs[position]!.count > 1 else { return { _ in 0 } }
        let inner = shape.dropFirst(2).reduce(1, *)
        return { $0 / inner % shape[1] }
    }

    /// QuantizeLinear from float32 to integers.
    static func quantize(_ context: ReferenceContext, _ m: Machine<Float>) -> [Int64]? {
        let (x, scale) = (context.inputs[0]!, context.inputs[1]!)
        let target = context.output(0).dataType
        guard x.dataType == .float32, target.isInteger, context.attributes.int("block_size") ?? 0 == 0, context.attributes.int("axis") == 1
        else { return nil }
        let place = scales(context, 1)
        let zeros = context.has(2) && !m.arithmetic.dropsZeroPoint ? context.inputs[2]!.integers : []
        let (values, factors) = (m.load(x.floats), m.load(scale.floats))
        return values.indices.map { index in
            let quotient = m.div(values[index], factors[place(index)])
            return step(Double(quotient), zero: zeros.isEmpty ? 0 : zeros[place(index)], target, m.arithmetic)
        }
    }

    /// To the next whole number and into the type.
    private static func step(_ value: Double, zero: Int64, _ type: DataType, _ arithmetic: Arithmetic) -> Int64 {
        if value.isNaN { return zero }
        let rule: FloatingPointRoundingRule =
            arithmetic.store == .truncated ? .towardZero : arithmetic.store == .tiesAway ? .toNearestOrAwayFromZero : .toNearestOrEven
        let whole = min(max(value, -1e15), 1e15).rounded(rule) + Double(zero)
        return DiscreteKernel.brought(Int128(whole), into: type, saturates: !arithmetic.wrapsAtRequantisation)
    }

    static func dequantize<S: Scalar>(_ context: ReferenceContext, _ m: Machine<S>) -> [Double]? {
        let (x, scale) = (context.inputs[0]!, context.inputs[1]!)
        guard case .integers(let values) = x.elements, context.attributes.int("block_size") ?? 0 == 0, context.attributes.int("axis") == 1
        else { return nil }
        let place = scales(context, 1)
        let zeros = context.has(2) && !m.arithmetic.dropsZeroPoint ? context.inputs[2]!.integers : []
        let factors = m.load(scale.floats)
        // An int32 does not fit into a float32: widened first, rounded once.
        return values.indices.map { index in
            let difference = values[index] - (zeros.isEmpty ? 0 : zeros[place(index)])
            return abs(difference) < 1 << 24
                ? Double(m.mul(S(difference), factors[place(index)])) : Double(difference) * Double(factors[place(index)])
        }
    }

    /// QLinearMatMul of two matrices. The sum is scaled by one factor made before: in float32, in float64, or as an integer of 31 bits and a shift.
    static func product(_ context: ReferenceContext, _ m: Machine<Float>) -> [Int64]? {
        let (a, b) = (context.inputs[0]!, context.inputs[3]!)
        guard a.shape.count == 2, b.shape.count == 2, context.inputs[1]!.dataType == .float32, context.inputs[1]!.count == 1 else {
            return nil
        }
        let (rows, depth, columns) = (a.shape[0], a.shape[1], b.shape[1])
        let arithmetic = m.arithmetic
        let (left, right, last) = (context.inputs[1]!.floats[0], context.inputs[4]!.floats, context.inputs[6]!.floats[0])
        let (zeroA, zerosB, zeroY) = (
            arithmetic.dropsZeroPoint ? 0 : context.inputs[2]!.integers[0], context.inputs[5]!.integers, context.inputs[7]!.integers[0]
        )
        var result: [Int64] = []
        for row in 0..<rows {
            for column in 0..<columns {
                var sum: Int64 = 0
                for k in 0..<(arithmetic.dropsLastTerm ? depth - 1 : depth) {
                    sum += (a.integers[row * depth + k] - zeroA) * (b.integers[k * columns + column] - zerosB[column % zerosB.count])
                    if arithmetic.saturates { sum = max(-32768, min(32767, sum)) }
                }
                let factor = left * right[column % right.count] / last
                let scaled: Double
                switch arithmetic.functions {
                case .widened: scaled = Double(sum) * factor
                case .polynomials:
                    let exponent = Int(factor.exponent) + 1
                    let multiplier = Int128((factor * Double(sign: .plus, exponent: 31 - exponent, significand: 1)).rounded())
                    scaled = Double(Int128(sum) * multiplier) * Double(sign: .plus, exponent: exponent - 31, significand: 1)
                default: scaled = Double(m.mul(Float(sum), m.div(m.mul(Float(left), Float(right[column % right.count])), Float(last))))
                }
                result.append(step(scaled, zero: zeroY, context.output(0).dataType, arithmetic))
            }
        }
        return result
    }

    /// Cast between numbers.
    static func cast(_ context: ReferenceContext, _ arithmetic: Arithmetic) throws -> HostTensor? {
        let x = context.inputs[0]!
        let (target, shape) = (context.output(0).dataType, context.output(0).shape)
        let supported: Set<DataType> = [.float64, .float32, .float16, .bfloat16]
        switch x.elements {
        case .floats(let values) where supported.contains(x.dataType) && supported.contains(target):
            return try arithmetic.tensor(values, shape, target)
        case .floats(let values) where supported.contains(x.dataType) && target.isInteger && target.bits >= 8:
            guard values.allSatisfy({ abs($0) < 1e15 }) else { return nil }
            let rule: FloatingPointRoundingRule = arithmetic.store == .tiesAway ? .toNearestOrAwayFromZero : .towardZero
            return try HostTensor(
                target, shape, integers: values.map { DiscreteKernel.brought(Int128($0.rounded(rule)), into: target, saturates: true) })
        case .integers(let values) where x.dataType.isInteger && target.isInteger && target.bits >= 8:
            return try HostTensor(
                target, shape, integers: values.map { DiscreteKernel.brought(Int128($0), into: target, saturates: arithmetic.saturates) })
        case .integers(let values) where x.dataType.isInteger && supported.contains(target):
            guard values.allSatisfy({ $0.magnitude < 1 << 53 }) else { return nil }
            return try arithmetic.tensor(values.map { Double($0) }, shape, target)
        default: return nil
        }
    }

    // MARK: Positions

    /// TopK: values and positions. ArgMax and ArgMin: positions.
    static func property(_ name: String, _ context: ReferenceContext, _ arithmetic: Arithmetic) throws -> [HostTensor?]? {
        let x = context.inputs[0]!
        guard case .floats(let values) = x.elements else { return nil }
        let axis = context.attributes.int("axis") ?? (name == "TopK" ? -1 : 0)
        let position = axis < 0 ? axis + x.shape.count : axis
        let (size, inner) = (x.shape[position], x.shape[(position + 1)...].reduce(1, *))
        let takesLargest = name == "TopK" ? context.attributes.flag("largest") : name == "ArgMax"
        let takesLast = context.attributes.flag("select_last_index") != arithmetic.takesLastOfEqual
        // NaN is above all numbers, or below all of them.
        let ofNaN: Double = arithmetic.order == .reversed ? -.infinity : .infinity
        func key(_ value: Double) -> Double { value.isNaN ? ofNaN : takesLargest ? value : -value }
        let shape = context.output(0).shape
        let count = name == "TopK" ? shape[position] : 1
        var (chosen, places) = ([Double](repeating: 0, count: shape.reduce(1, *)), [Int64](repeating: 0, count: shape.reduce(1, *)))
        for line in 0..<x.shape[..<position].reduce(1, *) * inner {
            let start = line / inner * size * inner + line % inner
            let considered = arithmetic.dropsLastTerm && size > count ? size - 1 : size
            let order = (0..<considered).sorted { left, right in
                let (a, b) = (key(values[start + left * inner]), key(values[start + right * inner]))
                return a == b ? (takesLast ? left > right : left < right) : a > b
            }
            for k in 0..<count {
                let target = line / inner * count * inner + k * inner + line % inner
                (chosen[target], places[target]) = (values[start + order[k] * inner], Int64(order[k]))
            }
        }
        let indices = try HostTensor(.int64, shape, places)
        return name == "TopK" ? [try HostTensor(x.dataType, shape, doubles: chosen), indices] : [indices]
    }
}

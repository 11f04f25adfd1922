// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Operators
import Tensors

/// Operators whose results are exact: movement and selection, integers, casts, quantised ones, positions.
enum DiscreteKernel {
    /// Floating-point movement and selection. A right kernel may give either zero where a minimum or maximum has both to choose from.
    static func movement(_ name: String, _ context: ReferenceContext, _ arithmetic: Arithmetic) -> [Double]? {
        let inputs = context.inputs.compactMap { $0 }
        guard let x = inputs.first, inputs.count == context.inputs.count, case .floats(var values) = x.elements else { return nil }
        let prefersLeft = arithmetic.order == .reversed
        let losesNaN = arithmetic.losesNaN
        func greater(_ a: Double, _ b: Double) -> Double {
            if a.isNaN || b.isNaN { return losesNaN ? (a.isNaN ? b : a) : .nan }
            return prefersLeft ? (a >= b ? a : b) : (a > b ? a : b)
        }
        func smaller(_ a: Double, _ b: Double) -> Double { -greater(-a, -b) }
        if arithmetic.flushesDenormals {
            let format = NumberFormat(x.dataType)
            values = values.map { abs($0) < format.smallestNormal ? Double(signOf: $0, magnitudeOf: 0) : $0 }
        }
        if let bits = arithmetic.dataBits { values = values.map { $0.rounded(toBits: bits) } }
        let shape = context.output(0).shape
        switch name {
        case "Relu": return values.map { losesNaN && $0.isNaN ? 0 : $0 < 0 || prefersLeft && $0 == 0 ? 0 : $0 }
        case "Abs": return values.map { arithmetic.losesSignOfZero && $0 == 0 ? -0.0 : Double(signOf: 1, magnitudeOf: $0) }
        case "Neg": return values.map { arithmetic.losesSignOfZero ? 0 - $0 : -$0 }
        case "Identity": return values.map { arithmetic.losesSignOfZero ? $0 + 0 : $0 }
        case "Floor": return values.map { $0.rounded(.down) }
        case "Ceil": return values.map { $0.rounded(.up) }
        case "Round": return values.map { $0.rounded(arithmetic.store == .tiesAway ? .toNearestOrAwayFromZero : .toNearestOrEven) }
        case "Transpose":
            let order = context.attributes.ints("perm") ?? x.shape.indices.reversed()
            let strides = denseStrides(x.shape)
            return stridedIndices(shape: order.map { x.shape[$0] }, strides: order.map { strides[$0] }).map { values[$0] }
        case "Max", "Min":
            var result = inputs[0].broadcast(to: shape).floats
            for other in inputs.dropFirst() {
                result = zip(result, other.broadcast(to: shape).floats).map { name == "Max" ? greater($0, $1) : smaller($0, $1) }
            }
            return result
        case "ReduceMax", "ReduceMin":
            return reducedGroups(x.shape, context)?.map { group in
                let group = arithmetic.dropsLastTerm && group.count > 1 ? group.dropLast() : group[...]
                return group.reduce(name == "ReduceMax" ? -.infinity : .infinity) {
                    name == "ReduceMax" ? greater($0, values[$1]) : smaller($0, values[$1])
                }
            }
        default: return nil
        }
    }

    /// Integer arithmetic in 128 bits, brought back into the type at the end: wrapped, or saturated by a fault.
    static func integers(_ name: String, _ context: ReferenceContext, _ arithmetic: Arithmetic) -> [Int64]? {
        let inputs = context.inputs.compactMap { $0 }
        guard let x = inputs.first, inputs.count == context.inputs.count, case .integers(let values) = x.elements, x.dataType.isInteger
        else { return nil }
        let shape = context.output(0).shape
        func wide(_ value: Int64) -> Int128 { x.dataType == .uint64 ? Int128(UInt64(bitPattern: value)) : Int128(value) }
        func narrow(_ value: Int128) -> Int64 { brought(value, into: context.output(0).dataType, saturates: arithmetic.saturates) }
        func pairs(_ function: (Int128, Int128) -> Int128) -> [Int64] {
            zip(inputs[0].broadcast(to: shape).integers, inputs[1].broadcast(to: shape).integers).map {
                narrow(function(wide($0), wide($1)))
            }
        }
        switch name {
        case "Add": return pairs { $0 + $1 }
        case "Sub": return pairs { $0 - $1 }
        case "Mul": return pairs { $0 &* $1 }
        case "Div": return pairs { $1 == 0 ? 0 : $0 / $1 }
        case "Neg": return values.map { narrow(-wide($0)) }
        case "ReduceSum", "ReduceProd":
            return reducedGroups(x.shape, context)?.map { group in
                let group = arithmetic.dropsLastTerm && group.count > 1 ? group.dropLast() : group[...]
                return group.reduce(name == "ReduceSum" ? 0 : 1) { total, index in
                    narrow(name == "ReduceSum" ? wide(total) + wide(values[index]) : wide(total) &* wide(values[index]))
                }
            }
        default: return nil
        }
    }

    /// MatMulInteger: sums of products in 32 bits.
    static func integerProduct(_ context: ReferenceContext, _ arithmetic: Arithmetic) -> [Int64]? {
        let (a, b) = (context.inputs[0]!, context.inputs[1]!)
        guard a.shape.count == 2, b.shape.count == 2 else { return nil }
        let zeros = [2, 3].map { arithmetic.dropsZeroPoint || !context.has($0) ? [Int64(0)] : context.inputs[$0]!.integers }
        let (rows, depth, columns) = (a.shape[0], a.shape[1], b.shape[1])
        guard zeros[0].count == 1 || zeros[0].count == rows else { return nil }
        var result: [Int64] = []
        for row in 0..<rows {
            for column in 0..<columns {
                var sum: Int64 = 0
                for k in 0..<(arithmetic.dropsLastTerm && depth > 1 ? depth - 1 : depth) {
                    sum &+=
                        (a.integers[row * depth + k] - zeros[0][row % zeros[0].count])
                        * (b.integers[k * columns + column] - zeros[1][column % zeros[1].count])
                    // Sums that are kept in 16 bits and saturate, as some multiply-add instructions do.
                    if arithmetic.saturates { sum = max(-32768, min(32767, sum)) }
                }
                result.append(sum)
            }
        }
        return result
    }

    static func brought(_ value: Int128, into type: DataType, saturates: Bool) -> Int64 {
        let isUnsigned = type.kind == .unsignedInteger
        let span = Int128(1) << Int128(type.bits)
        let (low, high) = isUnsigned ? (0, span - 1) : (-(span / 2), span / 2 - 1)
        if saturates { return Int64(truncatingIfNeeded: min(max(value, low), high)) }
        var wrapped = value & (span - 1)
        if !isUnsigned, wrapped > high { wrapped -= span }
        return Int64(truncatingIfNeeded: wrapped)
    }
}

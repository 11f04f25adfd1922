// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Operators
package import Tensors

/// A way to fill the data of a case. Each shows other faults; `docs/numerics.md` says which.
package enum DataFamily: String, Sendable, Hashable, CaseIterable {
    /// Small whole numbers, so sparse that every partial sum is exact: every order of summation gives the same bits.
    case exact
    /// Around zero, of size one.
    case signed
    /// Between a quarter and four.
    case positive
    /// A few large numbers before many small ones.
    case headTail = "head-tail"
    /// Sizes spread over many powers of two.
    case wide
    /// Neighbours that nearly cancel.
    case cancelling
    /// A mean far larger than the spread.
    case shifted
    /// Zeros of both signs, subnormals, infinities, NaN, the largest numbers and ties among ordinary ones.
    case special
    /// Every value of a type of 8 or 16 bits.
    case exhaustive
    /// Integers at the ends of their type.
    case extremes

    /// The families that a sample is run with, the most telling first.
    package static func families(for definition: OperatorDefinition, _ sample: Sample, type: DataType) -> [DataFamily] {
        let data = sample.inputs.compactMap { $0 }.filter { if case .data = $0.values { true } else { false } }
        guard !data.isEmpty, definition.numericClass != .random else { return [.signed] }
        if data.allSatisfy({ !$0.dataType.isFloat }) {
            return data.contains { $0.dataType.isInteger } ? [.signed, .extremes] : [.signed]
        }
        var families: [DataFamily]
        switch definition.numericClass {
        case .dot, .sum: families = (definition.terms == nil ? [] : [.exact]) + [.signed, .positive, .headTail, .wide, .cancelling]
        case .product: families = [.signed, .positive]
        case .variance, .normalisation: families = [.signed, .shifted, .wide]
        case .softmax: families = [.signed, .wide, .shifted]
        case .composite where definition.domain == FusedStep.domain && definition.terms != nil:
            families = [.exact, .signed, .positive, .cancelling]
        case .composite: families = [.signed, .positive]
        default: families = [.signed, .wide, .special]
        }
        let isLarge = data.contains { $0.shape.reduce(1, *) >= 500 }
        if isExhaustible(definition, sample, type) { families.append(.exhaustive) }
        return isLarge ? families : Array(families.prefix(2)) + families.dropFirst(2).filter { $0 == .special || $0 == .exhaustive }
    }

    /// One input whose elements are mapped each alone.
    private static func isExhaustible(_ definition: OperatorDefinition, _ sample: Sample, _ type: DataType) -> Bool {
        guard sample.name == "large", sample.inputs.count == 1, let input = sample.inputs[0], [8, 16].contains(input.dataType.bits),
            input.dataType != .bool,
            case .data(nil) = input.values
        else { return false }
        switch definition.numericClass {
        case .arithmetic, .division, .cast, .transcendental, .movement, .integer, .composite: break
        default: return false
        }
        guard let probe = try? HostTensor(input.dataType, [3, 2]),
            let context = try? definition.context(
                opset: definition.since.last ?? 1, attributes: sample.attributes, inputs: [probe], wanted: sample.wanted)
        else { return false }
        return context.output(0).shape == [3, 2]
    }

    /// A sample with its values drawn: functions of (seed, case, input, index).
    package func call(
        _ definition: OperatorDefinition, opset: Int, _ sample: Sample, seed: UInt64, case id: String
    ) throws -> OperatorCall {
        var call = OperatorCall(definition, opset: opset, attributes: sample.attributes, inputs: [], wanted: sample.wanted)
        let density = self == .exact ? try exactDensity(definition, opset: opset, sample) : 1
        var isFirstData = true
        call.inputs = try sample.inputs.enumerated().map { index, input in
            guard let input else { return nil }
            let random = CounterRandom(seed: seed, case: id, tensor: "input_\(index)")
            var filler = Filler(family: self, input: input, random: random)
            if case .data = input.values {
                filler.density = isFirstData ? density : 1
                isFirstData = false
            }
            return try filler.tensor()
        }
        return call
    }

    /// The share of the first input's elements that may be other than 0, so that sums of products of whole numbers up to 3 stay exact.
    private func exactDensity(_ definition: OperatorDefinition, opset: Int, _ sample: Sample) throws -> Double {
        let plain = try sample.inputs.map { input in
            try input.map { try Filler(family: .positive, input: $0, random: CounterRandom(seed: 0, case: "", tensor: "")).tensor() }
        }
        guard let terms = definition.terms,
            let context = try? definition.context(opset: opset, attributes: sample.attributes, inputs: plain, wanted: sample.wanted),
            let count = try? terms(context), count > 0, case .known(let type)? = context.outputs.first
        else { return 1 }
        let bits = NumberFormat(type.dataType).precision
        let largestProduct: Double =
            sample.inputs.compactMap { $0 }.filter { if case .data = $0.values { true } else { false } }.count > 1 ? 9 : 3
        return min(1, Double(sign: .plus, exponent: bits, significand: 1) / (largestProduct * Double(count) * 1.5))
    }
}

/// Fills one input.
private struct Filler {
    let family: DataFamily
    let input: Sample.Tensor
    let random: CounterRandom
    var density = 1.0

    init(family: DataFamily, input: Sample.Tensor, random: CounterRandom) {
        self.family = family
        self.input = input
        self.random = random
    }

    func tensor() throws -> HostTensor {
        let shape = input.shape
        let count = shape.reduce(1, *)
        switch input.values {
        case .exactly(let values):
            return input.dataType.isFloat
                ? try HostTensor(input.dataType, shape, doubles: values)
                : try HostTensor(input.dataType, shape, integers: values.map { Int64($0) })
        case .permutation:
            let order = (0..<count).sorted { random.word(UInt64($0)) < random.word(UInt64($1)) }
            return try HostTensor(input.dataType, shape, integers: order.map(Int64.init))
        case .integers(let range):
            let drawn = (0..<count).map { integer($0, range) }
            return input.dataType.isFloat
                ? try HostTensor(input.dataType, shape, doubles: drawn.map(Double.init))
                : try HostTensor(input.dataType, shape, integers: drawn)
        case .data(let range):
            if family == .exhaustive { return try exhaustive() }
            switch input.dataType.kind {
            case .float: return try HostTensor(input.dataType, shape, doubles: (0..<count).map { float($0, range) })
            case .bool: return try HostTensor(.bool, shape, integers: (0..<count).map { integer($0, 0...1) })
            default: return try HostTensor(input.dataType, shape, integers: (0..<count).map { wholeNumber($0, range) })
            }
        }
    }

    private func integer(_ index: Int, _ range: ClosedRange<Int64>) -> Int64 {
        let span = UInt64(bitPattern: range.upperBound &- range.lowerBound)
        guard span < 1 << 32 else {
            return range.lowerBound &+ Int64(bitPattern: random.word(UInt64(index)) % (span &+ 1 == 0 ? .max : span &+ 1))
        }
        return range.lowerBound + Int64(random.integer(UInt64(index), below: span + 1))
    }

    /// All bit patterns of the type, in an order that a kernel's vector width does not match.
    private func exhaustive() throws -> HostTensor {
        if input.dataType.bits == 16 {
            return try HostTensor(input.dataType, [257, 255 + 1], (0..<257 * 256).map { UInt16(truncatingIfNeeded: $0) })
        }
        let values = (0..<1 << input.dataType.bits).map { UInt8(truncatingIfNeeded: $0) }
        return try HostTensor(input.dataType, [values.count], values)
    }

    // MARK: Integers

    private func wholeNumber(_ index: Int, _ range: ClosedRange<Double>?) -> Int64 {
        let (low, high) = limits(of: input.dataType)
        if let range {
            return integer(
                index, Int64(max(range.lowerBound, Double(low)).rounded(.up))...Int64(min(range.upperBound, Double(high)).rounded(.down)))
        }
        guard family == .extremes else { return integer(index, max(low, -10)...min(high, 10)) }
        let word = random.word(UInt64(index))
        let largest: Int64 = input.dataType == .uint64 ? -1 : high
        let ends = [low, largest, low &+ 1, largest &- 1, 0, 1, low < 0 ? -1 : 2]
        let pick = Int(word & 7)
        return pick < ends.count ? ends[pick] : Int64(bitPattern: random.word(UInt64(index) | 1 << 63))
    }

    private func limits(of type: DataType) -> (Int64, Int64) {
        let bits = Int64(type.bits)
        if type.kind == .unsignedInteger { return (0, bits == 64 ? .max : (1 << bits) - 1) }
        return bits == 64 ? (.min, .max) : (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    }

    // MARK: Floats

    private func float(_ index: Int, _ range: ClosedRange<Double>?) -> Double {
        let position = UInt64(index)
        if family == .special, random.word(position | 1 << 62) & 1 == 0 {
            let table = NumberFormat(input.dataType).specialValues.filter { range?.contains($0) ?? true }
            if !table.isEmpty { return table[Int(random.integer(position | 1 << 61, below: UInt64(table.count)))] }
        }
        if let range {
            let share = random.uniform(position)
            if family == .exact {
                return Double(
                    integer(
                        index,
                        Int64(
                            range.lowerBound.rounded(.up))...max(
                                Int64(range.lowerBound.rounded(.up)), Int64(range.upperBound.rounded(.down)))))
            }
            return range.lowerBound + share * (range.upperBound - range.lowerBound)
        }
        switch family {
        case .exact:
            guard random.uniform(position | 1 << 62) < density else { return 0 }
            let magnitude = Double(1 + random.integer(position, below: 3))
            return random.word(position | 1 << 61) & 1 == 0 ? magnitude : -magnitude
        case .positive: return 0.25 + 3.75 * random.uniform(position)
        case .headTail: return random.normal(position) * (index % 37 < 3 ? 64 : 0.125)
        case .wide:
            let spread = NumberFormat(input.dataType).wideExponent
            let exponent = Int(random.integer(position | 1 << 62, below: UInt64(2 * spread + 1))) - spread
            let magnitude = Double(sign: .plus, exponent: exponent, significand: 1 + random.uniform(position))
            return random.word(position | 1 << 61) & 1 == 0 ? magnitude : -magnitude
        case .cancelling:
            let value = random.normal(position & ~1)
            return index & 1 == 0 ? value : -value * (1 + random.normal(position | 1 << 62) / 64)
        case .shifted: return NumberFormat(input.dataType).shift + random.normal(position)
        default: return random.normal(position)
        }
    }
}

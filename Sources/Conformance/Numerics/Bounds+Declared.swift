// SPDX-License-Identifier: Apache-2.0
import Foundation
import Operators
import Tensors

/// What is right besides, because the kernel declares a flag (SB-NUM-002).
extension Bounds {
    // MARK: NaN ignored

    /// By operator and input position, what stands for NaN where a minimum or maximum gives the number: the identity of the maximum or minimum that the input goes
    /// into. The value that Clip and HardSigmoid limit goes into one of each, whose order is the kernel's. HardSwish multiplies by x, and so keeps NaN.
    private static let identities: [String: [[Double]]] = [
        "Max": [[-.infinity]], "ReduceMax": [[-.infinity]], "MaxPool": [[-.infinity]], "GlobalMaxPool": [[-.infinity]],
        "Relu": [[-.infinity]], "Min": [[.infinity]], "ReduceMin": [[.infinity]],
        "Clip": [[-.infinity, -.infinity, .infinity], [.infinity, -.infinity, .infinity]],
        "HardSigmoid": [[-.infinity], [.infinity]],
    ]

    /// Where the result is NaN, that of the numbers alone is right, too.
    func ignoringNaN(_ acceptance: Acceptance, _ result: ReferenceTensor, _ index: Int) throws(OperatorError) -> Acceptance {
        guard let readings = Self.identities[definition.name], acceptance.expected.contains(where: \.isNaN) else { return acceptance }
        var wide = acceptance
        for reading in readings {
            let other = try evaluated(
                movingInputs: { value, _, input, _ in value.isNaN ? reading[min(input, reading.count - 1)] : value }, output: index)
            if let other { wide.alternatives.append(rounded(other, as: result)) }
        }
        return wide
    }

    // MARK: Subnormal numbers flushed

    /// Subnormal inputs read as zero, all of them or those of some inputs, or subnormal results written as zero, are right too. A result counts as subnormal if any
    /// number that is right does.
    func flushed(_ acceptance: Acceptance, _ result: ReferenceTensor, _ index: Int) throws(OperatorError) -> Acceptance {
        var wide = acceptance
        let smallest = NumberFormat(result.dataType).smallestNormal
        let unrounded = result.floats
        for element in wide.expected.indices
        where min(abs(unrounded[element]), abs(wide.lower[element]), abs(wide.upper[element])) < smallest {
            wide.lower[element] = min(wide.lower[element], 0)
            wide.upper[element] = max(wide.upper[element], 0)
        }
        wide.signOfZeroCounts = false
        wide.alternatives += wide.alternatives.map { $0.map { abs($0) < smallest ? 0 : $0 } }
        for (place, reading) in subnormalReadings.enumerated() {
            guard let other = try evaluated(readingAsZero: reading, signed: false, output: index) else { continue }
            wide.alternatives.append(rounded(other, as: result))
            // The sign of the zero tells in what is divided by it.
            if let signed = try evaluated(readingAsZero: reading, signed: true, output: index) {
                wide.alternatives.append(rounded(signed, as: result))
            }
            // With all of them read as zero errors of rounding lie between the two; with some, the results need not lie near each other.
            guard place == 0 else { continue }
            for element in other.indices where !other[element].isNaN {
                wide.lower[element] = min(wide.lower[element], other[element])
                wide.upper[element] = max(wide.upper[element], other[element])
            }
        }
        return wide
    }

    /// Comparisons, and casts to bool.
    func flushedTruth(_ result: ReferenceTensor, _ index: Int) throws(OperatorError) -> Judge.Rule {
        var (lower, upper) = (result.wrappedIntegers, result.wrappedIntegers)
        for reading in subnormalReadings {
            guard let other = try evaluated(readingAsZero: reading, signed: false, output: index) else { continue }
            for element in other.indices {
                lower[element] = min(lower[element], Int64(other[element]))
                upper[element] = max(upper[element], Int64(other[element]))
            }
        }
        return .steps(lower: lower, upper: upper)
    }

    /// Which inputs may have their subnormal numbers read as zero: all that have some first, then every part of them. Of many inputs, all or one.
    private var subnormalReadings: [Set<Int>] {
        let positions = context.inputs.indices.filter { position in
            guard let input = context.inputs[position], case .floats(let values) = input.elements else { return false }
            let smallest = NumberFormat(input.dataType).smallestNormal
            return values.contains { $0 != 0 && abs($0) < smallest }
        }
        if positions.isEmpty { return [] }
        if positions.count > 4 { return [Set(positions)] + positions.map { [$0] } }
        return (1..<(1 << positions.count)).reversed().map { bits in
            Set(positions.indices.filter { bits & (1 << $0) != 0 }.map { positions[$0] })
        }
    }

    /// - Parameter signed: the zero keeps the sign of the number.
    private func evaluated(readingAsZero positions: Set<Int>, signed: Bool, output: Int) throws(OperatorError) -> [Double]? {
        try evaluated(
            movingInputs: { value, format, input, _ in
                guard positions.contains(input), abs(value) < format.smallestNormal else { return value }
                return signed ? Double(signOf: value, magnitudeOf: 0) : 0
            }, output: output)
    }

    private func rounded(_ values: [Double], as result: ReferenceTensor) -> [Double] {
        ReferenceTensor(result.dataType, result.shape, .floats(values)).roundedFloats
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Operators
import Tensors

/// What a right kernel's rounding may do to the outputs of one node: each element is moved up or down, at random, by as much.
struct NodeNoise: Sendable {
    /// By output; empty where a right kernel gives the same bits.
    let amplitudes: [[Double]]

    static let none = NodeNoise(amplitudes: [])

    private init(amplitudes: [[Double]]) { self.amplitudes = amplitudes }

    /// - Parameters:
    ///   - finding: on the device's own outputs. A kernel of grade A makes honest rounding errors, so its noise is as large as these; of any other
    ///     only the bound is known.
    ///   - reference: the reference's outputs, whose own errors are noise, too: between two right runs lie the errors of both.
    ///   - isInGroup: the result may be handed on unrounded, which differs from the rounded one by half the distance of two numbers.
    init(_ judge: Judge, _ finding: Finding, reference: [HostTensor?], isInGroup: Bool) {
        let rounds = isInGroup && judge.call.definition.numericClass != .movement
        amplitudes = judge.results.indices.map { output in
            guard let result = judge.results[output], let bound = judge.tolerance(of: output) else { return [] }
            let typical = finding.grade == .a ? judge.typicalErrors(of: output) : nil
            var noise = zip(bound, typical ?? bound).map { $0.isFinite ? min($0, $1) : 0 }
            guard result.dataType.isFloat else { return noise }
            if output < reference.count, let own = reference[output], own.count == noise.count {
                for (index, (value, exact)) in zip(own.decodedDoubles(), result.roundedFloats).enumerated() where (value - exact).isFinite {
                    noise[index] = max(noise[index], abs(value - exact))
                }
            }
            guard rounds else { return noise }
            let format = NumberFormat(result.dataType)
            return zip(noise, result.floats).map { $1.isFinite ? max($0, format.ulp($1) / 2) : $0 }
        }
    }

    func moved(_ tensor: HostTensor, output: Int, seed: UInt64, of node: String) throws -> HostTensor {
        guard tensor.dataType.isFloat, output < amplitudes.count, amplitudes[output].count == tensor.count,
            amplitudes[output].contains(where: { $0 > 0 })
        else { return tensor }
        let random = CounterRandom(seed: seed, case: "debug", tensor: node)
        var values = tensor.decodedDoubles()
        for (index, amplitude) in amplitudes[output].enumerated() {
            values[index] += random.word(UInt64(index)) & 1 == 0 ? amplitude : -amplitude
        }
        let moved = try HostTensor(tensor.dataType, tensor.shape, doubles: values)
        // At the end of the type's range a step up is an infinity, which no right run has.
        guard moved.decodedDoubles().contains(where: { !$0.isFinite }) else { return moved }
        let (original, after) = (tensor.decodedDoubles(), moved.decodedDoubles())
        return try HostTensor(tensor.dataType, tensor.shape, doubles: zip(original, after).map { $1.isFinite ? $1 : $0 })
    }
}

extension Judge {
    /// What the root mean square of honest rounding errors stays below, element by element; nil where the class has no such figure.
    func typicalErrors(of output: Int) -> [Double]? { acceptance(of: output)?.typicalErrors }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Operators
package import Tensors

/// Lens 5: what must hold between the results of two calls, whatever the right results are. The catalogue's reference says only to which calls a relation applies
/// and how large rounding errors may be; its results judge nothing here.
package enum Relation: String, Sendable, Hashable, CaseIterable {
    /// The entries of the batch (axis 0) in reverse order.
    case permutedBatch = "permuted-batch"
    /// More entries behind the batch, of NaN and huge numbers: a neighbour must not change the others.
    case paddedBatch = "padded-batch"
    /// The first entry of the batch alone.
    case firstOfBatch = "first-of-batch"
    /// The first input times four: results are scaled by a power of two, or stay.
    case scaled
    /// Two added to every element of the first input: results grow by two, or stay.
    case shifted
    /// (A·B)ᵀ = Bᵀ·Aᵀ.
    case transposed

    /// Data that the other call holds without rounding.
    var family: DataFamily { self == .shifted ? .exact : .signed }
}

/// Another call, and what the results of the first say about its results.
package struct RelatedCall: Sendable {
    package let other: OperatorCall
    /// From an output of the first call to the same output of the other, as far as it is determined: elements in order.
    let map: @Sendable (ReferenceTensor) -> ReferenceTensor?
    /// Only the first of the other's elements are determined.
    var isPrefix = false
    /// By how many of the smallest numbers of the type results may differ besides: near zero scaling is not exact.
    var underflow = 0.0
}

extension Relation {
    /// The other call; nil where the relation does not hold for this one, as the reference's own results show.
    package func related(to call: OperatorCall) -> RelatedCall? {
        candidates(call).first { candidate in
            guard let base = Self.results(call), let other = Self.results(candidate.other) else { return false }
            return zip(call.wanted.indices, zip(base, other)).allSatisfy { _, pair in
                guard let from = pair.0, let to = pair.1 else { return pair.0 == nil && pair.1 == nil }
                guard let expected = candidate.map(from) else { return false }
                return Self.agree(expected, to, isPrefix: candidate.isPrefix)
            }
        }
    }

    private static func results(_ call: OperatorCall) -> [ReferenceTensor?]? {
        let definition = call.definition
        guard
            let context = try? definition.context(opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
        else { return nil }
        return try? definition.results(context)
    }

    /// Equal up to the rounding of float64.
    private static func agree(_ expected: ReferenceTensor, _ actual: ReferenceTensor, isPrefix: Bool) -> Bool {
        guard isPrefix || expected.shape == actual.shape else { return false }
        let count = expected.count
        guard count > 0, actual.count >= count, expected.dataType == actual.dataType else { return false }
        if case .integers(let values) = expected.elements { return values.elementsEqual(actual.integers.prefix(count)) }
        let size = expected.floats.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
        return zip(expected.floats, actual.floats.prefix(count)).allSatisfy {
            $0 == $1 || $0.isNaN && $1.isNaN || abs($0 - $1) <= 1e-12 * size
        }
    }

    // MARK: Candidates

    private func candidates(_ call: OperatorCall) -> [RelatedCall] {
        switch self {
        case .permutedBatch:
            return batches(call) { entries in entries.reversed() }.map { other, count in
                RelatedCall(other: other, map: { $0.entries(Array((0..<count).reversed()), of: count) })
            }
        case .firstOfBatch:
            return batches(call) { _ in [0] }.map { other, count in RelatedCall(other: other, map: { $0.entries([0], of: count) }) }
        case .paddedBatch: return padded(call)
        case .scaled:
            guard let other = changingFirst(call, { $0 * 4 }) else { return [] }
            return [4.0, 1, 0.25, 2, 16, 0.5].map { factor in RelatedCall(other: other, map: { $0.mapped { $0 * factor } }, underflow: 16) }
        case .shifted:
            guard let other = changingFirst(call, { $0 + 2 }) else { return [] }
            return [2.0, 0].map { shift in RelatedCall(other: other, map: { $0.mapped { $0 + shift } }) }
        case .transposed:
            guard call.definition.name == "MatMul", call.inputs.count == 2, let a = call.inputs[0], let b = call.inputs[1],
                a.shape.count == 2, b.shape.count == 2,
                let left = b.transposed, let right = a.transposed
            else { return [] }
            var other = call
            other.inputs = [left, right]
            return [RelatedCall(other: other, map: { $0.transposed })]
        }
    }

    /// With the entries of axis 0 chosen: of the first input alone, or of all inputs that have as many.
    private func batches(_ call: OperatorCall, _ choose: (Range<Int>) -> [Int]) -> [(OperatorCall, Int)] {
        guard let count = call.inputs.first.flatMap({ $0?.shape.first }), count > 1 else { return [] }
        let sharing = call.inputs.indices.filter { call.inputs[$0]?.shape.first == count }
        return [[0], sharing].compactMap { positions in
            var other = call
            for position in positions {
                guard let entries = try? ReferenceTensor(call.inputs[position]!).entries(choose(0..<count), of: count)?.hostTensor() else {
                    return nil
                }
                other.inputs[position] = entries
            }
            return (other, count)
        }
    }

    private func padded(_ call: OperatorCall) -> [RelatedCall] {
        batches(call) { Array($0) + [$0.lowerBound, $0.upperBound - 1] }.compactMap { padded, count in
            var other = padded
            for (position, input) in padded.inputs.enumerated() {
                guard let input, input.shape != call.inputs[position]?.shape, input.dataType.isFloat else { continue }
                let kept = input.shape.reduce(1, *) / (count + 2) * count
                let largest = NumberFormat(input.dataType).largest
                let values = ReferenceTensor(input).floats.enumerated().map {
                    $0 < kept ? $1 : $0 % 3 == 0 ? .nan : $0 % 3 == 1 ? largest : -$1
                }
                guard let tensor = try? HostTensor(input.dataType, input.shape, doubles: values) else { return nil }
                other.inputs[position] = tensor
            }
            return RelatedCall(other: other, map: { $0.shape.first == count ? $0 : nil }, isPrefix: true)
        }
    }

    private func changingFirst(_ call: OperatorCall, _ change: (Double) -> Double) -> OperatorCall? {
        guard let first = call.inputs.first.flatMap({ $0 }), first.dataType.isFloat, first.dataType.bits > 8,
            let tensor = try? HostTensor(first.dataType, first.shape, doubles: ReferenceTensor(first).floats.map(change))
        else { return nil }
        var other = call
        other.inputs[0] = tensor
        return other
    }
}

extension ReferenceTensor {
    /// The chosen entries along axis 0; nil if there are not `count`.
    fileprivate func entries(_ chosen: [Int], of count: Int) -> ReferenceTensor? {
        guard shape.first == count else { return nil }
        let size = shape.dropFirst().reduce(1, *)
        return gathered(chosen.flatMap { $0 * size..<($0 + 1) * size }, shape: [chosen.count] + shape.dropFirst())
    }

    fileprivate func mapped(_ change: (Double) -> Double) -> ReferenceTensor {
        guard case .floats(let values) = elements else { return self }
        return ReferenceTensor(dataType, shape, .floats(values.map(change)))
    }

    fileprivate var transposed: ReferenceTensor? {
        guard shape.count == 2 else { return nil }
        let (rows, columns) = (shape[0], shape[1])
        return gathered(stridedIndices(shape: [columns, rows], strides: [1, columns]), shape: [columns, rows])
    }
}

extension HostTensor {
    fileprivate var transposed: HostTensor? { try? ReferenceTensor(self).transposed?.hostTensor() }
}

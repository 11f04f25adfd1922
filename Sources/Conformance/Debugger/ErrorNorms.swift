// SPDX-License-Identifier: Apache-2.0
import Tensors

/// How far a tensor is from another, in two norms. Each element's error counts relative to the reference's, but not to less than a typical small element: so
/// that neither zeros nor masked scores, 38 decades larger than all others, decide alone.
struct ErrorNorms: Sendable, Equatable {
    var largest = 0.0
    var rootMeanSquare = 0.0

    static let none = ErrorNorms()
    /// Another type or shape, or no number where there should be one.
    static let infinite = ErrorNorms(largest: .infinity, rootMeanSquare: .infinity)

    init(largest: Double = 0, rootMeanSquare: Double = 0) {
        self.largest = largest
        self.rootMeanSquare = rootMeanSquare
    }

    init(of actual: HostTensor, against reference: HostTensor) {
        guard actual.dataType == reference.dataType, actual.shape == reference.shape, actual.dataType != .string else {
            self = actual.dataType == .string && actual.strings == reference.strings ? .none : .infinite
            return
        }
        let (actual, expected) = (actual.decodedDoubles(), reference.decodedDoubles())
        let scale = Self.smallScale(expected)
        var square = 0.0
        for (value, right) in zip(actual, expected) where value != right && !(value.isNaN && right.isNaN) {
            let error = abs(value - right) / max(abs(right), scale)
            guard error.isFinite else {
                self = .infinite
                return
            }
            largest = max(largest, error)
            square += error * error
        }
        rootMeanSquare = (square / Double(max(expected.count, 1))).squareRoot()
    }

    /// The lower quartile of the magnitudes that are not zero.
    private static func smallScale(_ values: [Double]) -> Double {
        let magnitudes = values.lazy.map(abs).filter { $0 > 0 && $0.isFinite }.sorted()
        return magnitudes.isEmpty ? 1 : magnitudes[magnitudes.count / 4]
    }

    /// The larger of both, norm by norm.
    func union(_ other: ErrorNorms) -> ErrorNorms {
        ErrorNorms(largest: max(largest, other.largest), rootMeanSquare: max(rootMeanSquare, other.rootMeanSquare))
    }

    /// What right runs may come to whose noise came to this: `numerics.md`, row "composites and models".
    func allowance(for type: DataType) -> ErrorNorms {
        ErrorNorms(largest: 4 * largest, rootMeanSquare: (type.bits < 32 ? 3 : 2) * rootMeanSquare)
    }

    /// The error over what is allowed, of the norm that is worse; above 1 it is too much.
    func ratio(to allowed: ErrorNorms) -> Double {
        func ratio(_ error: Double, _ bound: Double) -> Double { error == 0 ? 0 : error / max(bound, .leastNonzeroMagnitude) }
        return max(ratio(largest, allowed.largest), ratio(rootMeanSquare, allowed.rootMeanSquare))
    }
}

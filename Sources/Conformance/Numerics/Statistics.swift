// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Lens 3: whether residuals look like those of honest rounding. A sum of n terms makes n rounding errors of at most u·m each; if they fall at random their root
/// mean square is at most u·m·√n, beside half an ULP of the store, and they have no common sign.
struct Statistics {
    /// Fewer outputs than this say nothing.
    static let fewest = 1000
    /// Two-sided, at a probability of one in ten million.
    private static let bias = 5.33

    private let rootMeanSquare: Double
    private let signSum: Double
    private let signCount: Double

    /// Nil where the class has no statistics or the outputs are too few.
    init?(_ actual: [Double], _ acceptance: Acceptance) {
        guard let typical = acceptance.typicalErrors, actual.count >= Self.fewest else { return nil }
        var squares = 0.0
        var count = 0.0
        var positive = 0.0
        var negative = 0.0
        for index in actual.indices where typical[index] > 0 && actual[index].isFinite && acceptance.expected[index].isFinite {
            let residual = (actual[index] - acceptance.expected[index]) / typical[index]
            squares += residual * residual
            count += 1
            if residual > 0 { positive += 1 } else if residual < 0 { negative += 1 }
        }
        guard count >= Double(Self.fewest) else { return nil }
        rootMeanSquare = (squares / count).squareRoot()
        signSum = positive - negative
        signCount = positive + negative
    }

    var showsNoLostBit: Bool {
        rootMeanSquare <= 1 && abs(signSum) <= Self.bias * max(signCount, 1).squareRoot()
    }
}

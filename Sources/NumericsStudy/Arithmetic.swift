// SPDX-License-Identifier: Apache-2.0
package import Tensors

/// How a kernel of the study computes: what may differ from one right implementation to the next, and what a fault in its arithmetic changes. The kernels read it; they
/// share nothing with the catalogue's reference but the walk over shapes.
package struct Arithmetic: Sendable {
    package enum Order: Sendable { case sequential, reversed, pairwise, lanes, blocks }
    /// Where the elementary functions come from.
    package enum Functions: Sendable {
        /// The C library's, in the type of the computation.
        case library
        /// The C library's in float64, rounded once.
        case widened
        /// ONNX's own definitions by simpler functions (Elu as alpha·(exp x − 1), Gelu as x/2·(1 + erf(x/√2)) ...).
        case definitions
        /// The vectorised polynomials of the reference CPU plugin; the C library's where it has none.
        case polynomials
    }
    package enum Division: Sendable { case exact, byReciprocal, approximated }
    package enum Variance: Sendable { case twoPass, welford, onePass, welfordWithoutLast }
    /// How a number goes into the output's type.
    package enum Store: Sendable { case nearest, truncated, tiesAway, twice, flushed }

    package var order = Order.sequential
    /// Products go into sums by fused multiply-adds.
    package var isFused = false
    package var functions = Functions.library
    package var division = Division.exact
    package var variance = Variance.twoPass
    package var store = Store.nearest
    /// Every intermediate result is rounded to this type; nil: float32 (float64 for float64).
    package var accumulator: DataType?
    package var truncatesSums = false
    /// Computed in float64 and rounded once, at the store.
    package var isWide = false
    /// Bits of significand that factors are rounded to before they are multiplied.
    package var inputBits: Int?
    /// Bits of significand that all inputs are rounded to.
    package var dataBits: Int?
    package var flushesDenormals = false
    /// Functions are off by so many ULP, up and down in turn.
    package var functionError = 0.0

    // What only faults set.

    package var dropsLastTerm = false
    package var repeatsTerm = false
    package var dropsBias = false
    package var dropsEpsilon = false
    package var countsOneLess = false
    package var skipsMaximum = false
    package var losesNaN = false
    package var losesSignOfZero = false
    package var saturates = false
    package var wrapsAtRequantisation = false
    package var dropsZeroPoint = false
    package var takesLastOfEqual = false

    package init() {}

    package func with(_ change: (inout Arithmetic) -> Void) -> Arithmetic {
        var copy = self
        change(&copy)
        return copy
    }

    /// Each step is computed in float64 and rounded by hand, where Swift's own float32 cannot do it.
    var roundsByHand: Bool { accumulator != nil || truncatesSums || flushesDenormals }
    /// Swift's own float32 does.
    var isNative: Bool { !roundsByHand && !isWide && store == .nearest }
}

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Tensors

/// A type that kernels of the study compute in.
protocol Scalar: BinaryFloatingPoint {
    static func call(_ function: MathFunction, _ x: Self) -> Self
    static func power(_ x: Self, _ y: Self) -> Self
}

enum MathFunction: Sendable {
    case exp, expm1, log, log1p, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, erf, erfc
}

extension Float: Scalar {
    static func call(_ function: MathFunction, _ x: Float) -> Float {
        switch function {
        case .exp: expf(x)
        case .expm1: expm1f(x)
        case .log: logf(x)
        case .log1p: log1pf(x)
        case .sin: sinf(x)
        case .cos: cosf(x)
        case .tan: tanf(x)
        case .asin: asinf(x)
        case .acos: acosf(x)
        case .atan: atanf(x)
        case .sinh: sinhf(x)
        case .cosh: coshf(x)
        case .tanh: tanhf(x)
        case .asinh: asinhf(x)
        case .acosh: acoshf(x)
        case .atanh: atanhf(x)
        case .erf: erff(x)
        case .erfc: erfcf(x)
        }
    }
    static func power(_ x: Float, _ y: Float) -> Float { powf(x, y) }
}

extension Double: Scalar {
    static func call(_ function: MathFunction, _ x: Double) -> Double {
        switch function {
        case .exp: Foundation.exp(x)
        case .expm1: Foundation.expm1(x)
        case .log: Foundation.log(x)
        case .log1p: Foundation.log1p(x)
        case .sin: Foundation.sin(x)
        case .cos: Foundation.cos(x)
        case .tan: Foundation.tan(x)
        case .asin: Foundation.asin(x)
        case .acos: Foundation.acos(x)
        case .atan: Foundation.atan(x)
        case .sinh: Foundation.sinh(x)
        case .cosh: Foundation.cosh(x)
        case .tanh: Foundation.tanh(x)
        case .asinh: Foundation.asinh(x)
        case .acosh: Foundation.acosh(x)
        case .atanh: Foundation.atanh(x)
        case .erf: Foundation.erf(x)
        case .erfc: Foundation.erfc(x)
        }
    }
    static func power(_ x: Double, _ y: Double) -> Double { Foundation.pow(x, y) }
}

/// Does single steps in the arithmetic that it is given: each result rounded as that says.
struct Machine<S: Scalar> {
    let arithmetic: Arithmetic
    /// Rounds each step; nil where S does so itself.
    private let step: Rounding?
    /// One ULP of the operator's type beside one of S.
    let unitsOfType: S

    /// - Parameter type: that of the operator's data.
    init(_ arithmetic: Arithmetic, type: DataType) {
        self.arithmetic = arithmetic
        let natural: DataType = type == .float64 ? .float64 : .float32
        let format = NumberFormat(arithmetic.accumulator ?? natural)
        unitsOfType = S(Double(sign: .plus, exponent: S.significandBitCount + 1 - NumberFormat(type).precision, significand: 1))
        step =
            arithmetic.roundsByHand && format.precision < 53
            ? Rounding(format, arithmetic.truncatesSums ? .towardZero : .toNearestOrEven, flushes: arithmetic.flushesDenormals) : nil
    }

    @inline(__always) func rounded(_ value: S) -> S {
        if let step { return S(step(Double(value))) }
        return value
    }

    @inline(__always) func add(_ a: S, _ b: S) -> S { rounded(a + b) }
    @inline(__always) func sub(_ a: S, _ b: S) -> S { rounded(a - b) }
    @inline(__always) func mul(_ a: S, _ b: S) -> S { rounded(a * b) }
    @inline(__always) func root(_ a: S) -> S { rounded(a.squareRoot()) }

    func div(_ a: S, _ b: S) -> S {
        switch arithmetic.division {
        case .exact: return rounded(a / b)
        // Where the reciprocal would overflow or lose bits, kernels go the plain way.
        case .byReciprocal: return b.isNormal && (1 / b).isNormal ? rounded(a * rounded(1 / b)) : rounded(a / b)
        case .approximated:
            // An estimate of twelve bits and steps of Newton's, as vector units have them.
            guard b.isNormal, (1 / b).isNormal else { return rounded(a / b) }
            var estimate = S(Double(1 / b).rounded(toBits: 12))
            for _ in 0..<(S.significandBitCount > 24 ? 4 : 2) { estimate = rounded(estimate * rounded(2 - rounded(b * estimate))) }
            return rounded(a * estimate)
        }
    }

    func function(_ function: MathFunction, _ x: S) -> S {
        var y: S
        switch arithmetic.functions {
        case .library, .definitions: y = S.call(function, x)
        case .widened: y = S(Double.call(function, Double(x)))
        case .polynomials: y = Polynomials.call(function, x) ?? S.call(function, x)
        }
        if arithmetic.functionError != 0, y.isFinite {
            y += S(arithmetic.functionError) * unitsOfType * (Int(truncatingIfNeeded: Double(x).bitPattern >> 36) & 1 == 0 ? y.ulp : -y.ulp)
        }
        return rounded(y)
    }

    // MARK: Sums

    func sum(_ terms: [S]) -> S { terms.withUnsafeBufferPointer { sum($0, 0..<$0.count) } }

    private func sum(_ terms: UnsafeBufferPointer<S>, _ range: Range<Int>) -> S {
        switch arithmetic.order {
        case .sequential: return inOrder(terms, range)
        case .reversed:
            var total: S = 0
            for index in range.reversed() { total = add(total, terms[index]) }
            return total
        case .pairwise:
            if range.count <= 2 { return inOrder(terms, range) }
            let middle = range.lowerBound + range.count / 2
            return add(sum(terms, range.lowerBound..<middle), sum(terms, middle..<range.upperBound))
        case .lanes:
            // Eight running sums, added as a tree at the end.
            var lanes: [S] = [0, 0, 0, 0, 0, 0, 0, 0]
            for index in range { lanes[index & 7] = add(lanes[index & 7], terms[index]) }
            for width in [4, 2, 1] { for lane in 0..<width { lanes[lane] = add(lanes[lane], lanes[lane + width]) } }
            return lanes[0]
        case .blocks:
            var total: S = 0
            for start in stride(from: range.lowerBound, to: range.upperBound, by: 32) {
                total = add(total, inOrder(terms, start..<min(start + 32, range.upperBound)))
            }
            return total
        }
    }

    private func inOrder(_ terms: UnsafeBufferPointer<S>, _ range: Range<Int>) -> S {
        var total: S = 0
        for index in range { total = add(total, terms[index]) }
        return total
    }

    /// Σ a·b.
    func dot(_ a: [S], _ b: [S]) -> S {
        var products = a
        if arithmetic.isFused {
            var total: S = 0
            for index in a.indices { total = rounded(total.addingProduct(a[index], b[index])) }
            return total
        }
        for index in a.indices { products[index] = mul(a[index], b[index]) }
        return sum(products)
    }

    // MARK: Rounding of whole tensors

    /// Values as this machine reads them.
    func load(_ values: [Double]) -> [S] {
        if let bits = arithmetic.dataBits { return values.map { S($0.rounded(toBits: bits)) } }
        guard arithmetic.flushesDenormals, let step else { return values.map { S($0) } }
        return values.map { S(step($0)) }
    }

    /// As `load`, for factors of products.
    func loadFactors(_ values: [Double]) -> [S] {
        guard let bits = arithmetic.inputBits else { return load(values) }
        return load(values.map { $0.rounded(toBits: bits) })
    }
}

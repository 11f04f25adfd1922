// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import Tensors

/// Operators of one input that compute each output element from the input's element at the same place. Activations have a file of their own.
let elementwiseOperators: [OperatorDefinition] =
    floatFunctions.map { name, since, numericClass, function in
        unary(name, since: since, types: .floats, numericClass: numericClass) { _ in ElementFunction(float: function) }
            .sampled(domains[name].map { unarySamples(in: $0) } ?? unarySamples).with(functionDecompositions[name], functionGradients[name])
    } + [
        unary("Abs", since: [1, 6, 13], types: .numeric, numericClass: .movement) { _ in
            ElementFunction(float: { abs($0) }, integer: { $0 < 0 ? 0 &- $0 : $0 }, unsigned: { $0 })
        }
        .differentiated { g, given throws(OperatorError) in [try given.gradient() * g("Sign", g.input(0))] },
        unary("Neg", since: [1, 6, 13], types: .signedNumeric, numericClass: .movement) { _ in
            ElementFunction(float: { -$0 }, integer: { 0 &- $0 })
        }
        .decomposing { g throws(OperatorError) in [try g.input(0) * -1] }
        .differentiated { g, given throws(OperatorError) in [try -given.gradient()] },
        unary("Sign", since: [9, 13], types: .numeric, numericClass: .movement) { _ in
            ElementFunction(
                float: { $0 > 0 ? 1 : $0 < 0 ? -1 : $0.isNaN ? $0 : 0 }, integer: { $0.signum() }, unsigned: { $0 == 0 ? 0 : 1 })
        },
        unary("Erf", since: [9, 13], types: .numeric, numericClass: .transcendental) { _ in
            // Integers (version 9 only) truncate: only |x| ≥ 6 rounds to 1.
            ElementFunction(float: { erf($0) }, integer: { Int64(erf(Double($0))) }, unsigned: { $0 >= 6 ? 1 : 0 })
        }
        .differentiated { g, given throws(OperatorError) in
            let x = try g.input(0)
            return [try given.gradient() * g("Exp", -(x * x)) * (2 / Double.pi.squareRoot())]
        },
        unary("Not", since: [1], types: .bool, numericClass: .movement) { _ in ElementFunction(integer: { 1 - $0 }) },
        unary("BitwiseNot", since: [18], types: .integers, numericClass: .movement) { _ in ElementFunction(integer: { ~$0 }) },
        predicate("IsNaN", since: [9, 13, 20]) { _ in { $0.isNaN } }
            .decomposing { g throws(OperatorError) in
                let x = try g.input(0)
                return [try g("Not", g("Equal", x, x))]
            },
        predicate("IsInf", since: [10, 20], attributes: ["detect_negative": .int(1), "detect_positive": .int(1)]) { attributes in
            let (negative, positive) = (attributes.flag("detect_negative"), attributes.flag("detect_positive"))
            return { $0 == .infinity && positive || $0 == -.infinity && negative }
        },
        clip,
        OperatorDefinition(
            "Identity", since: [1, 13, 14, 16, 19, 21, 23, 24, 25], "(input: V) -> (output: V)", types: ["V": .any],
            numericClass: .movement,
            infer: { context throws(OperatorError) in [.known(try context.input(0))] },
            reference: { context throws(OperatorError) in [try context.input(0)] }
        ).viewing().sampled(unarySamples).differentiated { g, given throws(OperatorError) in [try given.gradient()] },
    ]

private let floatFunctions: [(String, [Int], NumericClass, @Sendable (Double) -> Double)] = [
    ("Sqrt", [1, 6, 13], .arithmetic, { $0.squareRoot() }),
    ("Reciprocal", [1, 6, 13], .division, { 1 / $0 }),
    ("Ceil", [1, 6, 13], .movement, { $0.rounded(.up) }),
    ("Floor", [1, 6, 13], .movement, { $0.rounded(.down) }),
    ("Round", [11, 22], .movement, { $0.rounded(.toNearestOrEven) }),
    ("Exp", [1, 6, 13], .transcendental, { exp($0) }),
    ("Log", [1, 6, 13], .transcendental, { log($0) }),
    ("Sin", [7, 22], .transcendental, { sin($0) }),
    ("Cos", [7, 22], .transcendental, { cos($0) }),
    ("Tan", [7, 22], .transcendental, { tan($0) }),
    ("Asin", [7, 22], .transcendental, { asin($0) }),
    ("Acos", [7, 22], .transcendental, { acos($0) }),
    ("Atan", [7, 22], .transcendental, { atan($0) }),
    ("Sinh", [9, 22], .transcendental, { sinh($0) }),
    ("Cosh", [9, 22], .transcendental, { cosh($0) }),
    ("Tanh", [1, 6, 13], .transcendental, { tanh($0) }),
    ("Asinh", [9, 22], .transcendental, { asinh($0) }),
    ("Acosh", [9, 22], .transcendental, { acosh($0) }),
    ("Atanh", [9, 22], .transcendental, { atanh($0) }),
]

/// Decompositions of the functions above: all of them keep the precision of their parts, and none overflows where the function does not.
private let functionDecompositions: [String: Decomposer] = [
    "Reciprocal": { g throws(OperatorError) in [try g.input(0).inverse()] },
    "Tan": { g throws(OperatorError) in
        let x = try g.wide(0)
        return [try g("Sin", x) / g("Cos", x)]
    },
    // exp(|x|) overflows before cosh(x) does, its root does not.
    "Cosh": { g throws(OperatorError) in
        let x = try g.wide(0)
        let root = try g("Exp", g("Abs", x) * 0.5)
        return [try root * 0.5 * root + 0.5 / root / root]
    },
]

private let functionGradients: [String: Differentiator] = [
    "Sqrt": { g, given throws(OperatorError) in [try given.gradient() * 0.5 / given.output()] },
    "Reciprocal": { g, given throws(OperatorError) in
        let y = try given.output()
        return [try -(given.gradient() * y * y)]
    },
    "Exp": { g, given throws(OperatorError) in [try given.gradient() * given.output()] },
    "Log": { g, given throws(OperatorError) in [try given.gradient() / g.input(0)] },
    "Sin": { g, given throws(OperatorError) in [try given.gradient() * g("Cos", g.input(0))] },
    "Cos": { g, given throws(OperatorError) in [try -(given.gradient() * g("Sin", g.input(0)))] },
    "Tanh": { g, given throws(OperatorError) in
        let y = try given.output()
        return [try given.gradient() * (1 - y * y)]
    },
]

extension OperatorDefinition {
    fileprivate func with(_ parts: Decomposer?, _ gradient: Differentiator?) -> OperatorDefinition {
        var copy = self
        (copy.decomposer, copy.differentiator) = (parts, gradient)
        return copy
    }
}

/// Where functions that are not defined everywhere, or overflow soon, are worth trying.
private let domains: [String: ClosedRange<Double>] = [
    "Sqrt": 0...1000, "Log": 1e-3...1000, "Asin": -1...1, "Acos": -1...1, "Acosh": 1...100, "Atanh": -0.99...0.99, "Exp": -8...8,
    "Sinh": -8...8,
    "Cosh": -8...8, "Sin": -100...100, "Cos": -100...100, "Tan": -10...10, "Round": -20...20,
]

/// What a unary operator does to one element, by kind of type. `unsigned` sees uint64, where `integer` would misread the sign.
package struct ElementFunction {
    let float: ((Double) -> Double)?
    let integer: ((Int64) -> Int64)?
    let unsigned: ((UInt64) -> UInt64)?

    package init(float: ((Double) -> Double)? = nil, integer: ((Int64) -> Int64)? = nil, unsigned: ((UInt64) -> UInt64)? = nil) {
        self.float = float
        self.integer = integer
        self.unsigned = unsigned
    }

    func apply(to x: ReferenceTensor) throws(OperatorError) -> ReferenceTensor {
        switch (x.elements, float, integer) {
        case (.floats(let values), let float?, _): return ReferenceTensor(x.dataType, x.shape, .floats(values.map(float)))
        case (.integers(let values), _, let integer?):
            if x.dataType == .uint64, let unsigned {
                return ReferenceTensor(
                    x.dataType, x.shape, .integers(values.map { Int64(bitPattern: unsigned(UInt64(bitPattern: $0))) }))
            }
            return ReferenceTensor(x.dataType, x.shape, .integers(values.map(integer)))
        default: throw .unsupported("the operator is not defined for \(x.dataType.name)")
        }
    }
}

/// An operator of one input that maps every element alone; the output has the input's type. `function` is asked once per tensor.
package func unary(
    _ name: String, since: [Int], types: TypeSet, attributes: [String: AttributeRule] = [:], numericClass: NumericClass,
    _ function: @escaping @Sendable (NodeAttributes) throws(OperatorError) -> ElementFunction
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: since, "(X: T) -> (Y: T)", types: ["T": types], attributes: attributes, numericClass: numericClass,
        infer: { context throws(OperatorError) in [.known(try context.input(0))] },
        reference: { context throws(OperatorError) in [try function(context.attributes).apply(to: try context.input(0))] }
    )
    .sampled(unarySamples)
}

/// A yes-or-no question about each element of a float tensor.
private func predicate(
    _ name: String, since: [Int], attributes: [String: AttributeRule] = [:],
    _ question: @escaping @Sendable (NodeAttributes) -> (Double) -> Bool
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: since, "(X: T1) -> (Y: bool)", types: ["T1": [.floats, .float8]], attributes: attributes, numericClass: .movement,
        infer: { context throws(OperatorError) in [.tensor(.bool, try context.input(0).shape)] },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            let holds = question(context.attributes)
            return [ReferenceTensor(.bool, x.shape, .integers(x.floats.map { holds($0) ? 1 : 0 }))]
        }
    )
    .sampled(unarySamples)
}

/// Limits are attributes before version 11, inputs from then on. Without a limit nothing is cut on that side.
private let clip = OperatorDefinition(
    "Clip", since: [1, 6, 11, 12, 13], "(input: T, min?: T, max?: T) -> (output: T)", types: ["T": .numeric],
    attributes: ["min": .optional(.float), "max": .optional(.float)], numericClass: .movement,
    infer: { context throws(OperatorError) in
        for index in 1...2 where context.has(index) {
            guard elementCount(try context.input(index).shape) == 1 else {
                throw .invalid("input \(index) (\(index == 1 ? "min" : "max")) must be a scalar")
            }
        }
        return [.known(try context.input(0))]
    },
    reference: { context throws(OperatorError) in
        let x = try context.input(0)
        let lower = context.has(1) ? try context.input(1) : nil
        let upper = context.has(2) ? try context.input(2) : nil
        if case .integers = x.elements {
            let (least, greatest) = x.dataType.integerLimits
            let (low, high) = (lower?.integers.first ?? least, upper?.integers.first ?? greatest)
            return [
                try ElementFunction(
                    integer: { min(max($0, low), high) },
                    unsigned: { min(max($0, UInt64(bitPattern: low)), UInt64(bitPattern: high)) }
                ).apply(to: x)
            ]
        }
        let low = lower?.floats.first ?? context.attributes.float("min") ?? -.infinity
        let high = upper?.floats.first ?? context.attributes.float("max") ?? .infinity
        return [try ElementFunction(float: { propagatingMinimum(propagatingMaximum($0, low), high) }).apply(to: x)]
    }
).sampled { context in
    let type = context.type
    let isSigned = type.kind != .unsignedInteger
    func of(_ name: String, _ shape: [Int], _ low: Double?, _ high: Double?) -> Sample {
        if context.version < 11 {
            var attributes: [String: Attribute] = [:]
            if let low { attributes["min"] = .float(Float(low)) }
            if let high { attributes["max"] = .float(Float(high)) }
            return Sample(name, [.init(type, shape)], attributes)
        }
        return Sample(name, [.init(type, shape), low.map { .scalar(type, $0) }, high.map { .scalar(type, $0) }].trimmed)
    }
    let shapes = context.elementwiseShapes()
    let low: Double = isSigned ? -1 : 1
    return shapes.map { of($0.name, $0.shape, low, 2) } + [
        of("low-only", [5, 33], low, nil), of("high-only", [5, 33], nil, 1), of("no-limit", [5, 33], nil, nil),
        of("crossed", [5, 33], 2, 1),
        of("equal", [7], 1, 1),
    ]
}
.decomposing { g throws(OperatorError) in
    var x = try g.input(0)
    func limit(_ name: String, _ index: Int) throws(OperatorError) -> Term? {
        if g.version >= 11 { return g.has(index) ? try g.input(index).reshaped([]) : nil }
        guard let value = g.attributes.float(name) else { return nil }
        guard x.type.dataType.isFloat, x.type.dataType.bits >= 32 else { throw .unsupported("the limit may be no number of the type") }
        return try x.same(value)
    }
    if let low = try limit("min", 1) { x = try g("Max", x, low) }
    if let high = try limit("max", 2) { x = try g("Min", x, high) }
    return [x]
}

/// The greater of two; NaN if either is.
@inline(__always) func propagatingMaximum(_ a: Double, _ b: Double) -> Double { a.isNaN || a >= b ? a : b }

/// The lesser of two; NaN if either is.
@inline(__always) func propagatingMinimum(_ a: Double, _ b: Double) -> Double { a.isNaN || a <= b ? a : b }

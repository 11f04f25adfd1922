import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Activation functions: elementwise, mostly with parameters as attributes.
let activationOperators: [OperatorDefinition] = [
    unary("Relu", since: [1, 6, 13, 14], types: .signedNumeric, numericClass: .movement) { _ in
        ElementFunction(float: { $0 < 0 ? 0 : $0 }, integer: { max($0, 0) })
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.input(0)
        return [try g("Max", x, x.same(0))]
    }
    .differentiated { g, given throws(OperatorError) in
        let (x, dy) = (try g.input(0), try given.gradient())
        return [try x.same(0).isLess(than: x).choose(dy, dy.same(0))]
    },
    activation("LeakyRelu", since: [1, 6, 16], ["alpha": 0.01], numericClass: .arithmetic) { p in
        let alpha = p("alpha")
        return { $0 < 0 ? alpha * $0 : $0 }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        return [try x.isLess(than: 0).choose(x * g.float("alpha"), x)]
    },
    activation("ThresholdedRelu", since: [10, 22], ["alpha": 1], numericClass: .movement) { p in
        let alpha = p("alpha")
        return { $0 > alpha || $0.isNaN ? $0 : 0 }
    }
    .decomposing { g throws(OperatorError) in
        // Asked this way round, NaN stays.
        let x = try g.wide(0)
        return [try g("LessOrEqual", x, x.same(g.float("alpha"))).choose(x.same(0), x)]
    },
    activation("Elu", since: [1, 6, 22], ["alpha": 1]) { p in
        let alpha = p("alpha")
        return { $0 < 0 ? alpha * expm1($0) : $0 }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        return [try x.isLess(than: 0).choose(negativeExpm1(x) * g.float("alpha"), x)]
    },
    activation("Selu", since: [1, 6, 22], ["alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875]) { p in
        let (alpha, gamma) = (p("alpha"), p("gamma"))
        return { gamma * ($0 > 0 ? $0 : alpha * expm1($0)) }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        let (alpha, gamma) = (try g.float("alpha"), try g.float("gamma"))
        return [try x.isLess(than: 0).choose(negativeExpm1(x) * (gamma * alpha), x * gamma)]
    },
    activation("Celu", since: [12, 28], ["alpha": 1]) { p in
        let alpha = p("alpha")
        return { propagatingMaximum($0, 0) + propagatingMinimum(alpha * expm1($0 / alpha), 0) }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        let alpha = try g.float("alpha")
        guard alpha > 0 else { throw .unsupported("Celu is decomposed for positive alpha alone") }
        return [try x.isLess(than: 0).choose(negativeExpm1(x / alpha) * alpha, x)]
    },
    activation("Sigmoid", since: [1, 6, 13]) { _ in sigmoid }
        .decomposing { g throws(OperatorError) in
            // exp(-|x|) does not overflow, and small results keep their precision.
            let x = try g.wide(0)
            let small = try g("Exp", -g("Abs", x))
            return [try x.isLess(than: 0).choose(small, x.same(1)) / (small + 1)]
        }
        .differentiated { g, given throws(OperatorError) in
            let y = try given.output()
            return [try given.gradient() * y * (1 - y)]
        },
    activation("HardSigmoid", since: [1, 6, 22], ["alpha": 0.2, "beta": 0.5], numericClass: .composite) { p in
        let (alpha, beta) = (p("alpha"), p("beta"))
        return { propagatingMaximum(propagatingMinimum(alpha * $0 + beta, 1), 0) }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        return [try clamped(x * g.float("alpha") + g.float("beta"))]
    },
    activation("HardSwish", since: [14, 22], numericClass: .composite) { _ in
        { $0 * propagatingMaximum(propagatingMinimum($0 / 6 + 0.5, 1), 0) }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        return [try x * clamped(x / 6 + 0.5)]
    },
    activation("Swish", since: [24], ["alpha": 1]) { p in
        let alpha = p("alpha")
        return { $0 * sigmoid(alpha * $0) }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        return [try x * g("Sigmoid", x * g.float("alpha"))]
    },
    activation("Mish", since: [18, 22]) { _ in { $0 * tanh(softplus($0)) } }
        .decomposing { g throws(OperatorError) in
            let x = try g.wide(0)
            return [try x * g("Tanh", g("Softplus", x))]
        },
    activation("Softplus", since: [1, 22]) { _ in softplus }
        .decomposing { g throws(OperatorError) in
            let x = try g.wide(0)
            return [try g("Max", x, x.same(0)) + log1p(g("Exp", -g("Abs", x)))]
        },
    activation("Softsign", since: [1, 22], numericClass: .division) { _ in { $0 / (1 + abs($0)) } }
        .decomposing { g throws(OperatorError) in
            let x = try g.wide(0)
            return [try x / (g("Abs", x) + 1)]
        },
    unary("Gelu", since: [20], types: .floats, attributes: ["approximate": .string("none")], numericClass: .transcendental) {
        attributes throws(OperatorError) in
        switch attributes.string("approximate") {
        case "none": return ElementFunction(float: { 0.5 * $0 * erfc(-$0 * 0.5.squareRoot()) })
        case "tanh":
            let scale = (2 / Double.pi).squareRoot()
            // (1 + tanh z) / 2 is sigmoid(2 z), which does not cancel.
            return ElementFunction(float: { $0 * sigmoid(2 * scale * ($0 + 0.044715 * $0 * $0 * $0)) })
        case let other: throw .invalid("attribute 'approximate' must be 'none' or 'tanh', not '\(other ?? "")'")
        }
    }
    .sampled { context in
        let type = context.type
        return unarySamples(&context) + [Sample("tanh", [.init(type, [9, 129])], ["approximate": .string("tanh")])]
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        if g.attributes.string("approximate") == "none" {
            // There is no Erfc: for x below -1 the sum cancels, and only the absolute error is small.
            return [try x * 0.5 * (g("Erf", x * 0.5.squareRoot()) + 1)]
        }
        let cubic = try (x * x * 0.044715 + 1) * x
        return [try x * g("Sigmoid", cubic * (2 * (2 / Double.pi).squareRoot()))]
    },
    unary("Shrink", since: [9], types: .numeric, attributes: ["bias": .float(0), "lambd": .float(0.5)], numericClass: .arithmetic) {
        attributes in
        let (bias, lambda) = (attributes.float("bias")!, attributes.float("lambd")!)
        let shrink: (Double) -> Double = { $0 < -lambda ? $0 + bias : $0 > lambda ? $0 - bias : $0.isNaN ? $0 : 0 }
        return ElementFunction(
            float: shrink, integer: { DataType.int64.integer(truncating: shrink(Double($0))) },
            unsigned: { UInt64(bitPattern: DataType.uint64.integer(truncating: shrink(Double($0)))) })
    }
    .sampled { context in
        let type = context.type
        return unarySamples(&context) + [
            Sample("bias", [.init(type, [9, 129])], ["bias": .float(1.5), "lambd": .float(1.5)]),
            Sample("hard", [.init(type, [9, 129])], ["lambd": .float(1)]),
        ]
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        guard x.type.dataType.isFloat else { throw .unsupported("integers are shrunk by parts of one") }
        let (bias, lambda) = (try g.float("bias"), try g.float("lambd"))
        // NaN is neither below nor above, and stays.
        let inner = try g("LessOrEqual", x, x.same(lambda)).choose(x.same(0), x - bias)
        return [try x.isLess(than: -lambda).choose(x + bias, inner)]
    },
    prelu,
    OperatorDefinition(
        "SwiGLU", since: [28], "(A: T, B: T) -> (Y: T)", types: ["T": .floats], attributes: ["alpha": .float(1)],
        numericClass: .transcendental,
        infer: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            guard a.shape == b.shape else { throw .invalid("A and B must have the same shape, not \(a.shape) and \(b.shape)") }
            return [.known(a)]
        },
        reference: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            let alpha = context.attributes.float("alpha")!
            return [ReferenceTensor(a.dataType, a.shape, .floats(zip(a.floats, b.floats).map { $0 * sigmoid(alpha * $0) * $1 }))]
        }
    ).sampled { context in
        let type = context.type
        return context.elementwiseShapes().map { Sample($0.name, [.init(type, $0.shape), .init(type, $0.shape)]) }
            + [Sample("alpha", [.init(type, [9, 31]), .init(type, [9, 31])], ["alpha": .float(1.5)])]
    }
    .decomposing { g throws(OperatorError) in
        let (a, b) = (try g.wide(0), try g.wide(1))
        return [try a * g("Sigmoid", a * g.float("alpha")) * b]
    },
]

// MARK: Parts of decompositions

/// Between 0 and 1; NaN stays.
private func clamped(_ x: Term) throws(OperatorError) -> Term {
    try x.builder("Max", x.builder("Min", x, x.same(1)), x.same(0))
}

/// exp(x) - 1 for x below 0, and anything finite above: 2 t / (1 - t) with t = tanh(x / 2), where nothing cancels.
private func negativeExpm1(_ x: Term) throws(OperatorError) -> Term {
    let t = try x.builder("Tanh", x.builder("Min", x, x.same(0)) * 0.5)
    return try t * 2 / (1 - t)
}

/// log(1 + t) without losing a small t: t · log(y) / (y - 1) with y = 1 + t as rounded (Kahan).
private func log1p(_ t: Term) throws(OperatorError) -> Term {
    let y = try t + 1
    let isSmall = try t.builder("Equal", y, y.same(1))
    // Where t is lost in y, the quotient would be 0 / 0.
    let divisor = try isSmall.choose(y.same(1), y - 1)
    return try isSmall.choose(t, t.builder("Log", y) * t / divisor)
}

/// A float activation whose parameters are float attributes with defaults.
private func activation(
    _ name: String, since: [Int], _ parameters: [String: Float] = [:], numericClass: NumericClass = .transcendental,
    _ function: @escaping @Sendable ((String) -> Double) -> @Sendable (Double) -> Double
) -> OperatorDefinition {
    unary(name, since: since, types: .floats, attributes: parameters.mapValues { .float($0) }, numericClass: numericClass) { attributes in
        ElementFunction(float: function { attributes.float($0)! })
    }
    .sampled { context in
        let type = context.type
        let other = parameters.mapValues { Attribute.float($0 * 0.75 + 0.25) }
        return unarySamples(&context) + (parameters.isEmpty ? [] : [Sample("parameters", [.init(type, [9, 129])], other)])
    }
}

@Sendable func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// log(1 + exp(x)) without overflow.
@Sendable private func softplus(_ x: Double) -> Double { x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)) }

/// The slope is broadcast to X (one way); before version 7 a slope of more than one element belongs to the channels, axis 1.
private let prelu = OperatorDefinition(
    "PRelu", since: [1, 6, 7, 9, 16], "(X: T, slope: T) -> (Y: T)",
    types: ["T": [.floats, TypeSet(.int32, .int64, .uint32, .uint64)]], numericClass: .arithmetic,
    infer: { context throws(OperatorError) in
        let x = try context.input(0)
        let slope = try slopeShape(try context.input(1).shape, for: x.shape, version: context.version)
        guard broadcastShape([x.shape, slope]) == x.shape else {
            throw .invalid("slope of shape \(slope) cannot be broadcast to X of shape \(x.shape)")
        }
        return [.known(x)]
    },
    reference: { context throws(OperatorError) in
        let (x, slope) = (try context.input(0), try context.input(1))
        let slopes = slope.reshaped(try slopeShape(slope.shape, for: x.shape, version: context.version))
        return [
            try PairFunction(
                float: { $0 < 0 ? $0 * $1 : $0 }, integer: { $0 < 0 ? $0 &* $1 : $0 }, unsigned: { x, _ in x }
            ).apply(x, slopes, shape: x.shape)
        ]
    }
).sampled { context in
    let (type, version) = (context.type, context.version)
    let (n, c, w) = (context.size(2...4), context.size(3...9), context.size(17...40))
    let same = context.elementwiseShapes().map { Sample($0.name, [.init(type, $0.shape), .init(type, version < 7 ? [1] : $0.shape)]) }
    if version < 7 { return same + [Sample("channels", [.init(type, [n, c, w]), .init(type, [c])])] }
    return same + [
        Sample("scalar-slope", [.init(type, [n, c, w]), .init(type, [])]),
        Sample("row-slope", [.init(type, [n, c, w]), .init(type, [w])]),
        Sample("channel-slope", [.init(type, [n, c, w]), .init(type, [c, 1])]),
    ]
}
.decomposing { g throws(OperatorError) in
    let (x, slope) = (try g.input(0), try g.input(1))
    return [try x.isLess(than: 0).choose(x * slope, x)]
}

private func slopeShape(_ slope: [Int], for x: [Int], version: Int) throws(OperatorError) -> [Int] {
    guard version < 7 else { return slope }
    guard let count = elementCount(slope) else { throw .invalid("slope has no possible shape") }
    if count == 1 { return [] }
    guard x.count > 1, count == x[1] else { throw .invalid("slope has \(count) elements for X of shape \(x), whose channels are axis 1") }
    return [count] + [Int](repeating: 1, count: x.count - 2)
}

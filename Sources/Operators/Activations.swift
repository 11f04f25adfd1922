import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Activation functions: elementwise, mostly with parameters as attributes.
let activationOperators: [OperatorDefinition] = [
    unary("Relu", since: [1, 6, 13, 14], types: .signedNumeric, numericClass: .movement) { _ in
        ElementFunction(float: { $0 < 0 ? 0 : $0 }, integer: { max($0, 0) })
    },
    activation("LeakyRelu", since: [1, 6, 16], ["alpha": 0.01], numericClass: .arithmetic) { p in
        let alpha = p("alpha")
        return { $0 < 0 ? alpha * $0 : $0 }
    },
    activation("ThresholdedRelu", since: [10, 22], ["alpha": 1], numericClass: .movement) { p in
        let alpha = p("alpha")
        return { $0 > alpha || $0.isNaN ? $0 : 0 }
    },
    activation("Elu", since: [1, 6, 22], ["alpha": 1]) { p in
        let alpha = p("alpha")
        return { $0 < 0 ? alpha * expm1($0) : $0 }
    },
    activation("Selu", since: [1, 6, 22], ["alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875]) { p in
        let (alpha, gamma) = (p("alpha"), p("gamma"))
        return { gamma * ($0 > 0 ? $0 : alpha * expm1($0)) }
    },
    activation("Celu", since: [12, 28], ["alpha": 1]) { p in
        let alpha = p("alpha")
        return { propagatingMaximum($0, 0) + propagatingMinimum(alpha * expm1($0 / alpha), 0) }
    },
    activation("Sigmoid", since: [1, 6, 13]) { _ in sigmoid },
    activation("HardSigmoid", since: [1, 6, 22], ["alpha": 0.2, "beta": 0.5], numericClass: .composite) { p in
        let (alpha, beta) = (p("alpha"), p("beta"))
        return { propagatingMaximum(propagatingMinimum(alpha * $0 + beta, 1), 0) }
    },
    activation("HardSwish", since: [14, 22], numericClass: .composite) { _ in
        { $0 * propagatingMaximum(propagatingMinimum($0 / 6 + 0.5, 1), 0) }
    },
    activation("Swish", since: [24], ["alpha": 1]) { p in
        let alpha = p("alpha")
        return { $0 * sigmoid(alpha * $0) }
    },
    activation("Mish", since: [18, 22]) { _ in { $0 * tanh(softplus($0)) } },
    activation("Softplus", since: [1, 22]) { _ in softplus },
    activation("Softsign", since: [1, 22], numericClass: .division) { _ in { $0 / (1 + abs($0)) } },
    unary("Gelu", since: [20], types: .floats, attributes: ["approximate": .string("none")], numericClass: .transcendental) {
        attributes throws(OperatorError) in
        switch attributes.string("approximate") {
        case "none": return ElementFunction(float: { 0.5 * $0 * erfc(-$0 * 0.5.squareRoot()) })
        case "tanh":
            let scale = (2 / Double.pi).squareRoot()
            // x/2 · (1 + tanh z) = x / (1 + exp(−2z)), which keeps its digits where tanh z comes near −1.
            return ElementFunction(float: { $0 / (1 + exp(-2 * scale * ($0 + 0.044715 * $0 * $0 * $0))) })
        case let other: throw .invalid("attribute 'approximate' must be 'none' or 'tanh', not '\(other ?? "")'")
        }
    }
    .sampled { context in
        let type = context.type
        return unarySamples(&context) + [Sample("tanh", [.init(type, [9, 129])], ["approximate": .string("tanh")])]
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
    },
]

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

private func slopeShape(_ slope: [Int], for x: [Int], version: Int) throws(OperatorError) -> [Int] {
    guard version < 7 else { return slope }
    guard let count = elementCount(slope) else { throw .invalid("slope has no possible shape") }
    if count == 1 { return [] }
    guard x.count > 1, count == x[1] else { throw .invalid("slope has \(count) elements for X of shape \(x), whose channels are axis 1") }
    return [count] + [Int](repeating: 1, count: x.count - 2)
}

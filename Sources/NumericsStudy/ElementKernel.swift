// SPDX-License-Identifier: Apache-2.0
import Foundation
import Operators
import Tensors

/// Operators that map each element alone, or pairs of elements, in any arithmetic.
enum ElementKernel {
    static func run<S: Scalar>(_ name: String, _ context: ReferenceContext, _ machine: Machine<S>) -> [Double]? {
        let inputs = context.inputs.compactMap { $0 }
        guard let first = inputs.first, inputs.count == context.inputs.count else { return nil }
        if let function = unary(name, context.attributes, machine) {
            return inputs.count == 1 ? machine.load(first.floats).map { Double(function($0)) } : nil
        }
        guard inputs.count == 2, let function = binary(name, machine) else { return nil }
        let shape = context.output(0).shape
        let (a, b) = (machine.load(first.broadcast(to: shape).floats), machine.load(inputs[1].broadcast(to: shape).floats))
        return zip(a, b).map { Double(function($0, $1)) }
    }

    private static func binary<S: Scalar>(_ name: String, _ machine: Machine<S>) -> ((S, S) -> S)? {
        switch name {
        case "Add": return { machine.add($0, $1) }
        case "Sub": return { machine.sub($0, $1) }
        case "Mul": return { machine.mul($0, $1) }
        case "Div": return { machine.div($0, $1) }
        case "PRelu": return { $0 < 0 ? machine.mul($0, $1) : $0 }
        case "Pow":
            return { x, y in
                let power: S
                switch machine.arithmetic.functions {
                case .widened: power = S(Double.power(Double(x), Double(y)))
                case .polynomials where S.self == Float.self: power = Polynomials.power(Float(x), Float(y)).map { S($0) } ?? S.power(x, y)
                default: power = S.power(x, y)
                }
                let error = S(machine.arithmetic.functionError)
                return machine.rounded(error == 0 || !power.isFinite ? power : power + error * machine.unitsOfType * power.ulp)
            }
        default: return nil
        }
    }

    private static func unary<S: Scalar>(_ name: String, _ attributes: NodeAttributes, _ machine: Machine<S>) -> ((S) -> S)? {
        func parameter(_ name: String) -> S { S(attributes.float(name) ?? 0) }
        switch name {
        case "Sqrt": return { machine.root($0) }
        case "LeakyRelu":
            let alpha = parameter("alpha")
            return { $0 < 0 ? machine.mul(alpha, $0) : $0 }
        case "Reciprocal": return { machine.div(1, $0) }
        case "Softsign": return { machine.div($0, machine.add(1, abs($0))) }
        case "Elu", "Selu", "Celu", "Sigmoid", "Softplus", "Gelu", "Mish", "Swish":
            return activation(name, attributes, machine)
        case "HardSigmoid":
            let (alpha, beta) = (parameter("alpha"), parameter("beta"))
            return { x in x.isNaN ? x : max(0, min(1, machine.add(machine.mul(alpha, x), beta))) }
        case "HardSwish":
            return { x in x.isNaN ? x : machine.mul(x, max(0, min(1, machine.add(machine.mul(S(1.0 / 6), x), 0.5)))) }
        default:
            guard let function = functions[name] else { return nil }
            return { machine.function(function, $0) }
        }
    }

    private static let functions: [String: MathFunction] = [
        "Exp": .exp, "Log": .log, "Sin": .sin, "Cos": .cos, "Tan": .tan, "Asin": .asin, "Acos": .acos, "Atan": .atan, "Sinh": .sinh,
        "Cosh": .cosh, "Tanh": .tanh,
        "Asinh": .asinh, "Acosh": .acosh, "Atanh": .atanh, "Erf": .erf,
    ]

    /// Activations by careful formulas; with `definitions` as ONNX spells them.
    private static func activation<S: Scalar>(_ name: String, _ attributes: NodeAttributes, _ m: Machine<S>) -> ((S) -> S)? {
        let plain = m.arithmetic.functions == .definitions
        func parameter(_ name: String) -> S { S(attributes.float(name) ?? 1) }
        func expm1(_ x: S) -> S { plain ? m.sub(m.function(.exp, x), 1) : m.function(.expm1, x) }
        func sigmoid(_ x: S) -> S { m.div(1, m.add(1, m.function(.exp, -x))) }
        func softplus(_ x: S) -> S {
            if plain { return m.function(.log, m.add(m.function(.exp, x), 1)) }
            return x > 0 ? m.add(x, m.function(.log1p, m.function(.exp, -x))) : m.function(.log1p, m.function(.exp, x))
        }
        let (alpha, gamma) = (parameter("alpha"), parameter("gamma"))
        switch name {
        case "Elu": return { $0 < 0 ? m.mul(alpha, expm1($0)) : $0 }
        case "Selu": return { m.mul(gamma, $0 > 0 ? $0 : m.mul(alpha, expm1($0))) }
        case "Celu": return { $0 < 0 ? m.mul(alpha, expm1(m.div($0, alpha))) : $0 }
        case "Sigmoid": return sigmoid
        case "Swish": return { m.mul($0, sigmoid(m.mul(alpha, $0))) }
        case "Softplus": return plain ? { $0 > 80 ? $0 : softplus($0) } : softplus
        case "Mish": return { m.mul($0, m.function(.tanh, plain && $0 > 80 ? $0 : softplus($0))) }
        default:
            if attributes.string("approximate") == "tanh" {
                // 1 + tanh z loses all where z is very negative; 2·sigmoid(2z) is the same without.
                return { x in
                    let z = m.mul(S((2 / Double.pi).squareRoot()), m.add(x, m.mul(S(0.044715), m.mul(x, m.mul(x, x)))))
                    return plain ? m.mul(m.mul(0.5, x), m.add(1, m.function(.tanh, z))) : m.mul(x, sigmoid(m.mul(2, z)))
                }
            }
            let half = S(0.5.squareRoot())
            return { x in m.mul(m.mul(0.5, x), plain ? m.add(1, m.function(.erf, m.mul(x, half))) : m.function(.erfc, -m.mul(x, half))) }
        }
    }
}

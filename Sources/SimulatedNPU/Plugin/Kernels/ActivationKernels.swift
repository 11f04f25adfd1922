// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Tensors

/// An activation with float attributes, as expressions that follow ONNX's definitions.
private func activation(
    _ name: String, since: Int, types: [DataType] = floatTypes, numerics: sb_numerics? = nil, _ attributes: [(String, Float)] = [],
    _ expression: @escaping @Sendable (Term, [Term]) -> Term
) -> LoweredKernel {
    elementwiseKernel(name, since: since, types: types, numerics: numerics) { node, x in
        expression(x[0], attributes.map { .constant(Double(node.float($0.0) ?? $0.1)) })
    }
}

private func expm1(_ x: Term) -> Term { .operation(NPU_V_EXP_MINUS_ONE, x) }

let activationKernels = [
    activation("Relu", since: 6, types: floatTypes + signedTypes) { x, _ in .max(x, 0) },
    activation("LeakyRelu", since: 6, [("alpha", 0.01)]) { x, p in .select(x < 0, p[0] * x, x) },
    activation("ThresholdedRelu", since: 10, [("alpha", 1)]) { x, p in .select(x <= p[0], 0, x) },
    activation("Elu", since: 6, numerics: approximateFunctions, [("alpha", 1)]) { x, p in .select(x < 0, p[0] * expm1(x), x) },
    activation("Selu", since: 6, numerics: approximateFunctions, [("alpha", 1.673_263_2), ("gamma", 1.050_701)]) { x, p in
        p[1] * .select(0 < x, x, p[0] * expm1(x))
    },
    activation("Celu", since: 12, numerics: approximateFunctions, [("alpha", 1)]) { x, p in .max(x, 0) + .min(p[0] * expm1(x / p[0]), 0) },
    activation("HardSigmoid", since: 6, [("alpha", 0.2), ("beta", 0.5)]) { x, p in .max(.min(p[0] * x + p[1], 1), 0) },
    activation("HardSwish", since: 14) { x, _ in x * .max(.min(x / 6 + 0.5, 1), 0) },
    activation("Swish", since: 24, numerics: approximateFunctions, [("alpha", 1)]) { x, p in .operation(NPU_V_GATE, x, 1, p[0]) },
    activation("Mish", since: 18, numerics: approximateFunctions) { x, _ in x * .tanh(.operation(NPU_V_SOFTPLUS, x)) },
    activation("Softsign", since: 1) { x, _ in x / (.abs(x) + 1) },
    activation("Shrink", since: 9, [("bias", 0), ("lambd", 0.5)]) { x, p in
        .select(x < -p[1], x + p[0], .select(x <= p[1], 0, x - p[0]))
    },
    elementwiseKernel("PRelu", since: 7, types: floatTypes + signedTypes) { _, x in .select(x[0] < 0, x[0] * x[1], x[0]) },
    elementwiseKernel("Gelu", since: 20, types: floatTypes, numerics: approximateFunctions) { node, inputs in
        let x = inputs[0]
        if node.string("approximate") == "tanh" {
            let inner = .constant((2 / Double.pi).squareRoot()) * (x + 0.044715 * x * x * x)
            return 0.5 * x * (.tanh(inner) + 1)
        }
        return 0.5 * x * (.erf(x * .constant(0.5.squareRoot())) + 1)
    },
    elementwiseKernel("SwiGLU", since: 28, types: floatTypes, numerics: approximateFunctions) { node, x in
        .operation(NPU_V_GATE, x[0], x[1], .constant(Double(node.float("alpha") ?? 1)))
    },
]

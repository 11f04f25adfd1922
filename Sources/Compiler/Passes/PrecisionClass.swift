// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators

/// What an operator asks of the type that it computes in, where precisions are mixed.
enum PrecisionClass {
    /// Most of a network's arithmetic, in sums that devices keep in a wider accumulator: in the narrow type.
    case product
    /// Loses no more than a rounding of what it is given: as its neighbours.
    case neutral
    /// Makes rounding errors larger, or sums up many: in float32. Whatever is not known to be anything else.
    case sensitive

    init(_ node: Node, _ definition: OperatorDefinition) {
        guard node.domain.isEmpty, !definition.isHostOperator else {
            self = .sensitive
            return
        }
        if Self.products.contains(node.operatorName) {
            self = .product
        } else if Self.activations.contains(node.operatorName) || Self.arithmetic.contains(node.operatorName) {
            self = .neutral
        } else {
            self = definition.numericClass == .movement && !Self.jumps.contains(node.operatorName) ? .neutral : .sensitive
        }
    }

    private static let products: Set = ["Attention", "Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul"]
    private static let arithmetic: Set = ["Add", "Div", "Mul", "Sub", "Sum"]
    /// Of derivatives about 1 or less.
    private static let activations: Set = [
        "Celu", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu", "Selu", "Sigmoid", "Softplus",
        "Softsign", "SwiGLU",
        "Swish", "Tanh", "ThresholdedRelu",
    ]
    /// A rounding before them may become a whole step behind them.
    private static let jumps: Set = ["Binarizer", "Ceil", "Floor", "Round", "Sign"]
}

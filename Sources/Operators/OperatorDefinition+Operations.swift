// SPDX-License-Identifier: Apache-2.0
package import Graph
import Tensors

extension OperatorDefinition {
    /// Arithmetic operations that a node asks for by its definition: a multiply-add is two, a function (exp, division) one. Copying and rearranging is none.
    ///
    /// Rather too few than too many, because times below what they allow are refused as measurements.
    package func operationCount(of node: Node, inputs: [ConcreteType?], outputs: [ConcreteType?]) -> Double {
        let call = CountedCall(
            attributes: NodeAttributes(version: 0, given: node.attributes, rules: attributes), inputs: inputs, outputs: outputs)
        if let rule = operationRules[name] { return rule(call) }
        switch numericClass {
        case .movement, .cast, .property, .random: return 0
        case .sum, .product: return call.input(0)
        case .softmax: return 3 * call.output(0)
        case .normalisation: return 5 * call.output(0)
        case .integer, .arithmetic, .division, .transcendental, .dot, .variance, .composite, .quantised: return call.output(0)
        }
    }
}

extension OperatorDefinition {
    /// Reads only those elements of its first input that it copies to its output.
    package var picksElements: Bool { ["Gather", "GatherElements", "GatherND", "Slice"].contains(name) }
}

/// What a counting rule reads.
private struct CountedCall {
    let attributes: NodeAttributes
    let inputs: [ConcreteType?]
    let outputs: [ConcreteType?]

    /// Elements of an input or output; 0 where it is left out.
    func input(_ index: Int) -> Double { Self.count(shape(index)) }
    func output(_ index: Int) -> Double { Self.count(index < outputs.count ? outputs[index]?.shape : nil) }
    func shape(_ index: Int) -> [Int]? { index < inputs.count ? inputs[index]?.shape : nil }
    /// Size of one dimension, counted from the end if negative; 0 where there is none.
    func size(_ index: Int, _ axis: Int) -> Double {
        guard let shape = shape(index) else { return 0 }
        let axis = axis < 0 ? shape.count + axis : axis
        return shape.indices.contains(axis) ? Double(shape[axis]) : 0
    }

    private static func count(_ shape: [Int]?) -> Double { shape.map { $0.reduce(1) { $0 * Double($1) } } ?? 0 }
}

/// Operators whose operations are not those of their class.
private let operationRules: [String: @Sendable (CountedCall) -> Double] = [
    "MatMul": { 2 * $0.output(0) * $0.size(0, -1) },
    "MatMulInteger": { 2 * $0.output(0) * $0.size(0, -1) },
    "QLinearMatMul": { 2 * $0.output(0) * $0.size(0, -1) },
    "Gemm": { 2 * $0.output(0) * $0.size(0, $0.attributes.flag("transA") ? 0 : 1) },
    "Einsum": { $0.inputs.count == 2 ? 2 * max($0.input(0), $0.input(1), $0.output(0)) : $0.output(0) },
    "Conv": { 2 * $0.output(0) * perOutput(filter: 1, $0) },
    "ConvInteger": { 2 * $0.output(0) * perOutput(filter: 1, $0) },
    "QLinearConv": { 2 * $0.output(0) * perOutput(filter: 3, $0) },
    "DeformConv": { 2 * $0.output(0) * perOutput(filter: 1, $0) },
    // Each input element meets the filter's part for its channel.
    "ConvTranspose": { 2 * $0.input(0) * perOutput(filter: 1, $0) },
    "AveragePool": { $0.output(0) * window($0) },
    "MaxPool": { $0.output(0) * window($0) },
    "LpPool": { $0.output(0) * window($0) },
    "GlobalAveragePool": { $0.input(0) },
    "GlobalMaxPool": { $0.input(0) },
    "BatchNormalization": { 2 * $0.output(0) },
    "Attention": attention,
    "LSTM": recurrent,
    "GRU": recurrent,
    "RNN": recurrent,
    "ArgMax": { $0.input(0) },
    "ArgMin": { $0.input(0) },
    "CumSum": { $0.output(0) },
    "ReduceMax": { $0.input(0) },
    "ReduceMin": { $0.input(0) },
]

/// Products that make up one output element of a convolution with weights of shape [outputs, inputs per group, taps...].
@Sendable private func perOutput(filter: Int, _ call: CountedCall) -> Double {
    let outputs = call.size(filter, 0)
    return outputs > 0 ? call.input(filter) / outputs : 0
}

@Sendable private func window(_ call: CountedCall) -> Double {
    (call.attributes.ints("kernel_shape") ?? []).reduce(1) { $0 * Double($1) }
}

/// Q of [batch, heads, L, D] by K of [batch, heads, S, D], then by V of [batch, heads, S, E]; of 3-D inputs the heads are folded into the last axis.
@Sendable private func attention(_ call: CountedCall) -> Double {
    guard let query = call.shape(0), let key = call.shape(1), query.count >= 3, key.count >= 3 else { return 0 }
    let length = Double(key[key.count - 2])
    let scores = call.input(0) * length
    let weighted = call.output(0) * length
    // A causal mask leaves half of the products.
    return (call.attributes.flag("is_causal") ? 1 : 2) * (scores + weighted)
}

/// X of [steps, batch, ...], with W and R in every step.
@Sendable private func recurrent(_ call: CountedCall) -> Double { 2 * call.size(0, 0) * call.size(0, 1) * (call.input(1) + call.input(2)) }

import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// One step of an optimiser over any number of tensors (domain ai.onnx.preview.training).
///
/// After the learning rate R and the step count T the inputs are all tensors X, then all gradients G, then each kind of state in turn;
/// the outputs are the new X and the new states in the same order.
let optimizerOperators: [OperatorDefinition] = [
    optimizer("Adagrad", states: 1, attributes: ["decay_factor": .float(0), "epsilon": .float(1e-6), "norm_coefficient": .float(0)]) { a in
        let (decay, epsilon, norm) = (a.float("decay_factor")!, a.float("epsilon")!, a.float("norm_coefficient")!)
        return { rate, step, x, gradient, state in
            let regularized = norm * x + gradient
            let squares = state[0] + regularized * regularized
            state[0] = squares
            return x - rate / (1 + step * decay) * regularized / (squares.squareRoot() + epsilon)
        }
    },
    optimizer(
        "Adam", states: 2,
        attributes: [
            "alpha": .float(0.9), "beta": .float(0.999), "epsilon": .float(1e-6), "norm_coefficient": .float(0),
            "norm_coefficient_post": .float(0),
        ]
    ) { a in
        let (alpha, beta, epsilon) = (a.float("alpha")!, a.float("beta")!, a.float("epsilon")!)
        let (norm, normAfter) = (a.float("norm_coefficient")!, a.float("norm_coefficient_post")!)
        return { rate, step, x, gradient, state in
            let regularized = norm * x + gradient
            state[0] = alpha * state[0] + (1 - alpha) * regularized
            state[1] = beta * state[1] + (1 - beta) * regularized * regularized
            let adjusted = step > 0 ? rate * (1 - pow(beta, step)).squareRoot() / (1 - pow(alpha, step)) : rate
            return (1 - normAfter) * (x - adjusted * state[0] / (state[1].squareRoot() + epsilon))
        }
    },
    optimizer(
        "Momentum", states: 1,
        attributes: [
            "alpha": .required(.float), "beta": .required(.float), "mode": .required(.string), "norm_coefficient": .required(.float),
        ]
    ) { a throws(OperatorError) in
        guard let alpha = a.float("alpha"), let beta = a.float("beta"), let norm = a.float("norm_coefficient"),
            let mode = a.string("mode"), ["standard", "nesterov"].contains(mode)
        else { throw .invalid("attribute 'mode' must be 'standard' or 'nesterov'") }
        return { rate, step, x, gradient, state in
            let regularized = norm * x + gradient
            state[0] = alpha * state[0] + (step > 0 ? beta : 1) * regularized
            return x - rate * (mode == "nesterov" ? regularized + alpha * state[0] : state[0])
        }
    },
]

/// The new element from learning rate, step count, element, gradient and states, which it updates.
private typealias UpdateRule = (_ rate: Double, _ step: Double, _ x: Double, _ gradient: Double, _ state: inout SIMD2<Double>) -> Double

private func optimizer(
    _ name: String, states: Int, attributes: [String: AttributeRule],
    _ rule: @escaping @Sendable (NodeAttributes) throws(OperatorError) -> UpdateRule
) -> OperatorDefinition {
    OperatorDefinition(
        name, domain: "ai.onnx.preview.training", since: [1], "(R: T1, T: int64, inputs: T3*) -> (outputs: T3*)",
        types: ["T1": TypeSet(.float32, .float64), "T3": TypeSet(.float32, .float64)], attributes: attributes, numericClass: .composite,
        infer: { context throws(OperatorError) in
            _ = try rule(context.attributes)
            for index in 0...1 { try require(elementCount(try context.input(index).shape) == 1, "input \(index) must be a scalar") }
            let (groups, rest) = (context.inputs.count - 2).quotientAndRemainder(dividingBy: 2 + states)
            try require(
                rest == 0 && groups > 0,
                "the tensors, gradients and states come in \(context.inputs.count - 2) inputs, no multiple of \(2 + states)")
            for index in 2..<context.inputs.count {
                let (own, first) = (try context.input(index), try context.input(2 + (index - 2) % groups))
                try require(
                    own == first, "input \(index) is \(own.dataType.name) \(own.shape), its tensor \(first.dataType.name) \(first.shape)")
            }
            var outputs: [InferredOutput] = []
            for _ in 0...states { for group in 0..<groups { outputs.append(.known(try context.input(2 + group))) } }
            return outputs
        },
        reference: { context throws(OperatorError) in
            let update = try rule(context.attributes)
            let rate = try context.input(0).floats.first ?? 0
            let step = try context.input(1).floats.first ?? 0
            let groups = (context.inputs.count - 2) / (2 + states)
            var outputs = try context.inputs[2...].indices.prefix(groups * (1 + states)).map { index throws(OperatorError) in
                try context.input(index)
            }
            for group in 0..<groups {
                var x = try context.input(2 + group).floats
                let gradient = try context.input(2 + groups + group).floats
                var state: [[Double]] = []
                for index in 0..<states { state.append(try context.input(2 + (2 + index) * groups + group).floats) }
                for index in x.indices {
                    var local = SIMD2(state[0][index], states > 1 ? state[1][index] : 0)
                    x[index] = update(rate, step, x[index], gradient[index], &local)
                    for number in 0..<states { state[number][index] = local[number] }
                }
                for (number, values) in ([x] + state).enumerated() {
                    let source = try context.input(2 + group)
                    outputs[number * groups + group] = ReferenceTensor(source.dataType, source.shape, .floats(values))
                }
            }
            return outputs
        }
    ).sampled { context in
        let type = context.type
        let named: [String: Attribute] =
            attributes["mode"] == nil ? [:] : ["alpha": .float(0.9), "beta": .float(1), "norm_coefficient": .float(0.01)]
        return (attributes["mode"] == nil ? [nil] : ["standard", "nesterov"]).flatMap { mode in
            ([("one", [[7, 5]]), ("two", [[3], [2, 9]]), ("large", [[33, 40]])] as [(String, [[Int]])]).map { name, shapes in
                let tensors = (0..<2).flatMap { _ in shapes.map { Sample.Tensor(type, $0) } }
                let history = (0..<states).flatMap { _ in shapes.map { Sample.Tensor(type, $0, .data(0.01...2)) } }
                return Sample(
                    "\(mode.map { $0 + "-" } ?? "")\(name)", [.scalar(type, 0.125), .scalar(.int64, 3)] + tensors + history,
                    named.merging(mode.map { ["mode": .string($0)] } ?? [:]) { $1 },
                    wanted: [Bool](repeating: true, count: shapes.count * (1 + states)))
            }
        }
    }
}

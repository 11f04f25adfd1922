// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import Tensors

/// The cell of a recurrent layer: RNN with one gate, GRU with three, LSTM with four.
struct RecurrentCell {
    /// One direction's parameters, gates one after the other in ONNX's order.
    struct Weights {
        let input: [Double]
        let recurrence: [Double]
        /// The input's, then the recurrence's.
        let bias: [Double]
        let peepholes: [Double]
    }

    private let gates: Int
    private let clip: Double?
    private let linearBeforeReset: Bool
    private let couplesInputAndForget: Bool
    /// Per direction.
    private var activations: [[@Sendable (Double) -> Double]] = []

    init(_ attributes: NodeAttributes, gates: Int, directions: Int) throws(OperatorError) {
        self.gates = gates
        clip = attributes.float("clip")
        if let clip { try require(clip >= 0, "clip must not be negative, but is \(clip)") }
        linearBeforeReset = attributes.flag("linear_before_reset")
        couplesInputAndForget = attributes.flag("input_forget")
        let standard = [1: ["Tanh"], 3: ["Sigmoid", "Tanh"], 4: ["Sigmoid", "Tanh", "Tanh"]][gates]!
        var names = Array(repeating: standard, count: directions).flatMap { $0 }
        // A name for each gate function and direction; more (as the default of old versions has) are left unread.
        if case .strings(let given)? = attributes["activations"] {
            try require(given.count >= names.count, "\(given.count) activations instead of \(names.count)")
            names = Array(given.prefix(names.count))
        }
        var alphas = (attributes.floats("activation_alpha") ?? [])[...]
        var betas = (attributes.floats("activation_beta") ?? [])[...]
        for first in stride(from: 0, to: names.count, by: standard.count) {
            var functions: [@Sendable (Double) -> Double] = []
            for name in names[first..<first + standard.count] { functions.append(try activation(name, &alphas, &betas)) }
            activations.append(functions)
        }
    }

    /// One step of one sequence.
    func step(_ direction: Int, _ x: [Double], _ weights: Weights, state: inout [Double], memory: inout [Double]) {
        let hidden = state.count
        let functions = activations[direction]
        func product(_ matrix: [Double], _ vector: [Double], row: Int) -> Double {
            var sum = 0.0
            for index in vector.indices { sum += matrix[row * vector.count + index] * vector[index] }
            return sum
        }
        func clipped(_ value: Double) -> Double { clip.map { min(max(value, -$0), $0) } ?? value }
        /// What goes into the activation of unit `unit` of gate `gate`.
        func sum(_ gate: Int, _ unit: Int) -> Double {
            let row = gate * hidden + unit
            return product(weights.input, x, row: row) + product(weights.recurrence, state, row: row) + weights.bias[row]
                + weights.bias[gates * hidden + row]
        }
        let units = 0..<hidden
        switch gates {
        case 1: state = units.map { functions[0](clipped(sum(0, $0))) }
        case 3:
            let update = units.map { functions[0](clipped(sum(0, $0))) }
            let reset = units.map { functions[0](clipped(sum(1, $0))) }
            let kept = zip(reset, state).map { $0 * $1 }
            let candidate = units.map { unit in
                let row = 2 * hidden + unit
                let (inputBias, recurrentBias) = (weights.bias[row], weights.bias[3 * hidden + row])
                let recurrence =
                    linearBeforeReset
                    ? reset[unit] * (product(weights.recurrence, state, row: row) + recurrentBias)
                    : product(weights.recurrence, kept, row: row) + recurrentBias
                return functions[1](clipped(product(weights.input, x, row: row) + recurrence + inputBias))
            }
            state = units.map { (1 - update[$0]) * candidate[$0] + update[$0] * state[$0] }
        default:
            // Gates in the order input, output, forget, cell; peepholes input, output, forget.
            let old = memory
            let peepholes = weights.peepholes
            let input = units.map { functions[0](clipped(sum(0, $0) + peepholes[$0] * old[$0])) }
            let forget =
                couplesInputAndForget
                ? input.map { 1 - $0 } : units.map { functions[0](clipped(sum(2, $0) + peepholes[2 * hidden + $0] * old[$0])) }
            let cell = units.map { functions[1](clipped(sum(3, $0))) }
            let new = units.map { forget[$0] * old[$0] + input[$0] * cell[$0] }
            let output = units.map { functions[0](clipped(sum(1, $0) + peepholes[hidden + $0] * new[$0])) }
            memory = new
            state = units.map { output[$0] * functions[2](new[$0]) }
        }
    }
}

/// An activation by its name; those with parameters take the next of the lists, or their default where a list is used up.
private func activation(
    _ name: String, _ alphas: inout ArraySlice<Double>, _ betas: inout ArraySlice<Double>
) throws(OperatorError) -> @Sendable (Double) -> Double {
    func parameter(_ list: inout ArraySlice<Double>, _ standard: Double) -> Double { list.popFirst() ?? standard }
    switch name.lowercased() {
    case "tanh": return { tanh($0) }
    case "sigmoid": return { 1 / (1 + exp(-$0)) }
    case "relu": return { max($0, 0) }
    case "softsign": return { $0 / (1 + abs($0)) }
    case "softplus": return { $0 > 30 ? $0 : log1p(exp($0)) }
    case "leakyrelu":
        let alpha = parameter(&alphas, 0.01)
        return { $0 < 0 ? alpha * $0 : $0 }
    case "thresholdedrelu":
        let alpha = parameter(&alphas, 1)
        return { $0 > alpha ? $0 : 0 }
    case "elu":
        let alpha = parameter(&alphas, 1)
        return { $0 < 0 ? alpha * expm1($0) : $0 }
    case "affine":
        let (alpha, beta) = (parameter(&alphas, 1), parameter(&betas, 0))
        return { alpha * $0 + beta }
    case "scaledtanh":
        let (alpha, beta) = (parameter(&alphas, 1), parameter(&betas, 1))
        return { alpha * tanh(beta * $0) }
    case "hardsigmoid":
        let (alpha, beta) = (parameter(&alphas, 0.2), parameter(&betas, 0.5))
        return { min(max(alpha * $0 + beta, 0), 1) }
    default: throw .invalid("activation '\(name)' is unknown")
    }
}

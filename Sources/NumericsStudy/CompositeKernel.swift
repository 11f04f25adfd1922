// SPDX-License-Identifier: Apache-2.0
import Operators
import Tensors

/// Attention and recurrent layers in any arithmetic; the plain forms of them.
enum CompositeKernel {
    /// Q, K and V of four axes, without mask, past or further outputs.
    static func attention<S: Scalar>(_ context: ReferenceContext, _ m: Machine<S>) -> [Double]? {
        let attributes = context.attributes
        guard context.inputs.count == 3, context.inputs[0]!.shape.count == 4, attributes.float("softcap") == 0,
            attributes.int("left_window_size") == -1,
            attributes.int("right_window_size") == -1
        else { return nil }
        let (q, k, v) = (context.inputs[0]!, context.inputs[1]!, context.inputs[2]!)
        let (batch, heads, queries, size) = (q.shape[0], q.shape[1], q.shape[2], q.shape[3])
        let (keyHeads, keys, valueSize) = (k.shape[1], k.shape[2], v.shape[3])
        let scale = S(attributes.float("scale") ?? 1 / Double(size).squareRoot())
        let isCausal = attributes.flag("is_causal")
        let (qs, ks, vs) = (m.loadFactors(q.floats), m.loadFactors(k.floats), m.loadFactors(v.floats))
        var result: [Double] = []
        for group in 0..<batch * heads {
            let keyGroup = group / heads * keyHeads + group % heads / (heads / keyHeads)
            for query in 0..<queries {
                let start = (group * queries + query) * size
                let row = Array(qs[start..<start + size])
                let scores = (0..<keys).map { key -> S in
                    if isCausal && key > query { return -.infinity }
                    let place = (keyGroup * keys + key) * size
                    return m.mul(m.dot(row, Array(ks[place..<place + size])), scale)
                }
                let weights = LineKernel.softmax(scores, m)
                for column in 0..<valueSize {
                    result.append(Double(m.dot(weights, (0..<keys).map { vs[(keyGroup * keys + $0) * valueSize + column] })))
                }
            }
        }
        return result
    }

    /// RNN, GRU (reset before the product) and LSTM without peepholes: forward, with or without bias and first state, in the order of ONNX's gates.
    static func recurrent<S: Scalar>(_ name: String, _ context: ReferenceContext, _ m: Machine<S>) -> [[Double]]? {
        let attributes = context.attributes
        guard attributes.string("direction") == "forward", attributes.float("clip") == nil, !attributes.flag("layout"),
            !attributes.flag("linear_before_reset"),
            !attributes.flag("input_forget"), !context.has(4), !context.has(6), !context.has(7)
        else { return nil }
        let gates = ["RNN": 1, "GRU": 3, "LSTM": 4][name]!
        let x = context.inputs[0]!
        let (steps, batch, size) = (x.shape[0], x.shape[1], x.shape[2])
        let hidden = context.inputs[2]!.shape[2]
        let (xs, ws, rs) = (m.loadFactors(x.floats), m.loadFactors(context.inputs[1]!.floats), m.loadFactors(context.inputs[2]!.floats))
        let bias =
            context.has(3) && !m.arithmetic.dropsBias ? m.load(context.inputs[3]!.floats) : [S](repeating: 0, count: 2 * gates * hidden)
        var states = context.has(5) ? m.load(context.inputs[5]!.floats) : [S](repeating: 0, count: batch * hidden)
        var memories = [S](repeating: 0, count: batch * hidden)
        var y = [Double](repeating: 0, count: steps * batch * hidden)
        func sigmoid(_ x: S) -> S { m.div(1, m.add(1, m.function(.exp, -x))) }
        for step in 0..<steps {
            for entry in 0..<batch {
                let input = Array(xs[(step * batch + entry) * size..<(step * batch + entry + 1) * size])
                let state = Array(states[entry * hidden..<(entry + 1) * hidden])
                func sum(_ gate: Int, _ unit: Int, _ recurrence: [S]) -> S {
                    let row = gate * hidden + unit
                    let own = m.dot(input, Array(ws[row * size..<(row + 1) * size]))
                    let back = m.dot(recurrence, Array(rs[row * hidden..<(row + 1) * hidden]))
                    return m.add(m.add(own, back), m.add(bias[row], bias[gates * hidden + row]))
                }
                var new = state
                switch gates {
                case 1: for unit in 0..<hidden { new[unit] = m.function(.tanh, sum(0, unit, state)) }
                case 3:
                    let kept = (0..<hidden).map { m.mul(sigmoid(sum(1, $0, state)), state[$0]) }
                    for unit in 0..<hidden {
                        let update = sigmoid(sum(0, unit, state))
                        new[unit] = m.add(m.mul(m.sub(1, update), m.function(.tanh, sum(2, unit, kept))), m.mul(update, state[unit]))
                    }
                default:
                    for unit in 0..<hidden {
                        let old = memories[entry * hidden + unit]
                        let memory = m.add(
                            m.mul(sigmoid(sum(2, unit, state)), old),
                            m.mul(sigmoid(sum(0, unit, state)), m.function(.tanh, sum(3, unit, state))))
                        memories[entry * hidden + unit] = memory
                        new[unit] = m.mul(sigmoid(sum(1, unit, state)), m.function(.tanh, memory))
                    }
                }
                for unit in 0..<hidden {
                    states[entry * hidden + unit] = new[unit]
                    y[(step * batch + entry) * hidden + unit] = Double(new[unit])
                }
            }
        }
        return [y, states.map { Double($0) }, memories.map { Double($0) }]
    }
}

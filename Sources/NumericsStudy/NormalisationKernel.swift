// SPDX-License-Identifier: Apache-2.0
import Operators
import Tensors

/// Normalisations by mean and variance, in any arithmetic and by several algorithms.
enum NormalisationKernel {
    /// Values of each output that is wanted.
    static func run<S: Scalar>(_ name: String, _ context: ReferenceContext, _ m: Machine<S>) -> [[Double]]? {
        let x = context.inputs[0]!
        let (shape, rank, attributes) = (x.shape, x.shape.count, context.attributes)
        let arithmetic = m.arithmetic
        let epsilon = arithmetic.dropsEpsilon ? S(0) : S(attributes.float("epsilon") ?? 1e-9)
        if name == "BatchNormalization" {
            return attributes.flag("training_mode") || context.version < 9 ? nil : batch(x, context, epsilon, m)
        }
        var grouped = shape
        let axes: [Int]
        switch name {
        case "LayerNormalization", "RMSNormalization":
            let axis = attributes.int("axis") ?? -1
            axes = Array((axis < 0 ? axis + rank : axis)..<rank)
        case "InstanceNormalization": axes = Array(2..<rank)
        case "GroupNormalization":
            let groups = attributes.int("num_groups") ?? 1
            grouped = [shape[0], groups, shape[1] / groups] + shape[2...]
            axes = Array(2..<grouped.count)
        default: return nil
        }
        let values = m.load(x.floats)
        let gains = parameter(1, name, context).map { m.load($0) }
        let biases = arithmetic.dropsBias ? nil : parameter(2, name, context).map { m.load($0) }
        var y = [Double](repeating: 0, count: values.count)
        var (means, inverses) = ([Double](), [Double]())
        for group in flatGroups(grouped, over: axes) {
            let line = group.map { values[$0] }
            let (mean, variance) =
                name == "RMSNormalization" ? (0, m.div(m.dot(kept(line, m), kept(line, m)), S(line.count))) : moments(line, m)
            let inverse = m.div(1, m.root(m.add(variance, epsilon)))
            for element in group {
                var value = m.mul(m.sub(values[element], mean), inverse)
                if let gains { value = m.mul(value, gains[element]) }
                if let biases { value = m.add(value, biases[element]) }
                y[element] = Double(value)
            }
            means.append(Double(mean))
            inverses.append(Double(inverse))
        }
        return [y, means, inverses]
    }

    /// A dropped tail: the last element does not count.
    private static func kept<S: Scalar>(_ line: [S], _ m: Machine<S>) -> [S] {
        m.arithmetic.dropsLastTerm && line.count > 1 ? Array(line.dropLast()) : line
    }

    private static func moments<S: Scalar>(_ line: [S], _ m: Machine<S>) -> (mean: S, variance: S) {
        let count = S(max(line.count, 1))
        let summed = kept(line, m)
        switch m.arithmetic.variance {
        case .twoPass:
            let mean = m.div(m.sum(summed), count)
            let deviations = summed.map { m.sub($0, mean) }
            return (mean, m.div(m.dot(deviations, deviations), m.arithmetic.countsOneLess && line.count > 1 ? count - 1 : count))
        case .onePass:
            let mean = m.div(m.sum(summed), count)
            let variance = m.sub(m.div(m.dot(summed, summed), count), m.mul(mean, mean))
            return (mean, max(variance, 0))
        case .welford, .welfordWithoutLast:
            let line = m.arithmetic.variance == .welford ? summed : Array(line.dropLast(line.count > 1 ? 1 : 0))
            var (mean, squares): (S, S) = (0, 0)
            for (index, value) in line.enumerated() {
                let before = m.sub(value, mean)
                mean = m.add(mean, m.div(before, S(index + 1)))
                squares = m.add(squares, m.mul(before, m.sub(value, mean)))
            }
            return (mean, m.div(squares, count))
        }
    }

    /// Gain or bias of each element of X; nil where there is none.
    private static func parameter(_ index: Int, _ name: String, _ context: ReferenceContext) -> [Double]? {
        guard context.has(index), let tensor = context.inputs[index] else { return nil }
        let shape = context.inputs[0]!.shape
        guard name == "InstanceNormalization" || name == "GroupNormalization" else { return tensor.broadcast(to: shape).floats }
        let plane = shape[2...].reduce(1, *)
        let values = tensor.floats
        return (0..<shape.reduce(1, *)).map { values[$0 / plane % shape[1] / (shape[1] / values.count)] }
    }

    private static func batch<S: Scalar>(_ x: ReferenceTensor, _ context: ReferenceContext, _ epsilon: S, _ m: Machine<S>) -> [[Double]] {
        let channels = x.shape.count > 1 ? x.shape[1] : 1
        let plane = x.shape.dropFirst(2).reduce(1, *)
        let parameters = (1...4).map { m.load(context.inputs[$0]!.floats) }
        let values = m.load(x.floats)
        let folds = m.arithmetic.variance == .welford
        return [
            values.indices.map { element in
                let channel = element / plane % channels
                let (gain, mean) = (parameters[0][channel], parameters[2][channel])
                let bias = m.arithmetic.dropsBias ? 0 : parameters[1][channel]
                let scale = m.div(gain, m.root(m.add(parameters[3][channel], epsilon)))
                // Two ways: shift and scale, or one multiply-add with constants made before.
                return Double(
                    folds
                        ? m.add(m.mul(values[element], scale), m.sub(bias, m.mul(mean, scale)))
                        : m.add(m.mul(m.sub(values[element], mean), scale), bias))
            }
        ]
    }
}

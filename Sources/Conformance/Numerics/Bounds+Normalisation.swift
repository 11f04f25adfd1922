// SPDX-License-Identifier: Apache-2.0
import Foundation
import Operators
import Tensors

extension Bounds {
    /// With e_μ = n·u·mean|x| and E_v = (n + 3)·u·v + 2·e_μ·√v + e_μ² (two-pass variance; one-pass formulas fail it where the mean is far larger than the deviation),
    /// s = 1/√(v + ε), gain g and bias b:
    /// E = |g|·s·(e_μ + |x − μ|·(E_v / (2(v + ε)) + 3u)) + u·(|g|·s·|x − μ| + |b|) + k·ulp(y).
    /// Nil where the operator (LpNormalization) is none of these.
    func normalisation(_ result: ReferenceTensor, _ format: NumberFormat, _ index: Int) throws(OperatorError) -> Acceptance? {
        guard let x = context.inputs.first.flatMap({ $0 }) else { return nil }
        let attributes = context.attributes
        let rank = x.shape.count
        let epsilon = attributes.float("epsilon") ?? (definition.name == "MeanVarianceNormalization" ? 1e-9 : 1e-5)
        let axes: [Int]
        var shape = x.shape
        switch definition.name {
        case "LayerNormalization", "RMSNormalization":
            let axis = attributes.int("axis") ?? -1
            axes = Array((axis < 0 ? axis + rank : axis)..<rank)
        case "InstanceNormalization": axes = Array(2..<rank)
        case "GroupNormalization":
            let groupCount = attributes.int("num_groups") ?? 1
            shape = [x.shape[0], groupCount, x.shape[1] / groupCount] + x.shape[2...]
            axes = Array(2..<shape.count)
        case "MeanVarianceNormalization": axes = (attributes.ints("axes") ?? [0, 2, 3]).map { $0 < 0 ? $0 + rank : $0 }
        case "BatchNormalization": return batchNormalisation(result, format, index, x, epsilon)
        default: return nil
        }
        guard index < 3 else { return nil }
        var statistics: [Statistic] = []
        let groups = groups(of: shape, over: axes)
        for group in groups {
            statistics.append(
                Statistic(group.map { x.floats[$0] }, unit: statisticsUnit, isRootMeanSquare: definition.name == "RMSNormalization"))
        }
        if index > 0 { return statisticsOutput(result, format, index, statistics, epsilon) }
        let (gains, biases) = gainAndBias(x.shape)
        return normalised(result, format, groups, statistics, x.floats, gains, biases, epsilon)
    }

    /// `stash_type` says in what type the statistics may be computed.
    private var statisticsUnit: Double {
        guard let stash = context.attributes.int("stash_type"), let type = DataType(rawValue: UInt32(stash)), type.isFloat else {
            return step
        }
        return max(step, NumberFormat(type).unit)
    }

    private struct Statistic {
        let mean: Double
        let variance: Double
        let meanError: Double
        let varianceError: Double

        init(_ values: [Double], unit: Double, isRootMeanSquare: Bool) {
            let count = Double(max(values.count, 1))
            let absolute = values.reduce(0) { $0 + abs($1) } / count
            if isRootMeanSquare {
                mean = 0
                meanError = 0
                variance = values.reduce(0) { $0 + $1 * $1 } / count
            } else {
                let mean = values.reduce(0, +) / count
                self.mean = mean
                meanError = count * unit * absolute
                variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
            }
            varianceError = (count + 3) * unit * variance + 2 * meanError * variance.squareRoot() + meanError * meanError
        }
    }

    private func normalised(
        _ result: ReferenceTensor, _ format: NumberFormat, _ groups: [[Int]], _ statistics: [Statistic], _ x: [Double], _ gains: [Double]?,
        _ biases: [Double]?, _ epsilon: Double
    ) -> Acceptance {
        let y = result.floats
        let unit = max(statisticsUnit, step)
        var bound = [Double](repeating: 0, count: y.count)
        for (group, statistic) in zip(groups, statistics) {
            let shifted = statistic.variance + epsilon
            let scale = 1 / shifted.squareRoot()
            for element in group {
                let gain = abs(gains?[element] ?? 1)
                let distance = abs(x[element] - statistic.mean)
                let relative = statistic.varianceError / (2 * shifted) + 3 * unit
                bound[element] =
                    gain * scale * (statistic.meanError + distance * relative) + unit
                    * (gain * scale * distance + abs(biases?[element] ?? 0))
                    + k * format.ulp(y[element]) + underflow
            }
        }
        var acceptance = Acceptance(y, within: bound.map { $0.isNaN ? 0 : $0 })
        acceptance.admitRounded(result)
        return acceptance
    }

    /// Mean, and inverse of the standard deviation.
    private func statisticsOutput(
        _ result: ReferenceTensor, _ format: NumberFormat, _ index: Int, _ statistics: [Statistic], _ epsilon: Double
    ) -> Acceptance? {
        let values = result.floats
        guard values.count == statistics.count else { return nil }
        let unit = statisticsUnit
        var acceptance = Acceptance(
            values,
            within: zip(values, statistics).map { value, statistic in
                let error =
                    index == 1
                    ? statistic.meanError : abs(value) * (statistic.varianceError / (2 * (statistic.variance + epsilon)) + 3 * unit)
                return error + k * format.ulp(value)
            })
        acceptance.admitRounded(result)
        return acceptance
    }

    /// Gain and bias of each element of X; nil where there is none.
    private func gainAndBias(_ shape: [Int]) -> ([Double]?, [Double]?) {
        func spread(_ position: Int) -> [Double]? {
            guard context.has(position), let tensor = context.inputs[position] else { return nil }
            switch definition.name {
            case "InstanceNormalization", "GroupNormalization":
                let inner = shape.dropFirst(2).reduce(1, *)
                let channels = shape[1]
                let perChannel =
                    tensor.count == channels
                    ? tensor.floats : tensor.floats.flatMap { [Double](repeating: $0, count: channels / tensor.count) }
                return (0..<shape.reduce(1, *)).map { perChannel[$0 / inner % channels] }
            default: return broadcastIndices(from: tensor.shape, to: shape).map { tensor.floats[$0] }
            }
        }
        if definition.name == "MeanVarianceNormalization" { return (nil, nil) }
        return (spread(1), spread(2))
    }

    /// Mean and variance are given: only the arithmetic of each element errs. In training mode they are computed: by the noise floor.
    private func batchNormalisation(
        _ result: ReferenceTensor, _ format: NumberFormat, _ index: Int, _ x: ReferenceTensor, _ epsilon: Double
    ) -> Acceptance? {
        guard index == 0, !context.attributes.flag("training_mode"), context.version >= 9 || call.wanted.count == 1, x.shape.count >= 1
        else { return nil }
        let channels = x.shape.count > 1 ? x.shape[1] : 1
        let inner = x.shape.dropFirst(2).reduce(1, *)
        let parameters = (1...4).compactMap { context.inputs[$0]?.floats }
        guard parameters.count == 4, parameters.allSatisfy({ $0.count == channels }) else { return nil }
        let (y, unit) = (result.floats, step)
        var acceptance = Acceptance(
            y,
            within: y.indices.map { element in
                let channel = element / max(inner, 1) % max(channels, 1)
                let (gain, bias, mean) = (abs(parameters[0][channel]), abs(parameters[1][channel]), abs(parameters[2][channel]))
                let scale = 1 / (parameters[3][channel] + epsilon).squareRoot()
                // A kernel may fold g·s and b − μ·g·s into two constants.
                let size = gain * scale * (abs(x.floats[element]) + mean) + bias
                let error = 6 * unit * size + k * format.ulp(y[element]) + underflow
                return error.isNaN ? 0 : error
            })
        acceptance.admitRounded(result)
        return acceptance
    }
}

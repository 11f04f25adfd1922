// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors
import Testing

/// How far roundings may carry the results of a graph: it is run again and again with a random error in the place of each rounding.
///
/// With errors δ_k of the m roundings and first-order sensitivities c_k, a result is off by Σ c_k δ_k. Runs with independent errors of mean square u² have the mean
/// square u² Σ c_k²; and for whatever errors up to u, |Σ c_k δ_k| ≤ u Σ |c_k| ≤ √m · √(u² Σ c_k²) (Cauchy and Schwarz). A sum of n terms is, in any order, the exact
/// sum of terms changed by (n - 1) u at most (Higham), so its terms get errors of n u. The errors here are those of a u twice the unit round-off: that
/// covers the spread of an estimate from a few runs. Both results are rounded to their type, which is another unit in the last place.
struct NoisyEvaluation {
    let graph: Graph
    var catalog = OperatorCatalog.standard
    private static let runs = 16

    /// Results, and for each of their elements how far other roundings may move it.
    func results(_ inputs: [ValueID: HostTensor]) throws -> [(tensor: HostTensor, allowance: [Double])] {
        let clean = try evaluate(graph, inputs: inputs, catalog: catalog)
        var squares = clean.map { [Double](repeating: 0, count: $0.count) }
        var roundings = 1.0
        for run in 0..<Self.runs {
            let (noisy, count) = try noisyResults(inputs, CounterRandom(seed: UInt64(run), case: "noise", tensor: ""))
            roundings = max(roundings, count)
            for (index, tensor) in noisy.enumerated() {
                for (position, (one, other)) in zip(clean[index].decodedDoubles(), tensor.decodedDoubles()).enumerated() {
                    let difference = one == other || one.isNaN && other.isNaN ? 0 : one - other
                    squares[index][position] += difference * difference
                }
            }
        }
        return zip(clean, squares).map { tensor, squares in
            (
                tensor,
                zip(tensor.decodedDoubles(), squares).map { value, square in
                    let last = tensor.dataType.isFloat ? abs(value) * tensor.dataType.unitInLastPlace + tensor.dataType.smallest : 0
                    return (roundings * square / Double(Self.runs)).squareRoot() + last
                }
            )
        }
    }

    private func noisyResults(_ inputs: [ValueID: HostTensor], _ random: CounterRandom) throws -> ([HostTensor], roundings: Double) {
        var values = graph.constants.merging(inputs) { constant, _ in constant }
        var (drawn, roundings) = (UInt64(0), 0.0)
        func shaken(_ tensor: HostTensor, by units: Double) throws -> HostTensor {
            guard tensor.dataType.isFloat, tensor.dataType.bits >= 16 else { return tensor }
            let step = units * tensor.dataType.unitInLastPlace
            return try HostTensor(
                tensor.dataType, tensor.shape,
                doubles: tensor.decodedDoubles().map { value in
                    drawn += 1
                    // Even over ±√3, whose mean square is 1.
                    let error = (2 * random.uniform(drawn) - 1) * 3.0.squareRoot()
                    return value.isFinite ? value + error * (abs(value) * step + units * tensor.dataType.smallest) : value
                })
        }
        for node in graph.nodes {
            let definition = try #require(catalog.definition(of: node))
            var arguments = node.inputs.map { $0.flatMap { values[$0] } }
            let rounds = ![.movement, .integer, .property].contains(definition.numericClass)
            if rounds, let terms = definition.terms {
                let context = try definition.context(
                    opset: node.opset, attributes: node.attributes, inputs: arguments, wanted: node.outputs.map { $0 != nil })
                let count = Double(try terms(context))
                if count > 1 {
                    arguments = try arguments.map { try $0.map { try shaken($0, by: count) } }
                    roundings += count
                }
            }
            if rounds { roundings += 1 }
            let results = try definition.evaluate(
                opset: node.opset, attributes: node.attributes, inputs: arguments, wanted: node.outputs.map { $0 != nil })
            for (output, result) in zip(node.outputs, results) {
                if let output, let result { values[output] = rounds ? try shaken(result, by: 1) : result }
            }
        }
        return (graph.outputs.compactMap { values[$0] }, roundings)
    }
}

extension DataType {
    /// Of numbers from 1 to 2.
    fileprivate var unitInLastPlace: Double {
        switch self {
        case .float64: 0x1p-52
        case .float32: 0x1p-23
        case .float16: 0x1p-10
        default: 0x1p-7
        }
    }

    /// The least number above 0.
    fileprivate var smallest: Double {
        switch self {
        case .float64: 0x1p-1074
        case .float16: 0x1p-24
        default: 0x1p-149
        }
    }
}

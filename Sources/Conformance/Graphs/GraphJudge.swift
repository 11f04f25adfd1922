// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Graph
package import HardwareModel
import Operators
package import Tensors

/// Decides whether the outputs of a whole graph are right, by what right runs of it can differ in.
///
/// Where every node's arithmetic is exact the bits must be the reference's. Else a noise floor is laid: the graph is computed in float64 and, beside that, as
/// right chips may compute it: each value rounded to its type, or to a narrower one that is declared; and each value off by as much as the bound of its node allows, up or down at random.
/// The errors may be twice (16-bit types: three times) the worst root mean square of these runs, and four times their largest error in any element.
/// Values that a program keeps more precisely only come nearer to the float64 run.
package struct GraphJudge: Sendable {
    private let graph: Graph
    private let outputs: [Output]
    /// Any order and fusion gives the same bits.
    package let isExact: Bool
    /// All values stay well within their type; nothing can be told of others.
    package let isUsable: Bool

    private struct Output: Sendable {
        let expected: ReferenceTensor
        let largestError: Double
        let rootMeanSquare: Double
    }

    private static let runs = 8

    /// - Parameter facts: by node: what whoever runs it declares about its arithmetic.
    package init(_ graph: Graph, inputs: [HostTensor], facts: [NumericFacts], seed: UInt64) throws {
        self.graph = graph
        var known: [ValueID: HostTensor] = graph.constants
        for (value, tensor) in zip(graph.inputs, inputs) { known[value] = tensor }
        // The calls of the chained run, whose bounds say how far each node may be off.
        var calls: [OperatorCall] = []
        var tolerances: [[Double]] = []
        var (isExact, isUsable) = (true, true)
        for (index, node) in graph.nodes.enumerated() {
            guard let definition = OperatorCatalog.standard.definition(of: node) else {
                throw ConformanceError.internal("there is no operator '\(node.operatorName)'")
            }
            let call = OperatorCall(
                definition, opset: node.opset, attributes: node.attributes, inputs: node.inputs.map { $0.flatMap { known[$0] } })
            let judge = try Judge(call, facts: index < facts.count ? facts[index] : .strict)
            guard let result = judge.results[0], let tolerance = judge.tolerance(of: 0) else {
                throw ConformanceError.internal("'\(node.operatorName)' is not judged by a bound")
            }
            let format = NumberFormat(judge.facts.valueType.flatMap { result.dataType.isNarrowed(to: $0) ? $0 : nil } ?? result.dataType)
            isExact = try isExact && Self.isExact(call, judge, format)
            let largest = format.largest / 8
            isUsable = isUsable && result.floats.allSatisfy { abs($0) <= largest } && tolerance.allSatisfy(\.isFinite)
            calls.append(call)
            tolerances.append(tolerance)
            known[node.outputs[0]!] = try result.hostTensor()
        }
        self.isExact = isExact
        self.isUsable = isUsable
        let exactRun = try Self.run(graph, calls, inputs: known) { _, result in result }
        guard !isExact else {
            outputs = graph.outputs.map { Output(expected: exactRun[$0]!, largestError: 0, rootMeanSquare: 0) }
            return
        }
        var worst = graph.outputs.map { _ in (largest: 0.0, square: 0.0) }
        for number in 0...Self.runs {
            let random = CounterRandom(seed: seed, case: "noise", tensor: "\(number)")
            let run = try Self.run(graph, calls, inputs: known) { index, result in
                if number == 0 {
                    let rounded = try result.hostTensor()
                    return ReferenceTensor(
                        index < facts.count ? facts[index].valueType.map { rounded.narrowed(to: $0) } ?? rounded : rounded)
                }
                guard case .floats(let values) = result.elements else { return result }
                var moved = result
                moved.elements = .floats(
                    values.enumerated().map { element, value in
                        let isUp = random.word(UInt64(index) << 32 | UInt64(element)) & 1 == 0
                        return value + (isUp ? tolerances[index][element] : -tolerances[index][element])
                    })
                return moved
            }
            for (index, output) in graph.outputs.enumerated() {
                let errors = zip(run[output]!.floats, exactRun[output]!.floats).map { abs($0 - $1) }
                worst[index].largest = max(worst[index].largest, errors.max() ?? 0)
                worst[index].square = max(worst[index].square, Self.rootMeanSquare(errors))
            }
        }
        outputs = zip(graph.outputs, worst).map { value, worst in
            let factor = exactRun[value]!.dataType.bits < 32 ? 3.0 : 2.0
            return Output(expected: exactRun[value]!, largestError: 4 * worst.largest, rootMeanSquare: factor * worst.square)
        }
    }

    /// What is wrong with the outputs, for a person.
    package func finding(on actual: [HostTensor]) -> Finding {
        for (index, output) in outputs.enumerated() {
            let name = "output \(index) ('\(graph[graph.outputs[index]].name)')"
            guard index < actual.count else { return Finding(failure: .shape, message: "\(name) is missing") }
            let tensor = actual[index]
            guard tensor.dataType == output.expected.dataType, tensor.shape == output.expected.shape else {
                return Finding(
                    failure: .shape,
                    message:
                        "\(name) is \(tensor.dataType.name) \(tensor.shape), expected \(output.expected.dataType.name) \(output.expected.shape)"
                )
            }
            let (values, expected) = (tensor.decodedDoubles(), isExact ? output.expected.roundedFloats : output.expected.floats)
            let errors = zip(values, expected).map { abs($0 - $1) }
            let wrong = errors.indices.filter { !(errors[$0] <= output.largestError) }
            if let first = wrong.first {
                let limit = isExact ? "; every order and fusion gives the same bits here" : ", off by at most \(output.largestError)"
                return Finding(
                    failure: .numeric,
                    message:
                        "\(name): \(wrong.count) of \(errors.count) elements are wrong, the first at \(coordinates(of: first, in: tensor.shape)): "
                        + "\(values[first]), expected \(expected[first])\(limit)")
            }
            let measured = Self.rootMeanSquare(errors)
            if measured > output.rootMeanSquare {
                return Finding(
                    failure: .numeric,
                    message:
                        "\(name): the root mean square error is \(measured), more than \(output.rootMeanSquare): precision was lost on the way"
                )
            }
        }
        return Finding()
    }

    private static func rootMeanSquare(_ errors: [Double]) -> Double {
        (errors.reduce(0) { $0 + $1 * $1 } / Double(max(errors.count, 1))).squareRoot()
    }

    /// Runs the references on unrounded values; `keep` makes of a node's result what later nodes read.
    private static func run(
        _ graph: Graph, _ calls: [OperatorCall], inputs: [ValueID: HostTensor], keep: (Int, ReferenceTensor) throws -> ReferenceTensor
    ) throws -> [ValueID: ReferenceTensor] {
        var values: [ValueID: ReferenceTensor] = [:]
        for (index, call) in calls.enumerated() {
            let node = graph.nodes[index]
            var context = try call.definition.context(
                opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
            var operands = context.inputs
            for (position, input) in node.inputs.enumerated() { if let input, let value = values[input] { operands[position] = value } }
            context = ReferenceContext(attributes: context.attributes, inputs: operands, outputs: context.outputs)
            guard let result = try call.definition.results(context).first ?? nil else {
                throw ConformanceError.internal("the reference of '\(node.operatorName)' gives nothing")
            }
            values[node.outputs[0]!] = try keep(index, result)
        }
        for value in graph.outputs where values[value] == nil { values[value] = inputs[value].map { ReferenceTensor($0) } }
        return values
    }

    /// Whether all partial sums and products are whole numbers that the narrowest type in use holds, for operators that make whole numbers of whole numbers.
    private static func isExact(_ call: OperatorCall, _ judge: Judge, _ format: NumberFormat) throws -> Bool {
        let inputs = call.inputs.compactMap { $0 }
        guard inputs.allSatisfy({ $0.decodedDoubles().allSatisfy { $0 == $0.rounded() } }), let result = judge.results[0] else {
            return false
        }
        let limit = Double(sign: .plus, exponent: format.precision, significand: 1)
        switch call.definition.name {
        case "Relu", "Neg", "Abs", "Max", "Min", "Identity": return result.floats.allSatisfy { abs($0) <= limit }
        case "Add", "Sub", "Mul": return result.floats.allSatisfy { abs($0) <= limit }
        case "MatMul", "Gemm", "Conv":
            // Terms, the bias among them, times the largest product.
            let depth = call.definition.name == "MatMul" ? inputs[0].shape.last ?? 1 : inputs[1].shape.dropFirst().reduce(1, *)
            let terms = call.definition.name == "Gemm" ? inputs[1].shape.max() ?? 1 : depth
            let largest = inputs.map { $0.decodedDoubles().map(abs).max() ?? 0 }
            return (Double(terms) * largest[0] * largest[1] + (largest.count > 2 ? largest[2] : 0)) <= limit
        default: return false
        }
    }
}

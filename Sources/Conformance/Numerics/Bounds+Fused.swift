// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import Operators
import Tensors

extension Bounds {
    /// A fused operator may err as its parts may, one after the other, each rounding what it hands on or not: with E the error so far and f the next part,
    /// E' = the largest of |f(v + s·E) − f(v)|, s from −1 to 1, + the bound of f's class at v + k·ulp(|f(v)| + ...). That k·ulp is left out where the value
    /// is exact and of the type. Nil for all other operators.
    ///
    /// Steps map each element alone, so that one run of a part's reference moves all elements at once.
    func fused(_ result: ReferenceTensor, _ format: NumberFormat) throws(OperatorError) -> Acceptance? {
        guard definition.domain == FusedStep.domain,
            let fragment = try definition.decomposition(
                opset: call.opset, attributes: call.attributes, inputs: call.inputs.map { $0.map { ConcreteType($0.dataType, $0.shape) } },
                wanted: call.wanted)
        else { return nil }
        var known = fragment.graph.constants
        for (value, tensor) in zip(fragment.graph.inputs, call.inputs.compactMap({ $0 })) { known[value] = tensor }
        // What the parts so far make of the inputs, without any rounding, and how far a kernel may be off; nil before the first part.
        var soFar: (value: ValueID, exact: ReferenceTensor, errors: [Double])?
        for node in fragment.graph.nodes {
            guard let part = OperatorCatalog.standard.definition(of: node), let output = node.outputs.first ?? nil else {
                throw .unsupported("'\(node.operatorName)' is not in the catalogue")
            }
            let judge = try Judge(
                OperatorCall(part, opset: node.opset, attributes: node.attributes, inputs: node.inputs.map { $0.flatMap { known[$0] } }),
                facts: facts)
            guard let own = judge.tolerance(of: 0), let exact = try judge.result(soFar.map { [$0.value: $0.exact] } ?? [:], of: node) else {
                throw .unsupported("'\(node.operatorName)' is not judged by a bound")
            }
            let values = exact.floats
            var errors = [Double](repeating: 0, count: values.count)
            if let (value, before, given) = soFar, given.contains(where: { $0 > 0 }) {
                for share in [-1, -0.5, 0.5, 1] {
                    let moved = ReferenceTensor(before.dataType, before.shape, .floats(zip(before.floats, given).map { $0 + share * $1 }))
                    guard let after = try judge.result([value: moved], of: node)?.floats else { continue }
                    for index in values.indices where values[index].isFinite {
                        errors[index] = max(errors[index], after[index].isNaN ? .infinity : abs(after[index] - values[index]))
                    }
                }
            }
            for (index, nearest) in exact.roundedFloats.enumerated() {
                errors[index] += own[index]
                if values[index].isFinite, errors[index] > 0 || nearest != values[index] || isDouble {
                    errors[index] += k * format.ulp(abs(values[index]) + errors[index])
                }
            }
            soFar = (output, exact, errors)
            do { known[output] = try exact.hostTensor() } catch { throw .unsupported("\(error)") }
        }
        guard let errors = soFar?.errors, errors.count == result.count else { return nil }
        var acceptance = Acceptance(result.floats, within: errors.map { $0.isFinite ? $0 : 0 })
        if errors.contains(where: { !$0.isFinite }) { acceptance.isFree = errors.map { !$0.isFinite } }
        acceptance.admitRounded(result)
        return acceptance
    }
}

extension Judge {
    /// The reference's result with unrounded values at some inputs of the node that the call stands for.
    fileprivate func result(_ values: [ValueID: ReferenceTensor], of node: Node) throws(OperatorError) -> ReferenceTensor? {
        var inputs = context.inputs
        for (position, input) in node.inputs.enumerated() { if let input, let value = values[input] { inputs[position] = value } }
        return try call.definition.results(ReferenceContext(attributes: context.attributes, inputs: inputs, outputs: context.outputs)).first
            ?? nil
    }
}

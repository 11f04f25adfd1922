// SPDX-License-Identifier: Apache-2.0
import Tensors

/// Operators that compute each output element from the elements at the same (broadcast) place.
let elementwiseOperators: [OperatorDefinition] = [
    unary("Relu", since: [1, 6, 13, 14], types: .signedNumeric, numericClass: .movement, float: { x, _ in x < 0 ? 0 : x }, integer: { x, _ in max(x, 0) }),
    unary("LeakyRelu", since: [1, 6, 16], types: .floats, attributes: ["alpha": .float(0.01)], numericClass: .arithmetic) { x, a in
        x < 0 ? a.float("alpha")! * x : x
    },
]

/// An operator of one input that maps every element alone; the output has the input's type.
private func unary(
    _ name: String, since: [Int], types: TypeSet, attributes: [String: AttributeRule] = [:], numericClass: NumericClass,
    float: @escaping @Sendable (Double, NodeAttributes) -> Double,
    integer: (@Sendable (Int64, NodeAttributes) -> Int64)? = nil
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: since, "(X: T) -> (Y: T)", types: ["T": types], attributes: attributes, numericClass: numericClass,
        infer: { context throws(OperatorError) in [.known(try context.input(0))] },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            switch x.elements {
            case .floats(let values):
                return [ReferenceTensor(x.dataType, x.shape, .floats(values.map { float($0, context.attributes) }))]
            case .integers(let values):
                guard let integer else { throw .unsupported("\(name) is not defined for \(x.dataType.name)") }
                return [ReferenceTensor(x.dataType, x.shape, .integers(values.map { integer($0, context.attributes) }))]
            case .strings, .complex: throw .unsupported("\(name) is not defined for \(x.dataType.name)")
            }
        })
}

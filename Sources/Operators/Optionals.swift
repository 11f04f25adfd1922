// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators on optionals, for tensors: an optional input left out is the empty one.
let optionalOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "OptionalHasElement", since: [15, 18, 28], "(input?: O) -> (output: bool)", types: ["O": .any],
        numericClass: .movement,
        isHostOperator: true,
        infer: { context throws(OperatorError) in [.tensor(.bool, [])] },
        reference: { context throws(OperatorError) in [ReferenceTensor(.bool, [], .integers([context.has(0) ? 1 : 0]))]
        }),
    OperatorDefinition(
        "OptionalGetElement", since: [15, 18, 28], "(input: O) -> (output: O)", types: ["O": .any],
        numericClass: .movement,
        isHostOperator: true,
        infer: { context throws(OperatorError) in [.known(try context.input(0))] },
        reference: { context throws(OperatorError) in [try context.input(0)] }),
]

// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
import Tensors

/// One operator at a size of real use.
package struct BenchCase: Sendable {
    /// Part of an output that follows from parts of inputs, so that a few elements of a large result can be judged: the same range of an axis of the output
    /// and of some inputs; all other inputs are needed whole.
    package struct Part: Sendable {
        package let inputs: [(index: Int, axis: Int)]
        package let output: Int

        init(_ inputs: [(index: Int, axis: Int)], output: Int = 0) {
            self.inputs = inputs
            self.output = output
        }

        /// Rows of the first input.
        static let rows = Part([(0, 0)])
    }

    /// `MatMul/float32-1024`.
    package let id: String
    package let operatorName: String
    package let attributes: [String: Attribute]
    package let inputs: [Sample.Tensor?]
    /// Positions of inputs that are known before the run, as weights are.
    package let constants: Set<Int>
    package let part: Part

    init(
        _ operatorName: String, _ name: String, _ inputs: [Sample.Tensor?], _ attributes: [String: Attribute] = [:],
        constants: Set<Int> = [],
        part: Part = .rows
    ) {
        id = "\(operatorName)/\(inputs.first.flatMap { $0?.dataType.name } ?? "")-\(name)"
        self.operatorName = operatorName
        self.attributes = attributes
        self.inputs = inputs
        self.constants = constants
        self.part = part
    }
}

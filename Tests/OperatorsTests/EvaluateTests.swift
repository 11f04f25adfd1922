// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors
import Testing

@Suite struct EvaluateTests {
    private let leaky = OperatorCatalog.standard["", "LeakyRelu"]!

    @Test func checksThenInfersThenComputes() throws {
        let x = try HostTensor(.float16, [2], doubles: [-2, 3])
        let y = try leaky.evaluate(opset: 16, attributes: ["alpha": .float(0.5)], inputs: [x], wanted: [true])
        #expect(y[0]?.dataType == .float16)
        #expect(y[0]?.decodedDoubles() == [-1, 3])
        #expect(
            try leaky.evaluate(opset: 16, attributes: [:], inputs: [x], wanted: [false]).map { $0 == nil } == [true])
    }

    @Test func refusesNodesThatBreakTheSignature() throws {
        func refused(opset: Int = 16, attributes: [String: Attribute] = [:], types: [DataType?], outputs: Int = 1)
            -> String?
        {
            do {
                try leaky.check(opset: opset, attributes: attributes, inputTypes: types, outputCount: outputs)
                return nil
            } catch { return error.description }
        }
        #expect(refused(types: [.float32]) == nil)
        #expect(refused(opset: 0, types: [.float32]) == "LeakyRelu came with operator set 1, but the model imports 0")
        #expect(refused(types: []) == "LeakyRelu has 1 input, but the node names 0")
        #expect(refused(types: [.float32, .float32]) == "LeakyRelu has 1 input, but the node names 2")
        #expect(refused(types: [nil]) == "input 'X' of LeakyRelu is missing")
        #expect(refused(types: [.int32]) == "input 'X' of LeakyRelu cannot have type int32")
        #expect(refused(types: [.float32], outputs: 0) == "LeakyRelu has 1 output, but the node names 0")
        #expect(refused(attributes: ["beta": .float(1)], types: [.float32]) == "LeakyRelu has no attribute 'beta'")
        #expect(
            refused(attributes: ["alpha": .int(1)], types: [.float32])
                == "attribute 'alpha' of LeakyRelu must be of kind float, not int")
    }
}

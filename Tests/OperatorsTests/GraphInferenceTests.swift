// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors
import Testing

/// Shape arithmetic is worked out before a run, from the shapes of the inputs alone.
@Suite struct GraphInferenceTests {
    private var graph = Graph(name: "g")

    private mutating func constant(_ name: String, _ shape: [Int], _ values: [Int64]) throws -> ValueID {
        let value = graph.addValue(name)
        graph.constants[value] = try HostTensor(.int64, shape, values)
        return value
    }

    private mutating func node(_ name: String, _ inputs: [ValueID], _ attributes: [String: Attribute] = [:]) -> ValueID {
        let output = graph.addValue("\(name) \(graph.nodes.count)")
        graph.addNode(
            Node(
                name: "\(name)_\(graph.nodes.count)", operatorName: name, opset: 21, inputs: inputs, outputs: [output],
                attributes: attributes))
        return output
    }

    @Test mutating func foldsShapeGatherConcatReshape() throws {
        let x = graph.addValue("x")
        graph.inputs = [x]
        let batch = node("Gather", [node("Shape", [x]), try constant("zero", [1], [0])])
        let target = node("Concat", [batch, try constant("rest", [1], [-1])], ["axis": .int(0)])
        let y = node("Reshape", [x, target])
        graph.outputs = [y]
        var inference = try GraphInference(graph, inputs: [x: ConcreteType(.float32, [3, 4, 5])])
        #expect(inference.types[y.index] == .tensor(.float32, [3, 20]))
        #expect(try inference.value(of: target).decodedIntegers() == [3, -1])
        #expect(inference.valueDependencies.isEmpty)
    }

    @Test mutating func foldsSizeAndPartsOfShapes() throws {
        let x = graph.addValue("x")
        graph.inputs = [x]
        let size = node("Unsqueeze", [node("Size", [x]), try constant("axes", [1], [0])])
        let flat = node("Reshape", [x, size])
        let tail = node("Shape", [x], ["start": .int(-2)])
        let zeros = node("ConstantOfShape", [tail])
        graph.outputs = [flat, zeros]
        let inference = try GraphInference(graph, inputs: [x: ConcreteType(.int8, [2, 3, 4])])
        #expect(inference.types[flat.index] == .tensor(.int8, [24]))
        #expect(inference.types[zeros.index] == .tensor(.float32, [3, 4]))
    }

    @Test mutating func namesTheInputWhoseValueIsMissing() throws {
        let (x, shape) = (graph.addValue("x"), graph.addValue("shape"))
        graph.inputs = [x, shape]
        let y = node("Reshape", [x, shape])
        graph.outputs = [y]
        let types = [x: ConcreteType(.float32, [6]), shape: ConcreteType(.int64, [2])]
        #expect(throws: GraphError.self) { try GraphInference(graph, inputs: types) }
        let inference = try GraphInference(
            graph, inputs: types, values: [shape: try HostTensor(.int64, [2], [Int64](arrayLiteral: 2, 3))])
        #expect(inference.types[y.index] == .tensor(.float32, [2, 3]))
        #expect(inference.valueDependencies == [shape])
    }
}

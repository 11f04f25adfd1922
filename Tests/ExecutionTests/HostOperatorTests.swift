// SPDX-License-Identifier: Apache-2.0
import Execution
import Graph
import Southbound
import Tensors
import Testing

/// Operators that the stack runs itself.
@Suite struct HostOperatorTests {
    /// The plan holds the values that it was made with: other strings, other results.
    @Test func stringsAreNormalizedAnewForOtherInputs() throws {
        var graph = Graph(name: "strings")
        let x = graph.addValue("x", type: TensorType(.string, known: [2]))
        let y = graph.addValue("y")
        graph.inputs = [x]
        graph.outputs = [y]
        graph.addNode(
            Node(
                name: "upper", operatorName: "StringNormalizer", opset: 10, inputs: [x], outputs: [y],
                attributes: ["case_change_action": .string("UPPER")]))
        let session = Session(graph, devices: try DeviceSet("cpu", fallback: nil, installation: .locate()).devices)
        #expect(try session.run(["x": HostTensor(strings: ["a", "b"], shape: [2])])[0].tensor.strings == ["A", "B"])
        #expect(try session.run(["x": HostTensor(strings: ["c", "d"], shape: [2])])[0].tensor.strings == ["C", "D"])
        #expect(session.summary?.placement == ["host": 1])
    }

    @Test func oneThatWaitsForADeviceIsAnErrorThatNamesIt() throws {
        var graph = Graph(name: "late")
        let x = graph.addValue("x", type: TensorType(.float32, known: [2]))
        let (y, z) = (graph.addValue("y"), graph.addValue("z"))
        graph.inputs = [x]
        graph.outputs = [z]
        graph.addNode(Node(name: "relu", operatorName: "Relu", opset: 14, inputs: [x], outputs: [y]))
        graph.addNode(Node(name: "has", operatorName: "OptionalHasElement", opset: 18, inputs: [y], outputs: [z]))
        let session = Session(graph, devices: try DeviceSet("cpu", fallback: nil, installation: .locate()).devices)
        do {
            _ = try session.run(["x": HostTensor(.float32, [2], doubles: [1, 2])])
            Issue.record("ran")
        } catch {
            #expect("\(error)".contains("node 'has'") && "\(error)".contains("'y'"))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Compiler
import Graph
import Operators
import Tensors

/// A small graph for passes, written node by node.
struct Draft {
    private(set) var graph = Graph(name: "draft")
    private(set) var inputs: [ValueID: ConcreteType] = [:]
    var opset = 21

    mutating func input(_ shape: [Int], _ type: DataType = .float32) -> ValueID {
        let value = graph.addValue("x\(graph.inputs.count)", type: TensorType(type, known: shape))
        graph.inputs.append(value)
        inputs[value] = ConcreteType(type, shape)
        return value
    }

    mutating func constant(_ numbers: [Double], _ shape: [Int]? = nil, _ type: DataType = .float32) throws -> ValueID {
        let tensor = try HostTensor(type, shape ?? [numbers.count], doubles: numbers)
        let value = graph.addValue("c\(graph.values.count)", type: TensorType(type, known: tensor.shape))
        graph.constants[value] = tensor
        return value
    }

    mutating func integers(_ numbers: [Int64], _ shape: [Int]? = nil) throws -> ValueID {
        let tensor = try HostTensor(.int64, shape ?? [numbers.count], integers: numbers)
        let value = graph.addValue("c\(graph.values.count)", type: TensorType(.int64, known: tensor.shape))
        graph.constants[value] = tensor
        return value
    }

    mutating func add(
        _ operatorName: String, _ inputs: ValueID?..., attributes: [String: Attribute] = [:], domain: String = ""
    ) -> ValueID {
        let output = graph.addValue("v\(graph.nodes.count)")
        graph.addNode(
            Node(
                name: "n\(graph.nodes.count)", domain: domain, operatorName: operatorName, opset: opset, inputs: inputs, outputs: [output],
                attributes: attributes))
        return output
    }

    mutating func output(_ values: ValueID...) { graph.outputs += values }

    /// Runs passes, and compares what the graph computes before and after each.
    func optimized(
        _ passes: [Pass] = Pass.builtIn, disabled: Set<String> = [], target: PassTarget = PassTarget()
    ) throws -> (graph: Graph, report: PassReport) {
        let manager = PassManager(passes, disabled: disabled, target: target, verifier: PassVerifier())
        let (inference, report) = try manager.optimize(try GraphInference(graph, inputs: inputs), inputs: inputs)
        try inference.graph.checkOrder()
        return (inference.graph, report)
    }
}

extension Graph {
    var operators: [String] { nodes.map(\.operatorName) }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Graph
import Operators
package import Tensors

/// A graph under construction, with the values of its inputs and constants: functions of (seed, case, tensor, index), the same on every machine.
package struct GraphDraft {
    package private(set) var graph: Graph
    /// In the graph's order.
    package private(set) var inputs: [HostTensor] = []
    let type: DataType
    let data: GraphCase.Data
    private let seed: UInt64
    private let id: String

    static let opset = 21

    init(type: DataType, data: GraphCase.Data, seed: UInt64, id: String) {
        graph = Graph(name: "case")
        self.type = type
        self.data = data
        self.seed = seed
        self.id = id
    }

    /// For choices: of shapes, of operators.
    func choice(_ index: Int, below bound: Int) -> Int {
        Int(CounterRandom(seed: seed, case: id, tensor: "choices").integer(UInt64(index), below: UInt64(bound)))
    }

    mutating func input(_ shape: [Int]) throws -> ValueID {
        let name = "x\(graph.inputs.count)"
        let value = graph.addValue(name, type: TensorType(type, known: shape))
        graph.inputs.append(value)
        inputs.append(try tensor(name, shape))
        return value
    }

    mutating func constant(_ shape: [Int]) throws -> ValueID {
        let name = "c\(graph.constants.count)"
        let value = graph.addValue(name, type: TensorType(type, known: shape))
        graph.constants[value] = try tensor(name, shape)
        return value
    }

    mutating func add(_ operatorName: String, _ operands: ValueID..., attributes: [String: Attribute] = [:]) -> ValueID {
        node(operatorName, operands, attributes)
    }

    mutating func node(_ operatorName: String, _ operands: [ValueID], _ attributes: [String: Attribute] = [:]) -> ValueID {
        let number = graph.nodes.count
        let output = graph.addValue("v\(number)")
        graph.addNode(
            Node(
                name: "n\(number)", operatorName: operatorName, opset: Self.opset, inputs: operands, outputs: [output],
                attributes: attributes))
        return output
    }

    mutating func output(_ values: ValueID...) { graph.outputs += values }

    /// Every value that nobody reads becomes an output.
    mutating func outputUnread() {
        let read = Set(graph.nodes.flatMap { $0.inputs.compactMap { $0 } })
        for case let value? in graph.nodes.flatMap(\.outputs) where !read.contains(value) && !graph.outputs.contains(value) {
            graph.outputs.append(value)
        }
    }

    private func tensor(_ name: String, _ shape: [Int]) throws -> HostTensor {
        let random = CounterRandom(seed: seed, case: id, tensor: name)
        return try HostTensor(
            type, shape,
            doubles: (0..<shape.reduce(1, *)).map { index in
                let index = UInt64(index)
                switch data {
                case .exact:
                    // Small whole numbers, a third of them 0.
                    let word = random.integer(index, below: 6)
                    return word < 2 ? 0 : [-2, -1, 1, 2][Int(word) - 2]
                case .signed: return random.normal(index)
                }
            })
    }
}

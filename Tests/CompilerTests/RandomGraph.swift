// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// A random graph of products, sums and functions over square matrices, with values that stay small, the same for the same seed.
struct RandomGraph {
    private(set) var graph = Graph(name: "random")
    private(set) var inputs: [String: HostTensor] = [:]
    /// How far results of two devices may lie apart. Inputs lie in [-1, 1], and every node maps values of [-1, 1] to [-1, 1] without making a difference
    /// larger than `growth` times the sum of its inputs' differences; what a node adds is the rounding of a product to bfloat16 inputs at worst.
    private(set) var bound = 0.0

    init(seed: Int, size: Int = 16) throws {
        let random = CounterRandom(seed: UInt64(seed), case: "graph", tensor: "")
        var next: UInt64 = 0
        func integer(below bound: Int) -> Int {
            next += 1
            return Int(random.integer(next, below: UInt64(bound)))
        }
        func tensor(scale: Double) throws -> HostTensor {
            try HostTensor(
                .float32, [size, size],
                doubles: (0..<size * size).map { _ in
                    next += 1
                    return scale * (2 * random.uniform(next) - 1)
                })
        }
        var values: [ValueID] = []
        for index in 0..<2 {
            let value = graph.addValue("x\(index)", type: TensorType(.float32, known: [size, size]))
            graph.inputs.append(value)
            inputs["x\(index)"] = try tensor(scale: 1)
            values.append(value)
        }
        let half = graph.addValue("half")
        graph.constants[half] = try HostTensor(.float32, [], doubles: [0.5])
        // Largest difference of each value so far.
        var differences = [0.0, 0.0]
        // A product rounds its inputs to 16 bits at worst, to the nearest: 2^-9 of each; functions and sums are within a few units of 2^-23.
        let product = 2 * 0x1p-8
        func add(_ name: String, _ operands: [ValueID], _ difference: Double?) -> ValueID {
            let output = graph.addValue("v\(graph.nodes.count)")
            graph.addNode(Node(name: "node \(graph.nodes.count)", operatorName: name, opset: 21, inputs: operands, outputs: [output]))
            if let difference {
                values.append(output)
                differences.append(difference)
            }
            return output
        }
        for _ in 0..<14 {
            let (a, b) = (integer(below: values.count), integer(below: values.count))
            switch integer(below: 6) {
            case 0:
                let weights = graph.addValue("w\(graph.nodes.count)")
                // Rows that sum to at most 1 in magnitude.
                graph.constants[weights] = try tensor(scale: 1 / Double(size))
                _ = add("MatMul", [values[a], weights], differences[a] + product)
            case 1:
                // The sum itself may reach 2 and is read by the half alone.
                let sum = add("Add", [values[a], values[b]], nil)
                _ = add("Mul", [sum, half], (differences[a] + differences[b]) / 2 + 0x1p-20)
            case 2: _ = add("Mul", [values[a], values[b]], differences[a] + differences[b] + 0x1p-20)
            case 3: _ = add("Relu", [values[a]], differences[a])
            case 4: _ = add("Tanh", [values[a]], differences[a] + 0x1p-10)
            default: _ = add("Transpose", [values[a]], differences[a])
            }
        }
        let read = Set(graph.nodes.flatMap { $0.inputs.compactMap { $0 } })
        graph.outputs = values.filter { !read.contains($0) && !graph.inputs.contains($0) }
        bound = differences.max() ?? 0
    }
}

// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// What the simulated NPU counts against bytes computed by hand, kernel by kernel and fused, on the edge profile in float16.
@Suite struct MovedBytesTests {
    private func count(_ graph: Graph, _ shape: [Int], graphs: Bool) throws -> (read: UInt64, written: UInt64, cycles: UInt64) {
        let npu = try Plugin.load(
            PluginReference(path: products.appending(path: "libsouthbridge_npu.so").path), options: ["graphs": "\(graphs)"])
        let device = try npu.openDevice(0)
        let input = try HostTensor(.float16, shape, doubles: (0..<shape.reduce(1, *)).map { Double($0 % 3) - 1 })
        var rules = PlacementRules()
        rules.optimizing = false
        _ = try Session(graph, devices: [device], rules: rules).run([graph[graph.inputs[0]].name: input])
        var counts: [String: UInt64] = [:]
        for counter in try device.counters() { if case .cumulative(let count) = counter.value { counts[counter.name] = count } }
        return (counts["device_read"] ?? 0, counts["device_written"] ?? 0, counts["cycles"] ?? 0)
    }

    private func add(_ name: String, _ inputs: [ValueID], to graph: inout Graph) -> ValueID {
        let output = graph.addValue("\(name)-out")
        graph.addNode(Node(name: name, operatorName: name, opset: 21, inputs: inputs, outputs: [output]))
        return output
    }

    /// Relu(x · w + b) of 512 x 512: each tensor once, in the program or in each of the three kernels.
    @Test func productWithBiasAndActivation() throws {
        var graph = Graph(name: "product")
        let x = graph.addValue("x", type: TensorType(.float16, known: [512, 512]))
        graph.inputs = [x]
        func constant(_ name: String, _ shape: [Int]) throws -> ValueID {
            let value = graph.addValue(name)
            graph.constants[value] = try HostTensor(.float16, shape, doubles: (0..<shape.reduce(1, *)).map { Double($0 % 2) })
            return value
        }
        let (w, b) = (try constant("w", [512, 512]), try constant("b", [512]))
        let product = add("MatMul", [x, w], to: &graph)
        let sum = add("Add", [product, b], to: &graph)
        graph.outputs = [add("Relu", [sum], to: &graph)]
        let (matrix, line): (UInt64, UInt64) = (512 * 512 * 2, 512 * 2)
        let fused = try count(graph, [512, 512], graphs: true)
        #expect(fused.read == 2 * matrix + line && fused.written == matrix)
        let separate = try count(graph, [512, 512], graphs: false)
        #expect(separate.read == 4 * matrix + line && separate.written == 3 * matrix)
        #expect(fused.cycles < separate.cycles)
    }

    /// Five operators in a row on 2^20 elements.
    @Test func elementwiseChain() throws {
        var graph = Graph(name: "chain")
        let x = graph.addValue("x", type: TensorType(.float16, known: [1 << 20]))
        graph.inputs = [x]
        var last = x
        for name in ["Relu", "Sigmoid", "Neg", "Abs", "Tanh"] { last = add(name, [last], to: &graph) }
        graph.outputs = [last]
        let bytes: UInt64 = 2 << 20
        let fused = try count(graph, [1 << 20], graphs: true)
        #expect(fused.read == bytes && fused.written == bytes)
        let separate = try count(graph, [1 << 20], graphs: false)
        #expect(separate.read == 5 * bytes && separate.written == 5 * bytes)
        #expect(fused.cycles < separate.cycles)
    }
}

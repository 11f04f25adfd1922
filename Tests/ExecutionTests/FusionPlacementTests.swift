// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// What is fused, and where it runs, on a chip without kernels for fused operators beside the CPU, which has them.
struct FusionPlacementTests {
    private static let both = Result { () throws in try DeviceSet("npu,cpu", installation: .locate()) }

    /// max(x·w + b, 0) for a matrix of so many rows and columns.
    private func model(_ size: Int) throws -> (graph: Graph, inputs: [String: HostTensor], expected: [Double]) {
        var graph = Graph(name: "dense")
        let random = CounterRandom(seed: 1, case: "fusion", tensor: "\(size)")
        func tensor(_ shape: [Int], _ salt: UInt64) throws -> HostTensor {
            try HostTensor(
                .float32, shape, doubles: (0..<shape.reduce(1, *)).map { Double(random.integer(salt << 32 + UInt64($0), below: 9)) - 4 })
        }
        let (x, w, b) = (try tensor([size, size], 1), try tensor([size, size], 2), try tensor([size], 3))
        let input = graph.addValue("x", type: TensorType(.float32, known: [size, size]))
        let (weights, bias) = (graph.addValue("w"), graph.addValue("b"))
        (graph.constants[weights], graph.constants[bias]) = (w, b)
        let (product, sum, y) = (graph.addValue("p"), graph.addValue("s"), graph.addValue("y"))
        graph.inputs = [input]
        graph.outputs = [y]
        graph.addNode(Node(name: "product", operatorName: "MatMul", opset: 13, inputs: [input, weights], outputs: [product]))
        graph.addNode(Node(name: "sum", operatorName: "Add", opset: 14, inputs: [product, bias], outputs: [sum]))
        graph.addNode(Node(name: "relu", operatorName: "Relu", opset: 14, inputs: [sum], outputs: [y]))
        let (a, c, d) = (x.decodedDoubles(), w.decodedDoubles(), b.decodedDoubles())
        let expected = (0..<size * size).map { index in
            max((0..<size).reduce(d[index % size]) { $0 + a[index / size * size + $1] * c[$1 * size + index % size] }, 0)
        }
        return (graph, ["x": x], expected)
    }

    /// - Returns: kernels, in order.
    private func run(
        _ size: Int, strategy: PlacementRules.Strategy, pins: [(pattern: String, device: String)] = [], compiling: Bool = false
    ) throws -> [String] {
        let (graph, inputs, expected) = try model(size)
        let set = try Self.both.get()
        var rules = PlacementRules()
        (rules.strategy, rules.compiling, rules.pins) = (strategy, compiling, pins)
        let session = Session(graph, devices: set.devices, rules: rules)
        #expect(try session.run(inputs)[0].tensor.decodedDoubles() == expected)
        return try #require(session.summary).nodes.map(\.kernel)
    }

    /// The chip stands first and has no kernel for the fused operator: it is fused all the same, and the chip is weighed with the parts.
    @Test func costsDecideBetweenTheWholeAndItsParts() throws {
        let (graph, inputs, _) = try model(24)
        let set = try Self.both.get()
        var rules = PlacementRules()
        (rules.strategy, rules.compiling) = (.cost, false)
        let explanation = try Explainer(graph, devices: set.devices, rules: rules).explain(inputs)
        #expect(explanation.passes.first { $0.name == "fuse-epilogues" }?.rewrites == 1)
        let bids = try #require(explanation.nodes.first { !$0.bids.isEmpty }).bids
        let chip = try #require(bids.filter { $0.device == "npu:0" && $0.accepts }.compactMap(\.seconds).min())
        let processor = try #require(bids.filter { $0.device == "cpu:0" && $0.kernel == "FusedMatMul" }.compactMap(\.seconds).min())
        let choice = try #require(explanation.choice)
        let alone = choice.secondsOnOneDevice
        let kernels = try run(24, strategy: .cost)
        #expect(chip > 0 && processor > 0)
        // Where all on one device is cheaper, copies included, it runs there: the chip in three kernels, the processor in one.
        if try #require(alone["npu:0"]) < (try #require(alone["cpu:0"])) {
            #expect(kernels == ["npu/MatMul", "npu/Add", "npu/Relu"])
        } else {
            #expect(kernels == ["cpu/FusedMatMul"])
        }
    }

    @Test func aLargeProductRunsInPartsWhereThatIsFaster() throws {
        let kernels = try [8, 512].map { try run($0, strategy: .cost) }
        #expect(kernels[0] == ["cpu/FusedMatMul"])
        #expect(kernels[1].count == 3 && kernels[1].allSatisfy { $0.hasPrefix("npu/") }, "\(kernels[1])")
    }

    @Test func theFirstDeviceOfTheListKeepsItsNodes() throws {
        #expect(try run(24, strategy: .preference).allSatisfy { $0.hasPrefix("npu/") })
    }
}

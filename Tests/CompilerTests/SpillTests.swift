// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// Models that are larger than the memory of the chip.
@Suite struct SpillTests {
    /// Eight products of 64 KiB of weights each, whose results of 32 KiB are all needed again at the end, in the opposite order.
    private func graph() throws -> (graph: Graph, inputs: [String: HostTensor]) {
        var graph = Graph(name: "skips")
        var generator = Generator(state: 17)
        func draw(_ count: Int) -> [Float] { (0..<count).map { _ in Float(generator.next(below: 17) - 8) / 64 } }
        func add(_ name: String, _ inputs: ValueID...) -> ValueID {
            let output = graph.addValue("\(name)-\(graph.nodes.count)")
            graph.addNode(Node(name: "\(name)-\(graph.nodes.count)", operatorName: name, opset: 21, inputs: inputs, outputs: [output]))
            return output
        }
        let x = graph.addValue("x", type: TensorType(.float32, known: [64, 128]))
        graph.inputs = [x]
        var results = [x]
        for layer in 0..<8 {
            let weights = graph.addValue("weights-\(layer)")
            graph.constants[weights] = try HostTensor(.float32, [128, 128], draw(128 * 128))
            results.append(add("Relu", add("MatMul", results[layer], weights)))
        }
        var sum = results[8]
        for layer in (1..<8).reversed() { sum = add("Add", sum, results[layer]) }
        graph.outputs = [sum, results[2]]
        return (graph, ["x": try HostTensor(.float32, [64, 128], draw(64 * 128))])
    }

    private func session(
        memory: String, rules: PlacementRules = PlacementRules(), memoryRules: MemoryRules = MemoryRules()
    ) throws -> (session: Session, inputs: [String: HostTensor]) {
        try withTemporaryFolder { folder in
            let profile = folder.appending(path: "chip.yaml")
            let text = try String(contentsOf: repository.appending(path: "Conformance/profiles/npu/endpoint.yaml"), encoding: .utf8)
            try text.replacing("2 GiB", with: memory).replacing("512 KiB", with: "128 KiB").write(
                to: profile, atomically: true, encoding: .utf8)
            let npu = try Plugin.load(
                PluginReference(path: products.appending(path: "libsouthbridge_npu.so").path), options: ["profile": profile.path])
            let cpu = try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_cpu.so").path))
            let (graph, inputs) = try graph()
            let devices = [try npu.openDevice(0), try cpu.openDevice(0)]
            return (Session(graph, devices: devices, rules: rules, memoryRules: memoryRules), inputs)
        }
    }

    private func bytes(_ results: [(name: String, tensor: HostTensor)]) -> [[UInt8]] { results.map { Array($0.tensor.bytes) } }

    /// The kernels that a plugin runs when it is not shown the weights beforehand.
    private var streaming: PlacementRules {
        var rules = PlacementRules()
        rules.compiling = false
        rules.largestKnownConstant = 4096
        return rules
    }

    @Test(arguments: ["256 KiB", "384 KiB", "640 KiB"]) func resultsAreThoseOfALargeChip(memory: String) throws {
        let (large, inputs) = try session(memory: "2 GiB", rules: streaming)
        let expected = bytes(try large.run(inputs))
        #expect(large.summary?.spills == [] && large.summary?.remarks == [])

        let (small, _) = try session(memory: memory)
        for _ in 0..<3 { #expect(bytes(try small.run(inputs)) == expected) }
        let summary = try #require(small.summary)
        #expect(summary.placement == ["npu:0": 23])
        let spill = try #require(summary.spills.first)
        #expect(spill.constantBytes > 0 && spill.constantBytes <= 8 << 16)
        let arena = try #require(summary.memoryPlans.first { $0.device == 0 })
        #expect(arena.byteCount + spill.residentBytes <= 640 << 10)
        #expect(
            summary.remarks.count == 1 && summary.remarks[0].contains("npu:0 has too little memory")
                && summary.remarks[0].contains("link about"))
        // The results alone take 9 · 32 KiB.
        if memory == "256 KiB" { #expect(spill.valueBytes > 0 && summary.memoryPlans.contains { $0.device == nil }) }
        // More memory, less traffic.
        if memory == "640 KiB" { #expect(spill.residentBytes > 0 && spill.constantBytes < 8 << 16) }
    }

    /// What waits on the host lies in a file.
    @Test func stagingMayBeAFile() throws {
        let (large, inputs) = try session(memory: "2 GiB", rules: streaming)
        var rules = MemoryRules()
        rules.stagingFileLimit = 0
        let (small, _) = try session(memory: "256 KiB", memoryRules: rules)
        #expect(bytes(try small.run(inputs)) == bytes(try large.run(inputs)))
        #expect(small.summary?.memoryPlans.contains { $0.device == nil } == true)
    }

    @Test func withoutSpillingTheErrorSaysWhatHoldsTheMemory() throws {
        var rules = MemoryRules()
        rules.spilling = false
        let (small, inputs) = try session(memory: "256 KiB", rules: streaming, memoryRules: rules)
        let error = try #require(throws: ExecutionError.self) { try small.run(inputs) }
        #expect(error.description.contains("npu:0") && error.description.contains("256 KiB"), "\(error)")
    }

    /// A launch that alone is larger than the chip goes to the CPU.
    @Test func whatNeverFitsRunsElsewhere() throws {
        let (tiny, inputs) = try session(memory: "128 KiB")
        let (large, _) = try session(memory: "2 GiB", rules: streaming)
        let outputs = try tiny.run(inputs)
        #expect(try #require(tiny.summary?.placement["cpu:0"]) > 0)
        for (one, other) in zip(outputs, try large.run(inputs)) {
            for (a, b) in zip(one.tensor.decodedDoubles(), other.tensor.decodedDoubles()) { #expect(abs(a - b) <= 1e-4 * max(1, abs(b))) }
        }
    }
}

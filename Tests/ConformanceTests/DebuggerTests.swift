// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import Tensors
import TestSupport
import Testing

/// `southbridge debug` on right plugins and on plugins with one fault.
@Suite struct DebuggerTests {
    private struct Report: Decodable {
        struct Measure: Decodable { let unit: String }
        struct Node: Decodable {
            let name: String
            let device: String
            let kernel: String
            let alone, group, chained: Measure?
            let message: String?
        }
        struct Verdict: Decodable { let phase, node, kernel, message: String }
        let nodes: [Node]
        let verdict: Verdict?
        let peakBytes, activationBytes: Int
    }

    /// - Returns: exit status and report.
    private func debug(_ model: String, _ more: String...) throws -> (status: Int32, report: Report) {
        let result = try runCommand(
            products.appending(path: "southbridge").path, ["debug", model, "--against", "cpu", "--seed", "5", "--json"] + more)
        try #require(result.status < 2, "\(result.error)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return (result.status, try decoder.decode(Report.self, from: Data(result.output.utf8)))
    }

    private static func network(_ name: String) -> String { repository.appending(path: "build/networks/\(name)/model.onnx").path }

    @Test(arguments: ["gpt2_small", "llama_small", "unet_small"]) func rightChipsAreRight(_ name: String) throws {
        for device in ["npu,cpu", "cpu"] {
            let (status, report) = try debug(Self.network(name), "--device", device)
            #expect(status == 0 && report.verdict == nil, "\(device): \(report.verdict?.message ?? "")")
            // All nodes by themselves and chained, but for those inside of programs, which have no chained value of their own.
            // What passes put in between is no value of the model.
            #expect(
                report.nodes.allSatisfy { ($0.alone ?? $0.group ?? $0.chained) != nil || $0.message?.hasPrefix("a pass made it") == true })
            #expect(report.nodes.contains { $0.chained != nil })
            #expect(report.peakBytes >= report.activationBytes && report.activationBytes > 0)
        }
    }

    @Test func aPlantedKernelIsNamed() throws {
        let plugin = try buildPlugin("Tests/Plugins/planted_kernels.c")
        let (status, report) = try debug(Self.network("llama_small"), "--device", "\(plugin.path),cpu")
        #expect(status == 1)
        #expect(report.verdict?.phase == "alone")
        // The first product of two tensors of one shape; the norms before it multiply by vectors.
        #expect(report.verdict?.kernel == "planted-kernels/mul_drops_bits")
        #expect(report.verdict?.node == report.nodes.first { $0.kernel == "planted-kernels/mul_drops_bits" }?.name)
        let denied = try debug(
            Self.network("llama_small"), "--device", "\(plugin.path),cpu", "--deny", "mul_drops_bits", "--deny", "matmul_misses_tail")
        #expect(denied.status == 0, "\(denied.report.verdict?.message ?? "")")
    }

    @Test(arguments: ["flip:1", "wrong-copy:3"]) func aFaultOfTheChipIsNamed(_ fault: String) throws {
        let (status, report) = try debug(
            Self.network("llama_small"), "--device", "npu,cpu", "--strategy", "preference", "--option", "npu.fault=\(fault)")
        #expect(status == 1)
        // The first work that the chip does is the first node that it runs.
        #expect(report.verdict?.node == report.nodes.first { $0.device == "npu:0" }?.name)
        #expect(report.verdict?.message.contains("right when it was run again") == true)
    }

    /// relu(x·w + b) · w + x: what a compiler takes whole.
    private func block() throws -> Data {
        var graph = Graph(name: "block")
        func value(_ name: String, _ shape: [Int]? = nil) -> ValueID {
            graph.addValue(name, type: shape.map { TensorType(.float32, known: $0) })
        }
        func add(_ name: String, _ operatorName: String, _ a: ValueID, _ b: ValueID?) -> ValueID {
            let result = value("\(name)_value")
            graph.addNode(Node(name: name, operatorName: operatorName, opset: 18, inputs: b.map { [a, $0] } ?? [a], outputs: [result]))
            return result
        }
        let x = value("x", [6, 8])
        let w = value("w", [8, 8])
        let b = value("b", [8])
        graph.inputs = [x, w, b]
        let product = add("product", "MatMul", x, w)
        let hidden = add("hidden", "Relu", add("biased", "Add", product, b), nil)
        let residual = add("residual", "Add", add("second", "MatMul", hidden, w), x)
        graph.outputs = [residual]
        return try modelData(graph)
    }

    @Test(arguments: [("none", String?.none), ("drops_residual", "biased"), ("narrow_inner_values", "biased")])
    func aProgramIsOpened(_ fault: String, _ node: String?) throws {
        try withTemporaryFolder { folder in
            let model = folder.appending(path: "block.onnx")
            try block().write(to: model)
            let plugin = try buildPlugin("Tests/Plugins/graph_compiler.c", flags: ["-DFAULT=\(fault)"])
            let (status, report) = try debug(model.path, "--device", "\(plugin.path),cpu", "--output", folder.appending(path: "bad").path)
            #expect(report.nodes.filter { $0.kernel.hasSuffix("/program") }.count == 1)
            // Alone each node is a program of one step, which has no fault.
            #expect(report.nodes.filter { $0.alone != nil }.count == 5)
            guard let node else {
                #expect(status == 0, "\(report.verdict?.message ?? "")")
                return
            }
            #expect(status == 1)
            #expect(report.verdict?.phase == "group")
            #expect(report.verdict?.node == node, "\(report.verdict?.message ?? "")")
            // The evidence is a model that runs, on the files beside it.
            let bad = folder.appending(path: "bad")
            let part = try readModel(path: bad.appending(path: "model.onnx").path).graph
            let inputs = part.inputs.flatMap { ["--input", "\(part[$0].name)=\(bad.path)/inputs/\(part[$0].name).npy"] }
            let again = try runCommand(
                products.appending(path: "southbridge").path,
                [
                    "run", bad.appending(path: "model.onnx").path, "--device", "\(plugin.path),cpu", "--output",
                    bad.appending(path: "again").path,
                ]
                    + inputs)
            try #require(again.status == 0, "\(again.error)")
            let name = "\(part[part.outputs[0]].name).npy"
            let tensors = try ["actual", "again", "expected"].map {
                try readNumpy(path: bad.appending(path: "\($0)/\(name)").path).decodedDoubles()
            }
            #expect(tensors[0] == tensors[1])
            #expect(tensors[0] != tensors[2])
        }
    }

    @Test func wrongUseEndsWithTwo() throws {
        let result = try southbridge("debug", Self.network("gpt2_small"), "--device", "cpu", "--against", "nowhere")
        #expect(result.status == 2 || result.status == 3)
        #expect(try southbridge("debug", "missing.onnx", "--device", "cpu", "--against", "cpu").status == 2)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// Measured costs: taken, kept, found again, and left alone when they are not what they should be.
@Suite struct CostCacheTests {
    private func cpu() throws -> Device {
        try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_cpu.so").path)).openDevice(0)
    }

    private func graph() throws -> (graph: Graph, inputs: [String: HostTensor]) {
        var graph = Graph(name: "two")
        let x = graph.addValue("x", type: TensorType(.float32, known: [32, 32]))
        graph.inputs = [x]
        var value = x
        for (index, name) in ["MatMul", "Relu", "Relu"].enumerated() {
            let output = graph.addValue("v\(index)")
            graph.addNode(
                Node(name: "n\(index)", operatorName: name, opset: 21, inputs: name == "MatMul" ? [value, x] : [value], outputs: [output]))
            value = output
        }
        graph.outputs = [value]
        return (graph, ["x": try HostTensor(.float32, [32, 32], [Float](repeating: 1, count: 1024))])
    }

    private func origins(_ device: Device, _ cache: CostCache) throws -> [String] {
        let (graph, inputs) = try graph()
        var rules = PlacementRules()
        rules.strategy = .cost
        rules.optimizing = false
        return try Explainer(graph, devices: [device], rules: rules, measured: cache).explain(inputs).nodes.map { $0.origin ?? "" }
    }

    @Test func measuredOnceAndFoundByTheNextRun() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "costs-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let device = try cpu()
        let cache = CostCache(folder: folder)
        #expect(try origins(device, cache) == ["roofline", "roofline", "roofline"])
        let (graph, inputs) = try graph()
        var plain = PlacementRules()
        plain.optimizing = false
        let measurement = KernelMeasurement(graph, devices: [device], libraries: [], rules: plain)
        let first = try measurement.run(inputs, into: cache)
        #expect(first.remarks.isEmpty)
        // The two Relus are alike.
        #expect(first.count >= 2)
        try cache.save()
        #expect(try measurement.run(inputs, into: cache).count == 0)

        let later = CostCache(folder: folder)
        #expect(try origins(device, later) == ["measured", "measured", "measured"])
        #expect(later.remarks.isEmpty)

        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(files.count == 1)
        try Data("{\"schema\": \"something else\"}\n".utf8).write(to: files[0])
        let broken = CostCache(folder: folder)
        #expect(try origins(device, broken) == ["roofline", "roofline", "roofline"])
        #expect(broken.remarks.count == 1 && broken.remarks[0].contains("--measure"))
    }

    @Test func theFolderIsTheUsersChoiceFirst() {
        #expect(CostCache.standardFolder(["SOUTHBRIDGE_CACHE": "/a", "XDG_CACHE_HOME": "/b"]).path == "/a")
        #expect(CostCache.standardFolder(["XDG_CACHE_HOME": "/b"]).path == "/b/southbridge")
        #expect(CostCache.standardFolder([:]).path.hasSuffix(".cache/southbridge"))
    }
}

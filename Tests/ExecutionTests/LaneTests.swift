// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// Copies and launches on lanes of their own.
@Suite struct LaneTests {
    /// The chip delays and reorders what no wait keeps in order.
    @Test(arguments: 0..<8, ["true", "false"]) func splitModelIsRightInAnyOrder(seed: Int, graphs: String) throws {
        let model = SplitModel(rounds: 4)
        let session = model.session([try npu(["ordering": "adversarial", "seed": "\(seed)", "graphs": graphs]), try cpu()])
        for run in 0..<3 { #expect(try model.isRight(session, seed: run)) }
        #expect(session.summary?.placement == ["npu:0": 8, "cpu:0": 4])
        #expect(try #require(session.summary).waitCount > 0)
    }

    /// Each wait left out in turn: some order of the chip's makes a result wrong.
    @Test func everyWaitIsNeeded() throws {
        let model = SplitModel(rounds: 3)
        func session(_ seed: Int, omitting wait: Int?) throws -> Session {
            model.session([try npu(["ordering": "adversarial", "seed": "\(seed)", "graphs": "false"]), try cpu()], omittedWait: wait)
        }
        let whole = try session(0, omitting: nil)
        #expect(try model.isRight(whole, seed: 0))
        let count = try #require(whole.summary).waitCount
        #expect(count >= 6)
        for wait in 0..<count {
            let isFound = try (0..<24).contains { seed in
                let mutant = try session(seed, omitting: wait)
                return try (0..<3).contains { try !model.isRight(mutant, seed: $0) }
            }
            #expect(isFound, "wait \(wait) of \(count) can be left out unseen")
        }
    }

    /// y0 = x0 · v, y1 = y0 · x1, y2 = y1 · w: the chip computes y0 while it receives x1, for which there is room, as y2 is large; and sends a result during
    /// the next product.
    @Test func copiesOverlapWithWork() throws {
        let width = 512
        func matrix(_ columns: Int, _ shift: Int) throws -> HostTensor {
            try HostTensor(.float32, [width, columns], (0..<width * columns).map { ($0 + shift) % 5 == 0 ? 1 as Float : 0 })
        }
        var graph = Graph(name: "three products")
        let type = TensorType(.float32, known: [width, width])
        let (x0, x1) = (graph.addValue("x0", type: type), graph.addValue("x1", type: type))
        let (v, w) = (graph.addValue("v"), graph.addValue("w"))
        graph.inputs = [x0, x1]
        graph.constants[v] = try matrix(width, 2)
        graph.constants[w] = try matrix(4 * width, 3)
        var first = x0
        for (name, second) in [("y0", v), ("y1", x1), ("y2", w)] {
            let output = graph.addValue(name)
            graph.addNode(Node(name: name, operatorName: "MatMul", opset: 13, inputs: [first, second], outputs: [output]))
            graph.outputs.append(output)
            first = output
        }
        let inputs = ["x0": try matrix(width, 0), "x1": try matrix(width, 1)]
        let device = try npu(["graphs": "false"])
        let session = Session(graph, devices: [device])
        _ = try session.run(inputs)
        try device.record(true)
        let results = try session.run(inputs)
        try device.record(false)
        let reference = try Session(graph, devices: [cpu()]).run(inputs)
        #expect(zip(results, reference).allSatisfy { $0.tensor.elements(as: Float.self) == $1.tensor.elements(as: Float.self) })

        let activities = try device.takeActivities()
        let programs = activities.filter { $0.lane == "programs" }.sorted { $0.begin < $1.begin }
        let copies = activities.filter { $0.lane == "link" }.sorted { $0.begin < $1.begin }
        #expect(programs.count == 3 && copies.count == 5)
        func overlap(_ one: Activity, _ other: Activity) -> Bool { one.begin < other.end && other.begin < one.end }
        // In, in, out, out. out.
        #expect(copies[0].end <= programs[0].begin)
        #expect(overlap(copies[1], programs[0]) && copies[1].end <= programs[1].begin)
        #expect(copies[2].begin >= programs[0].end && overlap(copies[2], programs[1]))
        #expect(copies[3].begin >= programs[1].end && overlap(copies[3], programs[2]))
        #expect(copies[4].begin >= programs[2].end)
    }

    /// A track for each lane that was used.
    @Test func traceHasATrackPerLane() throws {
        let model = SplitModel(rounds: 2)
        let session = model.session([try npu(["graphs": "false"]), try cpu()])
        let inputs = try model.inputs(seed: 1)
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "trace.json")
            try session.writeTrace(to: file, inputs: inputs)
            let text = try String(contentsOf: file, encoding: .utf8)
            for track in ["\"npu:0\"", "\"npu:0 copies in\"", "\"npu:0 copies out\"", "\"cpu:0\"", "\"npu:0 (device time)\"", "\"link\""] {
                #expect(text.contains(track), "\(track)")
            }
        }
    }

    /// On a device that does only what somebody waits for.
    @Test func lazyQueuesAreAwaited() throws {
        let model = SplitModel(rounds: 5)
        let session = model.session([try lazyQueues(), try cpu()])
        for run in 0..<4 { #expect(try model.isRight(session, seed: run)) }
        #expect(session.summary?.placement == ["lazy-queues:0": 10, "cpu:0": 5])
    }

    /// A library without a driver gets no stream: the host waits for what its launch reads and writes, and no launch of the device's overtakes it (SB-OPS-016).
    @Test(arguments: [("x", "v1"), ("v0", "v1"), ("v0", "x")]) func launchesOfAForeignLibraryAreAwaited(first: String, second: String)
        throws
    {
        let device = try Plugin.load(PluginReference(path: buildPlugin("Tests/Plugins/lazy_queues.c", flags: ["-DVISIBLE"]).path))
            .openDevice(0)
        // A library does not keep its plugin alive.
        let plugin = try Plugin.load(PluginReference(path: buildPlugin("Tests/Plugins/library_alone.c").path))
        defer { withExtendedLifetime(plugin) {} }
        let library = try #require(plugin.library)
        var graph = Graph(name: "between")
        let x = graph.addValue("x", type: TensorType(.float32, known: [4]))
        graph.inputs = [x]
        var values = ["x": x]
        func node(_ operatorName: String, _ inputs: [String], _ output: String) {
            values[output] = graph.addValue(output)
            graph.addNode(
                Node(name: output, operatorName: operatorName, opset: 14, inputs: inputs.map { values[$0]! }, outputs: [values[output]!]))
        }
        node("Add", ["x", "x"], "v0")
        node("Neg", ["v0"], "v1")
        node("Mul", [first, second], "v2")
        node("Neg", ["v2"], "v3")
        node("Add", ["v3", "v1"], "v4")
        graph.outputs = [values["v4"]!, values["v1"]!]
        let session = Session(graph, devices: [device], libraries: [library], rules: .asGiven)
        for run in 1..<5 {
            let start: [Float] = [Float(run), 1, 0, -3]
            let results = try session.run(["x": HostTensor(.float32, [4], start)]).map { $0.tensor.elements(as: Float.self) }
            let all = ["x": start, "v0": start.map { 2 * $0 }, "v1": start.map { -2 * $0 }]
            #expect(results[1] == all["v1"])
            #expect(results[0] == zip(zip(all[first]!, all[second]!), all["v1"]!).map { pair, v1 in -(pair.0 * pair.1) + v1 })
        }
        #expect(session.summary?.nodes.map(\.kernel).filter { $0.hasPrefix("alone/") }.count == 2)
        #expect(session.summary?.placement == ["lazy-queues:0": 5])
    }

    /// Two devices of one plugin: what they exchange goes the direct way if there is one, else through the host.
    @Test(arguments: [("-DPEERS", false), ("-DNO_WAY", true)]) func peersExchangeDirectly(flag: String, isStaged: Bool) throws {
        let plugin = try Plugin.load(PluginReference(path: buildPlugin("Tests/Plugins/lazy_queues.c", flags: [flag]).path))
        var graph = Graph(name: "peers")
        let x = graph.addValue("x", type: TensorType(.float32, known: [4]))
        graph.inputs = [x]
        var value = x
        for index in 0..<6 {
            let next = graph.addValue("v\(index)")
            graph.addNode(
                Node(name: "n\(index)", operatorName: index % 3 == 2 ? "Mul" : "Add", opset: 14, inputs: [value, value], outputs: [next]))
            value = next
        }
        graph.outputs = [value]
        var rules = PlacementRules()
        rules.pins = (0..<6).map { ("n\($0)", "lazy-queues:\($0 % 2)") }
        let session = Session(graph, devices: [try plugin.openDevice(0), try plugin.openDevice(1)], rules: rules)
        for run in 1..<4 {
            let start = Float(run)
            let result = try session.run(["x": HostTensor(.float32, [4], [start, 1, 0, -1])])[0].tensor.elements(as: Float.self)
            // 2, 4, squared, 2, 4, squared
            let expected: [Float] = [start, 1, 0, -1].map { (x: Float) -> Float in 4096 * x * x * x * x }
            #expect(result == expected)
        }
        let summary = try #require(session.summary)
        #expect(summary.placement == ["lazy-queues:0": 3, "lazy-queues:1": 3])
        #expect(summary.arenas.contains { $0.device == "host" } == isStaged)
    }
}

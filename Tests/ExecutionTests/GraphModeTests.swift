// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import HardwareModel
import Southbound
import Tensors
import TestSupport
import Testing

/// Groups that a plugin's own compiler takes, among nodes that go by kernels and by the CPU.
@Suite struct GraphModeTests {
    /// Relu(x·w + b) ⊙ sigmoid(x·w + b) + x, with an inner value as an output.
    private func graph() throws -> (graph: Graph, inputs: [String: HostTensor]) {
        var graph = Graph(name: "mixed")
        let x = graph.addValue("x", type: TensorType(.float32, known: [4, 4]))
        graph.inputs = [x]
        func constant(_ name: String, _ shape: [Int]) throws -> ValueID {
            let value = graph.addValue(name)
            graph.constants[value] = try HostTensor(.float32, shape, (0..<shape.reduce(1, *)).map { Float($0 % 3) - 1 })
            return value
        }
        func add(_ name: String, _ inputs: ValueID...) -> ValueID {
            let output = graph.addValue("\(name)-\(graph.nodes.count)")
            graph.addNode(Node(name: "\(name)-\(graph.nodes.count)", operatorName: name, opset: 21, inputs: inputs, outputs: [output]))
            return output
        }
        let sum = add("Add", add("MatMul", x, try constant("w", [4, 4])), try constant("b", [4]))
        let gate = add("Sigmoid", sum)
        let product = add("Mul", add("Relu", sum), gate)
        graph.outputs = [sum, add("Add", product, x)]
        return (graph, ["x": try HostTensor(.float32, [4, 4], (0..<16).map { Float($0 % 5) - 2 })])
    }

    private func session(
        _ flags: [String] = [], options: [String: String] = [:], rules: PlacementRules = PlacementRules()
    ) throws -> (session: Session, inputs: [String: HostTensor]) {
        let library = try buildPlugin("Tests/Plugins/graph_compiler.c", flags: flags)
        let chip = try Plugin.load(PluginReference(givenName: "chip", path: library.path), options: options)
        let cpu = try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_cpu.so").path))
        let (graph, inputs) = try graph()
        return (Session(graph, devices: [try chip.openDevice(0), try cpu.openDevice(0)], rules: rules), inputs)
    }

    private func bytes(_ results: [(name: String, tensor: HostTensor)]) -> [[UInt8]] { results.map { Array($0.tensor.bytes) } }

    @Test func programsAndKernelsGiveTheSame() throws {
        let (compiled, inputs) = try session()
        let results = try compiled.run(inputs)
        let summary = try #require(compiled.summary)
        #expect(summary.placement == ["chip:0": 5, "cpu:0": 1] && summary.remarks.isEmpty)
        // The Sigmoid in the middle cuts what would be one group.
        #expect(summary.nodes.filter { $0.kernel == "chip/program" }.count == 5)

        let (chained, _) = try session(options: ["graph": "false"])
        #expect(bytes(try chained.run(inputs)) == bytes(results))
        #expect(chained.summary?.placement == ["chip:0": 5, "cpu:0": 1])
        #expect(chained.summary?.nodes.contains { $0.kernel == "chip/program" } == false)

        var rules = PlacementRules()
        rules.compiling = false
        let (ruled, _) = try session(rules: rules)
        #expect(bytes(try ruled.run(inputs)) == bytes(results))
        #expect(ruled.summary?.nodes.contains { $0.kernel == "chip/program" } == false)
    }

    /// A group that a path leaves, through the Sigmoid, and enters again becomes two programs (SB-GRA-006), and the run says so.
    @Test func aGroupThatIsEnteredAgainIsDivided() throws {
        let (apart, inputs) = try session()
        let (divided, _) = try session(["-DCLAIMS_ALL"])
        #expect(bytes(try divided.run(inputs)) == bytes(try apart.run(inputs)))
        let summary = try #require(divided.summary)
        #expect(summary.placement == ["chip:0": 5, "cpu:0": 1])
        #expect(summary.nodes.filter { $0.kernel == "chip/program" }.count == 5)
        #expect(summary.remarks.count == 1 && summary.remarks[0].contains("divided"), "\(summary.remarks)")
    }

    /// A program's own memory counts, and what it says of its arithmetic holds instead of what the table says (SB-NUM-003).
    @Test func programsDescribeThemselves() throws {
        let (plain, inputs) = try session()
        let (described, _) = try session(["-DDESCRIBES"])
        #expect(bytes(try described.run(inputs)) == bytes(try plain.run(inputs)))
        let (silent, telling) = (try #require(plain.summary), try #require(described.summary))
        #expect(silent.programByteCount == 0 && telling.programByteCount > 1000 + 4 * (16 + 4))
        #expect(telling.byteCount - telling.programByteCount == silent.byteCount)
        func tells(_ summary: PlanSummary) -> [Bool] { summary.nodes.map(\.facts.ignoresNaN) }
        #expect(tells(telling) == telling.nodes.map { $0.kernel == "chip/program" } && !tells(silent).contains(true))
    }

    /// Again with other values, and between guards.
    @Test func aPlanIsUsedAgain() throws {
        let (compiled, inputs) = try session()
        let first = bytes(try compiled.run(inputs))
        let others = ["x": try HostTensor(.float32, [4, 4], (0..<16).map { Float($0 % 7) - 3 })]
        let second = bytes(try compiled.run(others))
        let third = bytes(try compiled.run(inputs))
        #expect(first != second && third == first)
        let guarded = try compiled.runGuarded(others)
        #expect(guarded.misdeed == nil && bytes(guarded.outputs) == second)
    }

    @Test func whatIsNotCompiledGoesByKernels() throws {
        let (plain, inputs) = try session(options: ["graph": "false"])
        let (refusing, _) = try session(["-DFAULT=refuses_its_claim", "-DGRAPHS_ALONE"])
        #expect(bytes(try refusing.run(inputs)).count == bytes(try plain.run(inputs)).count)
        let summary = try #require(refusing.summary)
        #expect(summary.placement == ["cpu:0": 6])
        #expect(summary.remarks.count == 2 && summary.remarks.allSatisfy { $0.contains("bad days") }, "\(summary.remarks)")
    }

    @Test func pinnedNodesStayWhereTheyAre() throws {
        var rules = PlacementRules()
        rules.pins = [("Relu*", "cpu")]
        let (session, inputs) = try session(rules: rules)
        _ = try session.run(inputs)
        #expect(session.summary?.placement == ["chip:0": 4, "cpu:0": 2])
    }

    @Test func traceHasAnEventPerProgram() throws {
        let (session, inputs) = try session()
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "trace.json")
            try session.writeTrace(to: file, inputs: inputs)
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(text.contains("program of ") && text.contains("process_name"))
            // The device's own lane, in its own time.
            #expect(text.contains("chip:0 (device time)") && text.contains("core 0"))
        }
    }

    /// Counters count exactly what ran; activities are recorded while that is on, and handed out once.
    @Test func countersAndActivities() throws {
        let library = try buildPlugin("Tests/Plugins/graph_compiler.c")
        let device = try Plugin.load(PluginReference(givenName: "chip", path: library.path)).openDevice(0)
        let cpu = try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_cpu.so").path)).openDevice(0)
        #expect(try cpu.counters().isEmpty && !cpu.recordsActivities && device.recordsActivities)
        let (graph, inputs) = try graph()
        let session = Session(graph, devices: [device, cpu])
        func counts() throws -> [UInt64] {
            try device.counters().compactMap { if case .cumulative(let count) = $0.value { count } else { nil } }
        }
        #expect(try counts() == [0, 0])
        _ = try session.run(inputs)
        // MatMul 4·4·4·2; Add, Relu, Mul, Add 16 each.
        let perRun: UInt64 = 128 + 4 * 16
        #expect(try counts() == [2, perRun])
        let gauge = try #require(try device.counters().last)
        #expect(gauge.name == "temperature" && gauge.unit == "°C" && gauge.value == .gauge(36.5))
        #expect(try device.takeActivities().isEmpty)

        try device.record(true)
        _ = try session.run(inputs)
        try device.record(false)
        _ = try session.run(inputs)
        let activities = try device.takeActivities()
        #expect(activities.count == 2 && activities.allSatisfy { $0.lane == "core 0" && $0.correlation > 0 })
        let recorded: UInt64 = activities.reduce(0) { $0 + $1.operations }
        #expect(recorded == perRun)
        #expect(activities[0].end <= activities[1].begin && activities[0].begin < activities[0].end)
        #expect(try device.takeActivities().isEmpty)
        #expect(try counts() == [6, 3 * perRun])
    }

    /// a → b → c with a and c in one group, and two groups that wait for each other.
    @Test func groupsThatPathsEnterAgainAreRefused() throws {
        var graph = Graph(name: "paths")
        func node(_ inputs: ValueID...) -> (NodeID, ValueID) {
            let output = graph.addValue("v\(graph.values.count)")
            return (
                graph.addNode(Node(name: "n\(graph.nodes.count)", operatorName: "Add", opset: 21, inputs: inputs, outputs: [output])),
                output
            )
        }
        let x = graph.addValue("x")
        graph.inputs = [x]
        let (a, av) = node(x), (b, bv) = node(av), (c, _) = node(bv, av)
        let (d, dv) = node(x), (e, _) = node(dv)
        func joined(_ groups: [NodeID]...) -> [Bool] {
            var grouping = Grouping([a, b, c, d, e], graph)
            return groups.map { grouping.join($0, on: 0) }
        }
        #expect(joined([a, c], [a, b]) == [false, true])
        #expect(joined([a, e], [b, d], [b, c]) == [true, false, true])
        // Divided: a and c are parts of their own, and e goes with a, for no path leaves between them.
        var grouping = Grouping([a, b, c, d, e], graph)
        let whole = grouping.join([a, c, d, e], on: 0)
        let parts = grouping.joinParts(of: [a, c, d, e], on: 0)
        #expect(!whole && parts == [[a, d, e], [c]])
        #expect(grouping.isClaimed(c) && !grouping.isClaimed(b))
        // Through another group.
        var other = Grouping([a, b, c, d, e], graph)
        let outcomes = [other.join([a, e], on: 0), other.join([b, d], on: 0)]
        let divided = other.joinParts(of: [b, d], on: 0)
        #expect(outcomes == [true, false] && divided == [[d], [b]])
    }
}

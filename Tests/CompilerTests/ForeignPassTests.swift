// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Operators
import Southbound
import Tensors
import TestSupport
import Testing

/// Passes of plugins in the user's own process.
struct ForeignPassTests {
    private func sample(_ flags: [String] = []) throws -> Plugin {
        try Plugin.load(PluginReference(path: try buildPlugin("VendorExamples/pass/silu.c", flags: flags).path))
    }

    private func fixture(_ fault: String = "none") throws -> Plugin {
        try Plugin.load(PluginReference(path: try buildPlugin("Tests/Plugins/graph_passes.c", flags: ["-DFAULT=\(fault)"]).path))
    }

    private func cpu() throws -> Device {
        try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_cpu.so").path)).openDevice(0)
    }

    /// y = (x W) * Sigmoid(x W) + 1.
    private func gated() throws -> Draft {
        var draft = Draft()
        let product = draft.add("MatMul", draft.input([2, 3]), try draft.constant([1, -2, 3, -4, 5, -6, 7, -8, 9], [3, 3]))
        draft.output(draft.add("Add", draft.add("Mul", product, draft.add("Sigmoid", product)), try draft.constant([1], [])))
        return draft
    }

    private func run(_ draft: Draft, _ devices: [Device], _ libraries: [OperatorLibrary] = [], _ rules: PlacementRules = PlacementRules())
        throws
        -> (values: [Double], summary: PlanSummary)
    {
        let session = Session(draft.graph, devices: devices, libraries: libraries, rules: rules)
        let x = try HostTensor(.float32, [2, 3], doubles: [0.5, -1, 0.25, 1, 0.125, -0.5])
        let outputs = try session.run(["x0": x])
        return (outputs[0].tensor.decodedDoubles(), try #require(session.summary))
    }

    /// The sample's own operator goes from its pass through planning to its kernel, on the device of another plugin.
    @Test func theSampleRuns() throws {
        let (plugin, device, draft) = (try sample(), try cpu(), try gated())
        var rules = PlacementRules()
        rules.verifyingPasses = true
        let (expected, before) = try run(draft, [device], [], rules)
        let (values, summary) = try run(draft, [device], [try #require(plugin.library)], rules)
        #expect(!before.nodes.contains { $0.operatorName == "SiLU" })
        #expect(summary.nodes.contains { $0.operatorName == "SiLU" && $0.kernel == "silu/silu" && $0.name == "n2" })
        #expect(summary.passes.entries.first { $0.name == "fuse-silu" }?.rewrites == 1)
        #expect(summary.passes.remarks.isEmpty && summary.placement.values.reduce(0, +) == 4)
        for (value, right) in zip(values, expected) { #expect(abs(value - right) <= 1e-5 * max(1, abs(right))) }
    }

    @Test func theSampleIsShort() throws {
        let text = try String(contentsOf: repository.appending(path: "VendorExamples/pass/silu.c"), encoding: .utf8)
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count - 1 < 80)
        try withTemporaryFolder { folder in
            let copy = folder.appending(path: "pass")
            try FileManager.default.copyItem(at: repository.appending(path: "VendorExamples/pass"), to: copy)
            let include = repository.appending(path: "Sources/CSouthbridge/include").path
            let result = try runCommand("make", ["SOUTHBRIDGE_INCLUDE=\(include)"], in: copy)
            #expect(result.status == 0 && !result.error.contains("warning"), "\(result.error)")
        }
    }

    @Test func aPassIsSwitchedOff() throws {
        let (plugin, device) = (try sample(), try cpu())
        var rules = PlacementRules()
        rules.disabledPasses = ["fuse-silu"]
        let (_, summary) = try run(try gated(), [device], [try #require(plugin.library)], rules)
        #expect(!summary.nodes.contains { $0.operatorName == "SiLU" })
    }

    /// By fault of the fixture: words that the remark has. The graph is as before, and runs.
    @Test(arguments: [
        ("makes_a_cycle", "cycle"), ("changes_type", "different types or shapes"), ("reads_nothing", "nothing writes"),
        ("fails", "lost its way"),
        ("changes_numerics", "other numbers"), ("removes_wanted", "wanted"),
    ]) func aFaultIsUndone(_ fault: String, _ words: String) throws {
        let (plugin, device) = (try fixture(fault), try cpu())
        var draft = Draft()
        let x = draft.input([2, 3])
        let sum = draft.add("Add", x, try draft.constant([1, 2, 3]))
        let product = draft.add("Mul", sum, try draft.constant([2, 2, 2]))
        draft.output(draft.add("Relu", draft.add("Add", product, try draft.constant([-1, -1, -1, -1, -1, -1], [2, 3]))))
        var rules = PlacementRules()
        rules.verifyingPasses = true
        let (expected, _) = try run(draft, [device])
        let (values, summary) = try run(draft, [device, try plugin.openDevice(0)], [], rules)
        #expect(values == expected)
        #expect(
            summary.remarks.contains { $0.contains("pass 'repeated' of plugin 'graph-passes'") && $0.contains(words) }, "\(summary.remarks)"
        )
    }

    /// What the editor shows of a graph, and what it refuses: by the fixture's right passes over a graph with everything in it.
    @Test func rightPassesRewrite() throws {
        let plugin = try fixture()
        var draft = Draft()
        let x = draft.input([2, 3])
        draft.output(draft.add("Relu", draft.add("Relu", draft.add("Neg", draft.add("Neg", x)))))
        let passes = Pass.all(of: try #require(plugin.passLibrary))
        #expect(passes.map(\.stage) == [.simplify, .fuse] && passes.map(\.plugin) == ["graph-passes", "graph-passes"])
        let (graph, report) = try draft.optimized(passes)
        #expect(graph.operators == ["Relu"] && report.remarks.isEmpty)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// A plugin that changes the stack's memory plan (SB-PLN-001 to 003).
@Suite struct MemoryGroupTests {
    /// A Relu of x, and one of what the CPU makes of that: four tensors on the device, of which some share memory.
    private func session(plan: Int) throws -> (session: Session, inputs: [String: HostTensor]) {
        var graph = Graph(name: "two")
        var value = graph.addValue("x", type: TensorType(.float32, known: [64]))
        graph.inputs = [value]
        for (index, name) in ["Relu", "Neg", "Abs", "Relu", "Neg", "Relu"].enumerated() {
            let next = graph.addValue("v\(index)")
            graph.addNode(Node(name: "n\(index)", operatorName: name, opset: 13, inputs: [value], outputs: [next]))
            value = next
        }
        graph.outputs = [value, ValueID(1)]
        let library = try buildPlugin("Tests/Plugins/memory_plans.c", flags: ["-DPLAN=\(plan)"])
        let chip = try Plugin.load(PluginReference(givenName: "chip", path: library.path))
        let cpu = try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_cpu.so").path))
        let input = ["x": try HostTensor(.float32, [64], (0..<64).map { Float($0) - 30 })]
        var rules = PlacementRules()
        rules.optimizing = false
        return (Session(graph, devices: [try chip.openDevice(0), try cpu.openDevice(0)], rules: rules), input)
    }

    private func run(plan: Int) throws -> (summary: PlanSummary, chip: MemoryPlan) {
        let (session, inputs) = try session(plan: plan)
        let outputs = try session.run(inputs)
        #expect(outputs[0].tensor.decodedDoubles().allSatisfy { $0 == 0 })
        #expect(outputs[1].tensor.decodedDoubles() == (0..<64).map { max(0, Double($0) - 30) })
        let summary = try #require(session.summary)
        return (summary, try #require(summary.memoryPlans.first { $0.device == 0 }))
    }

    @Test func aSoundPlanIsUsed() throws {
        let own = try run(plan: 0)
        #expect(own.chip.firstFault == nil && own.summary.remarks.isEmpty && own.chip.slots.count > 2)
        let (summary, chip) = try run(plan: 1)
        #expect(chip.strategy == "amended by chip")
        #expect(chip.offsets == own.chip.offsets.map { $0 + chip.alignment })
        #expect(chip.byteCount == own.chip.byteCount + chip.alignment)
        #expect(summary.remarks.isEmpty)
    }

    @Test(arguments: [
        (2, "share bytes while both are needed"), (3, "is not a multiple of the alignment"), (4, "does not lie within the arena"),
        (5, "more than the device"), (6, "no plan is good enough"),
    ]) func anUnsoundPlanIsNot(plan: Int, reason: String) throws {
        let own = try run(plan: 0)
        let (summary, chip) = try run(plan: plan)
        #expect(chip.offsets == own.chip.offsets && chip.byteCount == own.chip.byteCount)
        #expect(
            summary.remarks.count == 1 && summary.remarks[0].contains(reason) && summary.remarks[0].contains("chip"), "\(summary.remarks)")
    }

    /// The suite offers plans of its own.
    @Test(arguments: [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (5, 1)]) func theSuiteRefusesUnsoundPlans(plan: Int, status: Int32) throws {
        let library = try buildPlugin("Tests/Plugins/memory_plans.c", flags: ["-DPLAN=\(plan)"])
        try withTemporaryFolder { folder in
            let result = try southbridge(
                "conform", library.path, "--suite", "driver", "--filter", "driver/plan/*", "--output", folder.appending(path: "run").path)
            #expect(result.status == status, "\(result.output) \(result.error)")
        }
    }
}

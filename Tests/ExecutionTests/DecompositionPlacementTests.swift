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

/// A chip with nine kernels runs operators that it has no kernel for, as these kernels.
@Suite struct DecompositionPlacementTests {
    @Test(arguments: ["LayerNormalization", "Softmax", "ReduceMean", "GlobalAveragePool", "InstanceNormalization"])
    func runsInParts(operatorName: String) throws {
        let call = try call(operatorName)
        let session = try session(call.graph, fallback: nil)
        let result = try session.run(call.inputs)[0].tensor
        for (actual, expected) in zip(result.decodedDoubles(), try reference(call).decodedDoubles()) {
            #expect(abs(actual - expected) < 1e-5)
        }
        let summary = try #require(session.summary)
        #expect(summary.placement.values.reduce(0, +) == 1)
        #expect(summary.placement.keys.allSatisfy { $0 != "host" && !$0.hasPrefix("cpu") })
        #expect(summary.nodes.count > 1 && summary.nodes.allSatisfy { $0.name.hasPrefix("node/") })
        #expect(summary.nodes.allSatisfy { $0.kernel.hasPrefix("few-kernels/") || $0.kernel == "view" })
        #expect(!summary.nodes.contains { $0.operatorName == operatorName })
    }

    /// The mean of the normalisation is a sum and a quotient: parts of a part.
    @Test func partsOfPartsAreNamedAfterBoth() throws {
        let call = try call("LayerNormalization")
        let session = try session(call.graph, fallback: nil)
        _ = try session.run(call.inputs)
        let names = try #require(session.summary).nodes.map(\.name)
        #expect(names.contains("node/ReduceMean/ReduceSum") && names.contains("node/Sqrt"))
        #expect(names.first == "node/ReduceMean/ReduceSum", "in the order in which they run")
        let trace = FileManager.default.temporaryDirectory.appending(path: "trace-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: trace) }
        try session.writeTrace(to: trace, inputs: call.inputs)
        #expect(try String(contentsOf: trace, encoding: .utf8).contains("node\\/ReduceMean\\/ReduceSum"))
    }

    @Test func staysWholeWhereTheRulesSaySo() throws {
        let call = try call("LayerNormalization")
        var rules = PlacementRules()
        rules.decomposing = false
        let session = try session(call.graph, fallback: nil, rules: rules)
        #expect(throws: ExecutionError.self) { try session.run(call.inputs) }
    }

    /// Hardmax asks for ArgMax, which the chip does not have either: the error says so, for the whole and the part.
    @Test func errorNamesThePartThatNobodyRuns() throws {
        let call = try call("Hardmax")
        let session = try session(call.graph, fallback: nil)
        do {
            _ = try session.run(call.inputs)
            Issue.record("ran")
        } catch {
            #expect("\(error)".contains("node 'node' (Hardmax)") && "\(error)".contains("node 'node/ArgMax' (ArgMax)"))
        }
    }

    @Test func kernelOfTheOperatorItselfWins() throws {
        let call = try call("LayerNormalization")
        let session = try session(call.graph, fallback: "cpu")
        _ = try session.run(call.inputs)
        let summary = try #require(session.summary)
        #expect(summary.nodes.map(\.operatorName) == ["LayerNormalization"])
        #expect(summary.nodes[0].kernel.hasPrefix("cpu/"))
    }

    /// `--device CHIP` alone: the CPU is there for what the chip cannot do, though the chip says nothing about its speed.
    @Test func theLastResortGetsOnlyWhatTheChipCannotDoInPartsEither() throws {
        for (operatorName, device) in [("LayerNormalization", "few-kernels"), ("Softmax", "few-kernels"), ("Hardmax", "cpu")] {
            let call = try call(operatorName)
            let set = try DeviceSet(buildPlugin("Tests/Plugins/few_kernels.c").path, fallback: "cpu", installation: .locate())
            var rules = PlacementRules()
            (rules.strategy, rules.lastResort) = (.cost, set.fallback)
            let session = Session(call.graph, devices: set.devices, rules: rules)
            let result = try session.run(call.inputs)[0].tensor
            for (actual, expected) in zip(result.decodedDoubles(), try reference(call).decodedDoubles()) {
                #expect(abs(actual - expected) < 1e-5)
            }
            #expect(try #require(session.summary).placement == ["\(device):0": 1])
        }
    }

    /// The part is another shape of the node's input, wherever that lies: a chip needs no kernel for it.
    @Test func aPartThatIsAViewTakesNoKernel() throws {
        let call = try call("InstanceNormalization")
        var rules = PlacementRules()
        rules.denied = ["few-kernels/reshape"]
        let session = try session(call.graph, fallback: nil, rules: rules)
        _ = try session.run(call.inputs)
        #expect(try #require(session.summary).nodes.contains { $0.kernel == "view" })
    }

    /// With a part on the CPU the node is not the chip's alone.
    @Test func nodeOnTwoDevicesCountsForTheLessPreferred() throws {
        let call = try call("LayerNormalization")
        var rules = PlacementRules()
        rules.denied = ["cpu/*layer*", "cpu/*Layer*", "few-kernels/sqrt"]
        let session = try session(call.graph, fallback: "cpu", rules: rules)
        let result = try session.run(call.inputs)[0].tensor
        for (actual, expected) in zip(result.decodedDoubles(), try reference(call).decodedDoubles()) {
            #expect(abs(actual - expected) < 1e-5)
        }
        let summary = try #require(session.summary)
        #expect(Set(summary.nodes.map { $0.kernel.split(separator: "/")[0] }) == ["cpu", "few-kernels"])
        #expect(summary.placement.count == 1 && summary.placement.keys.first?.hasPrefix("cpu") == true)
    }

    private struct Call {
        let graph: Graph
        let inputs: [String: HostTensor]
    }

    private func session(_ graph: Graph, fallback: String?, rules: PlacementRules = PlacementRules()) throws -> Session {
        let devices = try DeviceSet(buildPlugin("Tests/Plugins/few_kernels.c").path, fallback: fallback, installation: .locate())
        return Session(graph, devices: devices.devices, rules: rules)
    }

    private func reference(_ call: Call) throws -> HostTensor {
        let inputs = Dictionary(uniqueKeysWithValues: call.graph.inputs.map { ($0, call.inputs[call.graph[$0].name]!) })
        return try evaluate(call.graph, inputs: inputs)[0]
    }

    /// One node on a batch of two images with three channels.
    private func call(_ operatorName: String) throws -> Call {
        var graph = Graph(name: "one node")
        let shape = [2, 3, 4, 5]
        var inputs: [String: HostTensor] = [:]
        func add(_ name: String, _ shape: [Int]) throws -> ValueID {
            let value = graph.addValue(name, type: TensorType(.float32, known: shape))
            graph.inputs.append(value)
            let random = CounterRandom(seed: 1, case: operatorName, tensor: name)
            inputs[name] = try HostTensor(.float32, shape, doubles: (0..<shape.reduce(1, *)).map { random.normal(UInt64($0)) })
            return value
        }
        var arguments = [try add("x", shape)]
        let channels = operatorName == "LayerNormalization" ? [5] : [3]
        if operatorName.hasSuffix("Normalization") { arguments += [try add("scale", channels), try add("bias", channels)] }
        let y = graph.addValue("y")
        graph.outputs = [y]
        graph.addNode(Node(name: "node", operatorName: operatorName, opset: 18, inputs: arguments, outputs: [y]))
        return Call(graph: graph, inputs: inputs)
    }
}

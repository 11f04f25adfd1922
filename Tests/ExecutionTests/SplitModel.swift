// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport

/// A model that goes to and fro between a chip and the CPU. Its values are small whole numbers, so that every device computes the same bits.
struct SplitModel {
    let graph: Graph
    let rules: PlacementRules
    private let rounds: Int
    private let width = 64
    private let sharedInputs, onlyLast: Bool

    /// - Parameters:
    ///   - rounds: each of an Add on the chip, a Max on the CPU and a Sub on the chip.
    ///   - sharedInputs: all rounds have the same inputs, instead of inputs of their own.
    ///   - onlyLast: one output instead of several.
    ///   - subs: where the Subs run instead.
    init(rounds: Int, sharedInputs: Bool = false, onlyLast: Bool = false, subs: String? = nil) {
        var graph = Graph(name: "to and fro")
        let type = TensorType(.float32, known: [width])
        func input(_ name: String) -> ValueID {
            if let known = graph.inputs.first(where: { graph[$0].name == name }) { return known }
            let value = graph.addValue(name, type: type)
            graph.inputs.append(value)
            return value
        }
        func node(_ operatorName: String, _ round: Int, _ first: ValueID, _ second: ValueID) -> ValueID {
            let name = "\(operatorName.lowercased())\(round)"
            let output = graph.addValue("\(name)-out")
            graph.addNode(Node(name: name, operatorName: operatorName, opset: 14, inputs: [first, second], outputs: [output]))
            return output
        }
        var value = input("x")
        for round in 0..<rounds {
            let sum = node("Add", round, value, input(sharedInputs ? "a" : "a\(round)"))
            let larger = node("Max", round, sum, value)
            value = node("Sub", round, larger, input(sharedInputs ? "b" : "b\(round)"))
            if round % 2 == 0, !onlyLast { graph.outputs.append(sum) }
        }
        graph.outputs.append(value)
        var rules = PlacementRules()
        rules.pins = [("max*", "cpu")] + (subs.map { [("sub*", $0)] } ?? [])
        self.graph = graph
        self.rules = rules
        self.rounds = rounds
        self.sharedInputs = sharedInputs
        self.onlyLast = onlyLast
    }

    func inputs(seed: Int) throws -> [String: HostTensor] {
        try Dictionary(
            uniqueKeysWithValues: graph.inputs.map { input in
                let random = CounterRandom(seed: UInt64(seed), case: "split", tensor: graph[input].name)
                let values = (0..<width).map { Float(random.integer(UInt64($0), below: 200)) - 100 }
                return (graph[input].name, try HostTensor(.float32, [width], values))
            })
    }

    /// By hand.
    func expected(_ inputs: [String: HostTensor]) -> [[Float]] {
        func elements(_ name: String) -> [Float] { inputs[name]!.elements(as: Float.self) }
        var value = elements("x")
        var outputs: [[Float]] = []
        for round in 0..<rounds {
            let sum = zip(value, elements(sharedInputs ? "a" : "a\(round)")).map { $0 + $1 }
            if round % 2 == 0, !onlyLast { outputs.append(sum) }
            value = zip(zip(sum, value).map { max($0, $1) }, elements(sharedInputs ? "b" : "b\(round)")).map { $0 - $1 }
        }
        return outputs + [value]
    }

    func session(_ devices: [Device], omittedWait: Int? = nil) -> Session {
        Session(graph, devices: devices, rules: rules, omittedWait: omittedWait)
    }

    func isRight(_ session: Session, seed: Int) throws -> Bool {
        let inputs = try inputs(seed: seed)
        return try session.run(inputs).map { $0.tensor.elements(as: Float.self) } == expected(inputs)
    }
}

func npu(_ options: [String: String] = [:]) throws -> Device {
    try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_npu.so").path), options: options).openDevice(0)
}

func cpu() throws -> Device { try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_cpu.so").path)).openDevice(0) }

func lazyQueues(_ flags: [String] = []) throws -> Device {
    try Plugin.load(PluginReference(path: buildPlugin("Tests/Plugins/lazy_queues.c", flags: flags).path)).openDevice(0)
}

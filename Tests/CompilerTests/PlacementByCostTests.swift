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

/// Choice of devices by cost, on the simulated NPU (twice) and the CPU.
@Suite struct PlacementByCostTests {
    private func devices(_ list: String, profile: String = "edge") throws -> DeviceSet {
        let npu = products.appending(path: "libsouthbridge_npu.so").path
        let cpu = products.appending(path: "libsouthbridge_cpu.so").path
        let entries = list.split(separator: ",").map { $0 == "cpu" ? "cpu=\(cpu)" : "\($0)=\(npu)" }
        let options = list.split(separator: ",").filter { $0 != "cpu" }.map { "\($0).profile=\(profile)" }
        return try DeviceSet(
            entries.joined(separator: ","), options: NamedOptions(options), fallback: nil,
            installation: Installation(repository: repository, products: products))
    }

    private func rules(_ strategy: PlacementRules.Strategy = .cost, pins: [(String, String)] = []) -> PlacementRules {
        var rules = PlacementRules()
        rules.strategy = strategy
        rules.pins = pins.map { ($0.0, $0.1) }
        return rules
    }

    private func place(_ graph: Graph, _ set: DeviceSet, _ rules: PlacementRules) throws -> Placement {
        let inputs = Dictionary(
            uniqueKeysWithValues: graph.inputs.map { ($0, ConcreteType(graph[$0].type!.dataType, graph[$0].type!.knownShape!)) })
        return try Placer(graph, devices: set.devices, rules: rules).place(try GraphInference(graph, inputs: inputs))
    }

    @Test("results of random graphs are the same wherever their nodes run", arguments: 0..<12)
    func samePlacesSameResults(seed: Int) throws {
        let set = try devices("a,b,cpu")
        let random = try RandomGraph(seed: seed)
        let alone = try Session(random.graph, devices: [try devices("cpu").devices[0]]).run(random.inputs)
        // By chance, by cost, and by cost around a pin.
        let draw = CounterRandom(seed: UInt64(seed), case: "places", tensor: "")
        let chance = random.graph.nodes.indices.map {
            ("name:\(random.graph.nodes[$0].name)", set.devices[Int(draw.integer(UInt64($0), below: 3))].name)
        }
        for rules in [rules(pins: chance), rules(), rules(pins: [("op:Relu", "b:0"), ("name:node 2", "cpu")])] {
            let results = try Session(random.graph, devices: set.devices, rules: rules).run(random.inputs)
            for (result, expected) in zip(results, alone) {
                #expect(result.tensor.shape == expected.tensor.shape)
                for (a, e) in zip(result.tensor.decodedDoubles(), expected.tensor.decodedDoubles()) {
                    #expect(abs(a - e) <= random.bound, "\(result.name): \(a) is not \(e)")
                }
            }
        }
    }

    @Test("never dearer than everything on one device", arguments: ["endpoint", "edge", "cloud"])
    func neverDearer(profile: String) throws {
        let set = try devices("a,cpu", profile: profile)
        for seed in 0..<8 {
            let placement = try place(try RandomGraph(seed: seed, size: 64).graph, set, rules())
            let choice = try #require(placement.choice)
            #expect(choice.onOneDevice.allSatisfy { choice.seconds <= $0 * (1 + 1e-12) })
            #expect(choice.copySeconds <= choice.seconds)
        }
    }

    @Test("layers that are alike are asked about once, and in one call of each library")
    func asksOnce() throws {
        let set = try devices("a,cpu")
        var graph = Graph(name: "chain")
        var value = graph.addValue("x", type: TensorType(.float32, known: [64]))
        graph.inputs = [value]
        for index in 0..<200 {
            let output = graph.addValue("v\(index)")
            graph.addNode(Node(name: "n\(index)", operatorName: "Relu", opset: 21, inputs: [value], outputs: [output]))
            value = output
        }
        graph.outputs = [value]
        let inputs = [graph.inputs[0]: ConcreteType(.float32, [64])]
        var rules = rules()
        rules.compiling = false
        let placer = Placer(graph, devices: set.devices, rules: rules)
        _ = try placer.place(try GraphInference(graph, inputs: inputs))
        #expect(placer.registry.questionCount <= 4)
        #expect(placer.registry.callCount <= 4)
    }

    @Test("a node that only gives a value another shape runs nowhere")
    func viewsRunNowhere() throws {
        let set = try devices("a,cpu")
        let (graph, inputs) = try viewGraph()
        let placement = try place(graph, set, rules(pins: [("op:Relu", "a")]))
        let views = placement.steps.compactMap { step -> PlacedView? in if case .view(let view) = step { view } else { nil } }
        #expect(views.count == 2)
        #expect(views.allSatisfy { set.devices[$0.device].name == "a:0" })
        let results = try Session(graph, devices: set.devices, rules: rules(pins: [("op:Relu", "a")])).run(inputs)
        #expect(results.map(\.tensor.shape) == [[3, 2], [6]])
        #expect(results[0].tensor.decodedDoubles() == [0, 1, 0, 2, 0, 3])
        #expect(results[1].tensor.decodedDoubles() == [0, 1, 0, 2, 0, 3])
        var asGiven = rules()
        asGiven.optimizing = false
        #expect(try place(graph, set, asGiven).steps.allSatisfy { if case .view = $0 { false } else { true } })
    }

    /// x [2, 3] → Relu → Reshape [6] → Reshape [3, 2] → output; Reshape [6] → Relu → output.
    private func viewGraph() throws -> (graph: Graph, inputs: [String: HostTensor]) {
        var graph = Graph(name: "views")
        let x = graph.addValue("x", type: TensorType(.float32, known: [2, 3]))
        graph.inputs = [x]
        func add(_ name: String, _ inputs: [ValueID?]) -> ValueID {
            let output = graph.addValue("v\(graph.nodes.count)")
            graph.addNode(Node(name: "n\(graph.nodes.count)", operatorName: name, opset: 21, inputs: inputs, outputs: [output]))
            return output
        }
        func shape(_ sizes: [Int64]) throws -> ValueID {
            let value = graph.addValue("shape \(sizes)")
            graph.constants[value] = try HostTensor(.int64, [sizes.count], integers: sizes)
            return value
        }
        let flat = add("Reshape", [add("Relu", [x]), try shape([6])])
        graph.outputs = [add("Reshape", [flat, try shape([3, 2])]), add("Relu", [flat])]
        return (graph, ["x": try HostTensor(.float32, [2, 3], doubles: [-1, 1, -2, 2, -3, 3])])
    }

    @Test("a pin that nobody can satisfy says why")
    func impossiblePin() throws {
        let set = try devices("a,cpu")
        var graph = Graph(name: "double")
        let x = graph.addValue("x", type: TensorType(.float64, known: [4]))
        graph.inputs = [x]
        let y = graph.addValue("y")
        graph.addNode(Node(name: "exp", operatorName: "Exp", opset: 21, inputs: [x], outputs: [y]))
        graph.outputs = [y]
        let error = #expect(throws: NoKernelError.self) { try place(graph, set, rules(pins: [("ex*", "a:0")])) }
        #expect(error?.description.contains("'--place ex*=a:0'") == true)
        #expect(try place(graph, set, rules()).steps.map(\.device) == [1])
    }

    @Test func pinsByNameOperatorAndType() {
        let node = Node(name: "block/Add_1", operatorName: "Add", opset: 21, inputs: [], outputs: [])
        func matches(_ pattern: String, _ type: DataType? = .float16) -> Bool { Pin((pattern, "a")).matches(node, type) }
        #expect(matches("block/*") && matches("Add") && matches("name:*Add_1") && matches("op:A*") && matches("type:float*"))
        #expect(!matches("Mul") && !matches("name:Add") && !matches("op:block*") && !matches("type:float32") && !matches("type:*", nil))
        #expect(Pin.rules(in: "# first\n\n  a=npu:0\nb=cpu\n") == ["a=npu:0", "b=cpu"])
    }

    @Test("a device of last resort gets only what nobody else takes")
    func lastResort() throws {
        let set = try devices("a,cpu", profile: "endpoint")
        let graph = try RandomGraph(seed: 1).graph
        var rules = rules()
        rules.lastResort = "cpu:0"
        let placement = try place(graph, set, rules)
        #expect(placement.steps.allSatisfy { $0.device == 0 })
    }
}

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

/// Views, memory that is shared in place, and plans that are followed byte by byte.
@Suite struct ScheduleTests {
    private func device(_ name: String) throws -> Device {
        try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_\(name).so").path)).openDevice(0)
    }

    /// Elementwise nodes over values of one size, some of which are read often.
    private func randomGraph(_ count: Int, seed: UInt64) -> Graph {
        var generator = Generator(state: seed)
        var graph = Graph(name: "random")
        let type = TensorType(.float32, known: [4, 16])
        graph.inputs = [graph.addValue("x", type: type), graph.addValue("y", type: type)]
        var values = graph.inputs
        for index in 0..<count {
            let (name, count) = [("Neg", 1), ("Abs", 1), ("Relu", 1), ("Add", 2), ("Sub", 2), ("Max", 2)][generator.next(below: 6)]
            let inputs = (0..<count).map { _ in values[max(0, values.count - 1 - generator.next(below: 5))] }
            let output = graph.addValue("v\(index)")
            graph.addNode(Node(name: "n\(index)", operatorName: name, opset: 14, inputs: inputs, outputs: [output]))
            values.append(output)
        }
        graph.outputs = [values[values.count - 1], values[values.count / 2]]
        return graph
    }

    private func inputs(_ graph: Graph) throws -> [String: HostTensor] {
        try Dictionary(
            uniqueKeysWithValues: graph.inputs.enumerated().map { index, value in
                (graph[value].name, try HostTensor(.float32, [4, 16], (0..<64).map { Float(($0 * 7 + index * 3) % 11) - 5 }))
            })
    }

    /// The results are those of a run in which every value has memory of its own.
    @Test(arguments: 0..<12) func sharingAndReorderingChangeNothing(seed: Int) throws {
        let graph = randomGraph(10 + 4 * seed, seed: UInt64(seed))
        let devices = [try device(seed % 3 == 2 ? "npu" : "cpu")] + (seed % 3 == 2 ? [try device("cpu")] : [])
        var rules = PlacementRules()
        if seed % 3 == 2 { rules.pins = [("Sub", "cpu:0"), ("Max", "cpu:0")] }
        let session = Session(graph, devices: devices, rules: rules)
        let tensors = try inputs(graph)
        let shared = try session.run(tensors)
        let summary = try #require(session.summary)
        for plan in summary.memoryPlans {
            #expect(plan.firstFault == nil)
            #expect(plan.byteCount == plan.lowerBound)
        }
        let order = try #require(summary.order)
        #expect(order.bound <= order.givenBound)
        let (apart, misdeed) = try Session(graph, devices: devices, rules: rules).runGuarded(tensors)
        #expect(misdeed == nil && shared.map { Array($0.tensor.bytes) } == apart.map { Array($0.tensor.bytes) })
    }

    /// A value that nobody reads again gives its memory to the next one.
    @Test func chainsRunInPlace() throws {
        var graph = Graph(name: "chain")
        var value = graph.addValue("x", type: TensorType(.float32, known: [4, 16]))
        graph.inputs = [value]
        for index in 0..<5 {
            let next = graph.addValue("v\(index)")
            graph.addNode(Node(name: "n\(index)", operatorName: "Neg", opset: 13, inputs: [value], outputs: [next]))
            value = next
        }
        graph.outputs = [value]
        let session = Session(graph, devices: [try device("cpu")])
        let output = try session.run(["x": try HostTensor(.float32, [4, 16], (0..<64).map { Float($0) })])
        #expect(output[0].tensor.decodedDoubles() == (0..<64).map { -Double($0) })
        #expect(session.summary?.arenas.map(\.byteCount) == [256])
    }

    /// Of an input, a constant, a result and another view; read by kernels in place, and as outputs.
    @Test(arguments: ["cpu", "npu,cpu"]) func viewsAreReadWhereTheirSourceIs(list: String) throws {
        var graph = Graph(name: "views")
        func constant(_ name: String, _ tensor: HostTensor) -> ValueID {
            let value = graph.addValue(name)
            graph.constants[value] = tensor
            return value
        }
        func add(_ operatorName: String, _ inputs: ValueID...) -> ValueID {
            let output = graph.addValue("\(operatorName)-\(graph.nodes.count)")
            graph.addNode(Node(name: output.index.description, operatorName: operatorName, opset: 14, inputs: inputs, outputs: [output]))
            return output
        }
        let x = graph.addValue("x", type: TensorType(.float32, known: [4, 6]))
        graph.inputs = [x]
        let flat = constant("flat", try HostTensor(.int64, [1], [Int64(24)]))
        let wide = constant("wide", try HostTensor(.int64, [2], [Int64(2), 12]))
        let c = constant("c", try HostTensor(.float32, [2, 12], (0..<24).map { Float($0) }))
        let ofInput = add("Reshape", x, flat)
        let ofView = add("Reshape", ofInput, wide)
        let ofConstant = add("Reshape", c, flat)
        let negated = add("Neg", ofView)
        let ofResult = add("Reshape", negated, flat)
        let sum = add("Add", ofResult, ofConstant)
        let doubled = add("Add", negated, ofView)
        graph.outputs = [ofInput, ofView, ofConstant, ofResult, sum, add("Reshape", sum, wide), doubled]
        let devices = try DeviceSet(list, fallback: nil, installation: .locate())
        let session = Session(graph, devices: devices.devices)
        let given = (0..<24).map { Double($0 * 5 % 7) }
        for _ in 0..<2 {
            let outputs = try session.run(["x": try HostTensor(.float32, [4, 6], given.map { Float($0) })]).map(\.tensor)
            #expect(outputs.map(\.shape) == [[24], [2, 12], [24], [24], [24], [2, 12], [2, 12]])
            let minus = given.map { -$0 }
            let plus = minus.enumerated().map { $1 + Double($0) }
            let expected = [given, given, (0..<24).map { Double($0) }, minus, plus, plus, given.map { _ in 0 }]
            #expect(outputs.map { $0.decodedDoubles().map { $0 == 0 ? 0 : $0 } } == expected.map { $0.map { $0 == 0 ? 0 : $0 } })
        }
    }

    /// The verifier that follows bytes accepts the plan, and sees every slot that is moved onto one that is needed.
    @Test func followingTheBytesFindsWhatIsOverwritten() throws {
        let graph = randomGraph(30, seed: 5)
        let devices = [try device("cpu")]
        let types = Dictionary(uniqueKeysWithValues: graph.inputs.map { ($0, ConcreteType(.float32, [4, 16])) })
        let placement = try Placer(graph, devices: devices, rules: PlacementRules()).place(
            GraphInference(graph, inputs: types, values: [:]))
        let schedule = try Schedule(placement, devices: devices)
        let plan = try #require(schedule.memoryPlans(placement, devices: devices).first)
        var offsets = [Int](repeating: 0, count: schedule.slots.count)
        for (slot, offset) in zip(plan.slots, plan.offsets) { offsets[slot] = offset }
        for slot in offsets.indices { offsets[slot] = offsets[schedule.root(slot)] }
        #expect(schedule.firstFault(offsets: offsets) == nil)
        var found = 0
        for (index, slot) in plan.slots.enumerated() {
            for (other, victim) in plan.slots.enumerated() where other != index && offsets[slot] != offsets[victim] {
                let (one, two) = (plan.lifetimes[index], plan.lifetimes[other])
                guard one.first < two.first, two.first < one.last else { continue }
                var moved = offsets
                for alias in offsets.indices where schedule.root(alias) == victim { moved[alias] = offsets[slot] }
                #expect(schedule.firstFault(offsets: moved) != nil)
                found += 1
            }
        }
        #expect(found > 10)
    }
}

// SPDX-License-Identifier: Apache-2.0
import CAllocationCounter
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// What a run costs on the host beside the kernels: counted, not timed.
@Suite struct LaunchLoopTests {
    @Test func countersCount() {
        final class Thing {}
        var things: [Thing] = []
        let thing = Thing()
        let before = thread_counts_now()
        for _ in 0..<10 { things.append(thing) }
        let after = thread_counts_now()
        #expect(things.count == 10)
        #expect(after.retains - before.retains >= 10)
        #expect(after.allocations > before.allocations)
    }

    /// A run of many nodes allocates and retains not once more than a run of few: whatever the loop does, it does without.
    @Test(arguments: ["minimal", "cpu"]) func launchingAllocatesAndRetainsNothing(plugin: String) throws {
        let few = try counts(ofRelus: 8, on: plugin)
        let many = try counts(ofRelus: 200, on: plugin)
        #expect(many.allocations == few.allocations)
        #expect(many.retains == few.retains)
    }

    private func counts(ofRelus count: Int, on plugin: String) throws -> thread_counts {
        var graph = Graph(name: "chain")
        let type = TensorType(.float32, [.known(4)])
        var value = graph.addValue("x", type: type)
        graph.inputs = [value]
        for index in 0..<count {
            let next = graph.addValue("y\(index)")
            graph.addNode(Node(name: "n\(index)", operatorName: "Relu", opset: 14, inputs: [value], outputs: [next]))
            value = next
        }
        graph.outputs = [value]
        let path = plugin == "cpu" ? "cpu" : try minimalPlugin().path
        let devices = try DeviceSet(path, fallback: nil, installation: .locate())
        let session = Session(graph, devices: devices.devices)
        let input = ["x": try HostTensor(.float32, [4], doubles: [-1, 2, -3, 4])]
        #expect(try session.run(input)[0].tensor.decodedDoubles() == [0, 2, 0, 4])
        _ = try session.run(input)
        let before = thread_counts_now()
        _ = try session.run(input)
        let after = thread_counts_now()
        return thread_counts(allocations: after.allocations - before.allocations, retains: after.retains - before.retains)
    }
}

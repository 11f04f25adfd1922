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

    /// The same of a model that is split between a chip with queues, whose own calls allocate nothing, and the CPU.
    @Test func splitRunAllocatesAndRetainsNothing() throws {
        func counts(_ rounds: Int) throws -> thread_counts {
            // As many inputs and outputs whatever the length.
            let model = SplitModel(rounds: rounds, sharedInputs: true, onlyLast: true)
            let session = model.session([try lazyQueues(), try cpu()])
            let inputs = try model.inputs(seed: 1)
            for _ in 0..<2 { #expect(try model.isRight(session, seed: 1)) }
            #expect(session.summary?.placement == ["lazy-queues:0": 2 * rounds, "cpu:0": rounds])
            let before = thread_counts_now()
            _ = try session.run(inputs)
            let after = thread_counts_now()
            return thread_counts(allocations: after.allocations - before.allocations, retains: after.retains - before.retains)
        }
        let (few, many) = (try counts(2), try counts(40))
        #expect(many.allocations == few.allocations)
        #expect(many.retains == few.retains)
    }

    /// Runs leave the memory of the device as it is.
    @Test func repeatedRunsTakeNoDeviceMemory() throws {
        let model = SplitModel(rounds: 3)
        let device = try npu()
        let session = model.session([device, try cpu()])
        #expect(try model.isRight(session, seed: 0))
        let before = try #require(try device.usage())
        for run in 1..<10 {
            #expect(try model.isRight(session, seed: run))
            #expect(try device.usage() == before)
        }
        #expect(before > 0)
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

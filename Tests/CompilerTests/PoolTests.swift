// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// Memory that plans share one after another.
@Suite struct PoolTests {
    private func npu(_ options: [String: String] = [:]) throws -> Device {
        try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_npu.so").path), options: options).openDevice(0)
    }

    @Test func blocksAreUsedAgain() throws {
        let device = try npu()
        let pool = DevicePool.shared(device)
        #expect(DevicePool.shared(device) === pool)
        do {
            let block = try pool.allocate(byteCount: 10_000, name: "first")
            #expect(pool.statistics == .init(inUseBytes: 10_000, peakBytes: 10_000, allocations: 1))
            #expect(block.isOwn && pool.holders(3).map(\.name) == ["first"])
        }
        #expect(pool.statistics == .init(cachedBytes: 10_000, peakBytes: 10_000, allocations: 1))
        do {
            // A little less fits, much less would waste too much, more does not fit.
            let again = try pool.allocate(byteCount: 9_000, name: "second")
            let small = try pool.allocate(byteCount: 1_000, name: "third")
            let large = try pool.allocate(byteCount: 20_000, name: "fourth")
            #expect(pool.statistics == .init(inUseBytes: 31_000, peakBytes: 31_000, allocations: 3, hits: 1))
            #expect(pool.holders(2).map(\.name) == ["fourth", "second"])
            withExtendedLifetime((again, small, large)) {}
        }
        #expect(try device.usage() ?? 0 >= 31_000)
        #expect(pool.trim() == 31_000)
        #expect(try device.usage() == 0)
        #expect(pool.statistics == .init(peakBytes: 31_000, allocations: 3, hits: 1, trims: 1))
    }

    @Test func constantsAreSharedWhileTheyAreUsed() throws {
        let pool = DevicePool.shared(try npu())
        let tensor = try HostTensor(.float32, [100], (0..<100).map { Float($0) })
        do {
            let one = try pool.constant(tensor, name: "w")
            let other = try pool.constant(tensor, name: "w")
            #expect(one === other && pool.statistics.allocations == 1)
            let bytes = try HostTensor(.float32, [100]) { try pool.device.download(from: one.buffer, into: $0) }
            #expect(bytes.decodedDoubles() == tensor.decodedDoubles())
        }
        #expect(pool.statistics.inUseBytes == 0 && pool.statistics.cachedBytes == 400)
    }

    /// What waits goes back before a request fails, and the failure says who holds what.
    @Test func exhaustionTrimsAndThenNamesTheHolders() throws {
        try withTemporaryFolder { folder in
            let profile = folder.appending(path: "chip.yaml")
            let text = try String(contentsOf: repository.appending(path: "Conformance/profiles/npu/endpoint.yaml"), encoding: .utf8)
            try text.replacing("2 GiB", with: "1 MiB").write(to: profile, atomically: true, encoding: .utf8)
            let pool = DevicePool.shared(try npu(["profile": profile.path]))
            do {
                let waiting = try pool.allocate(byteCount: 600_000, name: "gone")
                withExtendedLifetime(waiting) {}
            }
            let weights = try pool.allocate(byteCount: 900_000, name: "'weights'")
            #expect(pool.statistics == .init(inUseBytes: 900_000, peakBytes: 900_000, allocations: 2, trims: 1))
            let error = try #require(throws: PluginError.self) { try pool.allocate(byteCount: 500_000, name: "results") }
            #expect(error.code == .outOfMemory)
            for part in ["npu:0 has no room for 488 KiB (results)", "of its 1 MiB", "879 KiB by 'weights'"] {
                #expect(error.message.contains(part), "\(error)")
            }
            withExtendedLifetime(weights) {}
        }
    }

    /// Plans for several shapes: each is made once, and what a plan gives back the next one takes.
    @Test func sessionsKeepPlansForSeveralShapes() throws {
        var graph = Graph(name: "any length")
        var value = graph.addValue("x", type: TensorType(.float32, [.symbol("n"), .known(8)]))
        graph.inputs = [value]
        for index in 0..<6 {
            let next = graph.addValue("v\(index)")
            graph.addNode(
                Node(name: "n\(index)", operatorName: index % 2 == 0 ? "Sigmoid" : "Softmax", opset: 13, inputs: [value], outputs: [next]))
            value = next
        }
        graph.outputs = [value]
        let device = try npu()
        let pool = DevicePool.shared(device)
        var rules = MemoryRules()
        rules.keptPlans = 2
        let cpu = try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_cpu.so").path))
        let session = Session(graph, devices: [device, try cpu.openDevice(0)], memoryRules: rules)
        func run(_ length: Int) throws -> [Double] {
            let input = try HostTensor(.float32, [length, 8], (0..<length * 8).map { Float($0 % 7) })
            return try session.run(["x": input])[0].tensor.decodedDoubles()
        }
        let first = try run(1000)
        let second = try run(500)
        let made = pool.statistics.allocations
        #expect(made > 0)
        for _ in 0..<3 {
            #expect(try run(1000) == first)
            #expect(try run(500) == second)
        }
        #expect(pool.statistics.allocations == made && pool.statistics.hits == 0)
        // A third shape takes the place of the one that was used least lately.
        _ = try run(1100)
        _ = try run(990)
        #expect(pool.statistics.hits > 0 || pool.statistics.cachedBytes > 0)
        #expect(try run(1000) == first)
    }
}

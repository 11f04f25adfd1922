// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// Which kernels are granted the layouts that they would rather have.
@Suite struct LayoutSelectionTests {
    /// A random problem: every link has a maker before its readers.
    private func problem(_ seed: UInt64, members: Int, readers: Int) -> LayoutProblem {
        let random = CounterRandom(seed: seed, case: "layouts", tensor: "problem")
        var next: UInt64 = 0
        func draw(_ bound: UInt64) -> Int {
            next += 1
            return Int(random.integer(next, below: bound))
        }
        var links: [LayoutProblem.Link] = []
        for member in 0..<members {
            var link = LayoutProblem.Link()
            if member > 0 { link.maker = (member - 1, 1) }
            link.readers = [(member, 1)]
            for _ in 1..<max(readers, 1) where member + 1 < members {
                link.readers.append((member + 1 + draw(UInt64(members - member - 1)), 1))
            }
            link.isRowMajor = draw(4) == 0
            (link.pack, link.unpack) = ([1: Double(1 + draw(9))], Double(1 + draw(9)))
            links.append(link)
        }
        return LayoutProblem(changes: (0..<members).map { _ in Double(draw(20)) - 14 }, links: links)
    }

    private func least(_ problem: LayoutProblem, members: Int) -> Double {
        (0..<(1 << members)).map { choice in problem.cost((0..<members).map { choice >> $0 & 1 == 1 }) }.min() ?? 0
    }

    @Test func chainsAreSolvedExactly() {
        for seed in 0..<200 as Range<UInt64> {
            let problem = problem(seed, members: 9, readers: 1)
            #expect(problem.cost(problem.solve()) == least(problem, members: 9), "seed \(seed)")
        }
    }

    @Test func sharedValuesAreSolvedWell() {
        var (found, possible) = (0.0, 0.0)
        for seed in 0..<200 as Range<UInt64> {
            let problem = problem(seed, members: 9, readers: 2)
            let cost = problem.cost(problem.solve())
            let best = least(problem, members: 9)
            #expect(cost >= best && cost <= 0)
            (found, possible) = (found + cost, possible + best)
        }
        #expect(found <= 0.95 * possible, "\(found) of \(possible)")
    }

    // MARK: A library's own layouts

    private func images(_ shape: [Int], flags: [String] = [], optimizing: Bool) throws -> (values: [Float], kernels: [String]) {
        let cpu = try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_cpu.so").path)).openDevice(0)
        let plugin = try Plugin.load(PluginReference(path: buildPlugin("Tests/Plugins/library_layouts.c", flags: flags).path))
        defer { withExtendedLifetime(plugin) {} }
        var graph = Graph(name: "images")
        let x = graph.addValue("x", type: TensorType(.float32, known: shape))
        graph.inputs = [x]
        var last = x
        for (index, name) in ["Neg", "Relu", "Neg", "Neg", "Tanh"].enumerated() {
            let next = graph.addValue("v\(index)")
            graph.addNode(Node(name: "n\(index)", operatorName: name, opset: 14, inputs: [last], outputs: [next]))
            last = next
        }
        graph.outputs = [last]
        var rules = PlacementRules()
        rules.optimizing = optimizing
        rules.preferred = ["blocked"]
        rules.disabledPasses = ["algebra", "fuse-elementwise"]
        let session = Session(graph, devices: [cpu], libraries: [try #require(plugin.library)], rules: rules)
        let input = try HostTensor(.float32, shape, (0..<shape.reduce(1, *)).map { Float($0 % 7) - 3 })
        return (try session.run(["x": input])[0].tensor.elements(as: Float.self), session.summary?.nodes.map(\.kernel) ?? [])
    }

    /// Four kernels of a library stay in its layout, whatever the CPU plugin's kernel behind them reads (SB-OPS-013).
    @Test func aLibraryKeepsToItsLayout() throws {
        let (plain, packed) = (try images([2, 6, 5, 3], optimizing: false), try images([2, 6, 5, 3], optimizing: true))
        #expect(packed.values == plain.values)
        #expect(plain.kernels.filter { $0 == "blocked/convert_layout" }.isEmpty)
        #expect(packed.kernels.filter { $0 == "blocked/convert_layout" }.count == 2)
        #expect(packed.kernels.filter { $0.hasPrefix("blocked/") }.count == 6)
    }

    /// A layout that is not listed, and one that holds tensors of another rank: nobody knows what they take.
    @Test(arguments: [("-DWISHES=7", [2, 6, 5, 3]), ("-DWISHES=1", [4, 9])]) func wishesThatCannotBeAreNotGranted(
        flag: String, shape: [Int]
    ) throws {
        let run = try images(shape, flags: [flag], optimizing: true)
        #expect(run.values == (try images(shape, optimizing: false)).values)
        #expect(!run.kernels.contains("blocked/convert_layout") && run.kernels.filter { $0.hasPrefix("blocked/") }.count == 4)
    }

    // MARK: On the simulated NPU

    /// w · x, then relu and w · again as often as wanted, in float16 on whole numbers.
    private func chain(_ count: Int, size: Int) throws -> (graph: Graph, inputs: [String: HostTensor]) {
        var graph = Graph(name: "chain")
        let x = graph.addValue("x", type: TensorType(.float16, known: [size, size]))
        graph.inputs = [x]
        var last = x
        for index in 0..<count {
            let weight = graph.addValue("w\(index)")
            // Few entries are not zero, so that the numbers stay small.
            graph.constants[weight] = try HostTensor(
                .float16, [size, size], doubles: (0..<(size * size)).map { $0 % (size + 1) == index ? 1 : $0 % 61 == index ? -1 : 0 })
            let product = graph.addValue("product\(index)")
            graph.addNode(Node(name: "MatMul\(index)", operatorName: "MatMul", opset: 21, inputs: [weight, last], outputs: [product]))
            last = product
            if index + 1 == count { break }
            last = graph.addValue("relu\(index)")
            graph.addNode(Node(name: "Relu\(index)", operatorName: "Relu", opset: 21, inputs: [product], outputs: [last]))
        }
        graph.outputs = [last]
        let input = try HostTensor(.float16, [size, size], doubles: (0..<(size * size)).map { Double($0 % 5) - 2 })
        return (graph, ["x": input])
    }

    private func run(
        _ count: Int, size: Int, options: [String: String], optimizing: Bool
    ) throws -> (bytes: [UInt8], cycles: UInt64, conversions: Int) {
        let npu = try Plugin.load(
            PluginReference(path: products.appending(path: "libsouthbridge_npu.so").path),
            options: options.merging(["graphs": "false"]) { $1 })
        let device = try npu.openDevice(0)
        var rules = PlacementRules()
        rules.optimizing = optimizing
        let (graph, inputs) = try chain(count, size: size)
        let session = Session(graph, devices: [device], rules: rules)
        let result = try session.run(inputs)
        var cycles: UInt64 = 0
        for counter in try device.counters() where counter.name == "cycles" {
            if case .cumulative(let count) = counter.value { cycles = count }
        }
        let conversions = session.summary?.nodes.count { $0.kernel.contains("ConvertLayout") } ?? 0
        return (withExtendedLifetime(result) { Array(result[0].tensor.bytes) }, cycles, conversions)
    }

    /// The endpoint chip with an L1 that is no faster than its memory: the short runs of a row-major right operand cost four times their bytes there.
    private func slowProfile(in folder: URL) throws -> String {
        let edits = [
            ("bandwidthBytesPerSecond: 16 GB/s", "bandwidthBytesPerSecond: 3.2 GB/s"),
            ("64 KiB\n    bandwidthBytesPerSecond: 32 GB/s", "64 KiB\n    bandwidthBytesPerSecond: 3.2 GB/s"),
            ("operationsPerCycle: 128", "operationsPerCycle: 256"), ("launchLatencyPicoseconds: 10 us", "launchLatencyPicoseconds: 1 us"),
        ]
        let text = try String(contentsOf: repository.appending(path: "Conformance/profiles/npu/endpoint.yaml"), encoding: .utf8)
        let edited = try edits.reduce(text) { text, edit in
            try #require(text.contains(edit.0))
            return text.replacing(edit.0, with: edit.1)
        }
        let file = folder.appending(path: "slow.yaml")
        try edited.write(to: file, atomically: true, encoding: .utf8)
        return file.path
    }

    /// A chain stays packed: two conversions, fewer cycles with both of them counted, the same bits.
    @Test(arguments: ["prompt", "adversarial"]) func aChainStaysPacked(_ ordering: String) throws {
        try withTemporaryFolder { folder in
            let options = ["profile": try slowProfile(in: folder), "ordering": ordering]
            let plain = try run(6, size: 96, options: options, optimizing: false)
            let packed = try run(6, size: 96, options: options, optimizing: true)
            #expect(packed.bytes == plain.bytes)
            #expect(plain.conversions == 0 && packed.conversions == 2)
            #expect(packed.cycles < plain.cycles, "\(packed.cycles) cycles packed, \(plain.cycles) row-major")
        }
    }

    /// One product is not worth two conversions; and on a chip whose copies lay out for nothing, neither are six.
    @Test func whatDoesNotPayStaysRowMajor() throws {
        try withTemporaryFolder { folder in
            let profile = try slowProfile(in: folder)
            let conversions = try run(1, size: 96, options: ["profile": profile], optimizing: true).conversions
            #expect(conversions == 0)
        }
        #expect(try run(6, size: 96, options: ["profile": "edge"], optimizing: true).conversions == 0)
    }
}

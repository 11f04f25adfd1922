// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import Testing

/// Times of products on the edge profile and on chips that have more of something.
@Suite struct KernelTimeTests {
    private static let nodes = [
        TestNode(name: "MatMul", version: 13, inputs: [[64, 64], [64, 64]], output: [64, 64]),
        TestNode(name: "MatMul", version: 13, type: SB_TYPE_FLOAT16, inputs: [[512, 512], [512, 512]], output: [512, 512]),
        TestNode(name: "MatMul", version: 13, type: SB_TYPE_BFLOAT16, inputs: [[1, 2048], [2048, 1000]], output: [1, 1000]),
        TestNode(name: "MatMul", version: 13, type: SB_TYPE_FLOAT16, inputs: [[12, 100, 64], [12, 64, 100]], output: [12, 100, 100]),
        TestNode(
            name: "Conv", version: 22, inputs: [[1, 64, 56, 56], [64, 64, 3, 3]], output: [1, 64, 56, 56],
            attributes: ["pads": [1, 1, 1, 1]]),
        TestNode(
            name: "Conv", version: 22, type: SB_TYPE_FLOAT16, inputs: [[1, 3, 224, 224], [64, 3, 7, 7]], output: [1, 64, 112, 112],
            attributes: ["pads": [3, 3, 3, 3], "strides": [2, 2]]),
    ]

    private static let profile = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../Conformance/profiles/npu/edge.yaml")

    /// Edits of the profile that give it more of one thing.
    private static let improvements: [(name: String, edits: [(String, String)])] = [
        ("device memory", [("102.4 GB/s", "204.8 GB/s")]),
        ("L2's bandwidth", [("409.6 GB/s", "819.2 GB/s")]),
        ("L2", [("4 MiB", "8 MiB")]),
        ("L1", [("256 KiB", "512 KiB")]),
        ("accumulators and vectors", [("128 KiB", "256 KiB")]),
        ("the clock", [("800 MHz", "1600 MHz")]),
        ("the matrix unit's rate", [("operationsPerCycle: 8192", "operationsPerCycle: 16384")]),
        (
            "the vector unit's rate",
            [
                ("tile: {n: 32}", "tile: {n: 64}"), ("operationsPerCycle: 64}", "operationsPerCycle: 128}"),
                ("float16, operationsPerCycle: 128}", "float16, operationsPerCycle: 256}"),
            ]
        ),
        (
            "cores",
            [
                ("count: 4", "count: 8"), ("3.2768 TB/s", "6.5536 TB/s"),
                ("6.5536 TB/s\n    latencyPicoseconds: 5", "13.1072 TB/s\n    latencyPicoseconds: 5"), ("1.2288 TB/s", "2.4576 TB/s"),
            ]
        ),
    ]

    @Test(arguments: improvements.indices) func moreIsNeverSlower(_ index: Int) throws {
        let (name, edits) = Self.improvements[index]
        let text = try String(contentsOf: Self.profile, encoding: .utf8)
        let better = edits.reversed().reduce(text) { $0.replacing($1.0, with: $1.1) }
        #expect(better != text)
        let file = FileManager.default.temporaryDirectory.appending(
            path: "better-\(index)-\(ProcessInfo.processInfo.processIdentifier).yaml")
        try better.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let before = try PluginUnderTest(["profile": Self.profile.path])
        let after = try PluginUnderTest(["profile": file.path])
        for node in Self.nodes {
            let old: Double = try #require(try before.cost(node), "\(node)")
            let new: Double = try #require(try after.cost(node), "\(node)")
            let isSlower = new > old * 1.000_000_001
            #expect(!isSlower, "\(node) takes \(old) ns, and with more of \(name) \(new) ns")
        }
    }

    /// A product of 768 in float16, which fits in L2: at least as long as the matrix unit takes at its full rate, and not twice as long.
    @Test func largeProductIsNearTheRoofline() throws {
        let plugin = try PluginUnderTest(["profile": Self.profile.path])
        let node = TestNode(name: "MatMul", version: 13, type: SB_TYPE_FLOAT16, inputs: [[768, 768], [768, 768]], output: [768, 768])
        let cost = try #require(try plugin.cost(node))
        // 2 · 768³ operations at 8,192 a cycle in each of 4 cores, 0.8 cycles a nanosecond.
        let floor: Double = 905_969_664 / 26_214.4
        #expect(cost >= floor && cost < 2 * floor, "\(cost) ns, floor \(floor)")
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import Operators
import Tensors
import Testing

/// Models of the corpus with bytes changed at random: read or refused, never a crash.
@Suite struct FuzzTests {
    private static let mutations = 200

    @Test func survivesChangedBytes() throws {
        var outcomes = (read: 0, refused: 0)
        for path in try models() {
            let original = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            let random = CounterRandom(
                seed: 1, case: "fuzz", tensor: URL(fileURLWithPath: path).deletingLastPathComponent().lastPathComponent)
            for mutation in 0..<Self.mutations {
                var bytes = original
                for flip in 0..<1 + mutation % 4 {
                    let counter = UInt64(2 * (4 * mutation + flip))
                    bytes[Int(random.integer(counter, below: UInt64(bytes.count)))] = UInt8(
                        random.integer(counter + 1, below: 256))
                }
                do throws(ONNXError) {
                    let graph = try readModel(data: Data(bytes)).graph
                    outcomes.read += 1
                    try? infer(graph)
                } catch {
                    outcomes.refused += 1
                    #expect(!error.description.isEmpty)
                }
            }
        }
        // Changes in names are harmless, those in lengths and tags are not: both must have been seen.
        #expect(outcomes.read > 100 && outcomes.refused > 100)
    }

    private func infer(_ graph: Graph) throws {
        let types = graph.inputs.compactMap { graph[$0].type }.map { type in
            ConcreteType(type.dataType, type.shape?.map { if case .known(let size) = $0 { size } else { 2 } } ?? [])
        }
        _ = try GraphInference(graph, inputs: Dictionary(uniqueKeysWithValues: zip(graph.inputs, types)))
    }

    /// Twenty models, spread over the node cases.
    private func models() throws -> [String] {
        let environment = ProcessInfo.processInfo.environment["SOUTHBRIDGE_CORPUS"].map { URL(fileURLWithPath: $0) }
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = (environment ?? repository.appending(path: "build/corpus")).appending(path: "node")
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
        try #require(names.count >= 20, "\(folder.path) holds no corpus: run `make data` first")
        return (0..<20).map { folder.appending(path: names[$0 * names.count / 20]).appending(path: "model.onnx").path }
    }
}

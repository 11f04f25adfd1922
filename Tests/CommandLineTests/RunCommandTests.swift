// SPDX-License-Identifier: Apache-2.0
import Foundation
import ONNX
import Tensors
import TestSupport
import Testing

@Suite struct RunCommandTests {
    private struct Result: Decodable {
        struct Output: Decodable { let name: String, shape: [Int], dataType: String, file: String? }
        struct Latency: Decodable { let firstMs, medianMs, p10Ms, p90Ms: Double, repeats: Int }
        let device: String
        let seed: UInt64
        let placement: [String: Int]
        let outputs: [Output]
        let latency: Latency
        let peakMemoryBytes: Int
    }

    private static let network = repository.appending(path: "build/networks/squeezenet")

    private func run(_ more: String..., in folder: URL) throws -> Result {
        let result = try runCommand(
            products.appending(path: "southbridge").path, ["run", Self.network.appending(path: "model.onnx").path, "--json"] + more,
            in: folder)
        try #require(result.status == 0, "\(result.error)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Result.self, from: Data(result.output.utf8))
    }

    @Test func aPluginWithOneKernelRunsANetworkWithTheCPUForTheRest() throws {
        try withTemporaryFolder { folder in
            let set = Self.network.appending(path: "test_data_set_0")
            let input = try readTensor(path: set.appending(path: "input_0.pb").path)
            let expected = try readTensor(path: set.appending(path: "output_0.pb").path).tensor
            let result = try run(
                "--device", "\(minimalPlugin().path),cpu", "--input", "\(input.name)=\(set.path)/input_0.pb", "--output", "out", in: folder)
            let relus = result.placement["minimal:0"] ?? 0
            #expect(relus == 26)
            #expect((result.placement["cpu:0"] ?? 0) > relus)
            let actual = try readNumpy(path: result.outputs[0].file ?? "")
            #expect(actual.shape == expected.shape)
            for (a, e) in zip(actual.decodedDoubles(), expected.decodedDoubles()) { #expect(abs(a - e) <= 1e-5 + 1e-3 * abs(e)) }
        }
    }

    @Test func theSameSeedGivesTheSameOutputsAndAnInputFileToo() throws {
        try withTemporaryFolder { folder in
            for name in ["a", "b"] { _ = try run("--device", "cpu", "--seed", "4", "--output", name, in: folder) }
            let other = try run("--device", "cpu", "--seed", "5", "--output", "c", in: folder)
            let name = URL(filePath: other.outputs[0].file ?? "").lastPathComponent
            let bytes = try ["a", "b", "c"].map { try Data(contentsOf: folder.appending(path: "\($0)/\(name)")) }
            #expect(bytes[0] == bytes[1])
            #expect(bytes[0] != bytes[2])
        }
    }

    @Test func mixedPrecisionIsAskedForAndCounted() throws {
        let model = Self.network.appending(path: "model.onnx").path
        for command in ["run", "explain"] {
            let wrong = try southbridge(command, model, "--device", "cpu", "--mixed", "int8")
            #expect(wrong.status == 2 && wrong.error.contains("float16, bfloat16"), "\(wrong.error)")
        }
        #expect(try southbridge("bench", "cpu", "--suite", "models", "--mixed", "half").status == 2)
        #expect(try southbridge("bench", "cpu", "--suite", "operators", "--mixed", "float16").status == 2)
        let text = try southbridge("explain", model, "--device", "npu", "--mixed", "bfloat16")
        #expect(text.status == 0 && text.output.contains("2 casts, 2 float32 nodes"), "\(text.output.suffix(600))")
        let json = try southbridge("explain", model, "--device", "npu", "--mixed", "bfloat16", "--json")
        struct Explained: Decodable {
            struct Pass: Decodable { let name: String, figures: [String: Int]? }
            let passes: [Pass]
        }
        let passes = try JSONDecoder().decode(Explained.self, from: Data(json.output.utf8)).passes
        #expect(passes.first { $0.name == "mixed-precision" }?.figures?["casts"] == 2)
    }

    @Test func pinsAndDenialsMoveNodes() throws {
        try withTemporaryFolder { folder in
            let minimal = try minimalPlugin().path
            let pinned = try run("--device", "\(minimal),cpu", "--place", "Relu=cpu", "--seed", "1", in: folder)
            #expect(pinned.placement["minimal:0"] == nil)
            let denied = try run("--device", "\(minimal),cpu", "--deny", "relu_float32", "--seed", "1", in: folder)
            #expect(denied.placement["minimal:0"] == nil)
        }
    }

    @Test func writesATraceAndLatencies() throws {
        try withTemporaryFolder { folder in
            let result = try run("--device", "cpu", "--repeat", "3", "--trace", "trace.json", "--disable-pass", "all", in: folder)
            #expect(result.latency.repeats == 3)
            #expect(result.peakMemoryBytes > 4_000_000)
            let trace = try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appending(path: "trace.json"))) as? [String: Any]
            #expect((trace?["traceEvents"] as? [Any])?.count ?? 0 > result.placement["cpu:0"] ?? 0)
        }
    }

    /// A chip that hangs at its first command: the run ends all the same, with one sentence.
    @Test func endsWhenItsTimeIsOver() throws {
        try withTemporaryFolder { folder in
            let result = try southbridge(
                "run", Self.network.appending(path: "model.onnx").path, "--device", "npu", "--option", "npu.fault=hang:1", "--timeout",
                "0.5", in: folder)
            #expect(result.status == 5)
            #expect(result.error.split(separator: "\n").count == 1 && result.error.contains("not done in"), "\(result.error)")
        }
    }

    @Test func anInterruptEndsTheRun() throws {
        let result = try runCommand(
            "sh",
            [
                "-c", "\"$0\" run \"$1\" --device cpu --repeat 1000000000 & sleep 1; kill -INT $!; wait $!",
                products.appending(path: "southbridge").path, Self.network.appending(path: "model.onnx").path,
            ])
        #expect(result.status == 130)
        #expect(result.error == "southbridge: the run was cancelled\n")
    }

    @Test func refusesATimeoutThatCannotBe() throws {
        #expect(try southbridge("run", "model.onnx", "--device", "cpu", "--timeout", "0").status == 2)
    }
}

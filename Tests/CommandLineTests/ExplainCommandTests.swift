// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@Suite struct ExplainCommandTests {
    private struct Explanation: Decodable {
        struct Bid: Decodable { let device: String, accepts: Bool, seconds: Double? }
        struct Node: Decodable { let name, `operator`, device, reason: String, library: String?, kernel: String, bids: [Bid] }
        struct Copy: Decodable { let value, from, to: String, bytes: Int }
        struct Memory: Decodable { let device, space: String, plannedBytes, lowerBoundBytes: Int }
        struct Pin: Decodable { let rule: String, nodes: [String], seconds, secondsWithout: Double }
        struct Choice: Decodable { let seconds, copySeconds: Double, secondsOnOneDevice: [String: Double] }
        let choice: Choice?
        let nodes: [Node]
        let copies: [Copy]
        let memory: [Memory]
        let pins: [Pin]
    }

    private static let network = repository.appending(path: "build/networks/squeezenet/model.onnx")

    private func explain(_ more: String..., in folder: URL) throws -> CommandResult {
        try runCommand(
            products.appending(path: "southbridge").path, ["explain", Self.network.path] + more, in: folder,
            environment: ["SOUTHBRIDGE_CACHE": folder.path])
    }

    private func decoded(_ result: CommandResult) throws -> Explanation {
        try #require(result.status == 0, "\(result.error)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Explanation.self, from: Data(result.output.utf8))
    }

    @Test func everyNodeHasADeviceAReasonAndBids() throws {
        try withTemporaryFolder { folder in
            let explanation = try decoded(explain("--device", "npu,cpu", "--json", in: folder))
            #expect(explanation.nodes.count >= 60)
            #expect(explanation.nodes.allSatisfy { !$0.reason.isEmpty && ["npu:0", "cpu:0", "host"].contains($0.device) })
            #expect(explanation.nodes.contains { node in Set(node.bids.filter(\.accepts).map(\.device)) == ["npu:0", "cpu:0"] })
            let choice = try #require(explanation.choice)
            #expect(choice.secondsOnOneDevice.values.allSatisfy { choice.seconds <= $0 * (1 + 1e-9) })
            #expect(explanation.memory.allSatisfy { $0.plannedBytes >= $0.lowerBoundBytes && $0.lowerBoundBytes > 0 })
        }
    }

    @Test func aPinIsKeptAndItsCostIsTold() throws {
        try withTemporaryFolder { folder in
            let explanation = try decoded(explain("--device", "npu,cpu", "--place", "op:MaxPool=cpu:0", "--json", in: folder))
            #expect(
                explanation.nodes.filter { $0.operator == "MaxPool" }.allSatisfy {
                    $0.device == "cpu:0" && $0.reason.contains("op:MaxPool=cpu:0")
                })
            let pin = try #require(explanation.pins.first)
            #expect(pin.nodes.count == 3 && pin.seconds >= pin.secondsWithout * (1 - 1e-9))
            let text = try explain("--device", "npu,cpu", "--place", "op:MaxPool=cpu:0", "--node", "MaxPool", in: folder)
            #expect(text.output.contains("left out by a rule of the user") && text.output.contains("--place op:MaxPool=cpu:0: 3 nodes"))
        }
    }

    @Test func pictures() throws {
        try withTemporaryFolder { folder in
            let result = try explain("--device", "npu,cpu", "--place", "op:MaxPool=cpu:0", "--svg", "out", in: folder)
            #expect(result.status == 0)
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "out").path).sorted()
            #expect(files == ["memory-cpu-0.svg", "memory-npu-0.svg", "placement.svg"])
            for file in files {
                let text = try String(contentsOf: folder.appending(path: "out/\(file)"), encoding: .utf8)
                #expect(text.hasPrefix("<svg") && text.contains("<rect"))
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import CAllocationCounter
import Foundation
import Graph
import ONNX
import SouthbridgeRuntime
import Tensors
import TestSupport
import Testing

/// `y = max(x + x, 0)` on four floats, as a file.
private final class ModelFile {
    let path = FileManager.default.temporaryDirectory.appending(path: "southbridge-\(UUID().uuidString).onnx").path

    init() throws { try Data(Self.data()).write(to: URL(filePath: path)) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    static func data() throws -> [UInt8] {
        var graph = Graph(name: "example")
        let x = graph.addValue("x", type: TensorType(.float32, known: [4]))
        let s = graph.addValue("s", type: TensorType(.float32, known: [4]))
        let y = graph.addValue("y", type: TensorType(.float32, known: [4]))
        graph.inputs = [x]
        graph.outputs = [y]
        graph.addNode(Node(name: "sum", operatorName: "Add", opset: 14, inputs: [x, x], outputs: [s]))
        graph.addNode(Node(name: "Relu of it", operatorName: "Relu", opset: 14, inputs: [s], outputs: [y]))
        return Array(try modelData(graph, opsets: ["": 14]))
    }
}

/// The Swift API as a program uses it.
@Suite struct RuntimeTests {
    private static let lists = ["cpu", "npu", "npu:0,cpu:0"]

    @Test(arguments: lists) func theSameProgramOnAnyDevices(devices: String) throws {
        let model = try ModelFile()
        #expect(try Examples.firstRun(path: model.path, devices: devices) == [2, 0, 6, 0])
        #expect(try Examples.bound(path: model.path, devices: devices) == 9900)
    }

    @Test(arguments: lists) func awaitedRuns(devices: String) async throws {
        let model = try ModelFile()
        #expect(try await Examples.awaited(path: model.path, devices: devices) == [2, 4])
    }

    @Test func otherExamples() throws {
        let model = try ModelFile()
        #expect(try Examples.ports(path: model.path) == ["x: float32, 4"])
        #expect(try Examples.tensors() == -1.5)
        #expect(try Examples.placed(path: model.path) == ["Add": "npu:0", "Relu": "cpu:0"])
        #expect(try Examples.failing(path: model.path) == "input 'x' must have shape [4], not [3]")
    }

    /// The page shows what is run here, block by block.
    @Test func thePageShowsTheExamples() throws {
        let source = try String(contentsOf: repository.appending(path: "Tests/RuntimeTests/Examples.swift"), encoding: .utf8)
        let page = try String(contentsOf: repository.appending(path: "docs/swift-api.md"), encoding: .utf8)
        let examples = source.components(separatedBy: "// EXAMPLE\n").dropFirst().map { part in
            part.components(separatedBy: "// END")[0].split(separator: "\n", omittingEmptySubsequences: false)
                .map { $0.hasPrefix("        ") ? String($0.dropFirst(8)) : String($0) }.joined(separator: "\n")
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let blocks = page.components(separatedBy: "```swift\n").dropFirst().map {
            $0.components(separatedBy: "```")[0].replacing("import SouthbridgeRuntime\n\n", with: "")
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        #expect(Array(examples) == Array(blocks).filter { !$0.contains(".package(") })
        #expect(examples.count >= 7)
    }

    /// Ten thousand bound runs allocate as often as one does: never.
    @Test(arguments: ["cpu"]) func boundRunsAllocateNothing(devices: String) throws {
        let session = try Session(Model(bytes: ModelFile.data()), on: Devices(devices))
        let run = try session.bind(["x": Tensor([1, 2, 3, 4] as [Float])])
        try run.run()
        let before = thread_counts_now()
        for _ in 0..<1000 { try run.run() }
        let after = thread_counts_now()
        #expect(after.allocations == before.allocations)
        #expect(try run.output("y").elements() == [2, 4, 6, 8] as [Float])
    }

    @Test func boundPlacesAreChecked() throws {
        let run = try Session(Model(bytes: ModelFile.data()), on: Devices()).bind(["x": Tensor([1, 2, 3, 4] as [Float])])
        #expect(throws: RuntimeError.self) { try run.withInput("z", as: Float.self) { _ in } }
        #expect(throws: RuntimeError.self) { try run.withInput("x", as: Int32.self) { _ in } }
        #expect(throws: RuntimeError.self) { try run.output("x") }
        try run.run(deadline: .seconds(30))
        #expect(!run.placement.isEmpty && run.placement.allSatisfy { $0.device == "cpu:0" })
    }

    @Test func errorsHaveCodes() throws {
        func code(_ body: () throws -> Void) -> RuntimeError.Code? {
            do { try body() } catch { return (error as? RuntimeError)?.code }
            return nil
        }
        #expect(code { _ = try Devices("nothing") } == .usage)
        #expect(code { _ = try Model(path: "/nowhere.onnx") } == .model)
        #expect(code { _ = try Model(bytes: [1, 2, 3]) } == .model)
        #expect(code { _ = try Tensor([1, 2, 3] as [Float], shape: [2, 2]) } == .usage)
        #expect(code { _ = try Tensor([1] as [Float]).elements(as: Int64.self) } == .usage)
        let model = try Model(bytes: ModelFile.data())
        #expect(code { _ = try Session(model, on: Devices(), placing: ["*": "npu:7"]) } == .usage)
        #expect(code { _ = try Session(model, on: Devices(), mixed: ElementType("int8")) } == .usage)
        #expect(code { _ = try Session(model, on: Devices()).run([:]) } == .usage)
    }

    @Test func cancellingTheTaskEndsTheRun() async throws {
        let session = try Session(Model(bytes: ModelFile.data()), on: Devices())
        let input = try Tensor([1, 2, 3, 4] as [Float])
        let task = Task {
            for _ in 0..<Int.max { _ = try await session.run(["x": input]) }
        }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await session.run(["x": input])["y"]!.elements() == [2, 4, 6, 8] as [Float])
    }

    @Test func tensorsOfAllTypes() throws {
        func roundTrip<Element: TensorElement & Equatable>(_ elements: [Element]) throws {
            let tensor = try Tensor(elements, shape: [1, elements.count])
            #expect(try tensor.elements() == elements)
            #expect(tensor.elementType == Element.elementType && tensor.shape == [1, elements.count])
            #expect(try Tensor(bytes: tensor.bytes, elementType: tensor.elementType, shape: tensor.shape).elements() == elements)
        }
        try roundTrip([1.5, -2] as [Float])
        try roundTrip([1.5, -2] as [Double])
        try roundTrip([1.5, -2] as [Float16])
        try roundTrip([true, false])
        try roundTrip([-1, 2] as [Int8])
        try roundTrip([-1, 2] as [Int16])
        try roundTrip([-1, 2] as [Int32])
        try roundTrip([-1, 2] as [Int64])
        try roundTrip([1, 2] as [UInt8])
        try roundTrip([1, 2] as [UInt16])
        try roundTrip([1, 2] as [UInt32])
        try roundTrip([1, 2] as [UInt64])
    }
}

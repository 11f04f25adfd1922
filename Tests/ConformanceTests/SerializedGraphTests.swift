// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Compiler
import Conformance
import Foundation
import Graph
import ONNX
import Operators
import Southbound
import Tensors
import TestSupport
import Testing

/// What a plugin's compiler gets from `sb_graph.serialize`: ONNX's checker accepts it, and ONNX Runtime where it is installed (SOUTHBRIDGE_BRIDGE_PYTHON names
/// a Python that has it).
@Suite struct SerializedGraphTests {
    struct Verdict: Decodable {
        let models: Int
        let checked: Int
        let opened: Int
        let notImplemented: Int
        let failures: [String: String]
    }

    private func serialized(_ nodes: [NodeID], _ placement: Placement) throws -> (data: Data, subgraph: Subgraph) {
        let subgraph = try Subgraph(nodes, of: placement, plugin: "test")
        var bytes = sb_string()
        let graph = subgraph.descriptor.pointer
        try #require(graph.pointee.serialize(graph, &bytes, nil) == SB_OK)
        let again = bytes.data
        try #require(graph.pointee.serialize(graph, &bytes, nil) == SB_OK && bytes.data == again)
        return (Data(bytes: bytes.data, count: bytes.length), subgraph)
    }

    private func check(_ folder: URL) throws -> Verdict {
        let own = repository.appending(path: "build/venv/bin/python").path
        let python = ProcessInfo.processInfo.environment["SOUTHBRIDGE_BRIDGE_PYTHON"] ?? own
        let result = try runCommand(python, [repository.appending(path: "Conformance/Bridges/check_models.py").path, folder.path])
        let verdict = try JSONDecoder().decode(Verdict.self, from: Data(result.output.utf8))
        if python != own { #expect(verdict.opened > 0) }
        return verdict
    }

    private func placement(_ graph: Graph, _ inputs: [HostTensor]) throws -> Placement {
        let types = Dictionary(uniqueKeysWithValues: zip(graph.inputs, inputs).map { ($0, ConcreteType($1.dataType, $1.shape)) })
        let values = Dictionary(uniqueKeysWithValues: zip(graph.inputs, inputs))
        return Placement(try GraphInference(graph, inputs: types, values: values))
    }

    @Test(arguments: ["squeezenet", "shufflenet", "densenet121", "inception_v2", "resnet50"]) func networksInParts(_ name: String) throws {
        let graph = try readModel(path: repository.appending(path: "build/networks/\(name)/model.onnx").path).graph
        let inputs = try graph.inputs.map { try HostTensor(graph[$0].type!.dataType, graph[$0].type!.knownShape!) }
        let placement = try placement(graph, inputs)
        try withTemporaryFolder { folder in
            var count = 0
            for start in stride(from: 0, to: graph.nodes.count, by: 23) {
                let ids = (start..<min(start + 23, graph.nodes.count)).map(NodeID.init)
                let (data, subgraph) = try serialized(ids, placement)
                let read = try readModel(data: data).graph
                #expect(read.nodes.map(\.operatorName) == ids.map { graph[$0].operatorName })
                #expect(read.inputs.count == subgraph.inputs.count && read.outputs.count == subgraph.outputs.count)
                try data.write(to: folder.appending(path: "part-\(start).onnx"))
                count += 1
            }
            let verdict = try check(folder)
            #expect(verdict.models == count && verdict.checked == count && verdict.failures.isEmpty, "\(verdict)")
        }
    }

    /// Large constants stay where they are: the model names their addresses (SB-GRA-003).
    @Test func constantsMayStayOutside() throws {
        var graph = Graph(name: "external")
        let x = graph.addValue("x", type: TensorType(.float32, known: [1, 256])), w = graph.addValue("w"), b = graph.addValue("b")
        let (product, y) = (graph.addValue("product"), graph.addValue("y"))
        let weights = try HostTensor(.float32, [256, 3], (0..<768).map(Float.init))
        graph.constants = [w: weights, b: try HostTensor(.float32, [3], [1, 2, 3] as [Float])]
        graph.addNode(Node(name: "p", operatorName: "MatMul", opset: 21, inputs: [x, w], outputs: [product]))
        graph.addNode(Node(name: "s", operatorName: "Add", opset: 21, inputs: [product, b], outputs: [y]))
        (graph.inputs, graph.outputs) = ([x], [y])
        let subgraph = try Subgraph(
            [NodeID(0), NodeID(1)], of: try placement(graph, [HostTensor(.float32, [1, 256])]), plugin: "test")
        let pointer = subgraph.descriptor.pointer
        let script = """
            import json, sys, onnx
            tensors = onnx.load(sys.argv[1], load_external_data=False).graph.initializer
            print(json.dumps({t.name: dict([(e.key, e.value) for e in t.external_data] + [("raw", str(len(t.raw_data)))]) for t in tensors}))
            """
        func entries(at location: String) throws -> [String: [String: String]] {
            var bytes = sb_string()
            let status = location.utf8CString.withUnsafeBufferPointer { text in
                pointer.pointee.serialize_external(pointer, sb_string(data: text.baseAddress, length: text.count - 1), &bytes, nil)
            }
            try #require(status == SB_OK)
            return try withTemporaryFolder { folder in
                let file = folder.appending(path: "model.onnx")
                try Data(bytes: bytes.data, count: bytes.length).write(to: file)
                let result = try runCommand(repository.appending(path: "build/venv/bin/python").path, ["-c", script, file.path])
                return try JSONDecoder().decode([String: [String: String]].self, from: Data(result.output.utf8))
            }
        }
        let known = try entries(at: "memory")
        let address = try #require(known["w"]?["offset"].flatMap { UInt($0) }.flatMap { UnsafeRawPointer(bitPattern: $0) })
        #expect(address == UnsafeRawPointer(weights.bytes.baseAddress) && address.load(fromByteOffset: 20, as: Float.self) == 5)
        #expect(known["w"] == ["location": "memory", "offset": "\(UInt(bitPattern: address))", "length": "3072", "raw": "0"])
        #expect(known["b"] == ["raw": "12"])
        #expect(try entries(at: "elsewhere")["w"]?["location"] == "elsewhere")
        var bytes = sb_string()
        #expect(pointer.pointee.serialize_external(pointer, sb_string(), &bytes, nil) == SB_ERROR_INVALID_ARGUMENT)
    }

    /// Operators whose newest version is the one that deprecates them, which the checker refuses, and one whose function body the checker cannot infer: it
    /// does not fill in the default of `axes`.
    private static let refusedByChecker: Set = ["Upsample", "Scatter", "MeanVarianceNormalization"]

    /// One sample of each operator, types and attributes as the suite draws them.
    @Test func operatorSamples() throws {
        try withTemporaryFolder { folder in
            var count = 0
            for definition in OperatorCatalog.standard.all
            where definition.samples != nil && definition.domain.isEmpty && !Self.refusedByChecker.contains(definition.name) {
                let cases = GeneratedCase.newest(of: definition)
                guard let some = cases.first(where: { $0.type == .float32 }) ?? cases.first else { continue }
                let call = try some.call(seed: 5)
                let (graph, inputs) = call.graph(constants: some.constants(of: call, seed: 5).filter { call.inputs[$0] != nil })
                let placement = try placement(graph, inputs)
                // A shape that depends on data is not given to compilers.
                guard graph.outputs.allSatisfy({ if case .known? = placement.types[$0.index] { true } else { false } }),
                    !graph.nodes[0].attributes.values.contains(where: \.isGraph)
                else { continue }
                try serialized([NodeID(0)], placement).data.write(to: folder.appending(path: "\(definition.name).onnx"))
                count += 1
            }
            let verdict = try check(folder)
            #expect(count > 120)
            #expect(verdict.models == count && verdict.checked == count && verdict.failures.isEmpty, "\(verdict)")
        }
    }

    /// One value is one tensor, constants have a value, and inner values have none.
    @Test func valuesAreTensors() throws {
        let graphCase = try #require(GraphCase.all.first { $0.id == "graphs/diamond/float32-signed-claim" })
        let (graph, inputs) = try graphCase.draft(seed: 1)
        let (_, subgraph) = try serialized(graph.nodes.indices.map(NodeID.init), try placement(graph, inputs))
        let raw = subgraph.descriptor.pointer.pointee
        let nodes = (0..<raw.node_count).map { raw.nodes[$0]!.pointee }
        // Mul(x, c) → Relu, Mul(·, x) → Add
        #expect(nodes.count == 4 && nodes.allSatisfy { $0.kernel == nil })
        #expect(nodes[1].inputs[0] == nodes[0].outputs[0] && nodes[2].inputs[0] == nodes[0].outputs[0])
        #expect(nodes[2].inputs[1] == nodes[0].inputs[0] && raw.inputs[0] == nodes[0].inputs[0] && raw.input_count == 1)
        #expect(nodes[0].inputs[1]?.pointee.host != nil && nodes[0].inputs[0]?.pointee.host == nil)
        #expect(raw.output_count == 1 && raw.outputs[0] == nodes[3].outputs[0] && nodes[3].outputs[0]?.pointee.host == nil)
    }
}

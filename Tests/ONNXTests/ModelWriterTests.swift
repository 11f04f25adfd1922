// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import Tensors
import Testing

/// What is written is read back the same, and is a model by ONNX's own rules.
@Suite struct ModelWriterTests {
    /// `y = Op(x, nothing, w)` with the attributes given.
    private func single(_ name: String, opset: Int = 21, attributes: [String: Attribute] = [:], weight: HostTensor? = nil) -> Graph {
        var graph = Graph(name: "g")
        let x = graph.addValue("x", type: TensorType(.float32, [.known(2), .symbol("n"), .unknown]))
        let y = graph.addValue("y", type: TensorType(.float32, nil))
        var inputs: [ValueID?] = [x]
        if let weight {
            let w = graph.addValue("w", type: TensorType(weight.dataType, known: weight.shape))
            graph.constants[w] = weight
            inputs += [nil, w]
        }
        graph.addNode(Node(name: "n", operatorName: name, opset: opset, inputs: inputs, outputs: [y], attributes: attributes))
        (graph.inputs, graph.outputs) = ([x], [y])
        return graph
    }

    private func reread(_ graph: Graph) throws -> Model { try readModel(data: try modelData(graph), allowingUnknownOperators: true) }

    private func refusal(_ graph: Graph) -> String? {
        do throws(ONNXError) {
            _ = try modelData(graph)
            return nil
        } catch { return error.description }
    }

    @Test func keepsEveryKindOfAttribute() throws {
        var body = Graph(name: "body")
        let captured = body.addValue("inner", type: TensorType(.float32, [.known(2), .symbol("n"), .unknown]))
        body.captures[captured] = "x"
        let result = body.addValue("result")
        body.addNode(Node(name: "m", operatorName: "Neg", opset: 21, inputs: [captured], outputs: [result]))
        body.outputs = [result]
        let graph = single(
            "Own",
            attributes: [
                "int": .int(-7), "float": .float(-0.1), "string": .string("größer"),
                "tensor": .tensor(try HostTensor(.int16, [2], [1, -2] as [Int16])),
                "graph": .graph(body), "ints": .ints([1, -2]), "floats": .floats([.infinity, -0.0]), "strings": .strings(["", "b"]),
                "noInts": .ints([]), "noFloats": .floats([]), "noStrings": .strings([]), "zero": .int(0), "empty": .string(""),
            ], weight: try HostTensor(.float32, [1], [3] as [Float]))
        let model = try reread(graph)
        #expect(difference(graph, model.graph) == nil)
        #expect(model.opsets == ["": 21] && model.irVersion == 10 && model.producer == "southbridge")
    }

    @Test(arguments: DataType.allCases) func keepsInitialisersOfEveryType(type: DataType) throws {
        for shape in [[], [3], [0, 2]] as [[Int]] {
            let count = shape.reduce(1, *)
            let weight =
                type == .string
                ? try HostTensor(strings: (0..<count).map { "ä\($0)" }, shape: shape)
                : try HostTensor(type, shape) { bytes in
                    for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: 37 * index + 1) }
                }
            let graph = single("Own", weight: weight)
            #expect(difference(graph, try reread(graph).graph) == nil)
        }
    }

    @Test(arguments: [(6, 4), (9, 4), (10, 5), (14, 7), (18, 8), (20, 9), (22, 10), (23, 11), (24, 12), (27, 13), (28, 14)])
    func choosesTheFormatVersionOfTheOpset(opset: Int, version: Int) throws {
        #expect(try reread(single("Neg", opset: opset)).irVersion == version)
    }

    @Test func importsEachDomainOnce() throws {
        var graph = single("Own")
        graph.nodes[0].domain = "com.example"
        graph.nodes[0].opset = 3
        let model = try readModel(data: try modelData(graph, opsets: ["": 20, "com.example": 3]), allowingUnknownOperators: true)
        #expect(model.opsets == ["": 20, "com.example": 3] && model.irVersion == 9)
        #expect(refusal(graph) == nil)
        #expect(throws: ONNXError.self) { try modelData(graph, opsets: ["com.example": 2]) }
    }

    @Test func writesTheSameBytesForTheSameGraph() throws {
        let names = (0..<40).map { "a\($0)" }
        let first = single("Own", attributes: Dictionary(uniqueKeysWithValues: names.map { ($0, .int(1)) }))
        var other = Dictionary<String, Attribute>(minimumCapacity: 1000)
        for name in names.reversed() { other[name] = .int(1) }
        #expect(try modelData(first) == modelData(single("Own", attributes: other)))
    }

    /// The local value "x" of the subgraph is not the captured one, whose name around is "x".
    @Test func keepsLocalValuesApartFromCapturedOnes() throws {
        var body = Graph(name: "body")
        let captured = body.addValue("captured")
        body.captures[captured] = "x"
        let local = body.addValue("x")
        let result = body.addValue("x_1")
        body.addNode(Node(name: "1", operatorName: "Neg", opset: 21, inputs: [captured], outputs: [local]))
        body.addNode(Node(name: "2", operatorName: "Abs", opset: 21, inputs: [local], outputs: [result]))
        body.outputs = [result]
        guard case .graph(let read)? = try reread(single("Own", attributes: ["body": .graph(body)])).graph.nodes[0].attributes["body"]
        else {
            Issue.record("no subgraph")
            return
        }
        #expect(Array(read.captures.values) == ["x"])
        let (first, second) = (read.nodes[0], read.nodes[1])
        #expect(first.inputs[0].flatMap { read.captures[$0] } == "x")
        #expect(second.inputs == first.outputs && second.outputs[0] == read.outputs[0])
        #expect(Set(read.values.map(\.name)).count == 3)
    }

    @Test func refusesWhatBreaksTheRules() throws {
        var graph = single("Neg")
        graph.addNode(Node(name: "2", operatorName: "Abs", opset: 20, inputs: [graph.outputs[0]], outputs: [graph.addValue("z")]))
        #expect(refusal(graph) == "node '2' (Abs) is of opset 20 of domain 'ai.onnx', but the model imports 21")
        graph = single("Neg")
        graph.values[1].name = "x"
        #expect(refusal(graph) == "two values of graph 'g' are named 'x'")
        graph.values[1].name = ""
        #expect(refusal(graph) == "value number 1 of graph 'g' has no name")
        graph = single("Neg")
        graph.nodes[0].inputs = [ValueID(7)]
        #expect(refusal(graph) == "graph 'g' uses value number 7, but has only 2 values")
        graph = single("Neg")
        graph.captures[graph.addValue("c")] = "outer"
        #expect(refusal(graph) == "graph 'g' captures 'outer', which no graph around it has")
    }

    @Test func refusesMoreThanAFileHolds() throws {
        // Three tensors over the same untouched pages.
        let size = 800 << 20
        let address = try #require(mmap(nil, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))
        defer { munmap(address, size) }
        let tensor = try HostTensor(.uint8, [size], viewing: UnsafeRawBufferPointer(start: address, count: size), owner: nil)
        var graph = single("Own")
        for name in ["a", "b", "c"] { graph.constants[graph.addValue(name)] = tensor }
        #expect(refusal(graph) == "the model takes at least \(3 * size) bytes, but an ONNX file holds 2 GiB at most")
    }
}

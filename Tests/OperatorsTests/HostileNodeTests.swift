// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import Operators
import Tensors
import Testing

/// One case of each operator with its numbers driven to extremes: computed or refused, never a trap.
@Suite struct HostileNodeTests {
    private static let extremes: [Int64] = [.min, .max, -1, 0, 3, 1 << 40, -(1 << 40), 63]

    @Test func survivesExtremeAttributes() throws {
        var (operators, attempts) = (0, 0)
        for (graph, inputs) in try oneCasePerOperator() {
            operators += 1
            let definition = OperatorCatalog.standard.definition(of: graph.nodes[0])
            for (name, rule) in definition?.attributes ?? [:] {
                for value in Self.values(rule.kind, instead: graph.nodes[0].attributes[name]) {
                    var changed = graph
                    changed.nodes[0].attributes[name] = value
                    run(changed, inputs)
                    attempts += 1
                }
            }
        }
        #expect(operators > 150 && attempts > 2000)
    }

    @Test func survivesExtremeInputs() throws {
        for (graph, inputs) in try oneCasePerOperator() {
            for (value, tensor) in inputs {
                for other in try Self.tensors(instead: tensor) {
                    var changed = inputs
                    changed[value] = other
                    run(graph, changed)
                }
            }
        }
    }

    private func run(_ graph: Graph, _ inputs: [ValueID: HostTensor]) {
        _ = try? GraphInference(graph, inputs: inputs.mapValues { ConcreteType($0.dataType, $0.shape) }, values: inputs)
        _ = try? evaluate(graph, inputs: inputs)
        decompose(graph.nodes[0], inputs.merging(graph.constants) { given, _ in given })
    }

    private func decompose(_ node: Node, _ tensors: [ValueID: HostTensor]) {
        let inputs = node.inputs.map { $0.flatMap { tensors[$0] } }
        let values = Dictionary(uniqueKeysWithValues: inputs.enumerated().compactMap { index, tensor in tensor.map { (index, $0) } })
        let (types, wanted) = (inputs.map { $0.map { ConcreteType($0.dataType, $0.shape) } }, node.outputs.map { $0 != nil })
        let definition = OperatorCatalog.standard.definition(of: node)
        _ = try? definition?.decomposition(opset: node.opset, attributes: node.attributes, inputs: types, wanted: wanted, values: values)
        _ = try? definition?.gradient(opset: node.opset, attributes: node.attributes, inputs: types, wanted: wanted, values: values)
    }

    private func oneCasePerOperator() throws -> [(Graph, [ValueID: HostTensor])] {
        var seen: Set<String> = []
        var cases: [(Graph, [ValueID: HostTensor])] = []
        for entry in try CorpusCase.all(in: CorpusCase.corpus.appending(path: "node")) {
            guard let (graph, inputs) = try? entry.load(), graph.nodes.count == 1,
                seen.insert(graph.nodes[0].operatorName).inserted
            else { continue }
            cases.append((graph, inputs))
        }
        return cases
    }

    private static func values(_ kind: AttributeRule.Kind, instead old: Attribute?) -> [Attribute] {
        switch kind {
        case .int: return extremes.map { .int($0) }
        case .float: return [.nan, .infinity, -.infinity, 0, -1].map { .float($0) }
        case .string: return ["", "x", "a,b->...", "äö"].map { .string($0) }
        case .ints:
            var list: [Int64] = [0]
            if case .ints(let given)? = old { list = given }
            let changed = list.indices.prefix(2).flatMap { index in
                extremes.map { extreme in
                    var copy = list
                    copy[index] = extreme
                    return Attribute.ints(copy)
                }
            }
            return changed + [.ints([]), .ints(list + list), .ints(Array(list.dropLast()))]
        case .floats: return [.floats([]), .floats([.nan, 1, 1])]
        case .strings: return [.strings([]), .strings(["", "x"])]
        case .tensor, .graph: return []
        }
    }

    private static func tensors(instead tensor: HostTensor) throws -> [HostTensor] {
        var tensors: [HostTensor] = []
        if tensor.dataType.isInteger {
            for index in 0..<min(tensor.count, 2) {
                for extreme in extremes {
                    var values = tensor.decodedIntegers()
                    values[index] = extreme
                    tensors.append(try HostTensor(tensor.dataType, tensor.shape, integers: values))
                }
            }
        } else if tensor.dataType.isFloat {
            for extreme in [Double.nan, .infinity, 1e30, -1] {
                tensors.append(
                    try HostTensor(tensor.dataType, tensor.shape, doubles: tensor.decodedDoubles().map { _ in extreme })
                )
            }
        }
        for shape in [[], [0], [2, 0, 3], [1, 1, 1, 1, 1, 1], [tensor.count], [tensor.count, 1]]
        where tensor.dataType != .string {
            tensors.append(try HostTensor(tensor.dataType, shape))
        }
        return tensors
    }
}

/// The catalogue's own refusals: one sentence that names the operator and what is wrong.
@Suite struct RefusalTests {
    private func refusal(
        _ name: String, _ shapes: [[Int]], types: [DataType] = [.float32, .float32, .float32], _ attributes: [String: Attribute] = [:]
    ) throws -> String {
        let definition = try #require(OperatorCatalog.standard["", name])
        do {
            let version = try definition.check(
                opset: OperatorCatalog.opsets.upperBound, attributes: attributes, inputTypes: Array(types.prefix(shapes.count)),
                outputCount: 1)
            _ = try definition.infer(
                InferenceContext(
                    attributes: NodeAttributes(version: version, given: attributes, rules: definition.attributes),
                    inputs: zip(types, shapes).map { ConcreteType($0, $1) }, wanted: [true], values: { _ in nil }))
            return "taken"
        } catch { return "\(error)" }
    }

    @Test func namesWhatIsWrong() throws {
        let hundred = [Int](repeating: 1, count: 100)
        #expect(try refusal("Add", [hundred, hundred]) == "input 0 of Add has 100 axes; at most 64 are allowed")
        #expect(try refusal("Add", [[1 << 40, 1 << 40], [1]]).contains("no 64-bit number of elements"))
        #expect(try refusal("Add", [[1 << 40, 1], [1, 1 << 40]]).contains("1099511627776"))
        #expect(try refusal("MatMul", [[2, 3], [4, 5]]).contains("3") && refusal("MatMul", [[2, 3], [4, 5]]).contains("4"))
        #expect(try refusal("Relu", [[2]], types: [.bool]) == "input 'X' of Relu cannot have type bool")
        #expect(
            try refusal("Add", [[2], [2]], types: [.float32, .int32]).contains("has type int32, but another input of type T has float32"))
        #expect(try refusal("Softmax", [[2]], ["axis": .string("last")]) == "attribute 'axis' of Softmax must be of kind int, not string")
        #expect(try refusal("Softmax", [[2]], ["axis": .int(7)]).contains("axis"))
        #expect(try refusal("Softmax", [[2]], ["temperature": .float(1)]) == "Softmax has no attribute 'temperature'")
        #expect(try refusal("Softmax", [[2], [2]]).contains("has 1 input, but the node names 2"))
    }
}

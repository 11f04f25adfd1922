// SPDX-License-Identifier: Apache-2.0
import Compiler
package import Foundation
import Graph
import ONNX
import Operators
import Tensors

extension Plan {
    /// Tensors of more bytes together, and calls of more operations, get no case: the reference would take minutes.
    private static let mostBytes = 64 << 20
    private static let mostOperations = 5e8

    /// A folder for cases, made if it is not there. Throws if something lies in it: cases of another plan would stay among the new ones.
    package static func emptyFolder(_ folder: URL) throws -> URL {
        let isEmpty: Bool
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            isEmpty = try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty
        } catch {
            throw GuidanceError("cases cannot be written to \(folder.relativePath): \(error.localizedDescription)")
        }
        guard isEmpty else { throw GuidanceError("\(folder.relativePath) is not empty: cases go into a folder of their own") }
        return folder
    }

    /// Writes a case for each signature of the suggestions, in the layout of the ONNX backend tests, which `conform --suite corpus` runs:
    /// `KERNEL/NUMBER/model.onnx`, `test_data_set_0/input_K.pb`, `output_K.pb`.
    ///
    /// Inputs are small whole numbers, so that sums are exact in any order; expected outputs come from the catalogue's reference in float64.
    /// - Parameter progress: is told after each how many of how many are done.
    /// - Returns: how many cases were written, and for how many signatures there is none.
    package mutating func writeCases(
        to folder: URL, progress: (_ done: Int, _ total: Int, _ name: String) -> Void = { _, _, _ in }
    ) throws -> (written: Int, leftOut: Int) {
        var (written, leftOut) = (0, 0)
        let total = calls.reduce(0) { $0 + $1.count }
        for (index, calls) in calls.enumerated() {
            let kernel = report.suggestions[index].kernel
            let group = (kernel.domain.isEmpty ? "" : "\(kernel.domain)-") + "\(kernel.operator)-\(kernel.dataType)"
            for (position, planned) in calls.enumerated() {
                let name = "\(group)/\(position + 1)"
                do {
                    try CaseFiles(planned.call, name: name).write(to: folder.appending(path: name))
                    report.suggestions[index].signatures[position].case = name
                    written += 1
                } catch let reason as CaseFiles.Unwritable {
                    report.suggestions[index].signatures[position].withoutCase = reason.description
                    leftOut += 1
                }
                progress(written + leftOut, total, name)
            }
        }
        return (written, leftOut)
    }

    /// One call as a model of one node, with data.
    private struct CaseFiles {
        struct Unwritable: Error {
            let description: String
        }

        private var graph: Graph
        private var inputs: [HostTensor] = []
        private var outputs: [HostTensor] = []
        /// How far elements near zero may be off; nil: the corpus' own 1e-7.
        private var tolerance: Double?

        init(_ call: WishedCall, name: String) throws {
            graph = Graph(name: name)
            let types = call.inputs.map { $0?.type }
            let bytes = (types + call.outputs).reduce(0) {
                $0 + ($1.flatMap { elementCount($0.shape).flatMap($0.dataType.byteCount(of:)) } ?? 0)
            }
            guard bytes <= Plan.mostBytes else { throw Unwritable(description: "its tensors take \(bytes >> 20) MiB") }
            guard let definition = OperatorCatalog.standard.definition(of: call.node), definition.reference != nil,
                definition.numericClass != .random
            else { throw Unwritable(description: "the operator has no reference") }
            guard definition.operationCount(of: call.node, inputs: types, outputs: call.outputs) <= Plan.mostOperations else {
                throw Unwritable(description: "it takes the reference too long")
            }
            var refusal = "the reference takes none of the inputs that were tried"
            // Numbers of both signs, else (a root, a quotient) positive ones alone. Vectors are weights, whose sums with the rest would nearly cancel if they were the
            // model's own, unless the shape of the result says that they are scales.
            for (least, keepsVectors) in [(-3, false), (1, false), (-3, true), (1, true)] {
                do throws(OperatorError) {
                    let tensors = try Self.tensors(of: call, name, least: least, keepsVectors: keepsVectors)
                    let results = try definition.evaluate(
                        opset: call.node.opset, attributes: call.node.attributes, inputs: tensors, wanted: call.outputs.map { $0 != nil })
                    guard call.reportsShape || results.map(\.?.shape) == call.outputs.map(\.?.shape) else { continue }
                    guard keepsVectors && least > 0 || results.allSatisfy({ $0.map(Self.isFinite) ?? true }) else { continue }
                    fill(call, tensors, results)
                    if [.variance, .normalisation, .composite].contains(definition.numericClass) {
                        tolerance = Self.cancellation(in: results)
                    }
                    return
                } catch {
                    refusal = error.description
                }
            }
            throw Unwritable(description: refusal)
        }

        /// What is no sum of whole numbers may nearly cancel: such an element carries roundings of terms as large as the largest result, 16 ULP of float32 of it.
        private static func cancellation(in results: [HostTensor?]) -> Double {
            let largest = results.compactMap { $0 }.filter(\.dataType.isFloat).flatMap { $0.decodedDoubles() }.filter(\.isFinite).map(abs)
                .max()
            return max((largest ?? 0) * 0x1p-20, 1e-7)
        }

        private static func isFinite(_ tensor: HostTensor) -> Bool {
            !tensor.dataType.isFloat || tensor.decodedDoubles().allSatisfy(\.isFinite)
        }

        private static func tensors(
            of call: WishedCall, _ name: String, least: Int, keepsVectors: Bool
        ) throws(OperatorError) -> [HostTensor?] {
            var tensors: [HostTensor?] = []
            for (index, input) in call.inputs.enumerated() {
                guard let input else {
                    tensors.append(nil)
                    continue
                }
                if let same = call.node.inputs[..<index].firstIndex(of: call.node.inputs[index]) {
                    tensors.append(tensors[same])
                    continue
                }
                do {
                    let random = CounterRandom(seed: 1, case: name, tensor: "input_\(index)")
                    let isParameter = keepsVectors || !input.type.dataType.isFloat || input.type.shape.isEmpty
                    tensors.append(
                        try isParameter ? input.value ?? tensor(input, random, least: least) : tensor(input, random, least: least))
                } catch {
                    throw .unsupported("\(error)")
                }
            }
            return tensors
        }

        private static func tensor(_ input: WishedCall.Argument, _ random: CounterRandom, least: Int) throws -> HostTensor {
            let (type, count) = (input.type, input.type.shape.reduce(1, *))
            switch type.dataType.kind {
            case .float, .complex:
                let elements = type.dataType.kind == .complex ? 2 * count : count
                return try HostTensor(
                    type.dataType, type.shape,
                    doubles: (0..<elements).map { Double(least) + Double(random.integer(UInt64($0), below: UInt64(4 - least))) })
            case .bool, .signedInteger, .unsignedInteger:
                return try HostTensor(type.dataType, type.shape, integers: (0..<count).map { Int64(random.integer(UInt64($0), below: 2)) })
            case .string: throw Unwritable(description: "strings are the stack's own")
            }
        }

        /// Constants stay constants, since kernels may pack them beforehand.
        private mutating func fill(_ call: WishedCall, _ tensors: [HostTensor?], _ results: [HostTensor?]) {
            var node = call.node
            var values: [ValueID: ValueID] = [:]
            for (index, source) in node.inputs.enumerated() {
                guard let source, let tensor = tensors[index], values[source] == nil else { continue }
                let value = graph.addValue("input_\(index)", type: TensorType(tensor.dataType, known: tensor.shape))
                values[source] = value
                if call.inputs[index]?.isConstant == true {
                    graph.constants[value] = tensor
                } else {
                    graph.inputs.append(value)
                    inputs.append(tensor)
                }
            }
            node.inputs = node.inputs.map { $0.flatMap { values[$0] } }
            node.outputs = results.enumerated().map { index, result in
                guard let result else { return nil }
                let value = graph.addValue("output_\(index)", type: TensorType(result.dataType, known: result.shape))
                graph.outputs.append(value)
                outputs.append(result)
                return value
            }
            (node.name, node.origins) = (node.operatorName, [])
            graph.addNode(node)
        }

        func write(to folder: URL) throws {
            let set = folder.appending(path: "test_data_set_0")
            try FileManager.default.createDirectory(at: set, withIntermediateDirectories: true)
            try modelData(graph).write(to: folder.appending(path: "model.onnx"), options: .atomic)
            if let tolerance {
                try Data("{\"rtol\": 0.001, \"atol\": \(tolerance)}\n".utf8).write(
                    to: folder.appending(path: "case.json"), options: .atomic)
            }
            for (word, tensors, values) in [("input", inputs, graph.inputs), ("output", outputs, graph.outputs)] {
                for (index, (tensor, value)) in zip(tensors, values).enumerated() {
                    try tensorProtoData(name: graph[value].name, tensor).write(
                        to: set.appending(path: "\(word)_\(index).pb"), options: .atomic)
                }
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import Operators
import Tensors

/// A folder in the layout of ONNX's backend tests: `model.onnx`, `test_data_set_0/{input,output}_K.pb`, `case.json`.
struct CorpusCase {
    let folder: URL
    var name: String { folder.lastPathComponent }

    /// `SOUTHBRIDGE_CORPUS`, else `build/corpus` in the repository.
    static var corpus: URL {
        if let path = ProcessInfo.processInfo.environment["SOUTHBRIDGE_CORPUS"] { return URL(fileURLWithPath: path) }
        return repository.appending(path: "build/corpus")
    }

    static var networks: URL { repository.appending(path: "build/networks") }

    private static var repository: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    /// The cases in `folder` by name. Throws a sentence that names the command to make them if there is none.
    static func all(in folder: URL) throws -> [CorpusCase] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let cases = names.sorted().map { CorpusCase(folder: folder.appending(path: $0)) }.filter {
            FileManager.default.fileExists(atPath: $0.folder.appending(path: "model.onnx").path)
        }
        guard !cases.isEmpty else { throw CorpusError("\(folder.path) holds no case: run `make data` first") }
        return cases
    }

    /// Reads the model, infers, runs the references and compares. Nil if every output is right, else what is wrong.
    func failure() -> String? {
        do {
            let (graph, inputs) = try load()
            let expected = try tensors("output")
            guard expected.count == graph.outputs.count else {
                return "\(expected.count) outputs for a model with \(graph.outputs.count)"
            }
            let inference = try GraphInference(
                graph, inputs: inputs.mapValues { ConcreteType($0.dataType, $0.shape) }, values: inputs)
            let results = try evaluate(graph, inputs: inputs)
            let tolerance = try Tolerance(caseFile: folder.appending(path: "case.json"))
            for (index, (actual, expected)) in zip(results, expected).enumerated() {
                if let difference = tolerance.difference(actual, expected) {
                    return "output \(index): \(difference)"
                }
                guard case .known(let type)? = inference.types[graph.outputs[index].index] else { continue }
                if type != ConcreteType(actual.dataType, actual.shape) {
                    return "output \(index) is inferred as \(type)"
                }
            }
            return nil
        } catch { return "\(error)" }
    }

    /// The model's graph and the values of its inputs.
    func load() throws -> (Graph, [ValueID: HostTensor]) {
        let graph = try readModel(path: folder.appending(path: "model.onnx").path).graph
        let given = try tensors("input")
        guard given.count == graph.inputs.count else {
            throw CorpusError("\(given.count) inputs for a model with \(graph.inputs.count)")
        }
        return (graph, Dictionary(uniqueKeysWithValues: zip(graph.inputs, given)))
    }

    private func tensors(_ word: String) throws -> [HostTensor] {
        var tensors: [HostTensor] = []
        while true {
            let path = folder.appending(path: "test_data_set_0/\(word)_\(tensors.count).pb").path
            guard FileManager.default.fileExists(atPath: path) else { return tensors }
            tensors.append(try readTensor(path: path).tensor)
        }
    }
}

struct CorpusError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// ONNX's rule for its own backend tests: |actual − expected| ≤ atol + rtol · |expected|, and rtol at least 2⁻⁶ for bfloat16.
private struct Tolerance: Decodable {
    let rtol: Double
    let atol: Double
    /// Results drawn at random, of which types and shapes are compared.
    let random: Bool?

    init(caseFile: URL) throws { self = try JSONDecoder().decode(Tolerance.self, from: Data(contentsOf: caseFile)) }

    func difference(_ actual: HostTensor, _ expected: HostTensor) -> String? {
        guard actual.dataType == expected.dataType, actual.shape == expected.shape else {
            return "\(actual.dataType.name) \(actual.shape) instead of \(expected.dataType.name) \(expected.shape)"
        }
        guard random != true else { return nil }
        switch actual.dataType.kind {
        case .string: return report(actual.strings, expected.strings) { $0 == $1 }
        case .float, .complex:
            let rtol = expected.dataType == .bfloat16 ? max(rtol, 0x1p-6) : rtol
            return report(actual.decodedDoubles(), expected.decodedDoubles()) { a, e in
                a == e || a.isNaN && e.isNaN || e.isFinite && abs(a - e) <= atol + rtol * abs(e)
            }
        default: return report(actual.decodedIntegers(), expected.decodedIntegers()) { $0 == $1 }
        }
    }

    private func report<Element>(_ actual: [Element], _ expected: [Element], _ agree: (Element, Element) -> Bool)
        -> String?
    {
        let wrong = actual.indices.filter { !agree(actual[$0], expected[$0]) }
        guard let first = wrong.first else { return nil }
        return
            "\(wrong.count) of \(actual.count) elements differ, the first, \(first), is \(actual[first]) instead of \(expected[first])"
    }
}

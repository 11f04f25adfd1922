// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Graph
package import Operators
import Synchronization
package import Tensors

/// A call whose right results an independent program computed (`Conformance/Golden`): the judge takes them in place of the catalogue's reference.
package struct GoldenCase: Sendable {
    package let id: String
    package let operatorName: String
    /// Why the case is hard, for a person.
    package let why: String
    private let record: GoldenManifest.Record
    private let files: GoldenFiles

    package static let suite = "golden"

    /// All cases of a folder with `manifest.json`.
    package static func all(in folder: URL) throws(ConformanceError) -> [GoldenCase] {
        let url = folder.appending(path: "manifest.json")
        let manifest: GoldenManifest
        do { manifest = try JSONDecoder().decode(GoldenManifest.self, from: Data(contentsOf: url)) } catch {
            throw .usage("\(url.path) cannot be read: \(error)")
        }
        let files = GoldenFiles(folder: folder, digests: manifest.files)
        return manifest.cases.map {
            GoldenCase(id: $0.id, operatorName: $0.operator, why: $0.why ?? "", record: $0, files: files)
        }
    }

    /// The call, and one result per output that it names: unrounded for floating-point types.
    package func load(catalog: OperatorCatalog = .standard) throws -> (call: OperatorCall, results: [ReferenceTensor?]) {
        guard let definition = catalog[record.domain ?? "", operatorName] else {
            throw ConformanceError.internal("there is no operator '\(operatorName)'")
        }
        let file = try files.file(record.file)
        var attributes: [String: Attribute] = [:]
        for (name, value) in record.attributes ?? [:] {
            guard let attribute = definition.attributes[name].flatMap({ Attribute(value, as: $0.kind) }) else {
                throw ConformanceError.internal("\(id): attribute '\(name)' of \(operatorName) cannot be read")
            }
            attributes[name] = attribute
        }
        let inputs = try record.inputs.map { try $0.map { try $0.tensor(in: file) } }
        let results = try record.outputs.map { try $0.map { try $0.result(in: file) } }
        return (
            OperatorCall(definition, opset: record.opset, attributes: attributes, inputs: inputs, wanted: results.map { $0 != nil }),
            results
        )
    }

    /// What the results leave of the exact values, one entry per output: stored for float64 outputs alone, nil where nothing is left or stored.
    package func rests() throws -> [[Double]?] {
        let file = try files.file(record.file)
        return try record.outputs.map { try $0?.rest.map { try file.tensor($0).decodedDoubles() } }
    }
}

struct GoldenManifest: Decodable, Sendable {
    struct Record: Decodable, Sendable {
        let id: String
        let domain: String?
        let `operator`: String
        let opset: Int
        let file: String
        let why: String?
        let attributes: [String: JSONValue]?
        let inputs: [Tensor?]
        let outputs: [Tensor?]
    }

    struct Tensor: Decodable, Sendable {
        let tensor: String
        let dataType: String
        /// For types that the file format lacks, whose bytes are stored alone.
        let shape: [Int]?
        /// The tensor that holds the exact value less the one stored, itself rounded to float64.
        let rest: String?

        private var type: DataType {
            get throws(ConformanceError) {
                guard let type = DataType.allCases.first(where: { $0.name == dataType }) else {
                    throw .internal("there is no type '\(dataType)'")
                }
                return type
            }
        }

        func tensor(in file: SafetensorsFile) throws -> HostTensor { try file.tensor(tensor, as: try type, shape: shape) }

        func result(in file: SafetensorsFile) throws -> ReferenceTensor {
            let type = try type
            if !type.isFloat { return ReferenceTensor(try tensor(in: file)) }
            let stored = try file.tensor(tensor, as: .float64)
            return ReferenceTensor(type, stored.shape, .floats(stored.decodedDoubles()))
        }
    }

    let files: [String: String]
    let cases: [Record]
}

/// The data files, each held against its digest when it is first read.
private final class GoldenFiles: Sendable {
    private let folder: URL
    private let digests: [String: String]
    private let loaded = Mutex<[String: SafetensorsFile]>([:])

    init(folder: URL, digests: [String: String]) {
        self.folder = folder
        self.digests = digests
    }

    func file(_ name: String) throws -> SafetensorsFile {
        if let known = loaded.withLock({ $0[name] }) { return known }
        let url = folder.appending(path: name)
        guard !name.contains("/"), let data = try? Data(contentsOf: url, options: .mappedIfSafe) else {
            throw ConformanceError.internal("\(url.path) cannot be read")
        }
        guard digests[name] == sha256(data) else {
            throw ConformanceError.internal("\(url.path) is not the file that the manifest names: its digest differs; fetch it again")
        }
        let file = try SafetensorsFile(data: data, source: url.path)
        loaded.withLock { $0[name] = file }
        return file
    }
}

extension Attribute {
    /// A value of the manifest; nil if it is not of the kind.
    fileprivate init?(_ value: JSONValue, as kind: AttributeRule.Kind) {
        let list: [JSONValue] = if case .array(let values) = value { values } else { [value] }
        switch kind {
        case .int, .ints:
            let numbers = list.compactMap { if case .integer(let number) = $0 { number } else { nil } }
            guard numbers.count == list.count, kind == .ints || numbers.count == 1 else { return nil }
            self = kind == .ints ? .ints(numbers) : .int(numbers[0])
        case .float, .floats:
            let numbers = list.compactMap(\.float)
            guard numbers.count == list.count, kind == .floats || numbers.count == 1 else { return nil }
            self = kind == .floats ? .floats(numbers) : .float(numbers[0])
        case .string, .strings:
            let texts = list.compactMap { if case .string(let text) = $0 { text } else { nil } }
            guard texts.count == list.count, kind == .strings || texts.count == 1 else { return nil }
            self = kind == .strings ? .strings(texts) : .string(texts[0])
        case .tensor, .graph: return nil
        }
    }
}

extension JSONValue {
    fileprivate var float: Float? {
        switch self {
        case .integer(let number): Float(number)
        case .number(let number): Float(number)
        case .string(let text): Float(text)
        default: nil
        }
    }
}

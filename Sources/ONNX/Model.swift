// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Graph
package import Operators

/// A model that has been read: its graph, sorted, with functions inlined and initialisers as constants that view the file.
package struct Model: Sendable {
    /// An initialiser that is also a graph input (a default, or a habit of models before IR version 4) is a constant and no input.
    package var graph: Graph
    /// The version of each operator set that the model imports, by domain; ONNX's own domain is written as empty.
    package var opsets: [String: Int]
    package var irVersion: Int
    /// Name and version of the tool that wrote the model.
    package var producer: String
    package var metadata: [String: String]
    /// Every operator of the model that the catalogue lacks, once, in order of appearance; empty unless the reader was told to go on.
    package var unknownOperators: [UnknownOperator]
}

/// An operator that a model uses and the catalogue lacks, and the first node that uses it.
package struct UnknownOperator: Sendable, Hashable {
    package let node: String
    package let domain: String
    package let name: String
    package let opset: Int
}

/// Reads and checks an ONNX model file. Training information, annotations and documentation strings are ignored.
///
/// - Parameter allowingUnknownOperators: Keep nodes whose operator `catalog` lacks and list them in `Model.unknownOperators`
///   instead of throwing `ONNXError.unknownOperator` for the first.
package func readModel(
    path: String, catalog: OperatorCatalog = .standard, allowingUnknownOperators: Bool = false
) throws(ONNXError) -> Model {
    try readModel(ModelSource(path: path), catalog: catalog, allowingUnknownOperators: allowingUnknownOperators)
}

/// Reads a model in memory; the bytes are copied once.
///
/// - Parameters:
///   - source: Names the model in messages.
///   - folder: Where external data lie; without it they are refused.
package func readModel(
    data: Data, source: String = "model", folder: String? = nil, catalog: OperatorCatalog = .standard,
    allowingUnknownOperators: Bool = false
) throws(ONNXError) -> Model {
    try readModel(
        ModelSource(data: data, name: source, folder: folder), catalog: catalog, allowingUnknownOperators: allowingUnknownOperators)
}

private func readModel(_ source: ModelSource, catalog: OperatorCatalog, allowingUnknownOperators: Bool) throws(ONNXError) -> Model {
    let proto = try source.parse(Onnx_ModelProto.self, as: .model, what: "an ONNX model")
    guard proto.hasGraph else { throw .unreadable("\(source.name): not an ONNX model, or damaged: it holds no graph") }
    let opsets = try importedOpsets(proto.opsetImport, by: "the model")
    let context = try ReaderContext(functions: proto.functions, catalog: catalog, tensors: TensorReader(source: source))
    let reader = GraphReader(context: context, frame: Frame(opsets: opsets), name: proto.graph.name)
    let graph = try reader.read(proto.graph, requiringInputTypes: true)
    if !allowingUnknownOperators, let first = context.unknownOperators.first {
        throw .unknownOperator(node: first.node, domain: first.domain, name: first.name, opset: first.opset)
    }
    return Model(
        graph: graph, opsets: opsets, irVersion: Int(proto.irVersion),
        producer: [proto.producerName, proto.producerVersion].filter { !$0.isEmpty }.joined(separator: " "),
        metadata: Dictionary(proto.metadataProps.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
        unknownOperators: context.unknownOperators)
}

/// The operator-set versions by domain. `importer` names the model or function in messages.
func importedOpsets(_ imports: [Onnx_OperatorSetIdProto], by importer: @autoclosure () -> String) throws(ONNXError) -> [String: Int] {
    var opsets: [String: Int] = [:]
    for entry in imports {
        let domain = canonicalDomain(entry.domain)
        let version = Int(entry.version)
        if let other = opsets[domain], other != version {
            throw .invalid("\(importer()) imports two versions, \(other) and \(version), of operator set '\(entry.domain)'")
        }
        if domain.isEmpty, !OperatorCatalog.opsets.contains(version) {
            throw .unsupported(
                "\(importer()) imports opset \(version) of ONNX; opsets \(OperatorCatalog.opsets.lowerBound) to \(OperatorCatalog.opsets.upperBound) are known here"
            )
        }
        opsets[domain] = version
    }
    return opsets
}

/// ONNX's own domain has two spellings; the graph writes the empty one.
func canonicalDomain(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }

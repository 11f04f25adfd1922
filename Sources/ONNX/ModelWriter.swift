// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Graph
import SwiftProtobuf
import Tensors

/// A graph as a serialised `ModelProto`, the same bytes for the same graph. Constants are written as initialisers with their elements inside the file.
///
/// Types that the graph knows are written, others are left open; ONNX's own checker wants one for every input and output.
/// A local value of a subgraph that has the name of a value around it gets a number behind its name, since ONNX allows no shadowing.
///
/// - Parameters:
///   - opsets: Versions by domain to import beside those of the nodes (`Model.opsets`); they must not contradict them.
///   - producer: Written as the name of the tool that made the model.
///   - externalLocation: Constants of `externalThreshold` bytes and more stay where they are: as external data at this location, whose offset is an address.
/// - Throws: `invalid` if the graph breaks a rule of the IR, `unsupported` if ONNX cannot hold it: more than 2 GiB, or two opsets of one domain.
package func modelData(
    _ graph: Graph, opsets: [String: Int] = [:], producer: String = "southbridge", externalLocation: String? = nil
) throws(ONNXError) -> Data {
    var writer = GraphWriter(opsets: opsets, externalLocation: externalLocation)
    var model = Onnx_ModelProto()
    model.graph = try writer.message(graph, around: nil)
    model.producerName = producer
    model.irVersion = Int64(irVersion(for: writer.opsets))
    model.opsetImport = writer.opsets.sorted { $0.key < $1.key }.map { domain, version in
        var entry = Onnx_OperatorSetIdProto()
        entry.domain = domain
        entry.version = Int64(version)
        return entry
    }
    do {
        let data: Data = try model.serializedBytes()
        guard data.count <= GraphWriter.sizeLimit else { throw GraphWriter.tooLarge(data.count) }
        return data
    } catch let error as ONNXError {
        throw error
    } catch { throw .unsupported("the model cannot be written: \(error)") }
}

/// Bytes from which on a constant may be external data (SB-GRA-003).
package let externalThreshold = 1024

/// The format version that came with an operator set, by ONNX's table of releases; at least 4, from which on initialisers need not be inputs.
private func irVersion(for opsets: [String: Int]) -> Int {
    let standard: [(opset: Int, version: Int)] = [
        (28, 14), (25, 13), (24, 12), (23, 11), (21, 10), (19, 9), (15, 8), (12, 7), (11, 6), (10, 5),
    ]
    let learning: [(opset: Int, version: Int)] = [(5, 10), (4, 9), (3, 8), (2, 6)]
    func version(_ opset: Int?, _ table: [(opset: Int, version: Int)]) -> Int {
        opset.flatMap { opset in table.first { opset >= $0.opset }?.version } ?? 4
    }
    return max(version(opsets[""], standard), version(opsets["ai.onnx.ml"], learning))
}

/// Turns the graphs of one model into messages.
private struct GraphWriter {
    /// What a protobuf message may have, in bytes.
    static let sizeLimit = Int(Int32.max)

    static func tooLarge(_ size: Int) -> ONNXError {
        .unsupported("the model takes at least \(size) bytes, but an ONNX file holds 2 GiB at most")
    }

    /// What a subgraph sees of the graphs around it.
    struct Surroundings {
        /// The written name of each value of the graph directly around, by its name there.
        let names: [String: String]
        /// Every name written in any graph around.
        let taken: Set<String>
    }

    var opsets: [String: Int]
    private let externalLocation: String?
    private var payload = 0

    init(opsets: [String: Int], externalLocation: String?) {
        self.opsets = opsets
        self.externalLocation = externalLocation
    }

    mutating func message(_ graph: Graph, around: Surroundings?) throws(ONNXError) -> Onnx_GraphProto {
        let names = try writtenNames(graph, around: around)
        var own: [String: String] = [:]
        for (index, name) in names { own[graph.values[index].name] = name }
        let inside = Surroundings(names: own, taken: (around?.taken ?? []).union(names.values))
        func info(_ value: ValueID) -> Onnx_ValueInfoProto { Onnx_ValueInfoProto(name: names[value.index]!, type: graph[value].type) }

        var message = Onnx_GraphProto()
        message.name = graph.name.isEmpty ? "graph" : graph.name
        message.input = graph.inputs.map(info)
        message.output = graph.outputs.map(info)
        for (value, tensor) in graph.constants.sorted(by: { $0.key.index < $1.key.index }) {
            let name = names[value.index]!
            if let externalLocation, tensor.byteCount >= externalThreshold, tensor.dataType != .string {
                message.initializer.append(Onnx_TensorProto(name: name, tensor, addressedAt: externalLocation))
            } else {
                message.initializer.append(try tensorMessage(tensor, name: name))
            }
        }
        for node in graph.nodes { message.node.append(try nodeMessage(node, names, inside)) }
        let known = Set(graph.inputs + graph.outputs).union(graph.constants.keys).union(graph.captures.keys)
        message.valueInfo = names.keys.sorted().map(ValueID.init).filter { graph[$0].type != nil && !known.contains($0) }.map(info)
        return message
    }

    /// The name to write for each value that the graph uses, by the value's index.
    private func writtenNames(_ graph: Graph, around: Surroundings?) throws(ONNXError) -> [Int: String] {
        var used = Set(graph.inputs + graph.outputs).union(graph.constants.keys)
        for node in graph.nodes { used.formUnion((node.inputs + node.outputs).compactMap(\.self)) }
        used.formUnion(graph.captures.keys)
        if let stranger = used.first(where: { !graph.values.indices.contains($0.index) }) {
            throw .invalid("graph '\(graph.name)' uses value number \(stranger.index), but has only \(graph.values.count) values")
        }
        var names: [Int: String] = [:]
        var local: Set<String> = []
        for value in used.sorted(by: { $0.index < $1.index }) {
            let name = graph[value].name
            guard !name.isEmpty else { throw .invalid("value number \(value.index) of graph '\(graph.name)' has no name") }
            guard local.insert(name).inserted else { throw .invalid("two values of graph '\(graph.name)' are named '\(name)'") }
            guard let outer = graph.captures[value] else { continue }
            guard let written = around?.names[outer] else {
                throw .invalid("graph '\(graph.name)' captures '\(outer)', which no graph around it has")
            }
            names[value.index] = written
        }
        var taken = around?.taken ?? []
        for value in used.sorted(by: { $0.index < $1.index }) where names[value.index] == nil {
            let name = graph[value].name
            var unique = name
            var suffix = 1
            while taken.contains(unique) || unique != name && local.contains(unique) {
                unique = "\(name)_\(suffix)"
                suffix += 1
            }
            taken.insert(unique)
            names[value.index] = unique
        }
        return names
    }

    private mutating func nodeMessage(_ node: Node, _ names: [Int: String], _ inside: Surroundings) throws(ONNXError) -> Onnx_NodeProto {
        if let other = opsets.updateValue(node.opset, forKey: node.domain), other != node.opset {
            let domain = node.domain.isEmpty ? "ai.onnx" : node.domain
            throw .unsupported(
                "node '\(node.name)' (\(node.operatorName)) is of opset \(node.opset) of domain '\(domain)', but the model imports \(other)"
            )
        }
        var message = Onnx_NodeProto()
        message.name = node.name
        message.domain = node.domain
        message.opType = node.operatorName
        message.input = node.inputs.map { $0.flatMap { names[$0.index] } ?? "" }
        message.output = node.outputs.map { $0.flatMap { names[$0.index] } ?? "" }
        for (name, attribute) in node.attributes.sorted(by: { $0.key < $1.key }) {
            message.attribute.append(try attributeMessage(name, attribute, inside))
        }
        return message
    }

    private mutating func attributeMessage(
        _ name: String, _ attribute: Attribute, _ inside: Surroundings
    ) throws(ONNXError) -> Onnx_AttributeProto {
        var message = Onnx_AttributeProto()
        message.name = name
        switch attribute {
        case .int(let value): (message.type, message.i) = (.int, value)
        case .float(let value): (message.type, message.f) = (.float, value)
        case .string(let value): (message.type, message.s) = (.string, Data(value.utf8))
        case .tensor(let value): (message.type, message.t) = (.tensor, try tensorMessage(value, name: ""))
        case .graph(let value): (message.type, message.g) = (.graph, try self.message(value, around: inside))
        case .ints(let values): (message.type, message.ints) = (.ints, values)
        case .floats(let values): (message.type, message.floats) = (.floats, values)
        case .strings(let values): (message.type, message.strings) = (.strings, values.map { Data($0.utf8) })
        }
        return message
    }

    private mutating func tensorMessage(_ tensor: HostTensor, name: String) throws(ONNXError) -> Onnx_TensorProto {
        payload += tensor.byteCount + tensor.strings.reduce(0) { $0 + $1.utf8.count }
        guard payload <= Self.sizeLimit else { throw Self.tooLarge(payload) }
        return Onnx_TensorProto(name: name, tensor)
    }
}

extension Onnx_TensorProto {
    /// The elements as `raw_data`, packed where they are narrower than a byte; strings in their own field.
    init(name: String, _ tensor: HostTensor) {
        self.init()
        describe(tensor, name)
        if tensor.dataType == .string {
            stringData = tensor.strings.map { Data($0.utf8) }
        } else {
            rawData = Data(tensor.bytes)
        }
    }

    /// The elements stay where they are.
    fileprivate init(name: String, _ tensor: HostTensor, addressedAt location: String) {
        self.init()
        describe(tensor, name)
        dataLocation = .external
        let address = UInt(bitPattern: tensor.bytes.baseAddress)
        externalData = [("location", location), ("offset", "\(address)"), ("length", "\(tensor.byteCount)")].map { key, value in
            var entry = Onnx_StringStringEntryProto()
            (entry.key, entry.value) = (key, value)
            return entry
        }
    }

    private mutating func describe(_ tensor: HostTensor, _ name: String) {
        if !name.isEmpty { self.name = name }
        dataType = Int32(tensor.dataType.rawValue)
        dims = tensor.shape.map(Int64.init)
    }
}

extension Onnx_ValueInfoProto {
    fileprivate init(name: String, type: TensorType?) {
        self.init()
        self.name = name
        guard let type else { return }
        self.type.tensorType.elemType = Int32(type.dataType.rawValue)
        guard let shape = type.shape else { return }
        self.type.tensorType.shape.dim = shape.map { dimension in
            var message = Onnx_TensorShapeProto.Dimension()
            switch dimension {
            case .known(let size): message.dimValue = Int64(size)
            case .symbol(let symbol): message.dimParam = symbol
            case .unknown: break
            }
            return message
        }
    }
}

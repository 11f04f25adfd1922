// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
import Foundation
package import Graph
package import Tensors

/// A node as a plugin's pass describes it: read and checked, nothing of the plugin's memory kept.
package struct PassNode: Sendable {
    package let domain: String
    package let operatorName: String
    package let version: Int
    package let attributes: [String: Attribute]
    package let inputCount: Int
    package let outputCount: Int

    private static let most = 1 << 20

    package init(reading pointer: UnsafePointer<sb_node>?, plugin: String) throws(PluginError) {
        let reader = PluginReader(plugin: plugin)
        let record: sb_node = try reader.read(pointer, "sb_node", of: "a node")
        let domain = try reader.text(record.domain, "a node's domain")
        self.domain = domain == "ai.onnx" ? "" : domain
        operatorName = try reader.text(record.operator_name, "a node's operator")
        version = Int(record.version)
        inputCount = record.input_count
        outputCount = record.output_count
        guard (0...Self.most).contains(inputCount), (0...Self.most).contains(outputCount) else {
            throw PluginError(
                .invalidArgument, plugin: plugin, "node '\(operatorName)' has \(inputCount) inputs and \(outputCount) outputs")
        }
        var attributes: [String: Attribute] = [:]
        for pointer in try reader.array(record.attributes, count: record.attribute_count, atMost: Self.most, "the attributes") {
            let attribute: sb_attribute = try reader.read(pointer, "sb_attribute", of: "an attribute")
            attributes[try reader.text(attribute.name, "an attribute's name")] = try Self.value(of: attribute, reader)
        }
        self.attributes = attributes
    }

    private static func value(of record: sb_attribute, _ reader: PluginReader) throws(PluginError) -> Attribute {
        func fault(_ message: String) -> PluginError { PluginError(.invalidArgument, plugin: reader.plugin, "an attribute \(message)") }
        func elements<Element: BitwiseCopyable>(_ start: UnsafePointer<Element>?) throws(PluginError) -> [Element] {
            guard (0...most).contains(record.count) else { throw fault("has \(UInt(bitPattern: record.count)) entries") }
            if record.count == 0 { return [] }
            guard let start else { throw fault("has \(record.count) entries and no address") }
            return (0..<record.count).map { UnsafeRawPointer(start + $0).loadUnaligned(as: Element.self) }
        }
        let isList = record.flags & SB_ATTRIBUTE_FLAG_LIST != 0 || record.count != 1
        switch record.type {
        case SB_ATTRIBUTE_INTS:
            let values = try elements(record.ints)
            return isList ? .ints(values) : .int(values[0])
        case SB_ATTRIBUTE_FLOATS:
            let values = try elements(record.floats)
            return isList ? .floats(values) : .float(values[0])
        case SB_ATTRIBUTE_STRINGS:
            var values: [String] = []
            for text in try elements(record.strings) { values.append(try reader.text(text, "an attribute's text")) }
            return isList ? .strings(values) : .string(values[0])
        case SB_ATTRIBUTE_TENSOR: return .tensor(try HostTensor(reading: record.tensor, plugin: reader.plugin))
        default: throw fault("has the type \(record.type), which is none")
        }
    }
}

extension HostTensor {
    /// A copy of a dense tensor of the plugin's that lies on the host.
    package init(reading pointer: UnsafePointer<sb_tensor>?, plugin: String) throws(PluginError) {
        let record: sb_tensor = try PluginReader(plugin: plugin).read(pointer, "sb_tensor", of: "a tensor")
        func fault(_ message: String) -> PluginError { PluginError(.invalidArgument, plugin: plugin, "a tensor \(message)") }
        guard let type = DataType(rawValue: record.data_type), type != .string else { throw fault("has the data type \(record.data_type)") }
        guard record.rank <= 64, record.rank == 0 || record.shape != nil else { throw fault("of rank \(record.rank) has no shape") }
        let shape = (0..<Int(record.rank)).map { Int(record.shape[$0]) }
        guard shape.allSatisfy({ $0 >= 0 }), let count = elementCount(shape), let size = type.byteCount(of: count) else {
            throw fault("has the shape \(shape)")
        }
        guard record.strides == nil, record.host != nil || size == 0 else { throw fault("is not dense on the host") }
        do {
            try self.init(type, shape) { bytes in
                if size > 0 { bytes.copyMemory(from: UnsafeRawBufferPointer(start: record.host, count: size)) }
            }
        } catch { throw fault("of \(size) bytes cannot be taken: \(error)") }
    }
}

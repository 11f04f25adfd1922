// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
import Foundation
package import Graph
package import Tensors

/// Makes the C structs of nodes and their tensors, in memory that does not move and lives as long as this object.
package final class NodeMemory: @unchecked Sendable {
    private let memory = CMemory()
    /// Keeps the bytes of tensor attributes alive.
    private var constants: [HostTensor] = []
    private let plugin: String
    private let subject: String

    /// - Parameters:
    ///   - plugin: in whose errors a refusal stands.
    ///   - subject: what is described, for errors: "node 'Add'".
    package init(plugin: String, subject: String) {
        self.plugin = plugin
        self.subject = subject
    }

    package func tensor(_ descriptor: TensorDescriptor) throws(PluginError) -> UnsafeMutablePointer<sb_tensor> {
        guard descriptor.dataType != .string else { throw fault("has a string tensor, which no plugin can be given") }
        guard descriptor.shape.count <= 64, elementCount(descriptor.shape) != nil else {
            throw fault("has a tensor of shape \(descriptor.shape)")
        }
        return memory.allocate(
            sb_tensor(
                size: MemoryLayout<sb_tensor>.size, data_type: descriptor.dataType.rawValue, rank: UInt32(descriptor.shape.count),
                shape: memory.array(descriptor.shape.map(Int64.init)), strides: nil, buffer: nil, offset: 0,
                host: UnsafeMutableRawPointer(mutating: descriptor.host), layout: UInt32(descriptor.layout), reserved: 0))
    }

    /// - Parameters:
    ///   - kernel: NULL for a node of a graph.
    ///   - attributes: with the standard's defaults filled in. Those of kind graph belong to operators that no plugin gets, and are refused.
    package func node(
        kernel: UnsafePointer<sb_kernel>?, domain: String, operatorName: String, version: Int, attributes: [String: Attribute],
        inputs: [UnsafeMutablePointer<sb_tensor>?], outputs: [UnsafeMutablePointer<sb_tensor>?]
    ) throws(PluginError) -> UnsafePointer<sb_node> {
        guard let version = UInt32(exactly: version) else { throw fault("has the operator version \(version)") }
        var pointers: [UnsafePointer<sb_attribute>?] = []
        for (name, value) in attributes.sorted(by: { $0.key < $1.key }) { pointers.append(try attribute(name, value)) }
        return UnsafePointer(
            memory.allocate(
                sb_node(
                    size: MemoryLayout<sb_node>.size, kernel: kernel, domain: memory.string(domain),
                    operator_name: memory.string(operatorName), version: version, reserved: 0, attributes: list(pointers),
                    attribute_count: pointers.count, inputs: list(inputs.map { UnsafePointer($0) }), input_count: inputs.count,
                    outputs: list(outputs.map { UnsafePointer($0) }), output_count: outputs.count)))
    }

    /// A list of pointers; NULL if it is empty.
    func list<Element>(_ pointers: [UnsafePointer<Element>?]) -> UnsafePointer<UnsafePointer<Element>?>? {
        memory.array(pointers).map { UnsafePointer($0) }
    }

    /// A list of pointers to what a plugin writes.
    func list<Element>(mutable pointers: [UnsafeMutablePointer<Element>?]) -> UnsafePointer<UnsafeMutablePointer<Element>?>? {
        memory.array(pointers).map { UnsafePointer($0) }
    }

    /// A tensor that a plugin is to describe: room for 64 dimensions.
    func emptyTensor() -> UnsafeMutablePointer<sb_tensor> {
        memory.allocate(
            sb_tensor(
                size: MemoryLayout<sb_tensor>.size, data_type: 0, rank: 0, shape: memory.array([Int64](repeating: 0, count: 64)),
                strides: nil,
                buffer: nil, offset: 0, host: nil, layout: SB_LAYOUT_ROW_MAJOR, reserved: 0))
    }

    /// A tensor whose shape depends on data.
    package func tensor(_ dataType: DataType, rank: Int) throws(PluginError) -> UnsafeMutablePointer<sb_tensor> {
        let result = try tensor(TensorDescriptor(dataType, [Int](repeating: 0, count: rank)))
        for axis in 0..<rank { result.pointee.shape[axis] = -1 }
        return result
    }

    func bytes(_ data: Data) -> sb_string {
        let copy = memory.array(Array(data)).map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
        return sb_string(data: copy, length: data.count)
    }

    func numbers(_ values: [Int]) -> UnsafePointer<Int64>? { memory.array(values.map(Int64.init)).map { UnsafePointer($0) } }

    private func attribute(_ name: String, _ value: Attribute) throws(PluginError) -> UnsafePointer<sb_attribute> {
        var record = sb_attribute()
        record.size = MemoryLayout<sb_attribute>.size
        record.name = memory.string(name)
        func ints(_ values: [Int64]) {
            (record.type, record.count, record.ints) = (SB_ATTRIBUTE_INTS, values.count, UnsafePointer(memory.array(values)))
        }
        func floats(_ values: [Float]) {
            (record.type, record.count, record.floats) = (SB_ATTRIBUTE_FLOATS, values.count, UnsafePointer(memory.array(values)))
        }
        func strings(_ values: [String]) {
            (record.type, record.count, record.strings) = (
                SB_ATTRIBUTE_STRINGS, values.count, UnsafePointer(memory.array(values.map(memory.string)))
            )
        }
        switch value {
        case .int(let value): ints([value])
        case .float(let value): floats([value])
        case .string(let value): strings([value])
        case .ints(let values):
            ints(values)
            record.flags = SB_ATTRIBUTE_FLAG_LIST
        case .floats(let values):
            floats(values)
            record.flags = SB_ATTRIBUTE_FLAG_LIST
        case .strings(let values):
            strings(values)
            record.flags = SB_ATTRIBUTE_FLAG_LIST
        case .tensor(let value):
            constants.append(value)
            (record.type, record.count) = (SB_ATTRIBUTE_TENSOR, 1)
            record.tensor = UnsafePointer(try tensor(TensorDescriptor(value.dataType, value.shape, host: value.bytes.baseAddress)))
        case .graph: throw fault("has the graph '\(name)' as an attribute, which no plugin can be given")
        }
        return UnsafePointer(memory.allocate(record))
    }

    private func fault(_ message: String) -> PluginError { PluginError(.invalidArgument, plugin: plugin, "\(subject): \(message)") }
}

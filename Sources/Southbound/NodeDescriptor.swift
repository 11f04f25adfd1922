// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
package import Graph
package import Tensors

/// A tensor of a node as the plugin sees it before it is placed.
package struct TensorDescriptor: Sendable {
    package var dataType: DataType
    package var shape: [Int]
    /// The value, if it is known before the run. The caller keeps the memory alive.
    package nonisolated(unsafe) var host: UnsafeRawPointer?

    package init(_ dataType: DataType, _ shape: [Int], host: UnsafeRawPointer? = nil) {
        self.dataType = dataType
        self.shape = shape
        self.host = host
    }
}

/// One `sb_node` with everything that it points to, in memory that does not move. The executor places its tensors and launches it again and again.
package final class NodeDescriptor: @unchecked Sendable {
    package let kernel: Kernel
    package let operatorName: String
    package let pointer: UnsafePointer<sb_node>
    /// The tensors of the node: their `buffer`, `offset`, `host` and `strides` are the executor's to set. Nil for one left out.
    package let inputs: [UnsafeMutablePointer<sb_tensor>?]
    package let outputs: [UnsafeMutablePointer<sb_tensor>?]
    private let memory = CMemory()
    /// Keeps the bytes of tensor attributes alive.
    private let constants: [HostTensor]

    /// - Parameters:
    ///   - version: the operator-set version in which the operator's meaning was last changed.
    ///   - attributes: with the standard's defaults filled in. Those of kind graph belong to operators that no plugin gets, and are refused.
    package init(
        kernel: Kernel, domain: String, operatorName: String, version: Int, attributes: [String: Attribute],
        inputs: [TensorDescriptor?], outputs: [TensorDescriptor?]
    ) throws(PluginError) {
        let memory = memory
        self.kernel = kernel
        self.operatorName = operatorName
        let fault = { (message: String) in PluginError(.invalidArgument, plugin: kernel.name, "node '\(operatorName)': \(message)") }
        guard let version = UInt32(exactly: version) else { throw fault("has the operator version \(version)") }

        func tensor(_ descriptor: TensorDescriptor?) throws(PluginError) -> UnsafeMutablePointer<sb_tensor>? {
            guard let descriptor else { return nil }
            guard descriptor.dataType != .string else { throw fault("has a string tensor, which no plugin can be given") }
            guard descriptor.shape.count <= 64, elementCount(descriptor.shape) != nil else {
                throw fault("has a tensor of shape \(descriptor.shape)")
            }
            return memory.allocate(
                sb_tensor(
                    size: MemoryLayout<sb_tensor>.size, data_type: descriptor.dataType.rawValue, rank: UInt32(descriptor.shape.count),
                    shape: memory.array(descriptor.shape.map(Int64.init)), strides: nil, buffer: nil, offset: 0,
                    host: UnsafeMutableRawPointer(mutating: descriptor.host), layout: SB_LAYOUT_ROW_MAJOR, reserved: 0))
        }

        var constants: [HostTensor] = []
        func attribute(_ name: String, _ value: Attribute) throws(PluginError) -> UnsafePointer<sb_attribute>? {
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

        var attributePointers: [UnsafePointer<sb_attribute>?] = []
        for (name, value) in attributes.sorted(by: { $0.key < $1.key }) { attributePointers.append(try attribute(name, value)) }
        var inputPointers: [UnsafeMutablePointer<sb_tensor>?] = []
        for input in inputs { inputPointers.append(try tensor(input)) }
        var outputPointers: [UnsafeMutablePointer<sb_tensor>?] = []
        for output in outputs { outputPointers.append(try tensor(output)) }
        self.inputs = inputPointers
        self.outputs = outputPointers
        self.constants = constants
        pointer = UnsafePointer(
            memory.allocate(
                sb_node(
                    size: MemoryLayout<sb_node>.size, kernel: kernel.pointer, domain: memory.string(domain),
                    operator_name: memory.string(operatorName), version: version, reserved: 0,
                    attributes: memory.array(attributePointers).map { UnsafePointer($0) }, attribute_count: attributePointers.count,
                    inputs: memory.array(inputPointers.map { UnsafePointer($0) }).map { UnsafePointer($0) }, input_count: inputs.count,
                    outputs: memory.array(outputPointers.map { UnsafePointer($0) }).map { UnsafePointer($0) }, output_count: outputs.count))
        )
    }

    /// Gives an input strides, in elements.
    package func setStrides(_ strides: [Int], ofInput index: Int) {
        inputs[index]?.pointee.strides = memory.array(strides.map(Int64.init)).map { UnsafePointer($0) }
    }
}

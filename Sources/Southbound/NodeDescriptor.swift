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
    /// 0 for row-major, else one of the device's.
    package var layout: Int

    package init(_ dataType: DataType, _ shape: [Int], host: UnsafeRawPointer? = nil, layout: Int = 0) {
        self.layout = layout
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
    private let memory: NodeMemory

    /// - Parameters:
    ///   - version: the operator-set version in which the operator's meaning was last changed.
    ///   - attributes: with the standard's defaults filled in. Those of kind graph belong to operators that no plugin gets, and are refused.
    package init(
        kernel: Kernel, domain: String, operatorName: String, version: Int, attributes: [String: Attribute],
        inputs: [TensorDescriptor?], outputs: [TensorDescriptor?]
    ) throws(PluginError) {
        let memory = NodeMemory(plugin: kernel.name, subject: "node '\(operatorName)'")
        func tensors(_ descriptors: [TensorDescriptor?]) throws(PluginError) -> [UnsafeMutablePointer<sb_tensor>?] {
            var tensors: [UnsafeMutablePointer<sb_tensor>?] = []
            for descriptor in descriptors {
                if let descriptor { tensors.append(try memory.tensor(descriptor)) } else { tensors.append(nil) }
            }
            return tensors
        }
        self.memory = memory
        self.kernel = kernel
        self.operatorName = operatorName
        self.inputs = try tensors(inputs)
        self.outputs = try tensors(outputs)
        pointer = try memory.node(
            kernel: kernel.pointer, domain: domain, operatorName: operatorName, version: version, attributes: attributes,
            inputs: self.inputs, outputs: self.outputs)
    }

    /// Gives an input strides, in elements.
    package func setStrides(_ strides: [Int], ofInput index: Int) { inputs[index]?.pointee.strides = memory.numbers(strides) }
}

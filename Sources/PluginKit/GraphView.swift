// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// A subgraph, as the host describes it: nodes in an order in which every value is made before it is read. Valid until the call returns.
///
/// A value is one tensor: `TensorView.raw` is the same pointer wherever the value is made or read. A constant has `host`.
package struct GraphView {
    package let raw: UnsafePointer<sb_graph>
    package let nodes: [NodeView]
    package let inputs: [TensorView]
    /// Values of nodes that are wanted outside; nodes of the graph may read them, too.
    package let outputs: [TensorView]

    /// Checks everything that the graph points to, so that no accessor can be led astray by a malformed struct.
    init(validating raw: UnsafePointer<sb_graph>?) throws(PluginFailure) {
        guard let raw, raw.pointee.size >= MinimumSize.graph else { throw .invalid("a graph is NULL or shorter than in version 0.2") }
        let graph = raw.pointee
        guard graph.node_count == 0 || graph.nodes != nil, graph.input_count == 0 || graph.inputs != nil,
            graph.output_count == 0 || graph.outputs != nil, graph.serialize != nil
        else { throw .invalid("a graph counts entries of a list that is NULL, or cannot be serialized") }
        self.raw = raw
        var nodes: [NodeView] = []
        for index in 0..<graph.node_count { nodes.append(try NodeView(validating: graph.nodes[index])) }
        self.nodes = nodes
        inputs = try Self.tensors(graph.inputs, count: graph.input_count)
        outputs = try Self.tensors(graph.outputs, count: graph.output_count)
    }

    /// The same graph as an ONNX model, its nodes, inputs and outputs in the same order. The bytes are valid until the host's call returns.
    package func serialized() throws(PluginFailure) -> UnsafeRawBufferPointer {
        var bytes = sb_string()
        guard let serialize = raw.pointee.serialize, serialize(raw, &bytes, nil) == SB_OK else {
            throw .internal("the host cannot give the graph as ONNX")
        }
        return UnsafeRawBufferPointer(start: bytes.data, count: bytes.length)
    }

    private static func tensors(
        _ list: UnsafePointer<UnsafePointer<sb_tensor>?>?, count: Int
    ) throws(PluginFailure) -> [TensorView] {
        var tensors: [TensorView] = []
        for index in 0..<count {
            guard let tensor = TensorView(list![index]) else {
                throw .invalid("a tensor of a graph is NULL or shorter than in version 0.1")
            }
            try tensor.validate()
            tensors.append(tensor)
        }
        return tensors
    }
}

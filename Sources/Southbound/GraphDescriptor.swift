// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
package import Foundation
package import Graph

/// One `sb_graph` with everything that it points to, in memory that does not move.
package final class GraphDescriptor: @unchecked Sendable {
    /// A node over values, which are numbered.
    package struct Node: Sendable {
        package var domain: String
        package var operatorName: String
        /// The operator-set version in which the operator's meaning was last changed.
        package var version: Int
        /// With the standard's defaults filled in.
        package var attributes: [String: Attribute]
        /// Nil for one left out.
        package var inputs: [Int?]
        package var outputs: [Int?]

        package init(
            domain: String, operatorName: String, version: Int, attributes: [String: Attribute], inputs: [Int?], outputs: [Int?]
        ) {
            self.domain = domain
            self.operatorName = operatorName
            self.version = version
            self.attributes = attributes
            self.inputs = inputs
            self.outputs = outputs
        }
    }

    package let pointer: UnsafePointer<sb_graph>
    /// The tensors of the graph's inputs and outputs: for executions of a program made of it, their `buffer`, `offset` and `host` are the executor's to set.
    package let inputs: [UnsafeMutablePointer<sb_tensor>]
    package let outputs: [UnsafeMutablePointer<sb_tensor>]
    package let nodeCount: Int
    private let memory: NodeMemory
    private let record: UnsafeMutablePointer<Record>
    private let makeONNX: ONNXWriter
    /// By location of external data.
    private var onnx: [String?: sb_string] = [:]

    /// Writes the same graph as an ONNX model; constants stay in memory where a location for external data is given (SB-GRA-003).
    package typealias ONNXWriter = @Sendable (_ externalLocation: String?) throws -> Data

    /// The struct that a plugin sees, and behind it what leads from there to this object.
    private struct Record {
        var graph: sb_graph
        var owner: UnsafeRawPointer
    }

    /// - Parameters:
    ///   - values: by number; those with `host` are constants, whose memory the caller keeps alive.
    ///   - inputs: numbers of values that come from outside.
    ///   - outputs: numbers of values that are wanted outside.
    ///   - onnx: called when the plugin asks.
    package init(
        plugin: String, nodes: [Node], values: [TensorDescriptor], inputs: [Int], outputs: [Int],
        onnx: @escaping ONNXWriter
    ) throws(PluginError) {
        let memory = NodeMemory(plugin: plugin, subject: "a graph of \(nodes.count) nodes")
        var tensors: [UnsafeMutablePointer<sb_tensor>] = []
        for value in values { tensors.append(try memory.tensor(value)) }
        var pointers: [UnsafePointer<sb_node>?] = []
        for node in nodes {
            pointers.append(
                try memory.node(
                    kernel: nil, domain: node.domain, operatorName: node.operatorName, version: node.version, attributes: node.attributes,
                    inputs: node.inputs.map { $0.map { tensors[$0] } }, outputs: node.outputs.map { $0.map { tensors[$0] } }))
        }
        self.memory = memory
        self.inputs = inputs.map { tensors[$0] }
        self.outputs = outputs.map { tensors[$0] }
        nodeCount = nodes.count
        makeONNX = onnx
        record = .allocate(capacity: 1)
        pointer = UnsafeRawPointer(record).assumingMemoryBound(to: sb_graph.self)
        record.initialize(
            to: Record(
                graph: sb_graph(
                    size: MemoryLayout<sb_graph>.size, nodes: memory.list(pointers), node_count: nodes.count,
                    inputs: memory.list(self.inputs.map { UnsafePointer($0) }), input_count: inputs.count,
                    outputs: memory.list(self.outputs.map { UnsafePointer($0) }), output_count: outputs.count,
                    serialize: { graph, bytes, error in GraphDescriptor.serialize(graph, nil, bytes, error) },
                    serialize_external: { graph, location, bytes, error in
                        let text = UnsafeRawBufferPointer(start: location.data, count: location.length)
                        guard location.length > 0, location.data != nil, let location = String(validating: text, as: UTF8.self) else {
                            return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "the location of external data is empty, or no UTF-8")
                        }
                        return GraphDescriptor.serialize(graph, location, bytes, error)
                    }), owner: UnsafeRawPointer(record)))
        record.pointee.owner = UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { record.deallocate() }

    private static func serialize(
        _ graph: UnsafePointer<sb_graph>?, _ location: String?, _ bytes: UnsafeMutablePointer<sb_string>?,
        _ detail: UnsafeMutablePointer<sb_error>?
    ) -> Int32 {
        guard let graph, let bytes else { return SB_ERROR_INVALID_ARGUMENT }
        let record = UnsafeRawPointer(graph).assumingMemoryBound(to: Record.self)
        return Unmanaged<GraphDescriptor>.fromOpaque(record.pointee.owner)._withUnsafeGuaranteedRef {
            $0.serialize(location, bytes, detail)
        }
    }

    private func serialize(_ location: String?, _ bytes: UnsafeMutablePointer<sb_string>, _ detail: UnsafeMutablePointer<sb_error>?)
        -> Int32
    {
        do {
            let made = try onnx[location] ?? memory.bytes(makeONNX(location))
            onnx[location] = made
            bytes.pointee = made
            return SB_OK
        } catch {
            return sb_fail(detail, SB_ERROR_INTERNAL, "the graph cannot be written as ONNX: \(error)")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Compiler
package import Graph
package import Operators
package import Southbound
package import Tensors

/// Runs one node by the kernels of some devices: what has no reference to run it.
///
/// - Parameters:
///   - inputs: one entry per input that the node names; nil is an optional one left out.
///   - outputs: the types of the outputs, for those that the node gives.
package func runAlone(
    _ node: Node, _ inputs: [HostTensor?], _ outputs: [InferredOutput?], devices: [Device], libraries: [OperatorLibrary]
) throws -> [HostTensor?] {
    var graph = Graph(name: node.name)
    var given: [String: HostTensor] = [:]
    var alone = node
    alone.origins = []
    alone.inputs = inputs.enumerated().map { index, tensor in
        guard let tensor else { return nil }
        let value = graph.addValue("input \(index)", type: TensorType(tensor.dataType, known: tensor.shape))
        graph.inputs.append(value)
        given["input \(index)"] = tensor
        return value
    }
    alone.outputs = outputs.enumerated().map { index, type in
        guard type != nil else { return nil }
        let value = graph.addValue("output \(index)")
        graph.outputs.append(value)
        return value
    }
    graph.addNode(alone)
    var results = try Session(graph, devices: devices, libraries: libraries, rules: .asGiven).run(given).map(\.tensor)[...]
    return outputs.map { $0 == nil ? nil : results.popFirst() }
}

// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// Runs a whole graph on the operators' references, each node's results rounded to their types: the stack's own yardstick, not a way to run models fast.
///
/// - Parameter inputs: values of the graph's inputs and, for a subgraph, of its captures.
package func evaluate(
    _ graph: Graph, inputs: [ValueID: HostTensor], catalog: OperatorCatalog = .standard
) throws(GraphError) -> [HostTensor] {
    var values = graph.constants
    for input in graph.inputs + graph.captures.keys {
        guard let tensor = inputs[input] else { throw GraphError("input '\(graph[input].name)' is missing") }
        values[input] = tensor
    }
    for node in graph.nodes {
        guard let definition = catalog.definition(of: node) else {
            throw GraphError("node '\(node.name)': operator '\(node.qualifiedName)' is not in the catalogue")
        }
        let captures = graph.captured(by: node).compactMap { values[$0] }
        let outputs: [HostTensor?]
        do throws(OperatorError) {
            outputs = try definition.evaluate(
                opset: node.opset, attributes: node.attributes, inputs: node.inputs.map { $0.flatMap { values[$0] } },
                wanted: node.outputs.map { $0 != nil }, captures: captures)
        } catch {
            throw GraphError("node '\(node.name)' (\(node.operatorName)): \(error)")
        }
        for (output, tensor) in zip(node.outputs, outputs) {
            if let output { values[output] = tensor }
        }
    }
    var results: [HostTensor] = []
    for output in graph.outputs {
        guard let tensor = values[output] else { throw GraphError("output '\(graph[output].name)' has no value") }
        results.append(tensor)
    }
    return results
}

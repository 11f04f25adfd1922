// SPDX-License-Identifier: Apache-2.0

extension [String: Attribute] {
    /// Values of the enclosing graph that the subgraphs among the attributes read, by name and in order. Where a node has such, they stand behind its inputs
    /// in inference and reference.
    package var capturedNames: [String] {
        var names: Set<String> = []
        for case .graph(let graph) in values { names.formUnion(graph.captures.values) }
        return names.sorted()
    }
}

extension Graph {
    /// The values of this graph that a node's subgraphs read, in the order of `capturedNames`.
    package func captured(by node: Node) -> [ValueID] {
        let names = node.attributes.capturedNames
        if names.isEmpty { return [] }
        var byName: [String: ValueID] = [:]
        for (index, value) in values.enumerated() { byName[value.name] = ValueID(index) }
        return names.compactMap { byName[$0] }
    }
}

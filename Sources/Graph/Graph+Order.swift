// SPDX-License-Identifier: Apache-2.0

/// A graph that breaks the IR's rules; the message names the node or value.
package struct GraphError: Error, Sendable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

extension Graph {
    /// The node that writes each value, nil for inputs, constants and captures. O(nodes).
    package func producers() -> [NodeID?] {
        var producer = [NodeID?](repeating: nil, count: values.count)
        for (index, node) in nodes.enumerated() {
            for case let output? in node.outputs { producer[output.index] = NodeID(index) }
        }
        return producer
    }

    /// Puts the nodes in an order in which every value is written before it is read (Kahn's algorithm, stable: the given order is kept
    /// where it is valid). Throws if a value is written twice, is read but never written, or if nodes form a cycle. O(nodes + edges).
    package mutating func sortTopologically() throws(GraphError) {
        var producer = [Int?](repeating: nil, count: values.count)
        var available = [Bool](repeating: false, count: values.count)
        for value in inputs { available[value.index] = true }
        for value in constants.keys { available[value.index] = true }
        for value in captures.keys { available[value.index] = true }
        for (index, node) in nodes.enumerated() {
            for case let output? in node.outputs {
                if producer[output.index] != nil || available[output.index] {
                    throw GraphError("node '\(node.name)' (\(node.operatorName)) writes '\(self[output].name)', which already has a value")
                }
                producer[output.index] = index
            }
        }
        var waiting = [Int](repeating: 0, count: nodes.count)
        var readers = [[Int]](repeating: [], count: nodes.count)
        for (index, node) in nodes.enumerated() {
            for case let input? in node.inputs {
                if let source = producer[input.index] {
                    waiting[index] += 1
                    readers[source].append(index)
                } else if !available[input.index] {
                    throw GraphError("node '\(node.name)' (\(node.operatorName)) reads '\(self[input].name)', which nothing writes")
                }
            }
        }
        for output in outputs where producer[output.index] == nil && !available[output.index] {
            throw GraphError("the graph's output '\(self[output].name)' is written by nothing")
        }
        if isSorted(producer: producer) { return }
        var ready = nodes.indices.filter { waiting[$0] == 0 }
        var order: [Int] = []
        order.reserveCapacity(nodes.count)
        var next = 0
        while next < ready.count {
            let index = ready[next]
            next += 1
            order.append(index)
            for reader in readers[index] {
                waiting[reader] -= 1
                if waiting[reader] == 0 { ready.append(reader) }
            }
        }
        if order.count < nodes.count, let stuck = nodes.indices.first(where: { waiting[$0] > 0 }) {
            let node = nodes[stuck]
            throw GraphError("the graph has a cycle through node '\(node.name)' (\(node.operatorName))")
        }
        nodes = order.map { nodes[$0] }
    }

    private func isSorted(producer: [Int?]) -> Bool {
        for (index, node) in nodes.enumerated() {
            for case let input? in node.inputs {
                if let source = producer[input.index], source >= index { return false }
            }
        }
        return true
    }
}

extension Graph {
    /// Puts each node behind those whose values it reads, and keeps the order otherwise: what is wanted late is computed late. O(nodes + edges).
    /// Throws if nodes form a cycle.
    package mutating func orderByNeed() throws(GraphError) {
        let producers = producers()
        func sources(_ index: Int) -> [Int] {
            (nodes[index].inputs.compactMap { $0 } + captured(by: nodes[index])).compactMap { producers[$0.index]?.index }
        }
        var order: [Int] = []
        order.reserveCapacity(nodes.count)
        // Absent, on the way, done.
        var state = [UInt8](repeating: 0, count: nodes.count)
        for first in nodes.indices where state[first] == 0 {
            var path = [(node: first, open: sources(first)[...])]
            state[first] = 1
            while var last = path.popLast() {
                guard let next = last.open.popFirst() else {
                    state[last.node] = 2
                    order.append(last.node)
                    continue
                }
                path.append(last)
                if state[next] == 1 {
                    throw GraphError("the graph has a cycle through node '\(nodes[next].name)' (\(nodes[next].operatorName))")
                }
                if state[next] == 0 {
                    state[next] = 1
                    path.append((next, sources(next)[...]))
                }
            }
        }
        nodes = order.map { nodes[$0] }
    }

    /// Throws unless every value is written once, and before it is read. O(nodes + edges).
    package func checkOrder() throws(GraphError) {
        var isWritten = [Bool](repeating: false, count: values.count)
        for value in inputs { isWritten[value.index] = true }
        for value in constants.keys { isWritten[value.index] = true }
        for value in captures.keys { isWritten[value.index] = true }
        for node in nodes {
            let captured = node.attributes.isEmpty ? [] : captured(by: node)
            for input in node.inputs.compactMap({ $0 }) + captured where !isWritten[input.index] {
                throw GraphError("node '\(node.name)' (\(node.operatorName)) reads '\(self[input].name)' before anything writes it")
            }
            for case let output? in node.outputs {
                guard !isWritten[output.index] else {
                    throw GraphError("node '\(node.name)' (\(node.operatorName)) writes '\(self[output].name)', which already has a value")
                }
                isWritten[output.index] = true
            }
        }
        for output in outputs where !isWritten[output.index] {
            throw GraphError("the graph's output '\(self[output].name)' is written by nothing")
        }
    }
}

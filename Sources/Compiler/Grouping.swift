// SPDX-License-Identifier: Apache-2.0
package import Graph
import Operators

/// Nodes joined into groups in such a way that the groups can still be run one after the other.
package struct Grouping {
    private let nodes: [NodeID]
    private let position: [NodeID: Int]
    /// By position: the nodes that read what this one writes.
    private let readers: [[Int]]
    /// By position: the first node of the group that the node belongs to.
    private var leader: [Int]
    private var devices: [Int: Int] = [:]

    /// - Parameter nodes: in an order in which every value is written before it is read.
    package init(_ nodes: [NodeID], _ graph: Graph) {
        self.nodes = nodes
        let position = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1, $0) })
        let producers = graph.producers()
        var readers = [[Int]](repeating: [], count: nodes.count)
        for (index, id) in nodes.enumerated() {
            for case let input? in graph[id].inputs + graph.captured(by: graph[id]) {
                if let source = producers[input.index].flatMap({ position[$0] }) { readers[source].append(index) }
            }
        }
        self.position = position
        self.readers = readers
        leader = Array(nodes.indices)
    }

    func isClaimed(_ id: NodeID) -> Bool { position[id].map { devices[leader[$0]] != nil } ?? false }

    /// Joins nodes that are still alone. False, and nothing has changed, if a path leaves the group and enters it again, perhaps through other groups:
    /// neither could then run before the other.
    package mutating func join(_ ids: [NodeID], on device: Int) -> Bool {
        let members = ids.compactMap { position[$0] }.sorted()
        guard let first = members.first else { return false }
        let before = leader
        for member in members { leader[member] = first }
        guard order() != nil else {
            leader = before
            return false
        }
        devices[first] = device
        return true
    }

    /// The groups in an order in which they can run; the order of the nodes is kept where it can be.
    func sorted() -> [Placer.Group] {
        let members = Dictionary(grouping: nodes.indices, by: { leader[$0] })
        return (order() ?? Array(nodes.indices)).map { first in
            Placer.Group(nodes: (members[first] ?? []).sorted().map { nodes[$0] }, device: devices[first])
        }
    }

    /// Leaders of groups in topological order; nil if groups wait for each other. O(nodes + edges), and a heap's logarithm.
    private func order() -> [Int]? {
        var waiting: [Int: Int] = [:]
        for first in leader { waiting[first] = 0 }
        var edges: [Int: Set<Int>] = [:]
        for (source, targets) in readers.enumerated() {
            for target in targets where leader[source] != leader[target] {
                if edges[leader[source], default: []].insert(leader[target]).inserted { waiting[leader[target], default: 0] += 1 }
            }
        }
        // The earliest that is ready goes first.
        var ready = waiting.filter { $0.value == 0 }.keys.sorted(by: >)
        var order: [Int] = []
        while let next = ready.popLast() {
            order.append(next)
            for target in edges[next] ?? [] {
                waiting[target]! -= 1
                if waiting[target] == 0 { ready.insert(target, at: ready.firstIndex { $0 < target } ?? ready.endIndex) }
            }
        }
        return order.count == waiting.count ? order : nil
    }
}

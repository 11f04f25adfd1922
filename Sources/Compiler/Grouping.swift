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

    package func isClaimed(_ id: NodeID) -> Bool { position[id].map { devices[leader[$0]] != nil } ?? false }

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

    /// Joins, of nodes that cannot be one group, the parts that no path leaves and enters again: a node belongs to the part whose number is how often the paths
    /// that reach it have left the nodes before. O((nodes + edges) log nodes).
    ///
    /// - Returns: the parts that are joined.
    package mutating func joinParts(of ids: [NodeID], on device: Int) -> [[NodeID]] {
        let members = Set(ids.compactMap { position[$0] })
        guard let order = order() else { return [] }
        let targets = targets()
        var exits = [Int](repeating: 0, count: nodes.count)
        for source in order {
            let isMember = members.contains(source)
            for target in targets[source] {
                exits[target] = max(exits[target], exits[source] + (isMember && !members.contains(target) ? 1 : 0))
            }
        }
        let parts = Dictionary(grouping: members.sorted()) { exits[$0] }.sorted { $0.key < $1.key }.map { part in
            part.value.map { nodes[$0] }
        }
        return parts.filter { join($0, on: device) }
    }

    /// Joins several groups of nodes that are still alone, as `join` does one. O((nodes + edges) log groups) where few cannot be.
    ///
    /// - Returns: the positions of those that could not be joined.
    mutating func join(all groups: [[NodeID]], on device: Int) -> [Int] { join(Array(groups.enumerated()), on: device) }

    private mutating func join(_ groups: [(offset: Int, element: [NodeID])], on device: Int) -> [Int] {
        if groups.isEmpty { return [] }
        let before = self
        for (_, ids) in groups {
            let members = ids.compactMap { position[$0] }.sorted()
            guard let first = members.first else { continue }
            for member in members { leader[member] = first }
            devices[first] = device
        }
        if order() != nil { return [] }
        self = before
        if groups.count == 1 { return [groups[0].offset] }
        let middle = groups.count / 2
        return join(Array(groups[..<middle]), on: device) + join(Array(groups[middle...]), on: device)
    }

    /// The groups in an order in which they can run; the order of the nodes is kept where it can be.
    func sorted() -> [Placer.Group] {
        var members = [[Int]](repeating: [], count: nodes.count)
        for index in nodes.indices { members[leader[index]].append(index) }
        return (order() ?? Array(nodes.indices)).map { first in
            Placer.Group(nodes: members[first].map { nodes[$0] }, device: devices[first])
        }
    }

    /// By leader of a group: those of the groups that read what it writes.
    private func targets() -> [[Int]] {
        var targets = [[Int]](repeating: [], count: nodes.count)
        for (source, readers) in readers.enumerated() {
            for reader in readers where leader[source] != leader[reader] { targets[leader[source]].append(leader[reader]) }
        }
        return targets
    }

    /// Leaders of groups in topological order, the earliest that is ready first; nil if groups wait for each other. O((nodes + edges) log nodes).
    private func order() -> [Int]? {
        let targets = targets()
        var waiting = [Int](repeating: 0, count: nodes.count)
        for target in targets.joined() { waiting[target] += 1 }
        var ready = Heap()
        var count = 0
        for index in nodes.indices where leader[index] == index {
            count += 1
            if waiting[index] == 0 { ready.insert(index) }
        }
        var order: [Int] = []
        while let next = ready.popLeast() {
            order.append(next)
            for target in targets[next] {
                waiting[target] -= 1
                if waiting[target] == 0 { ready.insert(target) }
            }
        }
        return order.count == count ? order : nil
    }
}

/// A binary heap of numbers, the least on top.
private struct Heap {
    private var items: [Int] = []

    mutating func insert(_ item: Int) {
        var index = items.count
        items.append(item)
        while index > 0, items[(index - 1) / 2] > items[index] {
            items.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func popLeast() -> Int? {
        guard let least = items.first, let last = items.popLast() else { return nil }
        if items.isEmpty { return least }
        items[0] = last
        var index = 0
        while true {
            let children = [2 * index + 1, 2 * index + 2].filter { $0 < items.count }
            guard let child = children.min(by: { items[$0] < items[$1] }), items[child] < items[index] else { return least }
            items.swapAt(index, child)
            index = child
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import PluginKit

/// Finds what to fuse: a product with what follows it element by element, and elementwise nodes of one shape that read each other's values.
///
/// Nodes are taken in order; each joins a group of one of its producers if no path leaves that group and comes back through the node.
struct Grouping {
    private struct Group {
        var nodes: [Int]
        let hasProduct: Bool
    }

    /// A product's epilogue holds its registers beside the block that it works on.
    private static let longestEpilogue = 10
    private static let longestChain = 32

    private let graph: FusionGraph
    private var groups: [Group] = []
    /// By node: its group.
    private var places: [Int?]

    init(_ graph: FusionGraph) {
        self.graph = graph
        places = [Int?](repeating: nil, count: graph.parts.count)
        for node in graph.parts.indices {
            switch graph.parts[node] {
            case nil: continue
            case .product: open(node, hasProduct: true)
            case .elementwise:
                let candidates = graph.predecessors(of: node).compactMap { places[$0] }
                // The last product among them: its block is at hand, and what came before is done.
                let order = Set(candidates).sorted { (groups[$0].hasProduct ? 1 : 0, $0) > (groups[$1].hasProduct ? 1 : 0, $1) }
                if let group = order.first(where: { accepts(node, in: $0) }) {
                    groups[group].nodes.append(node)
                    places[node] = group
                } else {
                    open(node, hasProduct: false)
                }
            }
        }
    }

    /// The groups of at least two nodes. Of a product's group one value comes out.
    var fused: [[Int]] {
        groups.compactMap { group in
            var nodes = group.nodes
            if group.hasProduct {
                while nodes.count > 1, graph.escaping(from: nodes).count > 1 { nodes.removeLast() }
            }
            return nodes.count > 1 ? nodes : nil
        }
    }

    private mutating func open(_ node: Int, hasProduct: Bool) {
        places[node] = groups.count
        groups.append(Group(nodes: [node], hasProduct: hasProduct))
    }

    private func accepts(_ node: Int, in index: Int) -> Bool {
        let group = groups[index]
        guard group.nodes.count < (group.hasProduct ? Self.longestEpilogue : Self.longestChain) else { return false }
        guard graph.shape(of: node) == graph.shape(of: group.nodes[0]) else { return false }
        // A group that has let out a value that is not its last could not end in one any more.
        if group.hasProduct, graph.escaping(from: group.nodes + [node]).count > 1 + graph.pending(group.nodes + [node]) { return false }
        let others = graph.predecessors(of: node).filter { places[$0] != index }
        return !others.contains { depends($0, on: index) }
    }

    /// Whether a node, or a group that it is in, needs something that the group `index` makes.
    private func depends(_ node: Int, on index: Int) -> Bool {
        let first = groups[index].nodes[0]
        var visitedNodes: Set<Int> = []
        var visitedGroups: Set<Int> = []
        var open = [node]
        while let next = open.popLast() {
            if places[next] == index { return true }
            guard visitedNodes.insert(next).inserted else { continue }
            var members = [next]
            if let group = places[next] {
                guard visitedGroups.insert(group).inserted else { continue }
                members = groups[group].nodes
            }
            // What lies before the group's first node cannot need it, unless its own group reaches further.
            for member in members where member > first || members.count > 1 { open += graph.predecessors(of: member) }
        }
        return false
    }
}

extension FusionGraph {
    func shape(of node: Int) -> [Int64] { Array(graph.nodes[node].output(0)!.shape) }

    /// Values that elementwise nodes further on may still take into the group.
    func pending(_ nodes: [Int]) -> Int {
        let last = nodes.max() ?? 0
        return escaping(from: nodes).count { value in
            !outputs.contains(value) && consumers[value, default: []].allSatisfy { $0 > last || nodes.contains($0) }
                && value != output(of: last)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Capacities between numbered nodes, and the cheapest cut between two of them, by Dinic's algorithm: O(edges) for each length that a shortest augmenting
/// path takes on, in the networks of long chains and few branches that models make.
struct FlowNetwork {
    private var heads: [Int32] = []
    /// What is left of each edge's capacity; an edge and its reverse stand side by side.
    private var capacities: [Int] = []
    /// By edge: the next one that leaves the same node.
    private var next: [Int32] = []
    /// By node: the first edge that leaves it.
    private var first: [Int32] = []

    /// More than all finite capacities together.
    static let unlimited = Int.max / 4
    private static let none: Int32 = -1

    mutating func addNode() -> Int {
        first.append(Self.none)
        return first.count - 1
    }

    mutating func addEdge(from tail: Int, to head: Int, capacity: Int, back: Int = 0) {
        for (from, to, capacity) in [(tail, head, capacity), (head, tail, back)] {
            next.append(first[from])
            first[from] = Int32(heads.count)
            heads.append(Int32(to))
            capacities.append(capacity)
        }
    }

    /// Uses the capacities up. By node: whether it is on the source's side of the cheapest cut; of several cheapest ones, of that with the fewest nodes there.
    mutating func cut(from source: Int, to sink: Int) -> [Bool] {
        var levels = distances(from: source)
        while levels[sink] >= 0 {
            augment(from: source, to: sink, &levels)
            levels = distances(from: source)
        }
        return levels.map { $0 >= 0 }
    }

    /// By node: over how many edges with capacity it is reached; -1: not at all.
    private func distances(from source: Int) -> [Int32] {
        var levels = [Int32](repeating: -1, count: first.count)
        levels[source] = 0
        var queue = [Int32(source)]
        var position = 0
        while position < queue.count {
            let node = Int(queue[position])
            position += 1
            var edge = first[node]
            while edge != Self.none {
                let head = Int(heads[Int(edge)])
                if capacities[Int(edge)] > 0, levels[head] < 0 {
                    levels[head] = levels[node] + 1
                    queue.append(Int32(head))
                }
                edge = next[Int(edge)]
            }
        }
        return levels
    }

    /// Fills all shortest paths.
    private mutating func augment(from source: Int, to sink: Int, _ levels: inout [Int32]) {
        var current = first
        var path: [Int32] = []
        var node = source
        while true {
            if node == sink {
                let least = path.reduce(Int.max) { min($0, capacities[Int($1)]) }
                for edge in path {
                    capacities[Int(edge)] -= least
                    capacities[Int(edge) ^ 1] += least
                }
                let full = path.firstIndex { capacities[Int($0)] == 0 } ?? 0
                node = Int(heads[Int(path[full]) ^ 1])
                path.removeSubrange(full...)
            }
            var edge = current[node]
            while edge != Self.none, capacities[Int(edge)] == 0 || levels[Int(heads[Int(edge)])] != levels[node] + 1 {
                edge = next[Int(edge)]
            }
            current[node] = edge
            if edge != Self.none {
                path.append(edge)
                node = Int(heads[Int(edge)])
            } else if let last = path.popLast() {
                // A dead end.
                levels[node] = -1
                node = Int(heads[Int(last) ^ 1])
            } else {
                return
            }
        }
    }
}

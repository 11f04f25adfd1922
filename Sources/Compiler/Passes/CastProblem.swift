// SPDX-License-Identifier: Apache-2.0

/// Which nodes of a graph compute in a narrow type, where some must, some must not, and the others go with their neighbours, so that the fewest bytes are cast.
///
/// A value is made in the type of its maker and cast once if a reader is on the other side, however many readers are. Exact: a minimum cut between the two
/// sides, in which each value is two nodes, one for its readers of either side.
package struct CastProblem: Sendable {
    package enum Side: Sendable { case wide, narrow, either }

    package struct Value: Sendable {
        /// Nil: the caller gives it, in the wide type.
        package var maker: Int?
        /// Numbers of nodes.
        package var readers: [Int]
        /// Somebody wants it in the wide type whatever the nodes do: the caller, or an input that has no other.
        package var isReadWide: Bool
        /// What one cast of it moves.
        package var bytes: Int

        package init(maker: Int?, readers: [Int], isReadWide: Bool = false, bytes: Int) {
            (self.maker, self.readers, self.isReadWide, self.bytes) = (maker, readers, isReadWide, bytes)
        }
    }

    /// By node.
    package var sides: [Side]
    package var values: [Value]

    package init(sides: [Side] = [], values: [Value] = []) { (self.sides, self.values) = (sides, values) }

    /// The bytes that are cast where these nodes compute in the narrow type.
    package func cost(of isNarrow: [Bool]) -> Int {
        values.reduce(0) { sum, value in
            let isMadeNarrow = value.maker.map { isNarrow[$0] } ?? false
            let isCast = value.readers.contains { isNarrow[$0] != isMadeNarrow } || value.isReadWide && isMadeNarrow
            return isCast ? sum + value.bytes : sum
        }
    }

    /// By node whether it computes in the narrow type. Where several choices cost the same, the one with the most narrow nodes that touch any: they move fewer bytes.
    package func solution() -> [Bool] {
        var isNarrow = sides.map { $0 == .narrow }
        for part in parts() { solve(part, &isNarrow) }
        return isNarrow
    }

    /// Values that have to do with each other, by way of nodes that may go to either side. What is fixed separates: each part is a problem of its own.
    private func parts() -> [[Int]] {
        var sets = DisjointSets(sides.count)
        let free = values.map { value in ((value.maker.map { [$0] } ?? []) + value.readers).filter { sides[$0] == .either } }
        for members in free { for member in members.dropFirst() { sets.join(members[0], member) } }
        return Dictionary(grouping: values.indices.filter { !free[$0].isEmpty }) { sets.root(free[$0][0]) }.sorted { $0.key < $1.key }
            .map(\.value)
    }

    private func solve(_ part: [Int], _ isNarrow: inout [Bool]) {
        var network = FlowNetwork()
        let (wide, narrow) = (network.addNode(), network.addNode())
        var numbers: [Int: Int] = [:]
        var hasSide = (wide: false, narrow: false)
        func number(_ node: Int) -> Int {
            switch sides[node] {
            case .wide:
                hasSide.wide = true
                return wide
            case .narrow:
                hasSide.narrow = true
                return narrow
            case .either:
                if let known = numbers[node] { return known }
                let new = network.addNode()
                numbers[node] = new
                return new
            }
        }
        for index in part {
            let value = values[index]
            if value.maker == nil || value.isReadWide { hasSide.wide = true }
            let maker = value.maker.map(number) ?? wide
            let readers = Set(value.readers.map(number) + (value.isReadWide ? [wide] : [])).subtracting([maker])
            if readers.count == 1, let reader = readers.first {
                network.addEdge(from: maker, to: reader, capacity: value.bytes, back: value.bytes)
            } else if readers.count > 1 {
                // Made wide and read narrow by any; made narrow and read wide by any.
                let (down, up) = (network.addNode(), network.addNode())
                network.addEdge(from: maker, to: down, capacity: value.bytes)
                network.addEdge(from: up, to: maker, capacity: value.bytes)
                for reader in readers {
                    network.addEdge(from: down, to: reader, capacity: FlowNetwork.unlimited)
                    network.addEdge(from: reader, to: up, capacity: FlowNetwork.unlimited)
                }
            }
        }
        // With one side alone there is nothing to cut.
        guard hasSide.narrow else { return }
        let isWide = hasSide.wide ? network.cut(from: wide, to: narrow) : []
        for (node, number) in numbers { isNarrow[node] = isWide.isEmpty || !isWide[number] }
    }
}

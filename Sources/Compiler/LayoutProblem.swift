// SPDX-License-Identifier: Apache-2.0

/// Kernels that would rather have other layouts, each to be granted its wish or not, and what every choice costs, in nanoseconds.
package struct LayoutProblem {
    /// A value between those that would have it in a layout and everybody else.
    package struct Link {
        /// The kernel that makes it, and the layout it would make it in; nil: it is made row-major.
        package var maker: (member: Int, layout: Int)?
        /// Kernels that would read it in a layout.
        package var readers: [(member: Int, layout: Int)] = []
        /// Somebody reads it row-major, whatever is chosen.
        package var isRowMajor = false
        /// A conversion from row-major to each layout that a reader would have, and back from the maker's.
        package var pack: [Int: Double] = [:]
        package var unpack = 0.0

        package init() {}

        /// Of a conversion to the layout that a reader would have.
        fileprivate func pack(for member: Int) -> Double {
            readers.first { $0.member == member }.flatMap { pack[$0.layout] } ?? .infinity
        }
    }

    /// By kernel: what granting its wish costs, conversions apart; usually below 0.
    private let changes: [Double]
    private let links: [Link]
    /// By kernel: its links.
    private var linksOf: [[Int]]

    package init(changes: [Double], links: [Link]) {
        self.changes = changes
        self.links = links
        linksOf = [[Int]](repeating: [], count: changes.count)
        for (number, link) in links.enumerated() {
            for member in Set(link.readers.map(\.member) + [link.maker?.member].compactMap { $0 }) { linksOf[member].append(number) }
        }
    }

    /// Of the conversions of one value.
    private func cost(_ link: Link, _ chosen: [Bool]) -> Double {
        let made = link.maker.flatMap { chosen[$0.member] ? $0.layout : nil } ?? 0
        let wanted = Set(link.readers.map { chosen[$0.member] ? $0.layout : 0 })
        let unpacks = made != 0 && (link.isRowMajor || wanted.contains { $0 != made })
        return wanted.reduce(unpacks ? link.unpack : 0) { $1 == 0 || $1 == made ? $0 : $0 + (link.pack[$1] ?? .infinity) }
    }

    package func cost(_ chosen: [Bool]) -> Double {
        changes.indices.reduce(0) { $0 + (chosen[$1] ? changes[$1] : 0) } + links.reduce(0) { $0 + cost($1, chosen) }
    }

    /// Which wishes are granted.
    package func solve() -> [Bool] {
        // Where values have several readers, a search from one start alone often ends too early.
        let none = [Bool](repeating: false, count: changes.count)
        var best = none
        for start in [alongTrees(), changes.map { $0 < 0 }, none] {
            let found = improved(start)
            if cost(found) < cost(best) { best = found }
        }
        return best
    }

    // MARK: Dynamic programming

    /// The best choice if no value had more than one reader that matters: members joined by values into a forest, from the leaves to the roots and back.
    private func alongTrees() -> [Bool] {
        var edges = [[(other: Int, link: Int)]](repeating: [], count: changes.count)
        var sets = DisjointSets(changes.count)
        var isEdge: Set<[Int]> = []
        for (number, link) in links.enumerated() {
            guard let maker = link.maker?.member else { continue }
            for (reader, _) in link.readers where sets.join(maker, reader) {
                edges[maker].append((reader, number))
                edges[reader].append((maker, number))
                isEdge.insert([number, reader])
            }
        }
        var chosen = [Bool](repeating: false, count: changes.count)
        var isDone = chosen
        for start in changes.indices where !isDone[start] {
            var order: [(member: Int, parent: (other: Int, link: Int)?)] = [(start, nil)]
            isDone[start] = true
            var next = 0
            while next < order.count {
                for edge in edges[order[next].member] where !isDone[edge.other] {
                    isDone[edge.other] = true
                    order.append((edge.other, (order[next].member, edge.link)))
                }
                next += 1
            }
            var least: [Int: (refused: Double, granted: Double)] = [:]
            for (member, _) in order { least[member] = (0, alone(member, isEdge)) }
            for (member, parent) in order.reversed() {
                guard let parent, let mine = least[member] else { continue }
                let refused = min(mine.refused, mine.granted + between(parent.link, parent.other, false, member, true))
                let granted = min(mine.granted, mine.refused + between(parent.link, parent.other, true, member, false))
                least[parent.other]!.refused += refused
                least[parent.other]!.granted += granted
            }
            for (member, parent) in order {
                let mine = least[member]!
                guard let parent else {
                    chosen[member] = mine.granted < mine.refused
                    continue
                }
                let isGranted = chosen[parent.other]
                chosen[member] =
                    mine.granted + (isGranted ? 0 : between(parent.link, parent.other, false, member, true))
                    < mine.refused + (isGranted ? between(parent.link, parent.other, true, member, false) : 0)
            }
        }
        return chosen
    }

    /// What granting a wish costs if all neighbours outside of the forest are refused theirs.
    private func alone(_ member: Int, _ isEdge: Set<[Int]>) -> Double {
        changes[member]
            + linksOf[member].reduce(0) { sum, number in
                let link = links[number]
                if link.maker?.member == member { return sum + (link.isRowMajor ? link.unpack : 0) }
                return sum + (isEdge.contains([number, member]) ? 0 : link.pack(for: member))
            }
    }

    /// What the conversion between two neighbours costs of which one's wish is granted.
    private func between(_ number: Int, _ first: Int, _ isFirst: Bool, _ second: Int, _ isSecond: Bool) -> Double {
        let link = links[number]
        let isMakerFirst = link.maker?.member == first
        if isMakerFirst ? isFirst : isSecond { return link.isRowMajor ? 0 : link.unpack }
        return link.pack(for: isMakerFirst ? second : first)
    }

    // MARK: Improvement

    /// Changes single members for as long as that helps, at most some times over all.
    private func improved(_ start: [Bool]) -> [Bool] {
        var chosen = start
        for _ in 0..<4 {
            var isChanged = false
            for member in changes.indices {
                let around = Set(linksOf[member])
                func local() -> Double {
                    (chosen[member] ? changes[member] : 0) + around.reduce(0) { $0 + cost(links[$1], chosen) }
                }
                let before = local()
                chosen[member].toggle()
                // Not by less than what adding up in another order comes to.
                if local() < before - 1e-9 * abs(before) { isChanged = true } else { chosen[member].toggle() }
            }
            if !isChanged { break }
        }
        return chosen
    }
}

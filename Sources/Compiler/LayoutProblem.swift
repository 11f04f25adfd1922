// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Southbound

/// Kernels that would rather have other layouts, each to be granted or not, and what every choice costs.
struct LayoutProblem {
    struct Member {
        let step: Int
        let wish: LayoutWish
        /// What granting the wish costs, conversions apart; usually below 0.
        let change: Double
    }

    /// A value between a member and whoever reads it.
    private struct Link {
        /// The member that makes it, and the layout it would have; nil: it is row-major.
        var maker: (member: Int, layout: Int)?
        /// Members that read it, and the layout that each would have it in.
        var readers: [(member: Int, layout: Int)] = []
        /// Somebody reads it row-major, whatever is chosen.
        var isRowMajor = false
        var pack = 0.0
        var unpack = 0.0
    }

    private(set) var members: [Member] = []
    /// By step.
    private(set) var position: [Int: Int] = [:]
    private var links: [Link] = []
    /// By member: its links.
    private var linksOf: [[Int]] = []

    init(_ placement: Placement, _ wishes: [Int: LayoutWish], _ converter: LayoutConverter) throws {
        let graph = placement.graph
        for (step, wish) in wishes.sorted(by: { $0.key < $1.key }) {
            guard case .node(let placed) = placement.steps[step] else { continue }
            // What is known before the run stays as it is.
            let isFixed = zip(placement.steps[step].inputs(graph), wish.inputs).contains { $0.map { placement.values[$0] != nil } ?? false && $1 != 0 }
            if isFixed { continue }
            position[step] = members.count
            members.append(Member(step: step, wish: wish, change: wish.costNanoseconds - placed.answer.costNanoseconds))
        }
        linksOf = [[Int]](repeating: [], count: members.count)
        try connect(placement, converter)
    }

    private mutating func connect(_ placement: Placement, _ converter: LayoutConverter) throws {
        let graph = placement.graph
        var found: [ValueID: Int] = [:]
        var devices: [ValueID: Int] = [:]
        func link(_ value: ValueID, _ links: inout [Link]) -> Int {
            if let index = found[value] { return index }
            links.append(Link())
            found[value] = links.count - 1
            return links.count - 1
        }
        for (index, step) in placement.steps.enumerated() {
            let member = position[index]
            for (place, input) in step.inputs(graph).enumerated() {
                guard let input else { continue }
                let layout = member.map { members[$0].wish.inputs[place] } ?? 0
                let number = link(input, &links)
                if let member, layout != 0 {
                    links[number].readers.append((member, layout))
                    devices[input] = step.device
                    linksOf[member].append(number)
                } else {
                    links[number].isRowMajor = true
                }
            }
            guard let member else { continue }
            for (place, output) in step.outputs(graph).enumerated() {
                guard let output, members[member].wish.outputs[place] != 0 else { continue }
                let number = link(output, &links)
                links[number].maker = (member, members[member].wish.outputs[place])
                devices[output] = step.device
                linksOf[member].append(number)
            }
        }
        for output in graph.outputs { if let number = found[output] { links[number].isRowMajor = true } }
        for (value, number) in found {
            guard let layout = links[number].maker?.layout ?? links[number].readers.first?.layout, let device = devices[value],
                let type = placement.types[value.index]
            else { continue }
            links[number].pack = try converter.cost(type, from: 0, to: layout, on: device)
            links[number].unpack = try converter.cost(type, from: layout, to: 0, on: device)
        }
    }

    /// Of the conversions of one value.
    private func cost(_ link: Link, _ chosen: [Bool]) -> Double {
        let made = link.maker.flatMap { chosen[$0.member] ? $0.layout : nil } ?? 0
        let wanted = Set(link.readers.map { chosen[$0.member] ? $0.layout : 0 })
        let unpacks = made != 0 && (link.isRowMajor || wanted.contains { $0 != made })
        return (unpacks ? link.unpack : 0) + link.pack * Double(wanted.count { $0 != 0 && $0 != made })
    }

    func cost(_ chosen: [Bool]) -> Double {
        members.indices.reduce(0) { $0 + (chosen[$1] ? members[$1].change : 0) } + links.reduce(0) { $0 + cost($1, chosen) }
    }

    /// Which wishes are granted.
    func solve() -> [Bool] {
        let none = [Bool](repeating: false, count: members.count)
        var best = improved(alongTrees())
        if cost(best) >= cost(none) { best = none }
        return best
    }

    // MARK: Dynamic programming

    /// The best choice if no value had more than one reader that matters: members joined by values into a forest, from the leaves to the roots and back.
    private func alongTrees() -> [Bool] {
        var edges = [[(other: Int, link: Int)]](repeating: [], count: members.count)
        var leader = Array(members.indices)
        func root(_ member: Int) -> Int {
            var member = member
            while leader[member] != member {
                leader[member] = leader[leader[member]]
                member = leader[member]
            }
            return member
        }
        var isEdge: Set<[Int]> = []
        for (number, link) in links.enumerated() {
            guard let maker = link.maker?.member else { continue }
            for (reader, _) in link.readers where root(maker) != root(reader) {
                leader[root(reader)] = root(maker)
                edges[maker].append((reader, number))
                edges[reader].append((maker, number))
                isEdge.insert([number, reader])
            }
        }
        var chosen = [Bool](repeating: false, count: members.count)
        var isDone = chosen
        for start in members.indices where !isDone[start] {
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
        members[member].change
            + linksOf[member].reduce(0) { sum, number in
                let link = links[number]
                if link.maker?.member == member { return sum + (link.isRowMajor ? link.unpack : 0) }
                return sum + (isEdge.contains([number, member]) ? 0 : link.pack)
            }
    }

    /// What the conversion between two neighbours costs of which one's wish is granted.
    private func between(_ number: Int, _ first: Int, _ isFirst: Bool, _ second: Int, _ isSecond: Bool) -> Double {
        let link = links[number]
        let isMakerGranted = link.maker?.member == first ? isFirst : isSecond
        if isMakerGranted { return link.isRowMajor ? 0 : link.unpack }
        return link.pack
    }

    // MARK: Improvement

    /// Changes single members for as long as that helps, at most some times over all.
    private func improved(_ start: [Bool]) -> [Bool] {
        var chosen = start
        for _ in 0..<4 {
            var isChanged = false
            for member in members.indices {
                let around = Set(linksOf[member])
                func local() -> Double {
                    (chosen[member] ? members[member].change : 0) + around.reduce(0) { $0 + cost(links[$1], chosen) }
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

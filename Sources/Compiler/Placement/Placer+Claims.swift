// SPDX-License-Identifier: Apache-2.0
import Graph
import Southbound

extension Placer {
    /// Nodes that go together: one alone, or a group that compilers have claimed.
    struct Claim {
        var nodes: [NodeID]
        /// Whose compilers offer to take exactly these.
        var devices: [Int] = []
        /// Of those that compile it.
        var programs: [Int: PlacedProgram] = [:]
    }

    /// All nodes, in groups, in an order in which every group's values are made before they are read. Compilers are asked in the order of their devices; a
    /// claim that overlaps an earlier one without being equal to it does not count.
    func claims(of open: [NodeID], _ placement: inout Placement) throws -> [Claim] {
        var grouping = Grouping(open, graph)
        var byFirst: [NodeID: Claim] = [:]
        for (index, device) in devices.enumerated() {
            guard let compiler = device.plugin.compiler else { continue }
            let asked = open.filter { scope(of: $0).allows(index, devices) && isCompilable($0, placement) }
            if asked.isEmpty { continue }
            let answers = try compiler.claim(try subgraph(asked, placement, plugin: device.plugin.name).descriptor, on: device)
            var claimed: [[NodeID]] = []
            for (_, claim) in Dictionary(grouping: zip(asked, answers).filter { $0.1 > 0 }, by: \.1).sorted(by: { $0.key < $1.key }) {
                let nodes = claim.map(\.0)
                if byFirst[nodes[0]]?.nodes == nodes {
                    byFirst[nodes[0]]?.devices.append(index)
                } else if !nodes.contains(where: grouping.isClaimed) {
                    claimed.append(nodes)
                }
            }
            let refused = Set(grouping.join(all: claimed, on: index).map { claimed[$0][0] })
            for nodes in claimed {
                if refused.contains(nodes[0]) {
                    let parts = grouping.joinParts(of: nodes, on: index)
                    placement.remarks.append(crossing(nodes, device, parts: parts.count))
                    for part in parts { byFirst[part[0]] = Claim(nodes: part, devices: [index]) }
                } else {
                    byFirst[nodes[0]] = Claim(nodes: nodes, devices: [index])
                }
            }
        }
        return grouping.sorted().map { group in byFirst[group.nodes[0]] ?? Claim(nodes: group.nodes) }
    }

    func crossing(_ nodes: [NodeID], _ device: Device, parts: Int) -> String {
        "\(device.plugin.name) claims a group of \(nodes.count) nodes that a path leaves and enters again, with '\(graph[nodes[0]].name)' in it: it is divided into \(parts)"
    }
}

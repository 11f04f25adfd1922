// SPDX-License-Identifier: Apache-2.0
import Compiler
import Southbound

/// What one model lacks on the device, in numbered wishes.
struct ModelGaps {
    struct Node {
        let need: NodeNeed
        let ways: [WishSet]

        /// Runs on the device once it has these. What no kernel helps never does.
        func isNative(with wishes: WishSet) -> Bool { ways.contains { $0.isSubset(of: wishes) } }
    }

    let name: String
    let nodes: [Node]
    let seconds: Double
    /// Nothing is left to another device.
    let isNative: Bool
    /// Met by the wishes together; checked against a placement.
    var smallest = WishSet()
    var isExact = true
    var obstacles: [PlanReport.Model.Obstacle]

    init(_ name: String, _ needs: [NodeNeed], isNative: Bool, _ table: inout WishTable) throws(GuidanceError) {
        self.name = name
        self.isNative = isNative
        var nodes: [Node] = []
        for need in needs {
            var ways: [WishSet] = []
            for set in need.ways.sets { ways.append(try table.set(set)) }
            nodes.append(Node(need: need, ways: ways))
        }
        self.nodes = nodes
        seconds = nodes.reduce(0) { $0 + $1.need.seconds }
        obstacles = needs.compactMap { need in
            need.obstacle.map { .init(node: need.name, operator: need.operatorName, reason: $0) }
        }
    }

    /// What is still to be met once some wishes are; what no kernel helps is left out.
    func needs(beyond wishes: WishSet) -> [[WishSet]] {
        var needs: Set<[WishSet]> = []
        for node in nodes where !node.ways.isEmpty && !node.isNative(with: wishes) {
            needs.insert(node.ways.map { $0.subtracting(wishes) })
        }
        return needs.sorted { ($0.count, $0[0]) < ($1.count, $1[0]) }
    }

    /// How far the model has come with some wishes.
    func standing(with wishes: WishSet) -> (nodes: Int, share: Double, isNative: Bool) {
        var (count, seconds) = (0, 0.0)
        for node in nodes where node.isNative(with: wishes) {
            count += 1
            seconds += node.need.seconds
        }
        let share = self.seconds > 0 ? seconds / self.seconds : nodes.isEmpty ? 1 : Double(count) / Double(nodes.count)
        return (count, share, obstacles.isEmpty && count == nodes.count)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

extension Pass {
    static let attentionFusion = Pass(
        "fuse-attention", help: "make Attention of Softmax(Q K^T scale + mask) V with 4 axes, where a device has a kernel for it",
        stage: .fuse
    ) { graph in
        let product = Pattern.node("MatMul", [.value("q"), .value("kt")], named: "scores")
        let scores = Pattern.either([.mul(product, .scalar("factor")), .node("Div", [product, .scalar("divisor")]), product])
        let softmax = { (inner: Pattern) in Pattern.node("MatMul", [.node("Softmax", [inner], named: "weights"), .value("v")]) }
        let patterns = [softmax(.add(scores, .value("mask"))), softmax(scores)]
        for id in graph.nodes {
            guard let node = graph.node(id), node.isStandard("MatMul"), node.opset >= 13,
                let type = graph.type(node.outputs.first ?? nil)?.dataType, type.isFloat, graph.target.offers("", "Attention", 23, type)
            else { continue }
            for pattern in patterns {
                guard let match = Match(pattern, at: id, &graph), join(match, id, &graph) else { continue }
                break
            }
        }
    }

    private static func join(_ match: Match, _ id: NodeID, _ graph: inout PassGraph) -> Bool {
        guard let q = match.values["q"], let kt = match.values["kt"], let v = match.values["v"], let weights = match.values["weights"],
            let query = graph.type(q), let key = graph.type(kt), let value = graph.type(v), query.shape.count == 4, key.shape.count == 4,
            value.shape.count == 4, query.shape[..<2] == key.shape[..<2], query.shape[..<2] == value.shape[..<2],
            !query.shape.contains(0), !key.shape.contains(0), !value.shape.contains(0),
            let softmax = graph.node(writing: weights, "Softmax"), [-1, 3].contains(softmax.node.int("axis") ?? -1),
            let transpose = graph.node(writing: kt, "Transpose"), let source = transpose.node.inputs[0],
            let order = transpose.node.ints("perm"),
            order.count == 4
        else { return false }
        var scale = match.numbers["factor"] ?? 1
        if let divisor = match.numbers["divisor"] { scale = 1 / divisor }
        guard scale.isFinite, scale > 0 else { return false }
        let mask = match.values["mask"]
        if mask != nil {
            // Q K^T keeps its own shape.
            let scores = query.shape[..<3] + [key.shape[3]]
            guard let given = graph.type(mask), given.dataType == query.dataType, given.shape.count == 4,
                broadcastShape([Array(scores), given.shape]) == Array(scores)
            else { return false }
        }
        // K itself, where only K^T is there: its transpose with the last two axes the other way round.
        var k = source
        let untransposed = [order[0], order[1], order[3], order[2]]
        if untransposed != [0, 1, 2, 3] {
            let node = Node(
                name: "\(transpose.node.name)/key", operatorName: "Transpose", opset: transpose.node.opset, inputs: [source], outputs: [],
                attributes: ["perm": .ints(untransposed.map(Int64.init))])
            guard let made = try? graph.addNode(node).first ?? nil else { return false }
            k = made
        }
        return graph.substitute(
            id, by: "Attention", opset: 23, [q, k, v] + (mask.map { [$0] } ?? []), ["scale": .float(Float(scale))], for: match.members)
    }
}

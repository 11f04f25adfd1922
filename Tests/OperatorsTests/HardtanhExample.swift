// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators

// The example of docs/add-an-operator.md, word for word: AddOperatorTests compares the two and uses it.

let hardtanh = unary(
    "Hardtanh", since: [1], types: .floats, attributes: ["min_val": .float(-1), "max_val": .float(1)], numericClass: .movement
) { attributes in
    let (low, high) = (attributes.float("min_val")!, attributes.float("max_val")!)
    return ElementFunction(float: { $0.isNaN ? $0 : min(max($0, low), high) })
}
.sampled { context in
    let type = context.type
    return context.elementwiseShapes().map { Sample($0.name, [.init(type, $0.shape)]) }
        + [Sample("narrow", [.init(type, [7, 5])], ["min_val": .float(-0.5), "max_val": .float(0.25)])]
}
.decomposing { g throws(OperatorError) in
    let x = try g.input(0)
    return [try g("Min", g("Max", x, x.same(g.float("min_val"))), x.same(g.float("max_val")))]
}
.differentiated { g, given throws(OperatorError) in
    let (x, dy) = (try g.input(0), try given.gradient())
    let isInside = try g("And", x.isLess(than: g.float("max_val")), g("Greater", x, x.same(g.float("min_val"))))
    return [try isInside.choose(dy, dy.same(0))]
}

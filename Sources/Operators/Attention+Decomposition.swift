// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// softmax(scale · Q Kᵀ + mask) V. The heads of a group share their key: they are rows of one product.
@Sendable func attentionParts(_ g: FragmentBuilder) throws(OperatorError) -> [Term?] {
    let shapes = try AttentionShapes(g.inference)
    guard !g.has(6) else { throw .unsupported("lengths per batch are not decomposed") }
    guard try multiplied(shapes.queries, shapes.keys) <= 1 << 24 else { throw .unsupported("the constants would be too large") }
    guard shapes.keys > 0, shapes.queries > 0 else { throw .unsupported("there is nothing to attend to") }
    func heads(_ index: Int, _ count: Int) throws(OperatorError) -> Term {
        let x = try g.input(index)
        if x.rank == 4 { return x }
        return try x.reshaped([x.shape[0], x.shape[1], count, x.shape[2] / count]).transposed([0, 2, 1, 3])
    }
    func present(_ index: Int, past: Int) throws(OperatorError) -> Term {
        let now = try heads(index, shapes.heads)
        return g.has(past) ? try g("Concat", g.input(past), now, attributes: ["axis": .int(2)]) : now
    }
    let (key, value) = (try present(1, past: 4), try present(2, past: 5))
    let type = key.type.dataType.wide
    guard value.type.dataType.wide == type else { throw .unsupported("keys and values are computed in different types") }
    let (batch, rows) = (shapes.batch, shapes.queryHeads / shapes.heads * shapes.queries)
    let q = try heads(0, shapes.queryHeads).cast(to: type).reshaped([batch, shapes.heads, rows, shapes.headSize])
    let product = try g("MatMul", q, key.cast(to: type).transposed([0, 1, 3, 2]))
    let scale = g.attributes.float("scale") ?? 1 / Double(shapes.headSize).squareRoot()
    var scores = try product.reshaped([batch, shapes.queryHeads, shapes.queries, shapes.keys]) * scale
    var stages = [scores]
    let softcap = try g.float("softcap")
    if softcap > 0 { scores = try g("Tanh", scores / softcap) * softcap }
    stages.append(scores)
    let (masked, mayBeEmpty) = try hidden(g, scores, shapes)
    stages.append(masked)
    let weights = mayBeEmpty ? try softmaxWithEmptyRows(masked) : try g("Softmax", masked, attributes: ["axis": .int(3)])
    stages.append(weights)
    let mixed = try g("MatMul", weights.reshaped([batch, shapes.heads, rows, shapes.keys]), value.cast(to: type))
    var y = try mixed.reshaped([batch, shapes.queryHeads, shapes.queries, shapes.valueSize])
    if try g.input(0).rank == 3 { y = try y.transposed([0, 2, 1, 3]).reshaped(g.output().shape) }
    return [y, key, value, stages[try g.int("qk_matmul_output_mode")]]
}

/// The scores with minus infinity where a key is hidden from a query, and whether a query may see none at all.
private func hidden(_ g: FragmentBuilder, _ scores: Term, _ shapes: AttentionShapes) throws(OperatorError) -> (Term, mayBeEmpty: Bool) {
    var (scores, mayBeEmpty) = (scores, false)
    let nothing = try scores.same(-.infinity)
    let (left, right) = (try g.int("left_window_size"), try g.int("right_window_size"))
    let isCausal = g.attributes.flag("is_causal")
    if isCausal || left >= 0 || right >= 0 {
        var isSeen: [Bool] = []
        for query in 0..<shapes.queries {
            for key in 0..<shapes.keys {
                let distance = key - (query + shapes.past)
                isSeen.append(!(isCausal && distance > 0 || left >= 0 && -distance > left || right >= 0 && distance > right))
            }
            mayBeEmpty = mayBeEmpty || !isSeen.suffix(shapes.keys).contains(true)
        }
        scores = try g.constant(bools: isSeen, shape: [shapes.queries, shapes.keys]).choose(scores, nothing)
    }
    if g.has(3) {
        let mask = try g.input(3)
        guard mask.shape.last == shapes.keys else { throw .unsupported("a mask that ends early is not decomposed") }
        scores = mask.type.dataType == .bool ? try mask.choose(scores, nothing) : try scores + mask.cast(to: scores.type.dataType)
        mayBeEmpty = true
    }
    return (scores, mayBeEmpty)
}

/// A softmax along the last axis that gives zeros where every entry is hidden.
private func softmaxWithEmptyRows(_ x: Term) throws(OperatorError) -> Term {
    let g = x.builder
    let greatest = try x.reduced("ReduceMax", [x.rank - 1])
    let shift = try g("Equal", greatest, x.same(-.infinity)).choose(x.same(0), greatest)
    let powers = try g("Exp", x - shift)
    let sum = try powers.reduced("ReduceSum", [x.rank - 1])
    return try powers / g("Equal", sum, sum.same(0)).choose(sum.same(1), sum)
}

/// Pairs of entries turned by the angle of their position.
@Sendable func rotaryParts(_ g: FragmentBuilder) throws(OperatorError) -> [Term?] {
    let shapes = try RotaryShapes(g.inference)
    guard shapes.rotated > 0 else { throw .unsupported("nothing is turned") }
    let given = try g.wide(0)
    let half = shapes.rotated / 2
    let isFourAxes = given.rank == 4
    let x = isFourAxes ? given : try given.reshaped([shapes.batch, shapes.steps, shapes.heads, shapes.size])
    func cache(_ index: Int) throws(OperatorError) -> Term {
        let table = try g.wide(index)
        let rows = g.has(3) ? try g("Gather", table, g.input(3)) : table
        return try rows.reshaped(isFourAxes ? [shapes.batch, 1, shapes.steps, half] : [shapes.batch, shapes.steps, 1, half])
    }
    let (cosine, sine) = (try cache(1), try cache(2))
    let isInterleaved = g.attributes.flag("interleaved")
    func part(_ number: Int) throws(OperatorError) -> Term {
        try x.sliced(axis: 3, from: isInterleaved ? number : number * half, count: half, step: isInterleaved ? 2 : 1)
    }
    let (first, second) = (try part(0), try part(1))
    var turned = [try cosine * first - sine * second, try sine * first + cosine * second]
    func joined(_ terms: [Term], axis: Int) throws(OperatorError) -> Term {
        terms.count == 1 ? terms[0] : try g.add("Concat", terms, ["axis": .int(Int64(axis))])
    }
    if isInterleaved {
        for index in 0...1 { turned[index] = try turned[index].reshaped(turned[index].shape + [1]) }
        turned = [try joined(turned, axis: 4).reshaped(Array(x.shape.dropLast()) + [shapes.rotated])]
    }
    if shapes.rotated < shapes.size {
        turned.append(try x.sliced(axis: 3, from: shapes.rotated, count: shapes.size - shapes.rotated))
    }
    return [try joined(turned, axis: 3).reshaped(given.shape)]
}

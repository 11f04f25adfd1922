// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Einstein summation.
let einsumOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Einsum", since: [12, 28], "(Inputs: T...) -> (Output: T)", types: ["T": .numeric], attributes: ["equation": .required(.string)],
        numericClass: .dot,
        infer: { context throws(OperatorError) in
            var shapes: [[Int]] = []
            for index in context.inputs.indices { shapes.append(try context.input(index).shape) }
            let equation = try Equation(context.attributes.string("equation") ?? "", shapes: shapes)
            return [.tensor(try context.input(0).dataType, try possible(equation.output.map { equation.sizes[$0]! }))]
        },
        reference: { context throws(OperatorError) in
            let tensors = context.inputs.compactMap { $0 }
            let equation = try Equation(context.attributes.string("equation")!, shapes: tensors.map(\.shape))
            let type = context.output(0)
            let elements: ReferenceTensor.Elements =
                if case .integers = tensors[0].elements {
                    .integers(contract(equation, tensors.map(\.integers), zero: 0, one: 1) { $0 = $0 &+ $1 &* $2 })
                } else {
                    .floats(contract(equation, tensors.map(\.floats), zero: 0, one: 1) { $0 += $1 * $2 })
                }
            return [ReferenceTensor(type.dataType, type.shape, elements)]
        }
    ).sampled(einsumSamples).summing({ context in context.inputs.compactMap { $0?.count }.reduce(1) { max($0, $1) } * context.inputs.count }
    )
    .decomposing(einsumParts)
]

/// A parsed equation. Labels are the letters' codes; the axes of an ellipsis get labels of their own from 1000 on, counted from the last.
private struct Equation {
    var operands: [[Int]] = []
    var output: [Int] = []
    var sizes: [Int: Int] = [:]
    let shapes: [[Int]]

    init(_ text: String, shapes: [[Int]]) throws(OperatorError) {
        self.shapes = shapes
        let sides = text.filter { $0 != " " }.split(separator: "->", omittingEmptySubsequences: false)
        try require(sides.count <= 2, "equation '\(text)' has more than one arrow")
        let terms = sides[0].split(separator: ",", omittingEmptySubsequences: false)
        try require(terms.count == shapes.count, "equation '\(text)' has \(terms.count) terms for \(shapes.count) inputs")
        var ellipsisRank = 0
        for (term, shape) in zip(terms, shapes) {
            let letters = term.utf8.count - (term.contains("...") ? 3 : 0)
            let spare = shape.count - letters
            try require(spare == 0 || (spare > 0 && term.contains("...")), "term '\(term)' of '\(text)' does not fit shape \(shape)")
            if term.contains("...") { ellipsisRank = max(ellipsisRank, spare) }
            let labels = try Self.labels(of: term, ellipsisRank: spare, in: text)
            for (label, size) in zip(labels, shape) {
                let known = sizes[label] ?? 1
                try require(known == size || known == 1 || size == 1, "the sizes \(known) and \(size) of one label of '\(text)' differ")
                sizes[label] = known == 1 ? size : known
            }
            operands.append(labels)
        }
        if sides.count == 2 {
            output = try Self.labels(of: sides[1], ellipsisRank: ellipsisRank, in: text)
            try require(Set(output).count == output.count, "the output of '\(text)' names a label twice")
            try require(output.allSatisfy { sizes[$0] != nil }, "the output of '\(text)' names a label that no term has")
        } else {
            let all = operands.joined()
            let once = Set(all).filter { label in label < 1000 && all.count { $0 == label } == 1 }
            output = (0..<ellipsisRank).reversed().map { 1000 + $0 } + once.sorted()
        }
    }

    private static func labels(of term: Substring, ellipsisRank: Int, in text: String) throws(OperatorError) -> [Int] {
        var labels: [Int] = []
        var rest = term
        while let letter = rest.first {
            if rest.hasPrefix("...") {
                try require(labels.allSatisfy { $0 < 1000 }, "a term of '\(text)' has two ellipses")
                labels += (0..<ellipsisRank).reversed().map { 1000 + $0 }
                rest = rest.dropFirst(3)
                continue
            }
            guard letter.isASCII, letter.isLetter, let code = letter.asciiValue else {
                throw .invalid("'\(letter)' in equation '\(text)' is no label")
            }
            labels.append(Int(code))
            rest = rest.dropFirst()
        }
        return labels
    }
}

/// Takes the operands in from left to right; a label is summed as soon as no later term and not the output needs it.
private func contract<Element>(
    _ equation: Equation, _ tensors: [[Element]], zero: Element, one: Element, _ addProduct: (inout Element, Element, Element) -> Void
) -> [Element] {
    var (values, labels, shape) = ([one], [Int](), [Int]())
    for (index, tensor) in tensors.enumerated() {
        let isLast = index == tensors.count - 1
        let later = Set(equation.operands[(index + 1)...].joined()).union(equation.output)
        var all: [Int] = []
        for label in labels + equation.operands[index] where !all.contains(label) { all.append(label) }
        let kept = isLast ? equation.output : all.filter(later.contains)
        let summed = all.filter { !kept.contains($0) }
        func size(_ label: Int) -> Int {
            // A label whose other dimension is still to come has only what it has so far.
            let sizes =
                zip(labels, shape).filter { $0.0 == label }.map(\.1)
                + zip(equation.operands[index], equation.shapes[index]).filter { $0.0 == label }.map(\.1)
            return sizes.first { $0 != 1 } ?? 1
        }
        let (keptShape, summedShape) = (kept.map(size), summed.map(size))
        func walk(_ labels: [Int], _ shape: [Int], over walked: [Int], _ sizes: [Int]) -> [Int] {
            let strides = denseStrides(shape)
            return stridedIndices(
                shape: sizes,
                strides: walked.map { label in
                    labels.indices.filter { labels[$0] == label && shape[$0] != 1 }.reduce(0) { $0 + strides[$1] }
                })
        }
        let (operand, operandShape) = (equation.operands[index], equation.shapes[index])
        let (keptLeft, keptRight) = (walk(labels, shape, over: kept, keptShape), walk(operand, operandShape, over: kept, keptShape))
        let (summedLeft, summedRight) = (
            walk(labels, shape, over: summed, summedShape), walk(operand, operandShape, over: summed, summedShape)
        )
        var result: [Element] = []
        result.reserveCapacity(keptLeft.count)
        for place in keptLeft.indices {
            var sum = zero
            for step in summedLeft.indices {
                addProduct(&sum, values[keptLeft[place] + summedLeft[step]], tensor[keptRight[place] + summedRight[step]])
            }
            result.append(sum)
        }
        (values, labels, shape) = (result, kept, keptShape)
    }
    return values
}

// MARK: Decomposition

/// A tensor whose axes have labels.
private struct Labelled {
    var term: Term
    var labels: [Int]

    func shape(_ wanted: [Int]) -> [Int] { wanted.map { term.shape[labels.firstIndex(of: $0)!] } }

    func ordered(_ wanted: [Int]) throws(OperatorError) -> Labelled {
        Labelled(term: try term.transposed(wanted.map { labels.firstIndex(of: $0)! }), labels: wanted)
    }

    /// Without the labels that nobody needs any more.
    func summed(keeping needed: Set<Int>) throws(OperatorError) -> Labelled {
        let axes = labels.indices.filter { !needed.contains(labels[$0]) }
        return Labelled(
            term: try term.reduced("ReduceSum", axes, keepsDimensions: false), labels: labels.filter(needed.contains))
    }
}

/// Operand by operand, each step a product of matrices: labels of both that stay are batches, those that go are summed. A label that comes twice in a term, or
/// with two sizes, is left to the whole operator.
@Sendable private func einsumParts(_ g: FragmentBuilder) throws(OperatorError) -> [Term?] {
    var operands: [Labelled] = []
    var terms: [Term] = []
    for index in 0..<g.inputCount { terms.append(try g.wide(index)) }
    let equation = try Equation(g.attributes.string("equation") ?? "", shapes: terms.map(\.shape))
    for (term, labels) in zip(terms, equation.operands) {
        guard Set(labels).count == labels.count else { throw .unsupported("a term names a label twice") }
        guard zip(labels, term.shape).allSatisfy({ equation.sizes[$0] == $1 }) else { throw .unsupported("a label has two sizes") }
        operands.append(Labelled(term: term, labels: labels))
    }
    func needed(after index: Int) -> Set<Int> { Set(equation.output).union(equation.operands[(index + 1)...].joined()) }
    var result = try operands[0].summed(keeping: needed(after: 0))
    for index in operands.indices.dropFirst() {
        let later = needed(after: index)
        let right = try operands[index].summed(keeping: later.union(result.labels))
        result = try product(result.summed(keeping: later.union(right.labels)), right, keeping: later)
    }
    return [try result.ordered(equation.output).term]
}

private func product(_ left: Labelled, _ right: Labelled, keeping needed: Set<Int>) throws(OperatorError) -> Labelled {
    let shared = left.labels.filter(right.labels.contains)
    let (batch, depth) = (shared.filter(needed.contains), shared.filter { !needed.contains($0) })
    let (rows, columns) = (left.labels.filter { !shared.contains($0) }, right.labels.filter { !shared.contains($0) })
    let sizes = left.shape(batch)
    let a = try left.ordered(batch + rows + depth).term.reshaped(sizes + [elements(left.shape(rows)), elements(left.shape(depth))])
    let b = try right.ordered(batch + depth + columns).term.reshaped(
        sizes + [elements(right.shape(depth)), elements(right.shape(columns))])
    let product = try a.builder("MatMul", a, b)
    return Labelled(term: try product.reshaped(sizes + left.shape(rows) + right.shape(columns)), labels: batch + rows + columns)
}

private func elements(_ shape: [Int]) -> Int { shape.reduce(1, *) }

// MARK: Samples

@Sendable private func einsumSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (i, j, k) = (context.size(3...9), context.size(5...17), context.size(3...9))
    func of(_ name: String, _ equation: String, _ shapes: [Int]...) -> Sample {
        Sample(name, shapes.map { .init(type, $0) }, ["equation": .string(equation)])
    }
    return [
        of("product", "ij,jk->ik", [i, j], [j, k]), of("implicit", "ij,jk", [i, j], [j, k]), of("transpose", "ij->ji", [i, j]),
        of("sum", "ij->", [i, j]), of("row-sums", "ij->i", [i, j]),
        of("trace", "ii->", [j, j]), of("diagonal", "ii->i", [j, j]), of("outer", "i,j->ij", [i], [j]), of("inner", "i,i->", [j], [j]),
        of("batch", "bij,bjk->bik", [2, i, j], [2, j, k]),
        of("ellipsis", "...ij,...jk->...ik", [2, 3, i, j], [2, 3, j, k]), of("ellipsis-broadcast", "...ij,jk->...ik", [2, i, j], [j, k]),
        of("three", "ij,jk,kl->il", [i, j], [j, k], [k, 3]),
        of("elementwise", "ij,ij->ij", [i, j], [i, j]), of("spaces", " ij , jk -> ik ", [i, j], [j, k]),
        of("large", "ij,jk->ik", [33, 17], [17, 40]), of("heads", "bhid,bhjd->bhij", [2, 2, i, 4], [2, 2, k, 4]),
    ]
}

import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that work along one axis: positions of extremes, running sums and products, the largest elements, normalisation by a norm.
let axisOperators: [OperatorDefinition] = [
    extreme("ArgMax") { $0 > $1 },
    extreme("ArgMin") { $0 < $1 },
    running("CumSum", since: [11, 14], numericClass: .dot, start: 0, { $0 + $1 }, { $0 &+ $1 }),
    running("CumProd", since: [26], numericClass: .product, start: 1, { $0 * $1 }, { $0 &* $1 }),
    OperatorDefinition(
        "TopK", since: [1, 10, 11, 24], "(X: T, K?: int64) -> (Values: T, Indices: int64)", types: ["T": .numeric],
        attributes: ["axis": .int(-1), "k": .optional(.int), "largest": .int(1), "sorted": .int(1)], numericClass: .property,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            let axis = try context.axis(context.attributes.int("axis")!, rank: x.shape.count)
            guard let k = context.version < 10 ? context.attributes.int("k") : try context.integer(1) else {
                throw .invalid("attribute 'k' is missing")
            }
            try require(0...x.shape[axis] ~= k, "k is \(k), but axis \(axis) has \(x.shape[axis]) elements")
            var shape = x.shape
            shape[axis] = k
            return [.tensor(x.dataType, shape), .tensor(.int64, shape)]
        },
        reference: topK
    ).sampled { context in
        let (type, version) = (context.type, context.version)
        func of(
            _ name: String, _ shape: [Int], _ k: Int, _ axis: Int64, _ others: [String: Attribute] = [:], _ values: Sample.Values = .data()
        ) -> Sample {
            var attributes = others.merging(["axis": .int(axis)]) { $1 }
            if version < 10 { attributes["k"] = .int(Int64(k)) }
            let inputs: [Sample.Tensor?] = [.init(type, shape, values)] + (version < 10 ? [] : [.vector([k])])
            return Sample(name, inputs, attributes, wanted: [true, true])
        }
        let b = 2 * context.size(4...30) + 1
        var samples = [
            of("one", [5, b], 1, 1), of("three", [5, b], 3, 1), of("all", [5, b], b, 1), of("first-axis", [b, 4], 2, 0),
            of("ties", [9, 33], 5, 1, [:], .integers(0...3)),
            // Index −1 on rows of NaN and on large batches (torch-xpu-ops#4839); special values come with the family.
            of("field-large-batch", [context.size(1025...1100), 9], 4, 1), of("large", [33, context.size(65...129)], 33, 1),
            of("vector", [b], 4, 0),
            of("middle", [3, b, 5], 3, 1),
        ]
        if version >= 11 {
            samples += [
                of("smallest", [5, b], 3, 1, ["largest": .int(0)]), of("unsorted", [5, b], 3, 1, ["sorted": .int(0)]),
                of("negative", [3, 4, b], 2, -1),
                of("smallest-ties", [9, 33], 5, 1, ["largest": .int(0)], .integers(0...3)), of("none", [5, b], 0, 1),
            ]
        }
        return samples
    },
    OperatorDefinition(
        "LpNormalization", since: [1, 22], "(input: T) -> (output: T)", types: ["T": .floats],
        attributes: ["axis": .int(-1), "p": .int(2)],
        numericClass: .normalisation,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            _ = try context.axis(context.attributes.int("axis")!, rank: input.shape.count)
            try require([1, 2].contains(context.attributes.int("p")), "attribute 'p' must be 1 or 2")
            return [.known(input)]
        },
        reference: { context throws(OperatorError) in
            let input = try context.input(0)
            let axis = try normalizedAxis(context.attributes.int("axis")!, rank: input.shape.count)
            let isEuclidean = context.attributes.int("p") == 2
            return [
                input.mappingLines(AxisSpan(input.shape, axis: axis)) { line in
                    let sum = line.reduce(0) { $0 + (isEuclidean ? $1 * $1 : abs($1)) }
                    let norm = isEuclidean ? sum.squareRoot() : sum
                    if norm != 0 { for index in line.indices { line[index] /= norm } }
                }
            ]
        }
    ).sampled { context in
        var other = context
        return axisSamples(default: -1, extra: ["p": .int(2)])(&context)
            + axisSamples(default: -1, extra: ["p": .int(1)])(&other).map { Sample("p1-\($0.name)", $0.inputs, $0.attributes) }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        let axis = try normalizedAxis(g.int("axis"), rank: x.rank)
        let norm = try x.reduced(g.int("p") == 2 ? "ReduceL2" : "ReduceL1", [axis])
        return [try x / g("Equal", norm, norm.same(0)).choose(norm.same(1), norm)]
    },
    OperatorDefinition(
        "MeanVarianceNormalization", since: [9, 13], "(X: T) -> (Y: T)", types: ["T": .floats], attributes: ["axes": .ints([0, 2, 3])],
        numericClass: .normalisation,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            _ = try normalizedAxes(context.attributes.ints("axes")!, rank: x.shape.count)
            return [.known(x)]
        },
        reference: meanVarianceNormalization
    ).sampled { context in
        let type = context.type
        let (n, c, h) = (context.size(2...4), context.size(3...5), context.size(7...13))
        return [
            Sample("default", [.init(type, [n, c, h, 9])]), Sample("large", [.init(type, [4, 5, 16, 17])]),
            Sample("last", [.init(type, [9, 65])], ["axes": .ints([1])]), Sample("first", [.init(type, [33, 5])], ["axes": .ints([0])]),
            Sample("long", [.init(type, [2, context.size(1025...2049)])], ["axes": .ints([1])]),
        ]
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        let axes = try normalizedAxes(g.attributes.ints("axes")!, rank: x.rank).sorted()
        let deviation = try x - x.reduced("ReduceMean", axes)
        let variance = try (deviation * deviation).reduced("ReduceMean", axes)
        return [try deviation / (g("Sqrt", variance) + 1e-9)]
    },
]

extension ReferenceTensor {
    /// Every line of a float tensor along an axis, changed in place by `body`.
    func mappingLines(_ span: AxisSpan, _ body: (inout [Double]) -> Void) -> ReferenceTensor {
        var values = floats
        var line = [Double](repeating: 0, count: span.size)
        span.forEachLine { start in
            for index in 0..<span.size { line[index] = values[start + index * span.inner] }
            body(&line)
            for index in 0..<span.size { values[start + index * span.inner] = line[index] }
        }
        return ReferenceTensor(dataType, shape, .floats(values))
    }
}

/// The position of the first element (the last with `select_last_index`) that no other `beats`.
private func extreme(_ name: String, _ beats: @escaping @Sendable (Int64, Int64) -> Bool) -> OperatorDefinition {
    OperatorDefinition(
        name, since: [1, 11, 12, 13], "(data: T) -> (reduced: int64)", types: ["T": .numeric],
        attributes: ["axis": .int(0), "keepdims": .int(1), "select_last_index": .int(0)], numericClass: .property,
        infer: { context throws(OperatorError) in
            var shape = try context.input(0).shape
            let axis = try context.axis(context.attributes.int("axis")!, rank: shape.count)
            try require(shape[axis] > 0, "axis \(axis) of shape \(shape) has no elements to choose from")
            if context.attributes.flag("keepdims") { shape[axis] = 1 } else { shape.remove(at: axis) }
            return [.tensor(.int64, shape)]
        },
        reference: { context throws(OperatorError) in
            let data = try context.input(0)
            let axis = try normalizedAxis(context.attributes.int("axis")!, rank: data.shape.count)
            let takesLast = context.attributes.flag("select_last_index")
            let span = AxisSpan(data.shape, axis: axis)
            // NaN is above all in the keys; ArgMin, like ArgMax, answers with the first NaN.
            let keys = name == "ArgMin" && data.dataType.isFloat ? data.sortKeys.map { $0 == .max ? .min : $0 } : data.sortKeys
            var positions: [Int64] = []
            positions.reserveCapacity(span.outer * span.inner)
            span.forEachLine { start in
                var best = 0
                for index in 1..<max(span.size, 1) {
                    let (key, other) = (keys[start + index * span.inner], keys[start + best * span.inner])
                    if beats(key, other) || takesLast && key == other { best = index }
                }
                positions.append(Int64(best))
            }
            return [ReferenceTensor(.int64, context.output(0).shape, .integers(positions))]
        }
    ).sampled { context in
        let (type, version) = (context.type, context.version)
        let (a, b, c) = (context.size(2...6), 2 * context.size(4...30) + 1, context.size(2...5))
        func of(_ name: String, _ shape: [Int], _ axis: Int64, _ others: [String: Attribute] = [:], _ values: Sample.Values = .data())
            -> Sample
        {
            Sample(name, [.init(type, shape, values)], others.merging(["axis": .int(axis)]) { $1 })
        }
        let flat: [String: Attribute] = ["keepdims": .int(0)]
        var samples = [
            of("first", [b, c], 0), of("last", [a, b], 1), of("middle-flat", [a, b, c], 1, flat), of("one", [a, 1], 1),
            of("vector", [b], 0, flat),
            of("ties", [9, 33], 1, [:], .integers(0...3)), of("large", [context.size(1001...1100), 17], 1),
            of("long", [2, context.size(1025...4099)], 1),
        ]
        if version >= 11 { samples.append(of("negative", [a, b, c], -1)) }
        if version >= 12 { samples.append(of("last-index", [9, 33], 1, ["select_last_index": .int(1)], .integers(0...3))) }
        return samples
    }
}

private func running(
    _ name: String, since: [Int], numericClass: NumericClass, start: Int64, _ floats: @escaping @Sendable (Double, Double) -> Double,
    _ integers: @escaping @Sendable (Int64, Int64) -> Int64
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: since, "(x: T, axis: T2) -> (y: T)",
        types: ["T": [.floats, TypeSet(.int32, .int64, .uint32, .uint64)], "T2": .indices],
        attributes: ["exclusive": .int(0), "reverse": .int(0)], numericClass: numericClass,
        infer: { context throws(OperatorError) in
            try require(elementCount(try context.input(1).shape) == 1, "the axis must be one number")
            return [.known(try context.input(0))]
        },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            let axis = try normalizedAxis(Int(try context.input(1).integers.first ?? 0), rank: x.shape.count)
            let span = AxisSpan(x.shape, axis: axis)
            let (isExclusive, isReverse) = (context.attributes.flag("exclusive"), context.attributes.flag("reverse"))
            func accumulate<Element>(_ values: [Element], from start: Element, _ step: (Element, Element) -> Element) -> [Element] {
                var result = values
                span.forEachLine { first in
                    var total = start
                    for index in 0..<span.size {
                        let position = first + (isReverse ? span.size - 1 - index : index) * span.inner
                        let next = step(total, values[position])
                        result[position] = isExclusive ? total : next
                        total = next
                    }
                }
                return result
            }
            if case .integers(let values) = x.elements {
                return [ReferenceTensor(x.dataType, x.shape, .integers(accumulate(values, from: start, integers)))]
            }
            return [ReferenceTensor(x.dataType, x.shape, .floats(accumulate(x.floats, from: Double(start), floats)))]
        }
    ).sampled { context in
        let type = context.type
        let (a, b, c) = (context.size(2...6), 2 * context.size(4...30) + 1, context.size(2...5))
        let values: Sample.Values = numericClass == .product && type.isFloat ? .data(0.5...1.75) : .data()
        func of(_ name: String, _ shape: [Int], _ axis: Double, _ others: [String: Attribute] = [:]) -> Sample {
            Sample(name, [.init(type, shape, values), .scalar(.int64, axis)], others)
        }
        return [
            of("first", [b, c], 0), of("last", [a, b], 1), of("middle", [a, b, c], 1), of("negative", [a, b, c], -1), of("one", [a, 1], 1),
            of("exclusive", [a, b], 1, ["exclusive": .int(1)]), of("reverse", [a, b], 1, ["reverse": .int(1)]),
            of("both", [a, b], 0, ["exclusive": .int(1), "reverse": .int(1)]), of("large", [17, context.size(64...100)], 1),
            of("empty", [0, 3], 1),
            Sample("int32-axis", [.init(type, [a, b], values), .scalar(.int32, 1)]),
        ]
    }.summing { context in context.inputs.first.flatMap { $0?.shape.max() } ?? 1 }
}

/// Sorted in any case (`sorted` = 0 leaves the order open); equal elements by their position.
@Sendable private func topK(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let axis = try normalizedAxis(context.attributes.int("axis")!, rank: x.shape.count)
    let output = context.output(0)
    let k = output.shape[axis]
    let span = AxisSpan(x.shape, axis: axis)
    let takesLargest = context.attributes.flag("largest")
    let keys = takesLargest ? x.sortKeys.map { ~$0 } : x.sortKeys
    var sources = [Int](repeating: 0, count: span.outer * k * span.inner)
    var positions = [Int64](repeating: 0, count: sources.count)
    var order = [Int](repeating: 0, count: span.size)
    for outer in 0..<span.outer {
        for inner in 0..<span.inner {
            let start = outer * span.size * span.inner + inner
            for index in order.indices { order[index] = index }
            order.sort { left, right in
                let (a, b) = (keys[start + left * span.inner], keys[start + right * span.inner])
                return a == b ? left < right : a < b
            }
            for index in 0..<k {
                let target = (outer * k + index) * span.inner + inner
                sources[target] = start + order[index] * span.inner
                positions[target] = Int64(order[index])
            }
        }
    }
    return [x.gathered(sources, shape: output.shape), ReferenceTensor(.int64, output.shape, .integers(positions))]
}

/// (x − mean) / (deviation + 10⁻⁹), as the function body of ONNX has it.
@Sendable private func meanVarianceNormalization(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let axes = try normalizedAxes(context.attributes.ints("axes")!, rank: x.shape.count)
    // The reduced axes behind the others: every line is then one group.
    let kept = x.shape.indices.filter { !axes.contains($0) }
    let strides = denseStrides(x.shape)
    let order = stridedIndices(shape: (kept + axes).map { x.shape[$0] }, strides: (kept + axes).map { strides[$0] })
    let size = axes.reduce(1) { $0 &* x.shape[$1] }
    var values = x.floats
    for start in stride(from: 0, to: values.count, by: max(size, 1)) {
        let group = order[start..<(start + size)]
        let mean = group.reduce(0) { $0 + values[$1] } / Double(size)
        let variance = group.reduce(0) { $0 + (values[$1] - mean) * (values[$1] - mean) } / Double(size)
        for index in group { values[index] = (values[index] - mean) / (variance.squareRoot() + 1e-9) }
    }
    return [ReferenceTensor(x.dataType, x.shape, .floats(values))]
}

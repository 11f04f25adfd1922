// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that keep the elements and give them another shape, and those that tell the shape.
let shapeOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Reshape", since: [5, 13, 14, 19, 21, 23, 24, 25], "(data: T, shape: int64) -> (reshaped: T)", types: ["T": .any],
        attributes: ["allowzero": .int(0)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let data = try context.input(0)
            let shape = try reshaped(data.shape, to: try context.integers(1), allowZero: context.attributes.flag("allowzero"))
            return [.tensor(data.dataType, shape)]
        },
        reference: viewed
    ).viewing().sampled(reshapeSamples)
        .differentiated { g, given throws(OperatorError) in [try given.gradient().reshaped(g.input(0).shape)] },
    OperatorDefinition(
        "Squeeze", since: [1, 11, 13, 21, 23, 24, 25], "(data: T, axes?: int64) -> (squeezed: T)", types: ["T": .any],
        attributes: ["axes": .optional(.ints)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let data = try context.input(0)
            var removed = Set(data.shape.indices.filter { data.shape[$0] == 1 })
            if let axes = try context.integers(attribute: "axes", before: 13, input: 1) {
                removed = Set(try normalizedAxes(axes, rank: data.shape.count))
                for axis in removed.sorted() {
                    try require(data.shape[axis] == 1, "axis \(axis) of shape \(data.shape) is not 1 and cannot be squeezed")
                }
            }
            return [.tensor(data.dataType, data.shape.indices.filter { !removed.contains($0) }.map { data.shape[$0] })]
        },
        reference: viewed
    ).viewing().sampled(squeezeSamples).decomposing(asReshape)
        .differentiated { g, given throws(OperatorError) in [try given.gradient().reshaped(g.input(0).shape)] },
    OperatorDefinition(
        "Unsqueeze", since: [1, 11, 13, 21, 23, 24, 25], "(data: T, axes?: int64) -> (expanded: T)", types: ["T": .any],
        attributes: ["axes": .optional(.ints)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let data = try context.input(0)
            guard let axes = try context.integers(attribute: "axes", before: 13, input: 1) else { throw .invalid("the axes are missing") }
            let rank = data.shape.count + axes.count
            let added = Set(try normalizedAxes(axes, rank: rank))
            var rest = data.shape.makeIterator()
            return [.tensor(data.dataType, (0..<rank).map { added.contains($0) ? 1 : rest.next() ?? 1 })]
        },
        reference: viewed
    ).viewing().sampled(unsqueezeSamples).decomposing(asReshape)
        .differentiated { g, given throws(OperatorError) in [try given.gradient().reshaped(g.input(0).shape)] },
    OperatorDefinition(
        "Flatten", since: [1, 9, 11, 13, 21, 23, 24, 25], "(input: T) -> (output: T)", types: ["T": .any],
        attributes: ["axis": .int(1)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            let axis = try context.axis(context.attributes.int("axis")!, rank: input.shape.count, inclusive: true)
            return [.tensor(input.dataType, [try multiplied(input.shape[..<axis]), try multiplied(input.shape[axis...])])]
        },
        reference: viewed
    ).viewing().sampled(flattenSamples).decomposing(asReshape)
        .differentiated { g, given throws(OperatorError) in [try given.gradient().reshaped(g.input(0).shape)] },
    OperatorDefinition(
        "Shape", since: [1, 13, 15, 19, 21, 23, 24, 25], "(data: T) -> (shape: int64)", types: ["T": .any],
        attributes: ["start": .int(0), "end": .optional(.int)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let shape = try context.input(0).shape
            return [.tensor(.int64, [shapeRange(context.attributes, rank: shape.count).count])]
        },
        reference: { context throws(OperatorError) in [try shapeValue(context.inference)] }, valueFromTypes: shapeValue
    ).sampled(shapeSamples),
    OperatorDefinition(
        "Size", since: [1, 13, 19, 21, 23, 24, 25], "(data: T) -> (size: int64)", types: ["T": .any], numericClass: .movement,
        infer: { context throws(OperatorError) in [.tensor(.int64, [])] },
        reference: { context throws(OperatorError) in [try sizeValue(context.inference)] }, valueFromTypes: sizeValue
    ).sampled(sizeSamples),
]

@Sendable private func shapeValue(_ context: InferenceContext) throws(OperatorError) -> ReferenceTensor {
    let shape = try context.input(0).shape
    let part = shape[shapeRange(context.attributes, rank: shape.count)]
    return ReferenceTensor(.int64, [part.count], .integers(part.map(Int64.init)))
}

@Sendable private func sizeValue(_ context: InferenceContext) throws(OperatorError) -> ReferenceTensor {
    ReferenceTensor(.int64, [], .integers([Int64(try multiplied(try context.input(0).shape))]))
}

@Sendable private func asReshape(_ g: FragmentBuilder) throws(OperatorError) -> [Term?] {
    [try g.input(0).reshaped(try g.output().shape)]
}

/// The first input's elements in the inferred shape.
private func viewed(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    [try context.input(0).reshaped(context.output(0).shape)]
}

/// ONNX's rule for a target shape: 0 keeps the input's dimension (unless `allowZero`), one -1 takes what is left.
private func reshaped(_ source: [Int], to target: [Int], allowZero: Bool) throws(OperatorError) -> [Int] {
    var result = target
    var open: Int?
    for (axis, size) in target.enumerated() {
        switch size {
        case 0 where !allowZero:
            try require(
                axis < source.count, "entry \(axis) of the new shape \(target) is 0, but the input's shape \(source) has no such axis")
            result[axis] = source[axis]
        case -1:
            try require(open == nil, "the new shape \(target) has more than one -1")
            try require(!(allowZero && target.contains(0)), "the new shape \(target) has both 0 and -1, which allowzero forbids")
            open = axis
            result[axis] = 1
        case ..<0: throw .invalid("the new shape \(target) has a negative entry")
        default: break
        }
    }
    let (count, known) = (try multiplied(source), try multiplied(result))
    if let open {
        try require(known != 0 && count % known == 0, "\(count) elements of shape \(source) do not fit the new shape \(target)")
        result[open] = count / known
    } else {
        try require(known == count, "\(count) elements of shape \(source) do not fit the new shape \(target)")
    }
    return result
}

/// The axes that `Shape` tells, from `start` to `end`, both clamped.
private func shapeRange(_ attributes: NodeAttributes, rank: Int) -> Range<Int> {
    func clamped(_ axis: Int) -> Int { min(max(axis < 0 ? axis + rank : axis, 0), rank) }
    let start = clamped(attributes.int("start")!)
    return start..<max(start, attributes.int("end").map(clamped) ?? rank)
}

// MARK: Samples

@Sendable private func reshapeSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (a, b) = (context.size(2...9), context.size(11...40))
    var samples: [Sample] = []
    for (name, from, to) in [
        ("flat", [a, b], [a * b]), ("inferred", [a, b], [-1]), ("copied", [a, b, 2], [0, -1]), ("scalar", [1], []),
        ("from-scalar", [], [1, 1]),
        ("split", [4 * a, b], [2, 2, -1, b]), ("empty", [0, b], [0, b, 1]), ("large", [a, 8, b, 6], [0, 48, -1]),
    ] as [(String, [Int], [Int])] {
        samples.append(Sample(name, [.init(type, from), .vector(to)]))
    }
    if version >= 14 { samples.append(Sample("zero-allowed", [.init(type, [0, b]), .vector([b, 0])], ["allowzero": .int(1)])) }
    return samples
}

/// Axes as an attribute before version 13, as an input from then on.
private func withAxes(_ name: String, _ context: SampleContext, _ shape: [Int], _ axes: [Int]) -> Sample {
    let data = Sample.Tensor(context.type, shape)
    return context.version < 13 ? Sample(name, [data], ["axes": .ints(axes.map(Int64.init))]) : Sample(name, [data, .vector(axes)])
}

@Sendable private func squeezeSamples(_ context: inout SampleContext) -> [Sample] {
    let (a, b) = (context.size(2...9), context.size(11...40))
    var samples = [
        withAxes("first", context, [1, a, b], [0]), withAxes("two", context, [1, a, 1, b], [0, 2]), withAxes("last", context, [a, 1], [1]),
        withAxes("to-scalar", context, [1], [0]), withAxes("large", context, [a, 1, 200], [1]),
        Sample("all", [.init(context.type, [1, a, 1, b, 1])]),
    ]
    if context.version >= 11 { samples.append(withAxes("negative", context, [a, 1, b, 1], [-1, -3])) }
    return samples
}

@Sendable private func unsqueezeSamples(_ context: inout SampleContext) -> [Sample] {
    let (a, b) = (context.size(2...9), context.size(11...40))
    var samples = [
        withAxes("first", context, [a, b], [0]), withAxes("two", context, [a, b], [0, 2]), withAxes("last", context, [a], [1]),
        withAxes("from-scalar", context, [], [0]), withAxes("large", context, [a, 200], [1]),
    ]
    if context.version >= 11 { samples.append(withAxes("negative", context, [a, b], [-1])) }
    if context.version >= 13 { samples.append(withAxes("unsorted", context, [a, b], [3, 1])) }
    return samples
}

@Sendable private func flattenSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b, c) = (context.size(2...5), context.size(2...9), context.size(11...40))
    var samples = [0, 1, 2, 3].map { Sample("axis-\($0)", [.init(type, [a, b, c])], ["axis": .int(Int64($0))]) }
    samples += [
        Sample("default", [.init(type, [a, b])]), Sample("scalar", [.init(type, [])], ["axis": .int(0)]),
        Sample("large", [.init(type, [a, 9, c, 7])]),
    ]
    if context.version >= 11 { samples.append(Sample("negative", [.init(type, [a, b, c])], ["axis": .int(-1)])) }
    return samples
}

@Sendable private func shapeSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    var samples = context.elementwiseShapes().map { Sample($0.name, [.init(type, $0.shape)]) }
    if context.version >= 15 {
        for (name, start, end) in [("start", 1, nil), ("end", 0, 2), ("both", 1, -1), ("beyond", -9, 9), ("none", 2, 1)]
            as [(String, Int64, Int64?)]
        {
            samples.append(
                Sample(name, [.init(type, [2, 3, 4, 5])], ["start": .int(start)].merging(end.map { ["end": .int($0)] } ?? [:]) { $1 }))
        }
    }
    return samples
}

@Sendable private func sizeSamples(_ context: inout SampleContext) -> [Sample] { unarySamples(&context) }

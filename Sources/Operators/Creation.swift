// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that make a tensor out of attributes and shapes.
let creationOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Constant", since: [1, 9, 11, 12, 13, 19, 21, 23, 24, 25], "() -> (output: T)", types: ["T": .any],
        attributes: [
            "value": .optional(.tensor), "value_float": .optional(.float), "value_floats": .optional(.floats),
            "value_int": .optional(.int), "value_ints": .optional(.ints), "value_string": .optional(.string),
            "value_strings": .optional(.strings),
        ],
        numericClass: .movement, isHostOperator: true,
        infer: { context throws(OperatorError) in
            let value = try constant(context.attributes)
            return [.tensor(value.dataType, value.shape)]
        },
        reference: { context throws(OperatorError) in [try constant(context.attributes)] }),
    OperatorDefinition(
        "ConstantOfShape", since: [9, 20, 21, 23, 24, 25], "(input: int64) -> (output: T)", types: ["T": .anyButString],
        attributes: ["value": .optional(.tensor)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let fill = try fillValue(context.attributes)
            return [.tensor(fill.dataType, try possible(try context.integers(0)))]
        },
        reference: { context throws(OperatorError) in
            let shape = context.output(0).shape
            return [try fillValue(context.attributes).gathered(Array(repeating: 0, count: product(shape)), shape: shape)]
        }
    ).sampled(constantOfShapeSamples),
    OperatorDefinition(
        "Range", since: [11, 27], "(start: T, limit: T, delta: T) -> (output: T)",
        types: ["T": TypeSet(.float16, .bfloat16, .float32, .float64, .int16, .int32, .int64)], attributes: ["stash_type": .int(1)],
        numericClass: .arithmetic,
        infer: { context throws(OperatorError) in
            [.tensor(try context.input(0).dataType, try possible([try rangeCount(context)]))]
        },
        reference: { context throws(OperatorError) in
            let (start, delta) = (try context.input(0), try context.input(2))
            let type = context.output(0)
            let elements: ReferenceTensor.Elements =
                if case .integers(let first) = start.elements {
                    .integers((0..<type.shape[0]).map { first[0] &+ Int64($0) &* delta.integers[0] })
                } else {
                    .floats((0..<type.shape[0]).map { start.floats[0] + Double($0) * delta.floats[0] })
                }
            return [ReferenceTensor(type.dataType, type.shape, elements)]
        }
    ).sampled(rangeSamples),
    OperatorDefinition(
        "EyeLike", since: [9, 22], "(input: T1) -> (output: T2)", types: ["T1": [.numeric, .bool], "T2": [.numeric, .bool]],
        attributes: ["dtype": .optional(.int), "k": .int(0)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            try require(input.shape.count == 2, "the input must have two axes, not shape \(input.shape)")
            return [.tensor(try context.dataType(attribute: "dtype", standard: input.dataType, among: [.numeric, .bool]), input.shape)]
        },
        reference: { context throws(OperatorError) in
            let (type, diagonal) = (context.output(0), context.attributes.int("k")!)
            let (rows, columns) = (type.shape[0], type.shape[1])
            var ones: [Int] = []
            if abs(Double(diagonal)) <= Double(max(rows, columns)) {
                ones = (0..<rows).filter { (0..<columns).contains($0 + diagonal) }.map { $0 * columns + $0 + diagonal }
            }
            var result = ReferenceTensor.zeros(type.dataType, type.shape)
            switch result.elements {
            case .integers(var values):
                for index in ones { values[index] = 1 }
                result.elements = .integers(values)
            default:
                var values = result.floats
                for index in ones { values[index] = 1 }
                result.elements = .floats(values)
            }
            return [result]
        }
    ).sampled(eyeLikeSamples),
    OperatorDefinition(
        "OneHot", since: [9, 11, 28], "(indices: T1, depth: T2, values: T3) -> (output: T3)",
        types: ["T1": .numeric, "T2": .numeric, "T3": .any], attributes: ["axis": .int(-1)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (indices, values) = (try context.input(0), try context.input(2))
            try require(values.shape == [2], "'values' must hold the off and the on value, not have shape \(values.shape)")
            let depth = try context.integer(1)
            try require(depth > 0, "the depth must be positive, not \(depth)")
            var shape = indices.shape
            shape.insert(depth, at: try context.axis(context.attributes.int("axis")!, rank: shape.count + 1))
            return [.tensor(values.dataType, try possible(shape))]
        },
        reference: { context throws(OperatorError) in
            let (indices, values) = (try context.input(0), try context.input(2))
            let shape = context.output(0).shape
            let axis = try normalizedAxis(context.attributes.int("axis")!, rank: shape.count)
            let (depth, inner) = (shape[axis], product(shape[(axis + 1)...]))
            var choice = [Int](repeating: 0, count: product(shape))
            for (position, number) in indices.floats.enumerated() where number >= -Double(depth) && number < Double(depth) {
                let index = Int(number)
                choice[(position / inner * depth + (index < 0 ? index + depth : index)) * inner + position % inner] = 1
            }
            return [values.gathered(choice, shape: shape)]
        }
    ).sampled(oneHotSamples).decomposing { g throws(OperatorError) in
        let (indices, values, shape) = (try g.input(0), try g.input(2), try g.output().shape)
        guard TypeSet.indices.contains(indices.type.dataType) else { throw .unsupported("only int32 and int64 indices are compared") }
        let axis = try normalizedAxis(g.int("axis"), rank: shape.count)
        let depth = shape[axis]
        guard depth <= 1 << 20 else { throw .unsupported("the constants would be too large") }
        var placed = shape
        placed[axis] = 1
        let given = try indices.cast(to: .int64)
        let counted = try given.isLess(than: 0).choose(given + Double(depth), given).reshaped(placed)
        let places = g.constant(Array(0..<depth), shape: [depth] + [Int](repeating: 1, count: shape.count - axis - 1))
        let (off, on) = (try g("Gather", values, g.constant([0], shape: [])), try g("Gather", values, g.constant([1], shape: [])))
        return [try g("Equal", counted, places).choose(on, off)]
    },
]

private func constant(_ attributes: NodeAttributes) throws(OperatorError) -> ReferenceTensor {
    let names = ["value", "value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings"]
    let given = names.compactMap { attributes[$0] }
    try require(given.count == 1, "a Constant has one value attribute, not \(given.count)")
    switch given[0] {
    case .tensor(let tensor): return ReferenceTensor(tensor)
    case .float(let value): return ReferenceTensor(.float32, [], .floats([Double(value)]))
    case .floats(let values): return ReferenceTensor(.float32, [values.count], .floats(values.map(Double.init)))
    case .int(let value): return ReferenceTensor(.int64, [], .integers([value]))
    case .ints(let values): return ReferenceTensor(.int64, [values.count], .integers(values))
    case .string(let value): return ReferenceTensor(.string, [], .strings([value]))
    case .strings(let values): return ReferenceTensor(.string, [values.count], .strings(values))
    case .graph: throw .invalid("a Constant cannot hold a graph")
    }
}

/// The one element that `ConstantOfShape` repeats: float32 zero unless the attribute says otherwise.
private func fillValue(_ attributes: NodeAttributes) throws(OperatorError) -> ReferenceTensor {
    guard let value = attributes.tensor("value") else { return .zeros(.float32, [1]) }
    try require(value.count == 1, "the fill value must hold one element, not have shape \(value.shape)")
    return ReferenceTensor(value)
}

/// max(⌈(limit − start) / delta⌉, 0)
private func rangeCount(_ context: InferenceContext) throws(OperatorError) -> Int {
    let (first, limit, delta) = (try context.number(0), try context.number(1), try context.number(2))
    if try context.input(0).dataType.isInteger {
        let (first, limit, delta) = (try context.integer(0), try context.integer(1), try context.integer(2))
        try require(delta != 0, "the step is zero")
        if delta > 0 ? limit <= first : limit >= first { return 0 }
        let distance = limit > first ? UInt(bitPattern: limit &- first) : UInt(bitPattern: first &- limit)
        let count = (distance - 1) / delta.magnitude + 1
        guard let result = Int(exactly: count) else { throw .invalid("the range has \(count) elements") }
        return result
    }
    try require(delta != 0, "the step is zero")
    let count = ((limit - first) / delta).rounded(.up)
    try require(count.isFinite, "a range from \(first) to \(limit) by \(delta) has no end")
    return max(try integer(count), 0)
}

// MARK: Samples

@Sendable private func constantOfShapeSamples(_ context: inout SampleContext) -> [Sample] {
    let (a, b) = (context.size(3...9), context.size(11...40))
    var samples = [
        Sample("default", [.vector([a, b])]), Sample("scalar", [.init(.int64, [0], .exactly([]))]), Sample("empty", [.vector([a, 0])]),
        Sample("large", [.vector([33, 65])]),
    ]
    for type in [DataType.float32, .float64, .float16, .int64, .int32, .uint8, .bool] {
        if let value = try? HostTensor(type, [1], integers: [1]).asValue(of: type) {
            samples.append(Sample("of-\(type.name)", [.vector([a, b])], ["value": .tensor(value)]))
        }
    }
    return samples
}

extension HostTensor {
    /// One element 1 of the type, floats too.
    fileprivate func asValue(of type: DataType) throws -> HostTensor { type.isFloat ? try HostTensor(type, [1], doubles: [1]) : self }
}

@Sendable private func rangeSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return
        ([("up", 0, 10, 1), ("down", 10, -5, -3), ("empty", 5, 5, 1), ("large", 0, 1200, 1), ("halves", 1, 9, type.isFloat ? 0.5 : 2)]
        as [(String, Double, Double, Double)]).map {
            Sample($0.0, [.scalar(type, $0.1), .scalar(type, $0.2), .scalar(type, $0.3)])
        }
}

@Sendable private func eyeLikeSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(3...9), context.size(11...40))
    return [
        Sample("plain", [.init(type, [a, b])]), Sample("above", [.init(type, [a, b])], ["k": .int(2)]),
        Sample("below", [.init(type, [a, b])], ["k": .int(-1)]),
        Sample("outside", [.init(type, [a, b])], ["k": .int(99)]), Sample("to-float32", [.init(type, [a, b])], ["dtype": .int(1)]),
        Sample("large", [.init(type, [33, 65])]),
    ]
}

@Sendable private func oneHotSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let b = context.size(11...40)
    let depth = 7.0
    let isSigned = type.kind != .unsignedInteger
    func of(_ name: String, _ shape: [Int], _ values: DataType, negative: Bool = false, _ attributes: [String: Attribute] = [:]) -> Sample {
        Sample(
            name,
            [
                .init(type, shape, .integers((negative && isSigned ? -7 : 0)...6)), .scalar(.int64, depth),
                .init(values, [2], .exactly([0, 1])),
            ], attributes)
    }
    var samples = [
        of("float32", [b], .float32), of("int64", [3, b], .int64), of("float16", [b], .float16), of("bool", [b], .bool),
        of("first-axis", [3, b], .float32, ["axis": .int(0)]),
        of("middle-axis", [3, b], .float32, ["axis": .int(1)]), of("scalar", [], .float32), of("large", [200], .float32),
    ]
    if version >= 11 { samples.append(of("negative-index", [b], .float32, negative: true)) }
    return samples
}

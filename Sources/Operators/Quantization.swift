import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Quantisation to integers and small floats, and back.
let quantizationOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "QuantizeLinear", since: [10, 13, 19, 21, 23, 24, 25, 28], "(x: T1, y_scale: T2, y_zero_point?: T3) -> (y: T3)",
        types: [
            "T1": TypeSet(.float32, .float16, .bfloat16, .int32), "T2": TypeSet(.float32, .float16, .bfloat16, .int32, .float8e8m0),
            "T3": quantized,
        ],
        attributes: [
            "axis": .int(1), "block_size": .int(0), "output_dtype": .int(0), "precision": .int(0), "saturate": .int(1),
        ], numericClass: .quantised,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            _ = try ScaleMap(context)
            let zeroPoint = context.has(2) ? try context.input(2).dataType : nil
            let named = try namedType(context, "output_dtype", among: quantized)
            try require(zeroPoint == nil || named == nil || zeroPoint == named, "attribute 'output_dtype' and the zero point's type differ")
            return [.tensor(zeroPoint ?? named ?? .uint8, x.shape)]
        },
        reference: quantizeLinear
    ).sampled(quantizeLinearSamples).decomposing(quantizeLinearParts),
    OperatorDefinition(
        "DequantizeLinear", since: [10, 13, 19, 21, 23, 24, 25, 28], "(x: T1, x_scale: T2, x_zero_point?: T1) -> (y: T3)",
        types: [
            "T1": [quantized, TypeSet(.int32)], "T2": TypeSet(.float32, .float16, .bfloat16, .float8e8m0),
            "T3": TypeSet(.float32, .float16, .bfloat16),
        ],
        attributes: ["axis": .int(1), "block_size": .int(0), "output_dtype": .int(0)], numericClass: .quantised,
        infer: { context throws(OperatorError) in
            let (x, scale) = (try context.input(0), try context.input(1))
            _ = try ScaleMap(context)
            let targets = TypeSet(.float32, .float16, .bfloat16)
            let type = try namedType(context, "output_dtype", among: targets) ?? scale.dataType
            try require(targets.contains(type), "a scale of type \(type.name) needs attribute 'output_dtype'")
            return [.tensor(type, x.shape)]
        },
        reference: { context throws(OperatorError) in
            let (x, scales) = (try context.input(0), try context.input(1).floats)
            let map = try ScaleMap(context.inference)
            let zeroPoints = context.has(2) ? try context.input(2).floats : []
            var values = x.floats
            map.forEach(count: values.count) { index, scale in
                values[index] = (values[index] - (zeroPoints.isEmpty ? 0 : zeroPoints[scale])) * scales[scale]
            }
            return [ReferenceTensor(context.output(0).dataType, x.shape, .floats(values))]
        }
    ).sampled(dequantizeLinearSamples).decomposing(dequantizeLinearParts),
    OperatorDefinition(
        "DynamicQuantizeLinear", since: [11], "(x: float32) -> (y: uint8, y_scale: float32, y_zero_point: uint8)", numericClass: .quantised,
        infer: { context throws(OperatorError) in
            [.tensor(.uint8, try context.input(0).shape), .tensor(.float32, []), .tensor(.uint8, [])]
        },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            let least = x.floats.reduce(0, propagatingMinimum)
            let greatest = x.floats.reduce(0, propagatingMaximum)
            // The scale is an output, so what follows uses it as rounded. A tensor of zeros has no range: any scale serves.
            let scale = greatest == least ? 1 : Double(Float((greatest - least) / 255))
            let limits = DataType.uint8
            let zeroPoint = limits.integer(truncating: Double(Float(-least / scale)).rounded(.toNearestOrEven))
            let values = x.floats.map {
                limits.integer(truncating: Double(Float($0 / scale)).rounded(.toNearestOrEven) + Double(zeroPoint))
            }
            return [
                ReferenceTensor(.uint8, x.shape, .integers(values)), ReferenceTensor(.float32, [], .floats([scale])),
                ReferenceTensor(.uint8, [], .integers([zeroPoint])),
            ]
        }
    ).sampled { context in
        unarySamples(&context).filter { !$0.name.hasPrefix("empty") }.map { Sample($0.name, $0.inputs, wanted: [true, true, true]) }
    }
    .decomposing { g throws(OperatorError) in
        let x = try g.input(0)
        let axes = Array(x.shape.indices)
        let least = try g("Min", x.reduced("ReduceMin", axes, keepsDimensions: false), x.same(0))
        let greatest = try g("Max", x.reduced("ReduceMax", axes, keepsDimensions: false), x.same(0))
        let isFlat = try g("Equal", least, greatest)
        let scale = try isFlat.choose(x.same(1), (greatest - least) / 255)
        let zeroPoint = try g("QuantizeLinear", -least, scale, g.constant(0, .uint8))
        return [try g("QuantizeLinear", x, scale, zeroPoint), scale, zeroPoint]
    },
]

private let quantized = TypeSet(
    .uint8, .int8, .uint16, .int16, .uint4, .int4, .uint2, .int2, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float4e2m1)

/// The type that an attribute names, nil for 0 (undefined).
private func namedType(_ context: InferenceContext, _ name: String, among types: TypeSet) throws(OperatorError) -> DataType? {
    if context.attributes.int(name) ?? 0 == 0 { return nil }
    return try context.dataType(attribute: name, standard: .float32, among: types)
}

/// x / scale rounded to the division's type (the scale's, or `precision`), then to an integer with ties to even or to a small float.
@Sendable private func quantizeLinear(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let (x, scale) = (try context.input(0), try context.input(1))
    let target = context.output(0).dataType
    let map = try ScaleMap(context.inference)
    let scales = scale.floats
    let zeroPoints = context.has(2) ? try context.input(2).floats : []
    let divisionTypes = TypeSet(.float32, .float16, .bfloat16, .float64)
    // An exponent alone or an integer is no type to divide in: then x's own type counts.
    let precision =
        try namedType(context.inference, "precision", among: divisionTypes)
        ?? [scale.dataType, x.dataType].first(where: divisionTypes.contains) ?? .float32
    do {
        var quotients = x.floats
        map.forEach(count: quotients.count) { index, scale in quotients[index] /= scales[scale] }
        quotients = try ReferenceTensor.rounded(quotients, to: precision)
        map.forEach(count: quotients.count) { index, scale in
            let zeroPoint = zeroPoints.isEmpty ? 0 : zeroPoints[scale]
            quotients[index] = (target.isFloat ? quotients[index] : quotients[index].rounded(.toNearestOrEven)) + zeroPoint
        }
        if target.isFloat {
            let saturate = context.attributes.flag("saturate")
            return [ReferenceTensor(target, x.shape, .floats(try ReferenceTensor.rounded(quotients, to: target, saturate: saturate)))]
        }
        return [ReferenceTensor(target, x.shape, .integers(quotients.map(target.integer(truncating:))))]
    } catch { throw .unsupported("\(error)") }
}

/// Which scale belongs to which element: one for all, one per place on the axis, or one per block along the axis.
private struct ScaleMap {
    private let inner: Int
    private let size: Int
    private let block: Int
    private let isSingle: Bool

    /// Checks the shapes of the scale (input 1) and the zero point (input 2) against the data's (input 0).
    init(_ context: InferenceContext) throws(OperatorError) {
        let (x, scale) = (try context.input(0).shape, try context.input(1).shape)
        if context.has(2) {
            let zeroPoint = try context.input(2).shape
            try require(
                zeroPoint == scale || elementCount(zeroPoint) == 1 && elementCount(scale) == 1,
                "the zero point's shape \(zeroPoint) is not the scale's, \(scale)")
        }
        let blockSize = context.attributes.int("block_size") ?? 0
        try require(blockSize >= 0, "attribute 'block_size' is \(blockSize)")
        isSingle = blockSize == 0 && elementCount(scale) == 1 && scale.count <= 1
        if isSingle {
            (inner, size, block) = (1, 1, 1)
            return
        }
        try require(context.version >= 13, "before version 13 the scale must be a scalar, not of shape \(scale)")
        let axis = try context.axis(x.count == 1 ? 0 : context.attributes.int("axis") ?? 1, rank: x.count)
        if blockSize == 0 {
            try require(scale == [x[axis]], "a scale per place on axis \(axis) of shape \(x) cannot have shape \(scale)")
        } else {
            var expected = x
            expected[axis] = x[axis] / blockSize + (x[axis] % blockSize == 0 ? 0 : 1)
            try require(
                scale == expected,
                "a scale per block of \(blockSize) on axis \(axis) of shape \(x) must have shape \(expected), not \(scale)")
        }
        let span = AxisSpan(x, axis: axis)
        (inner, size, block) = (span.inner, span.size, blockSize)
    }

    /// Calls `body` with the position of each of `count` elements and of its scale.
    func forEach(count: Int, _ body: (_ element: Int, _ scale: Int) -> Void) {
        if isSingle {
            for index in 0..<count { body(index, 0) }
            return
        }
        guard count > 0 else { return }
        let blocks = block == 0 ? 0 : (size - 1) / block + 1
        for line in 0..<(count / (size * inner)) {
            for place in 0..<size {
                let row = (line * size + place) * inner
                let first = block == 0 ? place : (line * blocks + place / block) * inner
                for offset in 0..<inner { body(row + offset, block == 0 ? first : first + offset) }
            }
        }
    }
}

// MARK: Decompositions

/// A scale or zero point in a shape that broadcasts to the data. Throws where it comes in blocks.
private func spread(_ g: FragmentBuilder, _ index: Int, rank: Int) throws(OperatorError) -> Term {
    guard g.attributes.int("block_size") ?? 0 == 0 else { throw .unsupported("blocks are not decomposed") }
    let parameter = try g.input(index)
    if parameter.rank == 0 || parameter.count == 1 { return try parameter.reshaped([]) }
    let axis = try normalizedAxis(rank == 1 ? 0 : g.int("axis"), rank: rank)
    return try parameter.reshaped([parameter.count] + [Int](repeating: 1, count: rank - axis - 1))
}

/// The quotient is rounded to float32 and then to an integer, as the whole operator does it; the rest is exact.
@Sendable private func quantizeLinearParts(_ g: FragmentBuilder) throws(OperatorError) -> [Term?] {
    let x = try g.input(0)
    let target = try g.output().dataType
    guard x.type.dataType == .float32, try g.input(1).type.dataType == .float32, g.attributes.int("precision") ?? 0 == 0,
        TypeSet(.int8, .uint8, .int16, .uint16).contains(target)
    else { throw .unsupported("only float32 is quantised in parts, and to 8 or 16 bits") }
    var steps = try g("Round", x / spread(g, 1, rank: x.rank))
    if g.has(2) { steps = try steps + spread(g, 2, rank: x.rank).cast(to: .float32) }
    let limits = target.integerLimits
    let clipped = try g("Min", g("Max", steps, steps.same(Double(limits.lower))), steps.same(Double(limits.upper)))
    return [try clipped.cast(to: target)]
}

/// The difference is exact in int32 and in float32, so that the product is rounded once.
@Sendable private func dequantizeLinearParts(_ g: FragmentBuilder) throws(OperatorError) -> [Term?] {
    let (x, scale) = (try g.input(0), try g.input(1))
    let type = x.type.dataType
    guard type.isInteger, type.bits <= 8 || type.bits == 16 && scale.type.dataType == .float32, scale.type.dataType.isFloat,
        scale.type.dataType.bits >= 16, try g.output().dataType == scale.type.dataType
    else { throw .unsupported("what is dequantised in parts has at most 8 bits, or 16 with a scale in float32") }
    var steps = try x.cast(to: .int32)
    if g.has(2) { steps = try steps - spread(g, 2, rank: x.rank).cast(to: .int32) }
    return [try steps.cast(to: .float32) * spread(g, 1, rank: x.rank).cast(to: .float32)]
}

// MARK: Samples

/// The integer types that version `version` quantises to.
private func quantisedTypes(_ version: Int) -> [DataType] {
    [.int8, .uint8] + (version >= 19 ? [.float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz] : [])
        + (version >= 21 ? [.int16, .uint16, .int4, .uint4] : [])
}

private func zeroPoint(_ type: DataType, _ shape: [Int]) -> Sample.Tensor {
    if type.isFloat { return .init(type, shape, .exactly([Double](repeating: 0, count: shape.reduce(1, *)))) }
    let middle: Int64 = type.kind == .unsignedInteger ? 1 << Int64(type.bits - 1) : 0
    let reach: Int64 = type.bits == 4 ? 2 : 9
    return .init(type, shape, .integers(middle - reach...middle + reach))
}

@Sendable private func quantizeLinearSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    guard type == .float32 || version >= 19 && type != .int32 else { return [] }
    let (a, b) = (context.size(3...9), context.size(11...40))
    return quantisedTypes(version).flatMap { target in
        let step = target.bits == 4 ? 0.25 : 0.03125
        var samples = [
            Sample("\(target.name)-tensor", [.init(type, [a, b]), .scalar(type, step), zeroPoint(target, [])]),
            // Ties at quantisation differed by architecture (ComputeLibrary#834).
            Sample("\(target.name)-field-ties", [.init(type, [a, b], .integers(-40...40)), .scalar(type, 2), zeroPoint(target, [])]),
            Sample("\(target.name)-large", [.init(type, [17, 65]), .scalar(type, step), zeroPoint(target, [])]),
        ]
        if version >= 13 {
            samples.append(
                Sample(
                    "\(target.name)-axis", [.init(type, [2, a, b]), .init(type, [a], .data(step...(4 * step))), zeroPoint(target, [a])],
                    ["axis": .int(1)]))
        }
        if version >= 21 {
            samples.append(
                Sample(
                    "\(target.name)-block",
                    [.init(type, [a, 12]), .init(type, [a, 3], .data(step...(4 * step))), zeroPoint(target, [a, 3])],
                    ["axis": .int(1), "block_size": .int(4)]))
        }
        if target == .uint8 { samples.append(Sample("no-zero-point", [.init(type, [a, b], .data(0...4)), .scalar(type, step)])) }
        return samples
    }
}

@Sendable private func dequantizeLinearSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    guard quantisedTypes(version).contains(type) || type == .int32 else { return [] }
    let (a, b) = (context.size(3...9), context.size(11...40))
    let scales: [DataType] = version >= 19 ? [.float32, .float16, .bfloat16] : [.float32]
    return scales.flatMap { scale in
        let zero = type == .int32 ? nil : zeroPoint(type, [])
        var samples = [
            Sample("\(scale.name)-tensor", [.init(type, [a, b]), .scalar(scale, 0.03125), zero].trimmed),
            Sample("\(scale.name)-no-zero-point", [.init(type, [a, b]), .scalar(scale, 0.5)]),
            Sample("\(scale.name)-large", [.init(type, [17, 65]), .scalar(scale, 0.03125), zero].trimmed),
        ]
        if version >= 13 {
            samples.append(
                Sample(
                    "\(scale.name)-axis",
                    [.init(type, [2, a, b]), .init(scale, [a], .data(0.01...0.1)), type == .int32 ? nil : zeroPoint(type, [a])].trimmed,
                    ["axis": .int(1)]))
        }
        return samples
    }
}

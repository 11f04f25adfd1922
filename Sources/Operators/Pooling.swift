import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

private let windowAttributes: [String: AttributeRule] = [
    "auto_pad": .string("NOTSET"), "ceil_mode": .int(0), "dilations": .optional(.ints), "kernel_shape": .required(.ints),
    "pads": .optional(.ints), "strides": .optional(.ints),
]

/// Poolings over one to three spatial axes.
let poolingOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "MaxPool", since: [1, 8, 10, 11, 12, 22], "(X: T) -> (Y: T, Indices?: int64)", types: ["T": [.floats, TypeSet(.int8, .uint8)]],
        attributes: windowAttributes.merging(["storage_order": .int(0)]) { $1 }, numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (x, window) = try pooled(context)
            let shape = try possible(x.shape[..<2] + window.outputShape)
            return [.tensor(x.dataType, shape), .tensor(.int64, shape)]
        },
        reference: maxPool
    ).sampled(maxPoolSamples),
    OperatorDefinition(
        "AveragePool", since: [1, 7, 10, 11, 19, 22], "(X: T) -> (Y: T)", types: ["T": .floats],
        attributes: windowAttributes.merging(["count_include_pad": .int(0)]) { $1 }, numericClass: .dot, infer: inferPool,
        reference: { context throws(OperatorError) in
            let (_, window) = try pooled(context.inference)
            let countsPads = context.attributes.flag("count_include_pad")
            return try reduce(context, window) { values, taps, position in
                var sum = 0.0
                for tap in taps { sum += values[tap] }
                return sum / Double(countsPads ? window.tapsInsidePadding(at: position) : taps.count)
            }
        }
    ).sampled(averagePoolSamples).summing({ context in context.attributes.ints("kernel_shape")?.reduce(1, *) ?? 1 }),
    OperatorDefinition(
        "LpPool", since: [2, 11, 18, 22], "(X: T) -> (Y: T)", types: ["T": .floats],
        attributes: windowAttributes.merging(["p": .int(2)]) { $1 }, numericClass: .composite, infer: inferPool,
        reference: { context throws(OperatorError) in
            let (_, window) = try pooled(context.inference)
            let p = Double(context.attributes.int("p")!)
            return try reduce(context, window) { values, taps, _ in norm(of: taps.lazy.map { values[$0] }, p) }
        }
    ).sampled(lpPoolSamples).summing({ context in context.attributes.ints("kernel_shape")?.reduce(1, *) ?? 1 }),
    global("GlobalAveragePool", since: [1, 22], numericClass: .dot) { values, _ in values.reduce(0, +) / Double(values.count) }.sampled(
        globalPoolSamples
    ).summing({ context in context.inputs[0].map { $0.shape.dropFirst(2).reduce(1, *) } ?? 1 })
        .decomposing { g throws(OperatorError) in [try planes(g, "ReduceMean")] },
    global("GlobalMaxPool", since: [1, 22], numericClass: .movement) { values, _ in
        values.reduce(-.infinity) { $0.isNaN || $0 > $1 ? $0 : $1 }
    }.sampled(globalPoolSamples).decomposing { g throws(OperatorError) in [try planes(g, "ReduceMax")] },
    global("GlobalLpPool", since: [2, 22], attributes: ["p": .int(2)], numericClass: .composite) { values, attributes in
        norm(of: values, Double(attributes.int("p")!))
    }.sampled(globalPoolSamples).decomposing { g throws(OperatorError) in
        let p = try g.int("p")
        guard p == 1 || p == 2 else { throw .unsupported("no reduction takes the norm with p = \(p)") }
        return [try planes(g, "ReduceL\(p)")]
    },
    OperatorDefinition(
        "MaxUnpool", since: [9, 11, 22], "(X: T1, I: int64, output_shape?: int64) -> (output: T1)", types: ["T1": .floats],
        attributes: ["kernel_shape": .required(.ints), "pads": .optional(.ints), "strides": .optional(.ints)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (x, indices) = (try context.input(0), try context.input(1))
            try require(
                x.shape.count >= 3 && indices.shape == x.shape, "indices of shape \(indices.shape) for an input of shape \(x.shape)")
            let window = try SpatialWindow(
                context.attributes, input: Array(x.shape[2...]), kernel: context.attributes.ints("kernel_shape") ?? [])
            var shape = Array(x.shape[..<2])
            for axis in window.axes { shape.append(max(axis.input - 1, 0) * axis.stride + axis.extent - axis.padBegin - axis.padEnd) }
            if context.has(2) {
                shape = try context.integers(2)
                try require(
                    shape.count == x.shape.count && shape[..<2] == x.shape[..<2],
                    "an output of shape \(shape) for an input of shape \(x.shape)")
            }
            return [.tensor(x.dataType, try possible(shape))]
        },
        reference: { context throws(OperatorError) in
            let (x, indices) = (try context.input(0), try context.input(1))
            let output = context.output(0)
            // The indices count through the tensor that was pooled, which may be smaller than the output that is asked for.
            let window = try SpatialWindow(
                context.attributes, input: Array(x.shape[2...]), kernel: context.attributes.ints("kernel_shape")!)
            let pooled =
                Array(x.shape[..<2]) + window.axes.map { max($0.input - 1, 0) * $0.stride + $0.extent - $0.padBegin - $0.padEnd }
            let (sourceStrides, targetStrides) = (denseStrides(pooled), denseStrides(output.shape))
            var y = [Double](repeating: 0, count: product(output.shape))
            for (value, index) in zip(x.floats, indices.integers) {
                try require(index >= 0 && index < product(pooled), "index \(index) is outside the pooled shape \(pooled)")
                var target = 0
                for axis in pooled.indices {
                    let coordinate = Int(index) / sourceStrides[axis] % pooled[axis]
                    try require(coordinate < output.shape[axis], "index \(index) is outside the output's shape \(output.shape)")
                    target += coordinate * targetStrides[axis]
                }
                y[target] = value
            }
            return [ReferenceTensor(x.dataType, output.shape, .floats(y))]
        }
    ).sampled(maxUnpoolSamples),
]

/// A pooling of all spatial axes to one element.
private func global(
    _ name: String, since: [Int], attributes: [String: AttributeRule] = [:], numericClass: NumericClass,
    _ reduce: @escaping @Sendable (ArraySlice<Double>, NodeAttributes) -> Double
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: since, "(X: T) -> (Y: T)", types: ["T": .floats], attributes: attributes, numericClass: numericClass,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            try require(x.shape.count >= 3, "the input must have at least three axes, not shape \(x.shape)")
            return [.tensor(x.dataType, x.shape[..<2] + Array(repeating: 1, count: x.shape.count - 2))]
        },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            let (values, plane) = (x.floats, product(x.shape[2...]))
            let y = (0..<x.shape[0] * x.shape[1]).map { reduce(values[$0 * plane..<($0 + 1) * plane], context.attributes) }
            return [ReferenceTensor(x.dataType, context.output(0).shape, .floats(y))]
        })
}

/// All axes behind the channels reduced to one element.
private func planes(_ g: FragmentBuilder, _ reduction: String) throws(OperatorError) -> Term {
    let x = try g.input(0)
    return try x.reduced(reduction, Array(2..<x.rank))
}

private func norm(of values: some Sequence<Double>, _ p: Double) -> Double {
    if p == 1 { return values.reduce(0) { $0 + abs($1) } }
    if p == 2 { return values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    return pow(values.reduce(0) { $0 + pow(abs($1), p) }, 1 / p)
}

private func inferPool(_ context: InferenceContext) throws(OperatorError) -> [InferredOutput] {
    let (x, window) = try pooled(context)
    return [.tensor(x.dataType, try possible(x.shape[..<2] + window.outputShape))]
}

/// The input and the window of a pooling.
private func pooled(_ context: InferenceContext) throws(OperatorError) -> (ConcreteType, SpatialWindow) {
    let x = try context.input(0)
    try require(x.shape.count >= 3, "the input must have at least three axes, not shape \(x.shape)")
    return (x, try SpatialWindow(context.attributes, over: Array(x.shape[2...]), kernel: context.attributes.ints("kernel_shape") ?? []))
}

extension SpatialWindow {
    /// For every output position, which elements of a plane its window reads.
    fileprivate func elementsPerPosition() -> [[Int]] {
        let (depth, height, width) = volume
        var all: [[Int]] = []
        all.reserveCapacity(outputCount)
        for z in 0..<depth.output {
            for y in 0..<height.output {
                for x in 0..<width.output {
                    var elements: [Int] = []
                    for tapZ in depth.taps(at: z) {
                        for tapY in height.taps(at: y) {
                            let row = (depth.source(z, tap: tapZ) * height.input + height.source(y, tap: tapY)) * width.input
                            for tapX in width.taps(at: x) { elements.append(row + width.source(x, tap: tapX)) }
                        }
                    }
                    all.append(elements)
                }
            }
        }
        return all
    }

    /// How many taps of the window at flat output position `position` lie in the input or its declared padding, not beyond (where rounding up led).
    fileprivate func tapsInsidePadding(at position: Int) -> Int {
        var (rest, count) = (position, 1)
        for axis in axes.reversed() {
            let start = rest % axis.output * axis.stride
            rest /= axis.output
            count *= min(axis.kernel, max(0, (axis.input + axis.padBegin + axis.padEnd - 1 - start) / axis.dilation + 1))
        }
        return count
    }
}

/// Applies `combine` to the elements of every window of every plane.
private func reduce(
    _ context: ReferenceContext, _ window: SpatialWindow, _ combine: (UnsafePointer<Double>, [Int], Int) -> Double
) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let elements = window.elementsPerPosition()
    var y: [Double] = []
    y.reserveCapacity(x.shape[0] * x.shape[1] * elements.count)
    x.floats.withUnsafeBufferPointer { values in
        guard let values = values.baseAddress else { return }
        for plane in 0..<x.shape[0] * x.shape[1] {
            for (position, taps) in elements.enumerated() { y.append(combine(values + plane * window.inputCount, taps, position)) }
        }
    }
    return [ReferenceTensor(x.dataType, context.output(0).shape, .floats(y))]
}

/// The first of equal elements wins, and a NaN wins over all.
private func maxPool(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let (_, window) = try pooled(context.inference)
    let x = try context.input(0)
    let (shape, plane) = (context.output(0).shape, window.inputCount)
    let elements = window.elementsPerPosition()
    let values = x.floats
    var sources: [Int] = []
    sources.reserveCapacity(product(shape))
    for base in stride(from: 0, to: plane * x.shape[0] * x.shape[1], by: max(plane, 1)) {
        for taps in elements {
            guard var best = taps.first else { throw .invalid("a window lies in the padding altogether") }
            for tap in taps.dropFirst()
            where values[base + tap] > values[base + best] || (values[base + tap].isNaN && !values[base + best].isNaN) {
                best = tap
            }
            sources.append(base + best)
        }
    }
    var indices = sources.map(Int64.init)
    if context.attributes.int("storage_order") == 1 {
        // Within a plane the first spatial axis then counts fastest.
        let spatial = window.inputShape
        indices = sources.map { source in
            var (rest, flat, step) = (source % plane, 0, plane)
            for size in spatial.reversed() {
                step /= size
                flat += rest % size * step
                rest /= size
            }
            return Int64(source / plane * plane + flat)
        }
    }
    return [x.gathered(sources, shape: shape), ReferenceTensor(.int64, shape, .integers(indices))]
}

// MARK: Samples

@Sendable private func poolSamples(_ context: inout SampleContext) -> [Sample] { poolSamples(&context, [:], wanted: [true]) }

private func poolSamples(_ context: inout SampleContext, _ extra: [String: Attribute], wanted: [Bool]) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (h, w) = (context.size(7...14), context.size(9...19))
    func of(_ name: String, _ shape: [Int], _ kernel: [Int64], _ attributes: [String: Attribute] = [:]) -> Sample {
        Sample(name, [.init(type, shape)], attributes.merging(["kernel_shape": .ints(kernel)]) { $1 }.merging(extra) { $1 }, wanted: wanted)
    }
    var samples = [
        of("plain", [2, 3, h, w], [2, 2]), of("strided", [1, 3, h, w], [3, 3], ["strides": .ints([2, 2])]),
        of("padded", [1, 3, h, w], [3, 3], ["pads": .ints([1, 1, 1, 1])]),
        of("uneven-pads", [1, 2, h, w], [3, 2], ["pads": .ints([0, 1, 2, 0])]),
        of("wide", [1, 2, h, w], [1, 5], ["strides": .ints([1, 3])]),
        of("same-upper", [1, 2, h, w], [3, 3], ["auto_pad": .string("SAME_UPPER"), "strides": .ints([2, 2])]),
        of("same-lower", [1, 2, h, w], [2, 2], ["auto_pad": .string("SAME_LOWER")]),
        of("valid", [1, 2, h, w], [3, 3], ["auto_pad": .string("VALID")]),
        of("one-axis", [2, 3, 4 * w], [5]), of("three-axes", [1, 2, 5, 6, 7], [2, 3, 2], ["strides": .ints([2, 1, 2])]),
        of("whole", [2, 5, 7, 9], [7, 9]),
        of("large", [2, 8, 17, 19], [3, 3], ["pads": .ints([1, 1, 1, 1])]),
    ]
    if version >= 10 { samples.append(of("ceiling", [1, 2, h, w], [3, 3], ["strides": .ints([2, 2]), "ceil_mode": .int(1)])) }
    return samples
}

@Sendable private func maxPoolSamples(_ context: inout SampleContext) -> [Sample] {
    var samples = poolSamples(&context)
    let type = context.type
    if context.version >= 10 {
        samples.append(Sample("dilated", [.init(type, [1, 2, 11, 13])], ["kernel_shape": .ints([3, 2]), "dilations": .ints([2, 3])]))
    }
    if context.version >= 8 {
        samples += poolSamples(&context, [:], wanted: [true, true]).prefix(4).map {
            Sample("indices-\($0.name)", $0.inputs, $0.attributes, wanted: $0.wanted)
        }
        samples += poolSamples(&context, ["storage_order": .int(1)], wanted: [true, true]).prefix(2).map {
            Sample("column-indices-\($0.name)", $0.inputs, $0.attributes, wanted: $0.wanted)
        }
    }
    return samples
}

@Sendable private func averagePoolSamples(_ context: inout SampleContext) -> [Sample] {
    var samples = poolSamples(&context)
    let type = context.type
    if context.version >= 7 {
        samples += poolSamples(&context, ["count_include_pad": .int(1)], wanted: [true]).dropFirst(2).prefix(5).map {
            Sample("counting-pads-\($0.name)", $0.inputs, $0.attributes)
        }
    }
    if context.version >= 19 {
        samples.append(Sample("dilated", [.init(type, [1, 2, 11, 13])], ["kernel_shape": .ints([3, 2]), "dilations": .ints([2, 3])]))
    }
    return samples
}

@Sendable private func lpPoolSamples(_ context: inout SampleContext) -> [Sample] {
    let plain = poolSamples(&context).filter { context.version >= 18 || $0.name != "ceiling" }
    return plain
        + plain.prefix(3).flatMap { sample in
            [Int64(1), 3].map { Sample("p\($0)-\(sample.name)", sample.inputs, sample.attributes.merging(["p": .int($0)]) { $1 }) }
        }
}

@Sendable private func globalPoolSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (h, w) = (context.size(7...14), context.size(9...19))
    return [
        ("plain", [2, 3, h, w]), ("one-axis", [2, 3, 4 * w]), ("three-axes", [1, 2, 5, 6, 7]), ("one", [2, 3, 1, 1]),
        ("large", [4, 257, 3, 5]), ("tail", [1, 17, 17, 17]),
    ].map {
        Sample($0.0, [.init(type, $0.1)])
    }
}

@Sendable private func maxUnpoolSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return [
        Sample(
            "plain", [.init(type, [1, 1, 2, 2]), .init(.int64, [1, 1, 2, 2], .exactly([5, 7, 13, 15]))],
            ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]),
        Sample(
            "large", [.init(type, [1, 1, 33, 32]), .init(.int64, [1, 1, 33, 32], .permutation)],
            ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]),
        Sample(
            "output-shape", [.init(type, [1, 1, 2, 2]), .init(.int64, [1, 1, 2, 2], .exactly([5, 7, 13, 15])), .vector([1, 1, 5, 5])],
            ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]),
    ]
}

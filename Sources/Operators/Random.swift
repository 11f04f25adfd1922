import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Random numbers, and Dropout. With a seed the same bits come every time; without one every call draws anew.
let randomOperators: [OperatorDefinition] = [
    generator("RandomUniform", ["low": .float(0), "high": .float(1)]) { a in
        let (low, high) = (a.float("low")!, a.float("high")!)
        return { low + (high - low) * $0.uniform($1) }
    },
    generator("RandomNormal", ["mean": .float(0), "scale": .float(1)]) { a in
        let (mean, scale) = (a.float("mean")!, a.float("scale")!)
        return { mean + scale * $0.normal($1) }
    },
    generator("RandomUniformLike", isLike: true, ["low": .float(0), "high": .float(1)]) { a in
        let (low, high) = (a.float("low")!, a.float("high")!)
        return { low + (high - low) * $0.uniform($1) }
    },
    generator("RandomNormalLike", isLike: true, ["mean": .float(0), "scale": .float(1)]) { a in
        let (mean, scale) = (a.float("mean")!, a.float("scale")!)
        return { mean + scale * $0.normal($1) }
    },
    OperatorDefinition(
        "Bernoulli", since: [15, 22], "(input: T1) -> (output: T2)", types: ["T1": .floats, "T2": [.numeric, .bool]],
        attributes: ["dtype": .optional(.int), "seed": .optional(.float)], numericClass: .random,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            return [.tensor(try context.dataType(attribute: "dtype", standard: input.dataType, among: [.numeric, .bool]), input.shape)]
        },
        reference: { context throws(OperatorError) in
            let stream = RandomStream(context.attributes)
            let (input, output) = (try context.input(0), context.output(0))
            let hits = input.floats.enumerated().map { stream.uniform($0) < $1 }
            return [
                ReferenceTensor(
                    output.dataType, output.shape,
                    output.dataType.isFloat ? .floats(hits.map { $0 ? 1 : 0 }) : .integers(hits.map { $0 ? 1 : 0 }))
            ]
        }
    ).sampled(bernoulliSamples),
    OperatorDefinition(
        "Multinomial", since: [7, 22], "(input: T1) -> (output: T2)", types: ["T1": .floats, "T2": .indices],
        attributes: ["dtype": .int(6), "sample_size": .int(1), "seed": .optional(.float)], numericClass: .random,
        infer: { context throws(OperatorError) in
            let shape = try context.input(0).shape
            try require(shape.count == 2 && shape[1] > 0, "the input must be [batch, classes] with at least one class, not shape \(shape)")
            let size = context.attributes.int("sample_size")!
            try require(size >= 0, "attribute 'sample_size' is \(size)")
            return [.tensor(try context.dataType(attribute: "dtype", standard: .int32, among: .indices), try possible([shape[0], size]))]
        },
        reference: multinomial
    ).sampled(multinomialSamples),
    dropout,
]

/// A stream of random numbers of which any can be drawn by its index. SplitMix64 over a counter.
private struct RandomStream {
    private let key: UInt64

    /// From attribute `seed` (an integer or a float, by the operator); at random without it.
    init(_ attributes: NodeAttributes) {
        if let seed = attributes.int("seed") {
            key = Self.mix(UInt64(bitPattern: Int64(seed)))
        } else if let seed = attributes.float("seed") {
            key = Self.mix(seed.bitPattern)
        } else {
            key = UInt64.random(in: .min ... .max)
        }
    }

    private static func mix(_ input: UInt64) -> UInt64 {
        var value = input
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// In [0, 1), a multiple of 2^-53.
    func uniform(_ index: Int) -> Double {
        Double(Self.mix(key &+ UInt64(bitPattern: Int64(index)) &* 0x9E37_79B9_7F4A_7C15) >> 11) * 0x1p-53
    }

    /// Mean 0, variance 1 (Box and Muller).
    func normal(_ index: Int) -> Double {
        (-2 * log(1 - uniform(2 &* index))).squareRoot() * cos(2 * .pi * uniform(2 &* index &+ 1))
    }
}

private func generator(
    _ name: String, isLike: Bool = false, _ parameters: [String: AttributeRule],
    _ draw: @escaping @Sendable (NodeAttributes) -> (RandomStream, Int) -> Double
) -> OperatorDefinition {
    var attributes = parameters
    attributes["seed"] = .optional(.float)
    attributes["dtype"] = isLike ? .optional(.int) : .int(1)
    if !isLike { attributes["shape"] = .required(.ints) }
    return OperatorDefinition(
        name, since: [1, 22], isLike ? "(input: T1) -> (output: T2)" : "() -> (output: T2)", types: ["T1": .any, "T2": .floats],
        attributes: attributes, numericClass: .random,
        infer: { context throws(OperatorError) in
            let source = isLike ? try context.input(0) : ConcreteType(.float32, context.attributes.ints("shape") ?? [])
            return [
                .tensor(try context.dataType(attribute: "dtype", standard: source.dataType, among: .floats), try possible(source.shape))
            ]
        },
        reference: { context throws(OperatorError) in
            let (stream, function, output) = (RandomStream(context.attributes), draw(context.attributes), context.output(0))
            let count = elementCount(output.shape) ?? 0
            return [ReferenceTensor(output.dataType, output.shape, .floats((0..<count).map { function(stream, $0) }))]
        }
    ).sampled(generatorSamples(isLike: isLike))
}

/// Draws classes with probability proportional to exp(input).
@Sendable private func multinomial(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let (input, output) = (try context.input(0), context.output(0))
    let stream = RandomStream(context.attributes)
    let (classes, size) = (input.shape[1], output.shape[1])
    let values = input.floats
    var samples: [Int64] = []
    samples.reserveCapacity(output.shape[0] * size)
    for row in 0..<output.shape[0] {
        let scores = values[(row * classes)..<((row + 1) * classes)]
        let greatest = scores.max() ?? 0
        var sum = 0.0
        let cumulative = scores.map { score in
            sum += exp(score - greatest)
            return sum
        }
        for index in 0..<size {
            let point = stream.uniform(row * size + index) * sum
            samples.append(Int64(cumulative.firstIndex { $0 > point } ?? classes - 1))
        }
    }
    return [ReferenceTensor(output.dataType, output.shape, .integers(samples))]
}

/// The ratio is an attribute before version 12 and the operator then always infers (unless `is_test` is 0 in version 6, which ONNX made
/// meaningless one version later); from version 12 on both ratio and training mode are inputs.
private let dropout = OperatorDefinition(
    "Dropout", since: [1, 6, 7, 10, 12, 13, 22], "(data: T, ratio?: T1, training_mode?: bool) -> (output: T, mask?: T2)",
    types: ["T": [.floats, .float8], "T1": [.floats, .float8], "T2": [.floats, .bool]],
    attributes: ["ratio": .float(0.5), "is_test": .int(0), "seed": .optional(.int)], numericClass: .random,
    infer: { context throws(OperatorError) in
        let data = try context.input(0)
        for index in 1...2 where context.has(index) {
            try require(elementCount(try context.input(index).shape) == 1, "input \(index) must be a scalar")
        }
        return [.known(data), .tensor(context.version < 10 ? data.dataType : .bool, data.shape)]
    },
    reference: { context throws(OperatorError) in
        let data = try context.input(0)
        let isTraining =
            context.has(2) ? try context.input(2).integers.first != 0 : context.version < 7 && !context.attributes.flag("is_test")
        let ratio = context.has(1) ? try context.input(1).floats.first ?? 0.5 : context.attributes.float("ratio")!
        var keeps = [Bool](repeating: true, count: data.count)
        var output = data
        if isTraining, ratio != 0 {
            try require(ratio > 0 && ratio < 1, "the ratio \(ratio) is not in [0, 1)")
            let stream = RandomStream(context.attributes)
            for index in keeps.indices { keeps[index] = stream.uniform(index) >= ratio }
            output.elements = .floats(zip(data.floats, keeps).map { $1 ? $0 / (1 - ratio) : 0 })
        }
        let mask =
            context.version < 10
            ? ReferenceTensor(data.dataType, data.shape, .floats(keeps.map { $0 ? 1 : 0 }))
            : ReferenceTensor(.bool, data.shape, .integers(keeps.map { $0 ? 1 : 0 }))
        return [output, mask]
    }
).sampled(dropoutSamples)

// MARK: Samples

@Sendable private func bernoulliSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return [
        Sample("large", [.init(type, [40, 40], .data(0...1))], ["seed": .float(3)]),
        Sample("to-int32", [.init(type, [9, 31], .data(0...1))], ["seed": .float(3), "dtype": .int(6)]),
        Sample("never", [.init(type, [7], .exactly([Double](repeating: 0, count: 7)))], ["seed": .float(1)]),
    ]
}

@Sendable private func multinomialSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return [
        Sample("one", [.init(type, [5, 7])], ["seed": .float(3)]),
        Sample("large", [.init(type, [5, 9])], ["seed": .float(3), "sample_size": .int(300)]),
        Sample("to-int64", [.init(type, [2, 4])], ["seed": .float(3), "dtype": .int(7), "sample_size": .int(20)]),
    ]
}

/// Without training it is the identity; with it, kept elements are scaled.
@Sendable private func dropoutSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let extra: [String: Attribute] = version < 7 ? ["is_test": .int(1)] : [:]
    var samples = context.elementwiseShapes().map { Sample($0.name, [.init(type, $0.shape)], extra) }
    if version >= 12, type.bits >= 16 {
        samples += [
            Sample("training", [.init(type, [30, 40]), .scalar(type, 0.25), .scalar(.bool, 1)], ["seed": .int(5)]),
            Sample("ratio", [.init(type, [9, 31]), .scalar(type, 0.25)]),
            Sample("training-none", [.init(type, [9, 31]), .scalar(type, 0), .scalar(.bool, 1)], ["seed": .int(5)]),
        ]
    }
    return samples
}

private func generatorSamples(isLike: Bool) -> SampleGenerator {
    { context in
        let type = context.type
        // By the type of the first output, where there is no input.
        let named: [String: Attribute] =
            isLike && type.isFloat && type.bits >= 16 ? [:] : ["dtype": .int(Int64(isLike ? DataType.float32.rawValue : type.rawValue))]
        return [("large", [40, 40]), ("scalar", []), ("empty", [0, 3]), ("vector", [129])].map { (name: String, shape: [Int]) in
            let attributes = named.merging(["seed": .float(7)]) { $1 }
            return isLike
                ? Sample(name, [.init(type, shape)], attributes)
                : Sample(name, [], attributes.merging(["shape": .ints(shape.map(Int64.init))]) { $1 })
        }
    }
}

import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that shift and scale by the mean and the variance of the data, or by its size.
let normalizationOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "BatchNormalization", since: [6, 7, 9, 14, 15],
        "(X: T, scale: T1, B: T1, input_mean: T2, input_var: T2) -> (Y: T, running_mean?: T2, running_var?: T2, saved_mean?: T2, saved_var?: T2)",
        types: ["T": .floats, "T1": .floats, "T2": .floats],
        attributes: [
            "epsilon": .float(1e-5), "momentum": .float(0.9), "training_mode": .int(0), "spatial": .int(1), "is_test": .int(0),
        ],
        numericClass: .normalisation, infer: inferBatchNormalization, reference: batchNormalization
    ).sampled(batchNormalizationSamples)
        .decomposing(batchNormalizationParts),
    OperatorDefinition(
        "InstanceNormalization", since: [6, 22], "(input: T, scale: T, B: T) -> (output: T)", types: ["T": .floats],
        attributes: ["epsilon": .float(1e-5)], numericClass: .normalisation,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            try require(input.shape.count >= 3, "the input must have at least three axes, not shape \(input.shape)")
            try checkScales(context, count: input.shape[1])
            return [.known(input)]
        },
        reference: { context throws(OperatorError) in
            try normalizeGroups(context, groups: try context.input(0).shape[1], perChannel: true)
        }
    ).sampled(instanceNormalizationSamples).decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        let normal = try standardized(x, Array(2..<x.rank), epsilon: g.float("epsilon")).values
        return [try normal * perChannel(g.wide(1), x) + perChannel(g.wide(2), x)]
    },
    OperatorDefinition(
        "GroupNormalization", since: [18, 21], "(X: T, scale: T, bias: T) -> (Y: T)", types: ["T": .floats],
        attributes: ["epsilon": .float(1e-5), "num_groups": .required(.int), "stash_type": .int(1)], numericClass: .normalisation,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            let groups = context.attributes.int("num_groups") ?? 0
            try require(x.shape.count >= 2, "the input must have at least two axes, not shape \(x.shape)")
            try require(groups > 0 && x.shape[1] % groups == 0, "\(x.shape[1]) channels do not divide into \(groups) groups")
            // Before version 21 scale and bias were given per group.
            try checkScales(context, count: context.version < 21 ? groups : x.shape[1])
            return [.known(x)]
        },
        reference: { context throws(OperatorError) in
            try normalizeGroups(context, groups: context.attributes.int("num_groups")!, perChannel: context.version >= 21)
        }
    ).sampled(groupNormalizationSamples).decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        guard x.count > 0 else { throw .unsupported("nothing is normalised") }
        let groups = try g.int("num_groups")
        let view = try x.reshaped([x.shape[0], groups, x.count / (x.shape[0] * groups)])
        let normal = try standardized(view, [2], epsilon: g.float("epsilon")).values
        let (scale, bias) = (try g.wide(1), try g.wide(2))
        if g.version >= 21 { return [try normal.reshaped(x.shape) * perChannel(scale, x) + perChannel(bias, x)] }
        return [try (normal * perChannel(scale, view) + perChannel(bias, view)).reshaped(x.shape)]
    },
    OperatorDefinition(
        "LayerNormalization", since: [17], "(X: T, Scale: T, B?: T) -> (Y: T, Mean?: U, InvStdDev?: U)",
        types: ["T": .floats, "U": TypeSet(.float32, .bfloat16)],
        attributes: ["axis": .int(-1), "epsilon": .float(1e-5), "stash_type": .int(1)], numericClass: .normalisation,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            let axis = try context.axis(context.attributes.int("axis")!, rank: x.shape.count)
            for index in 1...2 where context.has(index) { try checkBroadcast(try context.input(index).shape, to: Array(x.shape[axis...])) }
            let stash = try context.dataType(attribute: "stash_type", standard: .float32, among: .floats)
            let statistics = x.shape[..<axis] + Array(repeating: 1, count: x.shape.count - axis)
            return [.known(x), .tensor(stash, Array(statistics)), .tensor(stash, Array(statistics))]
        },
        reference: layerNormalization
    ).sampled(layerNormalizationSamples).decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        guard x.count > 0 else { throw .unsupported("nothing is normalised") }
        let axis = try normalizedAxis(g.int("axis"), rank: x.rank)
        let (normal, mean, inverse) = try standardized(x, Array(axis..<x.rank), epsilon: g.float("epsilon"))
        let scaled = try normal * g.wide(1)
        return [g.has(2) ? try scaled + g.wide(2) : scaled, mean, inverse]
    },
    OperatorDefinition(
        "RMSNormalization", since: [23], "(X: T, scale: V) -> (Y: V)", types: ["T": .floats, "V": .floats],
        attributes: ["axis": .int(-1), "epsilon": .float(1e-5), "stash_type": .int(1)], numericClass: .normalisation,
        infer: { context throws(OperatorError) in
            let (x, scale) = (try context.input(0), try context.input(1))
            let axis = try context.axis(context.attributes.int("axis")!, rank: x.shape.count)
            try checkBroadcast(scale.shape, to: Array(x.shape[axis...]))
            return [.tensor(scale.dataType, x.shape)]
        },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            let axis = try normalizedAxis(context.attributes.int("axis")!, rank: x.shape.count)
            let scale = try context.input(1).broadcast(to: Array(x.shape[axis...])).floats
            let epsilon = context.attributes.float("epsilon")!
            var values = x.floats
            let length = product(x.shape[axis...])
            for start in stride(from: 0, to: values.count, by: max(length, 1)) {
                var squares = 0.0
                for index in start..<start + length { squares += values[index] * values[index] }
                let factor = 1 / (squares / Double(length) + epsilon).squareRoot()
                for index in 0..<length { values[start + index] *= factor * scale[index] }
            }
            return [ReferenceTensor(context.output(0).dataType, x.shape, .floats(values))]
        }
    ).sampled(rmsNormalizationSamples).decomposing { g throws(OperatorError) in
        let (x, scale) = (try g.wide(0), try g.wide(1))
        guard x.type.dataType == scale.type.dataType else { throw .unsupported("X and scale are computed in different types") }
        let axis = try normalizedAxis(g.int("axis"), rank: x.rank)
        let power = try (x * x).reduced("ReduceMean", Array(axis..<x.rank))
        return [try x * g("Sqrt", power + g.float("epsilon")).inverse() * scale]
    },
    OperatorDefinition(
        "LRN", since: [1, 13], "(X: T) -> (Y: T)", types: ["T": .floats],
        attributes: ["alpha": .float(1e-4), "beta": .float(0.75), "bias": .float(1), "size": .required(.int)], numericClass: .composite,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            let size = context.attributes.int("size") ?? 0
            try require(x.shape.count >= 2, "the input must have at least two axes, not shape \(x.shape)")
            try require(size > 0 && size < 1 << 31, "the size \(size) is no number of channels")
            return [.known(x)]
        },
        reference: localResponseNormalization
    ).sampled(lrnSamples).decomposing { g throws(OperatorError) in
        let x = try g.wide(0)
        guard x.count > 0 else { throw .unsupported("nothing is normalised") }
        // The mean over neighbouring channels, absent ones counted as 0, is a pooling of an image whose rows are the channels.
        let (size, channels) = (try g.int("size"), x.shape[1])
        let image = try (x * x).reshaped([x.shape[0], 1, channels, x.count / (x.shape[0] * channels)])
        let before = Int64((size - 1) / 2)
        let means = try g(
            "AveragePool", image,
            attributes: [
                "kernel_shape": .ints([Int64(size), 1]), "pads": .ints([before, 0, Int64(size / 2), 0]), "count_include_pad": .int(1),
            ])
        let base = try means.reshaped(x.shape) * g.float("alpha") + g.float("bias")
        return [try x / g("Pow", base, base.same(g.float("beta")))]
    },
]

/// Throws unless inputs 1 and 2 are vectors of `count` elements.
private func checkScales(_ context: InferenceContext, count: Int) throws(OperatorError) {
    for index in 1...2 {
        let shape = try context.input(index).shape
        try require(shape == [count], "input \(index) must have \(count) elements, not shape \(shape)")
    }
}

private func checkBroadcast(_ shape: [Int], to target: [Int]) throws(OperatorError) {
    try require(broadcastShape([shape, target]) == target, "a scale or bias of shape \(shape) does not broadcast to \(target)")
}

/// Mean and variance (of the population) of some elements.
private func moments(of values: some Collection<Double>) -> (mean: Double, variance: Double) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count)
}

// MARK: - Batch normalisation

/// Whether the node computes the statistics itself. Before version 14 it did if the node named more outputs than Y.
private func isTraining(_ context: InferenceContext) -> Bool {
    context.version >= 14 ? context.attributes.flag("training_mode") : context.wanted.dropFirst().contains(true)
}

private func inferBatchNormalization(_ context: InferenceContext) throws(OperatorError) -> [InferredOutput] {
    let x = try context.input(0)
    try require(!x.shape.isEmpty, "the input is a scalar")
    var statistics = [x.shape.count == 1 ? 1 : x.shape[1]]
    // Versions 6 and 7 could have statistics for every element of an image.
    if context.version < 9, !context.attributes.flag("spatial") { statistics = Array(x.shape[1...]) }
    for index in 1...4 {
        let shape = try context.input(index).shape
        try require(
            shape == statistics || (elementCount(shape) == elementCount(statistics) && context.version < 9),
            "input \(index) must have shape \(statistics), not \(shape)")
    }
    let type = try context.input(3).dataType
    guard isTraining(context) else {
        try require(!context.wanted.dropFirst().contains(true), "only training gives more outputs than Y")
        return [.known(x)]
    }
    let count = context.version >= 14 ? 2 : 4
    return [.known(x)] + Array(repeating: .tensor(type, try context.input(3).shape), count: count)
}

private func batchNormalization(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let (scale, bias) = (try context.input(1).floats, try context.input(2).floats)
    let (givenMean, givenVariance) = (try context.input(3), try context.input(4))
    let (epsilon, momentum) = (context.attributes.float("epsilon")!, context.attributes.float("momentum")!)
    let statistics = scale.count
    // An element's statistics repeat every `statistics · plane` elements.
    let isPerElement = context.version < 9 && !context.attributes.flag("spatial")
    let plane = isPerElement || x.shape.count == 1 ? 1 : product(x.shape.dropFirst(2))
    var (mean, variance) = (givenMean.floats, givenVariance.floats)
    var values = x.floats
    let isTraining = context.outputs.count > 1
    if isTraining {
        let count = Double(values.count / max(statistics, 1))
        mean = Array(repeating: 0, count: statistics)
        variance = mean
        for (index, value) in values.enumerated() { mean[index / plane % statistics] += value }
        for index in mean.indices { mean[index] /= count }
        for (index, value) in values.enumerated() {
            let deviation = value - mean[index / plane % statistics]
            variance[index / plane % statistics] += deviation * deviation
        }
        for index in variance.indices { variance[index] /= count }
    }
    let factors = zip(scale, variance).map { $0 / ($1 + epsilon).squareRoot() }
    for index in values.indices {
        let channel = index / plane % statistics
        values[index] = (values[index] - mean[channel]) * factors[channel] + bias[channel]
    }
    var results: [ReferenceTensor?] = [ReferenceTensor(x.dataType, x.shape, .floats(values))]
    guard isTraining else { return results }
    func running(_ old: [Double], _ new: [Double]) -> [Double] { zip(old, new).map { $0 * momentum + $1 * (1 - momentum) } }
    for statistic in [running(givenMean.floats, mean), running(givenVariance.floats, variance), mean, variance] {
        results.append(ReferenceTensor(givenMean.dataType, givenMean.shape, .floats(statistic)))
    }
    return results
}

// MARK: - Instance, group and layer normalisation

/// Normalises every group of channels of every image; scale and bias come per channel or per group.
private func normalizeGroups(_ context: ReferenceContext, groups: Int, perChannel: Bool) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let (scale, bias) = (try context.input(1).floats, try context.input(2).floats)
    let epsilon = context.attributes.float("epsilon")!
    var values = x.floats
    let plane = product(x.shape[2...])
    let length = groups == 0 ? 0 : x.shape[1] / groups * plane
    for (number, start) in stride(from: 0, to: values.count, by: max(length, 1)).enumerated() {
        let (mean, variance) = moments(of: values[start..<start + length])
        let factor = 1 / (variance + epsilon).squareRoot()
        for index in start..<start + length {
            let parameter = perChannel ? index / plane % x.shape[1] : number % groups
            values[index] = (values[index] - mean) * factor * scale[parameter] + bias[parameter]
        }
    }
    return [ReferenceTensor(x.dataType, x.shape, .floats(values))]
}

private func layerNormalization(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let axis = try normalizedAxis(context.attributes.int("axis")!, rank: x.shape.count)
    let inner = Array(x.shape[axis...])
    let scale = try context.input(1).broadcast(to: inner).floats
    let bias = context.has(2) ? try context.input(2).broadcast(to: inner).floats : nil
    let epsilon = context.attributes.float("epsilon")!
    var (values, means, inverses) = (x.floats, [Double](), [Double]())
    let length = product(inner)
    for start in stride(from: 0, to: values.count, by: max(length, 1)) {
        let (mean, variance) = moments(of: values[start..<start + length])
        let inverse = 1 / (variance + epsilon).squareRoot()
        for index in 0..<length {
            values[start + index] = (values[start + index] - mean) * inverse * scale[index] + (bias?[index] ?? 0)
        }
        means.append(mean)
        inverses.append(inverse)
    }
    let statistics = context.output(1)
    if length == 0 {
        means = Array(repeating: .nan, count: product(statistics.shape))
        inverses = means
    }
    return [
        ReferenceTensor(x.dataType, x.shape, .floats(values)), ReferenceTensor(statistics.dataType, statistics.shape, .floats(means)),
        ReferenceTensor(statistics.dataType, statistics.shape, .floats(inverses)),
    ]
}

// MARK: - Local response

/// x / (bias + alpha / size · Σx²)^beta, the sum over `size` neighbouring channels.
private func localResponseNormalization(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let (alpha, beta) = (context.attributes.float("alpha")!, context.attributes.float("beta")!)
    let (bias, size) = (context.attributes.float("bias")!, context.attributes.int("size")!)
    let (channels, plane) = (x.shape[1], product(x.shape[2...]))
    let values = x.floats
    var result = values
    var squares = [Double](repeating: 0, count: plane)
    for image in 0..<x.shape[0] {
        for channel in 0..<channels {
            for position in 0..<plane { squares[position] = 0 }
            for neighbour in max(0, channel - (size - 1) / 2)...min(channels - 1, channel + size / 2) {
                let start = (image * channels + neighbour) * plane
                for position in 0..<plane { squares[position] += values[start + position] * values[start + position] }
            }
            let start = (image * channels + channel) * plane
            for position in 0..<plane {
                result[start + position] = values[start + position] / pow(bias + alpha / Double(size) * squares[position], beta)
            }
        }
    }
    return [ReferenceTensor(x.dataType, x.shape, .floats(result))]
}

// MARK: Decompositions

/// (x − mean) / √(variance + epsilon) over `axes`, with the mean and the factor.
private func standardized(
    _ x: Term, _ axes: [Int], epsilon: Double
) throws(OperatorError) -> (values: Term, mean: Term, inverse: Term) {
    let mean = try x.reduced("ReduceMean", axes)
    let deviation = try x - mean
    let variance = try (deviation * deviation).reduced("ReduceMean", axes)
    let inverse = try x.builder("Sqrt", variance + epsilon).inverse()
    return (try deviation * inverse, mean, inverse)
}

/// A parameter of each channel (axis 1), in a shape that broadcasts to `x`.
private func perChannel(_ parameter: Term, _ x: Term) throws(OperatorError) -> Term {
    try parameter.reshaped([parameter.count] + [Int](repeating: 1, count: max(x.rank - 2, 0)))
}

/// With given statistics alone.
@Sendable private func batchNormalizationParts(_ g: FragmentBuilder) throws(OperatorError) -> [Term?] {
    guard !isTraining(g.inference) else { throw .unsupported("the statistics of training are not decomposed") }
    guard g.version >= 9 || g.attributes.flag("spatial") else { throw .unsupported("statistics per element are not decomposed") }
    let type = try g.output().dataType.wide
    let x = try g.wide(0)
    var parameters: [Term] = []
    for index in 1...4 {
        let parameter = try g.wide(index)
        guard parameter.type.dataType == type else { throw .unsupported("the statistics are computed in another type than X") }
        parameters.append(try perChannel(parameter, x))
    }
    let factor = try parameters[0] / g("Sqrt", parameters[3] + g.float("epsilon"))
    return [try (x - parameters[2]) * factor + parameters[1]]
}

// MARK: Samples

@Sendable private func batchNormalizationSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (h, w) = (context.size(3...9), context.size(7...15))
    func of(_ name: String, _ shape: [Int], _ attributes: [String: Attribute] = [:], outputs: Int = 1) -> Sample {
        let channels = [shape.count > 1 ? shape[1] : 1]
        let inputs: [Sample.Tensor?] =
            [.init(type, shape)] + [.data(-2...2), .data(-1...1), .data(-1...1), .data(0.25...4)].map { .init(type, channels, $0) }
        var attributes = attributes
        if version < 7 { attributes["is_test"] = .int(1) }
        return Sample(name, inputs, attributes, wanted: [Bool](repeating: true, count: outputs))
    }
    var samples = [
        of("image", [2, 3, h, w]), of("matrix", [5, 17]), of("one-axis", [2, 5, w]), of("three-axes", [1, 2, 3, 4, w]),
        of("epsilon", [2, 3, h, w], ["epsilon": .float(0.01)]),
        of("large", [2, 17, 9, 11]), of("one-channel", [3, 1, h, w]),
    ]
    if version >= 14 {
        samples += [
            of("training", [4, 3, h, w], ["training_mode": .int(1)], outputs: 3),
            of("training-momentum", [4, 3, h, w], ["training_mode": .int(1), "momentum": .float(0.6)], outputs: 3),
        ]
    }
    return samples
}

/// A gain and a bias of a channel or an element.
private func affine(_ type: DataType, _ shape: [Int]) -> [Sample.Tensor?] {
    [.init(type, shape, .data(-2...2)), .init(type, shape, .data(-1...1))]
}

@Sendable private func instanceNormalizationSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (h, w) = (context.size(5...9), context.size(7...15))
    func of(_ name: String, _ shape: [Int], _ attributes: [String: Attribute] = [:]) -> Sample {
        Sample(name, [.init(type, shape)] + affine(type, [shape[1]]), attributes)
    }
    return [
        of("image", [2, 3, h, w]), of("one-axis", [2, 5, 4 * w]), of("three-axes", [1, 2, 3, 4, w]),
        of("epsilon", [2, 3, h, w], ["epsilon": .float(0.01)]),
        of("large", [2, 5, 16, 17]), of("long", [1, 2, 33, 40]),
    ]
}

@Sendable private func groupNormalizationSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (h, w) = (context.size(3...9), context.size(7...15))
    func of(_ name: String, _ shape: [Int], _ groups: Int, _ attributes: [String: Attribute] = [:]) -> Sample {
        Sample(
            name, [.init(type, shape)] + affine(type, [version < 21 ? groups : shape[1]]),
            attributes.merging(["num_groups": .int(Int64(groups))]) { $1 })
    }
    return [
        of("two", [2, 6, h, w], 2), of("one", [2, 4, h, w], 1), of("each", [2, 5, h, w], 5), of("one-axis", [2, 6, 2 * w], 3),
        of("epsilon", [2, 6, h, w], 3, ["epsilon": .float(0.01)]),
        of("large", [2, 12, 9, 11], 4),
    ]
}

@Sendable private func layerNormalizationSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(2...6), context.size(17...70))
    func of(_ name: String, _ shape: [Int], _ axis: Int, bias: Bool = true, outputs: Int = 1, _ attributes: [String: Attribute] = [:])
        -> Sample
    {
        let inner = Array(shape[(axis < 0 ? axis + shape.count : axis)...])
        return Sample(
            name, [.init(type, shape), affine(type, inner)[0], bias ? affine(type, inner)[1] : nil].trimmed,
            attributes.merging(["axis": .int(Int64(axis))]) { $1 },
            wanted: [Bool](repeating: true, count: outputs))
    }
    return [
        of("last", [a, 3, b], -1), of("no-bias", [a, b], -1, bias: false), of("two-axes", [a, 5, 7], 1), of("all", [3, 4, 5], 0),
        of("statistics", [a, b], 1, outputs: 3),
        of("epsilon", [a, b], -1, ["epsilon": .float(0.01)]), of("large", [33, 64], -1), of("long", [3, context.size(1025...2049)], -1),
        of("one", [a, 1], -1), of("tail-17", [5, 17], -1),
        of("rank-4", [2, 3, 4, 9], -2),
    ]
}

@Sendable private func rmsNormalizationSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(2...6), context.size(17...70))
    func of(_ name: String, _ shape: [Int], _ axis: Int, _ attributes: [String: Attribute] = [:]) -> Sample {
        let inner = Array(shape[(axis < 0 ? axis + shape.count : axis)...])
        return Sample(
            name, [.init(type, shape), .init(type, inner, .data(-2...2))], attributes.merging(["axis": .int(Int64(axis))]) { $1 })
    }
    return [
        of("last", [a, 3, b], -1), of("two-axes", [a, 5, 7], 1), of("all", [3, 4, 5], 0),
        of("epsilon", [a, b], -1, ["epsilon": .float(0.01)]), of("large", [33, 64], -1),
        of("long", [3, context.size(1025...2049)], -1), of("one", [a, 1], -1), of("tail-17", [5, 17], -1),
    ]
}

@Sendable private func lrnSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (h, w) = (context.size(3...9), context.size(7...15))
    return [
        Sample("three", [.init(type, [2, 7, h, w])], ["size": .int(3)]), Sample("even", [.init(type, [1, 9, h, w])], ["size": .int(4)]),
        Sample("wide", [.init(type, [1, 5, h, w])], ["size": .int(11)]),
        Sample(
            "parameters", [.init(type, [1, 7, h, w])], ["size": .int(5), "alpha": .float(0.01), "beta": .float(0.5), "bias": .float(2)]),
        Sample("large", [.init(type, [2, 16, 7, 9])], ["size": .int(5)]),
    ]
}

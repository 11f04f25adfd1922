import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Fourier transforms, windows and the mel filter bank.
let signalOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "DFT", since: [17, 20], "(input: T1, dft_length?: T2, axis?: int64) -> (output: T1)", types: ["T1": .floats, "T2": .indices],
        attributes: ["axis": .optional(.int), "inverse": .int(0), "onesided": .int(0)], numericClass: .composite,
        infer: { context throws(OperatorError) in
            let plan = try TransformPlan(context)
            var shape = try context.input(0).shape
            shape[plan.axis] = plan.outputLength
            shape[shape.count - 1] = plan.givesReal ? 1 : 2
            return [.tensor(try context.input(0).dataType, try possible(shape))]
        },
        reference: transform
    ).sampled(dftSamples),
    OperatorDefinition(
        "STFT", since: [17], "(signal: T1, frame_step: T2, window?: T1, frame_length?: T2) -> (output: T1)",
        types: ["T1": .floats, "T2": .indices], attributes: ["onesided": .int(1)], numericClass: .composite,
        infer: { context throws(OperatorError) in
            let signal = try context.input(0)
            let frames = try FramePlan(context)
            return [.tensor(signal.dataType, try possible([signal.shape[0], frames.count, frames.bins, 2]))]
        },
        reference: { context throws(OperatorError) in
            let signal = try context.input(0)
            let frames = try FramePlan(context.inference)
            let window = context.has(2) ? try context.input(2).floats : Array(repeating: 1, count: frames.length)
            let (values, parts, length) = (signal.floats, signal.shape[2], frames.length)
            let transform = FourierTransform(length: length, inverse: false)
            var output: [Double] = []
            for batch in 0..<signal.shape[0] {
                for frame in 0..<frames.count {
                    let start = (batch * signal.shape[1] + frame * frames.step) * parts
                    let real = (0..<length).map { values[start + $0 * parts] * window[$0] }
                    let imaginary = (0..<length).map { parts == 2 ? values[start + $0 * parts + 1] * window[$0] : 0 }
                    let spectrum = transform(real: real, imaginary: imaginary)
                    for bin in 0..<frames.bins { output += [spectrum.real[bin], spectrum.imaginary[bin]] }
                }
            }
            return [ReferenceTensor(signal.dataType, context.output(0).shape, .floats(output))]
        }
    ).sampled(stftSamples),
    window("HannWindow") { 0.5 - 0.5 * cos($0) },
    window("HammingWindow") { 25.0 / 46 - 21.0 / 46 * cos($0) },
    window("BlackmanWindow") { 0.42 - 0.5 * cos($0) + 0.08 * cos(2 * $0) },
    OperatorDefinition(
        "MelWeightMatrix", since: [17],
        "(num_mel_bins: T1, dft_length: T1, sample_rate: T1, lower_edge_hertz: T2, upper_edge_hertz: T2) -> (output: T3)",
        types: ["T1": .indices, "T2": .floats, "T3": .numeric], attributes: ["output_datatype": .int(1)], numericClass: .composite,
        infer: { context throws(OperatorError) in
            let (bins, length, rate) = (try context.integer(0), try context.integer(1), try context.integer(2))
            let (low, high) = (try context.number(3), try context.number(4))
            try require(bins >= 0 && length >= 0 && bins < 1 << 31 && length < 1 << 31, "\(bins) bins of a transform of length \(length)")
            try require(
                rate > 0 && low >= 0 && high >= low && high.isFinite && high < 1e15, "frequencies from \(low) to \(high) sampled at \(rate)"
            )
            let type = try context.dataType(attribute: "output_datatype", standard: .float32, among: .numeric)
            return [.tensor(type, try possible([length / 2 + 1, bins]))]
        },
        reference: melWeights
    ).sampled(melSamples),
]

/// A window of `size` samples, by its value at an angle that runs once round (periodic) or to the last sample (symmetric).
private func window(_ name: String, _ value: @escaping @Sendable (Double) -> Double) -> OperatorDefinition {
    OperatorDefinition(
        name, since: [17], "(size: T1) -> (output: T2)", types: ["T1": .indices, "T2": .numeric],
        attributes: ["output_datatype": .int(1), "periodic": .int(1)], numericClass: .transcendental,
        infer: { context throws(OperatorError) in
            let size = try context.integer(0)
            return [.tensor(try context.dataType(attribute: "output_datatype", standard: .float32, among: .numeric), try possible([size]))]
        },
        reference: { context throws(OperatorError) in
            let type = context.output(0)
            let size = type.shape[0]
            let period = Double(max(context.attributes.flag("periodic") ? size : size - 1, 1))
            return [numbers(type, (0..<size).map { value(2 * .pi * Double($0) / period) })]
        }
    ).sampled { context in
        let size = Double(context.size(9...40))
        let type = context.type
        return [
            Sample("plain", [.scalar(type, size)]), Sample("symmetric", [.scalar(type, size)], ["periodic": .int(0)]),
            Sample("one", [.scalar(type, 1)]),
            Sample("float64", [.scalar(type, size)], ["output_datatype": .int(11)]),
            Sample("float16", [.scalar(type, size)], ["output_datatype": .int(10)]), Sample("large", [.scalar(type, 1200)]),
        ]
    }
}

/// A tensor of numbers, cut to whole ones if the type has no others.
private func numbers(_ type: ConcreteType, _ values: [Double]) -> ReferenceTensor {
    type.dataType.isFloat
        ? ReferenceTensor(type.dataType, type.shape, .floats(values))
        : ReferenceTensor(type.dataType, type.shape, .integers(values.map { Int64(exactly: $0.rounded(.towardZero)) ?? 0 }))
}

/// The checked arguments of DFT.
private struct TransformPlan {
    let axis: Int
    let length: Int
    let outputLength: Int
    let isInverse: Bool
    /// The input is one side of a conjugate-symmetric spectrum, the output a real signal.
    let givesReal: Bool

    init(_ context: InferenceContext) throws(OperatorError) {
        let shape = try context.input(0).shape
        let rank = shape.count
        try require(
            rank >= 2 && (shape[rank - 1] == 1 || shape[rank - 1] == 2), "an input of shape \(shape) holds neither real nor complex numbers"
        )
        // The axis was an attribute, and the second by default, before version 20.
        let named = context.version < 20 ? context.attributes.int("axis") ?? 1 : context.has(2) ? try context.integer(2) : -2
        axis = try normalizedAxis(named, rank: rank)
        try require(axis < rank - 1, "the last axis holds the parts of a number and cannot be transformed")
        isInverse = context.attributes.flag("inverse")
        let isOneSided = context.attributes.flag("onesided")
        givesReal = isOneSided && isInverse
        try require(!givesReal || shape[rank - 1] == 2, "the inverse of a one-sided spectrum needs complex input")
        try require(!(isOneSided && !isInverse) || shape[rank - 1] == 1, "a one-sided spectrum is that of real input")
        length = context.has(1) ? try context.integer(1) : givesReal ? max(2 * (shape[axis] - 1), 0) : shape[axis]
        try require(length > 0 && length < 1 << 31, "a transform of length \(length)")
        outputLength = isOneSided && !isInverse ? length / 2 + 1 : length
    }
}

private func transform(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let input = try context.input(0)
    let plan = try TransformPlan(context.inference)
    let output = context.output(0)
    let (parts, outputParts) = (input.shape[input.shape.count - 1], plan.givesReal ? 1 : 2)
    let (size, length) = (input.shape[plan.axis], plan.length)
    let inner = product(input.shape[(plan.axis + 1)..<input.shape.count - 1])
    let values = input.floats
    var result = [Double](repeating: 0, count: product(output.shape))
    let fourier = FourierTransform(length: length, inverse: plan.isInverse)
    let scale = plan.isInverse ? 1 / Double(length) : 1
    for row in 0..<product(input.shape[..<plan.axis]) * inner {
        let (source, target) = (row / inner * size * inner + row % inner, row / inner * plan.outputLength * inner + row % inner)
        var real = [Double](repeating: 0, count: length)
        var imaginary = real
        for index in 0..<min(size, length) {
            real[index] = values[(source + index * inner) * parts]
            if parts == 2 { imaginary[index] = values[(source + index * inner) * parts + 1] }
        }
        if plan.givesReal, length > 1 {
            // The other side is the conjugate of the one that is given.
            for index in (length / 2 + 1)..<max(length, length / 2 + 1) {
                (real[index], imaginary[index]) = (real[length - index], -imaginary[length - index])
            }
        }
        let spectrum = fourier(real: real, imaginary: imaginary)
        for index in 0..<plan.outputLength {
            result[(target + index * inner) * outputParts] = spectrum.real[index] * scale
            if outputParts == 2 { result[(target + index * inner) * outputParts + 1] = spectrum.imaginary[index] * scale }
        }
    }
    return [ReferenceTensor(output.dataType, output.shape, .floats(result))]
}

/// The checked arguments of STFT.
private struct FramePlan {
    let step: Int
    let length: Int
    let count: Int
    let bins: Int

    init(_ context: InferenceContext) throws(OperatorError) {
        let signal = try context.input(0).shape
        try require(
            signal.count == 3 && (signal[2] == 1 || signal[2] == 2), "a signal of shape \(signal) holds neither real nor complex numbers")
        let window = context.has(2) ? try context.input(2).shape : nil
        if let window { try require(window.count == 1, "the window must have one axis, not shape \(window)") }
        step = try context.integer(1)
        length = context.has(3) ? try context.integer(3) : window?[0] ?? signal[1]
        try require(window == nil || window == [length], "a window of \(window ?? []) elements for frames of \(length)")
        try require(step > 0 && length > 0 && length <= signal[1], "frames of \(length) every \(step) of a signal of \(signal[1])")
        count = (signal[1] - length) / step + 1
        let isOneSided = context.attributes.flag("onesided") && signal[2] == 1
        bins = isOneSided ? length / 2 + 1 : length
    }
}

/// Triangles whose corners are spaced evenly on the mel scale, 2595·log₁₀(1 + f/700), and then moved to whole bins.
private func melWeights(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let inference = context.inference
    let (length, rate) = (Double(try inference.integer(1)), Double(try inference.integer(2)))
    let type = context.output(0)
    let (rows, bins) = (type.shape[0], type.shape[1])
    func mel(_ frequency: Double) -> Double { 2595 * log10(1 + frequency / 700) }
    let (low, high) = (mel(try inference.number(3)), mel(try inference.number(4)))
    let step = (high - low) / Double(bins + 2)
    var corners: [Int] = []
    for index in 0..<bins + 2 {
        let frequency = 700 * (pow(10, (low + Double(index) * step) / 2595) - 1)
        corners.append(min(try integer(((length + 1) * frequency / rate).rounded(.down)), rows))
    }
    var weights = [Double](repeating: 0, count: rows * bins)
    for bin in 0..<bins {
        let (left, centre, right) = (corners[bin], corners[bin + 1], corners[bin + 2])
        if left == centre {
            if centre < rows { weights[centre * bins + bin] = 1 }
        } else {
            for row in left..<max(left, min(centre + 1, rows)) { weights[row * bins + bin] = Double(row - left) / Double(centre - left) }
        }
        for row in centre..<max(centre, min(right, rows)) { weights[row * bins + bin] = Double(right - row) / Double(right - centre) }
    }
    return [numbers(type, weights)]
}

// MARK: Samples

@Sendable private func dftSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let n = context.size(5...17)
    func of(_ name: String, _ shape: [Int], axis: Int, length: Int? = nil, _ attributes: [String: Attribute] = [:]) -> Sample {
        let size = length.map { Sample.Tensor.scalar(.int64, Double($0)) }
        return version < 20
            ? Sample(name, [.init(type, shape), size].trimmed, attributes.merging(["axis": .int(Int64(axis))]) { $1 })
            : Sample(name, [.init(type, shape), size, .scalar(.int64, Double(axis))], attributes)
    }
    return [
        of("real", [2, n, 1], axis: 1), of("complex", [2, n, 2], axis: 1), of("one-sided", [2, n, 1], axis: 1, ["onesided": .int(1)]),
        of("inverse", [2, n, 2], axis: 1, ["inverse": .int(1)]),
        of("longer", [2, n, 1], axis: 1, length: n + 3), of("shorter", [2, n, 2], axis: 1, length: n - 2), of("first", [n, 3, 2], axis: 0),
        of("power-of-two", [1, 64, 2], axis: 1),
        of("large", [3, 200, 2], axis: 1),
    ]
}

@Sendable private func stftSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return [
        Sample("window", [.init(type, [1, 64, 1]), .scalar(.int64, 8), .init(type, [16], .data(0...1))]),
        Sample("length", [.init(type, [2, 50, 1]), .scalar(.int64, 5), nil, .scalar(.int64, 16)]),
        Sample(
            "both-sides", [.init(type, [1, 64, 1]), .scalar(.int64, 8), .init(type, [16], .data(0...1)), .scalar(.int64, 16)],
            ["onesided": .int(0)]),
    ]
}

@Sendable private func melSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    func of(_ name: String, _ bins: Double, _ length: Double, _ high: Double, _ attributes: [String: Attribute] = [:]) -> Sample {
        Sample(
            name, [.scalar(type, bins), .scalar(type, length), .scalar(type, 8192), .scalar(.float32, 0), .scalar(.float32, high)],
            attributes)
    }
    return [of("small", 8, 16, 4096), of("large", 40, 256, 4000), of("float64", 8, 32, 4096, ["output_datatype": .int(11)])]
}

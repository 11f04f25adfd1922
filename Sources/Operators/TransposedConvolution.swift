// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that add windows into an image: the reverse of a convolution's reading.
let transposedConvolutionOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "ConvTranspose", since: [1, 11, 22], "(X: T, W: T, B?: T) -> (Y: T)", types: ["T": .floats],
        attributes: [
            "auto_pad": .string("NOTSET"), "dilations": .optional(.ints), "group": .int(1), "kernel_shape": .optional(.ints),
            "output_padding": .optional(.ints), "output_shape": .optional(.ints), "pads": .optional(.ints), "strides": .optional(.ints),
        ],
        numericClass: .dot,
        infer: { context throws(OperatorError) in
            let (x, w) = (try context.input(0), try context.input(1))
            try require(
                x.shape.count >= 3 && w.shape.count == x.shape.count,
                "an input of shape \(x.shape) and weights of shape \(w.shape) make no convolution")
            let groups = context.attributes.int("group")!
            try require(
                groups > 0 && x.shape[1] == w.shape[0] && x.shape[1] % groups == 0,
                "\(groups) groups do not fit an input of shape \(x.shape) and weights of shape \(w.shape)")
            let channels = try multiplied(w.shape[1], groups)
            if context.has(2) {
                let bias = try context.input(2).shape
                try require(bias == [channels], "a bias of shape \(bias) for \(channels) output channels")
            }
            let window = try transposedWindow(context.attributes, x.shape, w.shape)
            return [.tensor(x.dataType, try possible([x.shape[0], channels] + window.inputShape))]
        },
        reference: convolveTransposed
    ).sampled(convTransposeSamples).summing({ context in (context.inputs[1]?.count ?? 1) / max(context.inputs[1]?.shape[1] ?? 1, 1) }),
    OperatorDefinition(
        "Col2Im", since: [18], "(input: T, image_shape: int64, block_shape: int64) -> (output: T)", types: ["T": .numeric],
        attributes: ["dilations": .optional(.ints), "pads": .optional(.ints), "strides": .optional(.ints)], numericClass: .dot,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            let window = try SpatialWindow(context.attributes, over: try context.integers(1), kernel: try context.integers(2))
            let (taps, positions) = (try multiplied(window.axes.map(\.kernel)), try multiplied(window.outputShape))
            try require(
                input.shape.count == 3 && input.shape[1] % taps == 0 && input.shape[2] == positions,
                "columns of shape \(input.shape) do not fit \(positions) blocks of \(taps) elements")
            return [.tensor(input.dataType, try possible([input.shape[0], input.shape[1] / taps] + window.inputShape))]
        },
        reference: { context throws(OperatorError) in
            let input = try context.input(0)
            let inference = context.inference
            let window = try SpatialWindow(context.attributes, over: try inference.integers(1), kernel: try inference.integers(2))
            let output = context.output(0)
            let rows = window.outputCount / max(window.volume.width.output, 1)
            var image = [Double](repeating: 0, count: product(output.shape))
            input.floats.withUnsafeBufferPointer { columns in
                image.withUnsafeMutableBufferPointer { image in
                    guard let columns = columns.baseAddress, let image = image.baseAddress else { return }
                    for entry in 0..<input.shape[0] {
                        window.fold(
                            columns + entry * input.shape[1] * input.shape[2], channels: output.shape[1], rows: 0..<rows,
                            into: image + entry * output.shape[1] * window.inputCount)
                    }
                }
            }
            if input.dataType.isFloat { return [ReferenceTensor(output.dataType, output.shape, .floats(image))] }
            return [ReferenceTensor(output.dataType, output.shape, .integers(image.map { Int64(exactly: $0) ?? 0 }))]
        }
    ).sampled(col2ImSamples).summing({ context in context.inputs[2]?.integers.reduce(1) { $0 * Int($1) } ?? 1 }),
]

/// The window of the convolution that the operator transposes: its input is our output, its output our input.
private func transposedWindow(_ attributes: NodeAttributes, _ x: [Int], _ w: [Int]) throws(OperatorError) -> SpatialWindow {
    let (source, rank) = (Array(x[2...]), x.count - 2)
    var window = try SpatialWindow(attributes, input: source, kernel: Array(w[2...]))
    let extra = attributes.ints("output_padding") ?? Array(repeating: 0, count: rank)
    let named = attributes.ints("output_shape").map { $0.count == rank + 2 ? Array($0[2...]) : $0 }
    let autoPad = attributes.string("auto_pad")!
    try require(extra.count == rank && (named ?? source).count == rank, "output_padding and output_shape must have \(rank) entries")
    for (index, axis) in window.axes.enumerated() {
        try require(
            extra[index] >= 0 && extra[index] < max(axis.stride, axis.dilation),
            "output_padding \(extra[index]) must be less than stride \(axis.stride) or dilation \(axis.dilation)")
        // Without padding the windows cover this much.
        let full = max(axis.input - 1, 0) * axis.stride + axis.extent + extra[index]
        var (begin, end, size) = (axis.padBegin, axis.padEnd, 0)
        if let wanted = named?[index] ?? (autoPad.hasPrefix("SAME") ? axis.input * axis.stride : nil) {
            try require(wanted >= 0 && wanted < 1 << 31, "an output of \(wanted) elements along axis \(index + 2)")
            size = wanted
            let total = max(full - size, 0)
            begin = autoPad == "SAME_UPPER" ? total / 2 : total - total / 2
            end = full - size - begin
        } else {
            size = full - begin - end
            try require(size >= 0, "the pads \(begin) and \(end) are more than the \(full) elements of axis \(index + 2)")
        }
        window.set(axis: index, padBegin: begin, padEnd: end, input: size, output: axis.input)
    }
    return window
}

private func convolveTransposed(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let (x, w) = (try context.input(0), try context.input(1))
    let window = try transposedWindow(context.attributes, x.shape, w.shape)
    let output = context.output(0)
    let (groups, batch) = (context.attributes.int("group")!, x.shape[0])
    let (inputChannels, outputChannels, taps) = (x.shape[1] / groups, w.shape[1], window.kernelCount)
    let (sourcePlane, targetPlane, depth) = (window.outputCount, window.inputCount, outputChannels * taps)
    var y = [Double](repeating: 0, count: product(output.shape))
    if context.has(2) {
        let bias = try context.input(2).floats
        for index in y.indices { y[index] = bias[index / targetPlane % bias.count] }
    }
    // Per group: weights [input channels, output channels · taps], turned round so that the product gives the columns to fold.
    let weights = w.reshaped([groups, inputChannels, depth]).transposed([0, 2, 1]).floats
    let rows = sourcePlane / max(window.volume.width.output, 1)
    var columns = [Double](repeating: 0, count: depth * sourcePlane)
    x.floats.withUnsafeBufferPointer { x in
        weights.withUnsafeBufferPointer { weights in
            y.withUnsafeMutableBufferPointer { y in
                guard let x = x.baseAddress, let weights = weights.baseAddress, let y = y.baseAddress else { return }
                for image in 0..<batch {
                    for group in 0..<groups {
                        let number = image * groups + group
                        columns.withUnsafeMutableBufferPointer { columns in
                            guard let columns = columns.baseAddress else { return }
                            columns.update(repeating: 0, count: depth * sourcePlane)
                            addProduct(
                                of: weights + group * depth * inputChannels, x + number * inputChannels * sourcePlane, to: columns,
                                rows: depth,
                                columns: sourcePlane, depth: inputChannels)
                            window.fold(columns, channels: outputChannels, rows: 0..<rows, into: y + number * outputChannels * targetPlane)
                        }
                    }
                }
            }
        }
    }
    return [ReferenceTensor(output.dataType, output.shape, .floats(y))]
}

// MARK: Samples

@Sendable private func convTransposeSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (h, w) = (context.size(3...6), context.size(4...9))
    func of(_ name: String, _ input: [Int], _ weight: [Int], _ attributes: [String: [Int64]] = [:], group: Int64 = 1, bias: Bool = true)
        -> Sample
    {
        var all = attributes.mapValues { Attribute.ints($0) }
        if group != 1 { all["group"] = .int(group) }
        return Sample(name, [.init(type, input), .init(type, weight), bias ? .init(type, [weight[1] * Int(group)]) : nil].trimmed, all)
    }
    return [
        of("plain", [1, 3, h, w], [3, 2, 3, 3]), of("no-bias", [2, 3, h, w], [3, 2, 3, 3], bias: false),
        of("strided", [1, 2, h, w], [2, 3, 3, 3], ["strides": [2, 2]]),
        of("padded", [1, 2, h, w], [2, 3, 3, 3], ["pads": [1, 1, 1, 1], "strides": [2, 2]]),
        of("dilated", [1, 2, h, w], [2, 2, 2, 2], ["dilations": [2, 3]]),
        of("output-padding", [1, 2, h, w], [2, 3, 3, 3], ["strides": [3, 2], "output_padding": [1, 1]]),
        of("grouped", [1, 4, h, w], [4, 3, 3, 3], group: 2),
        of("one-axis", [1, 3, 4 * w], [3, 2, 5], ["strides": [2]]),
        of("three-axes", [1, 2, 3, 3, 4], [2, 2, 2, 3, 2], ["strides": [2, 1, 2]]),
        of("output-shape", [1, 2, 3, 3], [2, 2, 3, 3], ["strides": [3, 2], "output_shape": [10, 8]]),
        of("large", [2, 9, 8, 9], [9, 8, 3, 3], ["strides": [2, 2]]),
        Sample(
            "same-upper", [.init(type, [1, 2, h, w]), .init(type, [2, 2, 3, 3])],
            ["auto_pad": .string("SAME_UPPER"), "strides": .ints([2, 2])]),
    ]
}

@Sendable private func col2ImSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    func of(_ name: String, _ input: [Int], _ image: [Int], _ block: [Int], _ attributes: [String: [Int64]] = [:]) -> Sample {
        Sample(name, [.init(type, input), .vector(image), .vector(block)], attributes.mapValues { .ints($0) })
    }
    return [
        of("plain", [1, 5, 5], [5, 5], [1, 5]), of("overlapping", [2, 18, 9], [5, 5], [3, 3]),
        of("strided", [1, 9, 4], [5, 5], [3, 3], ["strides": [2, 2]]),
        of("padded", [1, 5, 15], [5, 5], [1, 5], ["pads": [0, 1, 0, 1]]),
        of("dilated", [1, 4, 5], [6, 6], [2, 2], ["dilations": [1, 5]]),
        of("large", [2, 36, 100], [12, 12], [3, 3]), of("one-axis", [1, 6, 7], [9], [3]),
    ]
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Convolution whose taps are moved by offsets that the model computes.
let deformableConvolutionOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "DeformConv", since: [19, 22], "(X: T, W: T, offset: T, B?: T, mask?: T) -> (Y: T)", types: ["T": .floats],
        attributes: [
            "dilations": .optional(.ints), "group": .int(1), "kernel_shape": .optional(.ints), "offset_group": .int(1),
            "pads": .optional(.ints),
            "strides": .optional(.ints),
        ],
        numericClass: .dot,
        infer: { context throws(OperatorError) in
            let (x, w, offset) = (try context.input(0), try context.input(1).shape, try context.input(2).shape)
            if x.shape.count != 4 {
                throw .unsupported("a deformable convolution of an input of shape \(x.shape) is not covered, images are")
            }
            try require(w.count == 4 && offset.count == 4, "weights of shape \(w) and offsets of shape \(offset) must have four axes")
            let (groups, offsetGroups) = (context.attributes.int("group")!, context.attributes.int("offset_group")!)
            try require(
                groups > 0 && offsetGroups > 0 && x.shape[1] / groups == w[1] && x.shape[1] % groups == 0 && w[0] % groups == 0
                    && x.shape[1] % offsetGroups == 0,
                "\(groups) groups and \(offsetGroups) offset groups do not fit shapes \(x.shape) and \(w)")
            let window = try SpatialWindow(context.attributes, over: Array(x.shape[2...]), kernel: Array(w[2...]))
            let taps = try multiplied(offsetGroups, window.kernelCount)
            try require(
                offset == [x.shape[0], try doubled(taps)] + window.outputShape,
                "offsets of shape \(offset) do not fit an input of shape \(x.shape)")
            if context.has(3) {
                let bias = try context.input(3).shape
                try require(bias == [w[0]], "a bias of shape \(bias) for \(w[0]) output channels")
            }
            if context.has(4) {
                let mask = try context.input(4).shape
                try require(
                    mask == [x.shape[0], taps] + window.outputShape, "a mask of shape \(mask) does not fit an input of shape \(x.shape)")
            }
            return [.tensor(x.dataType, try possible([x.shape[0], w[0]] + window.outputShape))]
        },
        reference: convolveDeformed
    ).sampled(deformConvSamples).summing({ context in context.inputs[1].map { $0.shape.dropFirst().reduce(1, *) } ?? 1 })
]

private func doubled(_ count: Int) throws(OperatorError) -> Int { try multiplied(2, count) }

/// Samples a column matrix as a plain convolution does, but at moved places, and multiplies it by the weights.
private func convolveDeformed(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let (x, w) = (try context.input(0), try context.input(1))
    let window = try SpatialWindow(context.attributes, over: Array(x.shape[2...]), kernel: Array(w.shape[2...]))
    let (_, rows, columns) = window.volume
    let (groups, offsetGroups) = (context.attributes.int("group")!, context.attributes.int("offset_group")!)
    let (values, weights, offsets) = (x.floats, w.floats, try context.input(2).floats)
    let mask = context.has(4) ? try context.input(4).floats : nil
    let bias = context.has(3) ? try context.input(3).floats : nil
    let output = context.output(0)
    let (channels, taps, plane) = (x.shape[1], window.kernelCount, window.outputCount)
    let (groupChannels, outputChannels) = (channels / groups, w.shape[0] / groups)
    var y = [Double](repeating: 0, count: product(output.shape))
    for index in y.indices { y[index] = bias?[index / plane % w.shape[0]] ?? 0 }
    for image in 0..<x.shape[0] {
        var matrix = [Double](repeating: 0, count: channels * taps * plane)
        for offsetGroup in 0..<offsetGroups {
            let perGroup = channels / offsetGroups
            for tap in 0..<taps {
                let number = (image * offsetGroups + offsetGroup) * taps + tap
                for position in 0..<plane {
                    let placeY =
                        Double(rows.source(position / columns.output, tap: tap / columns.kernel)) + offsets[2 * number * plane + position]
                    let placeX =
                        Double(columns.source(position % columns.output, tap: tap % columns.kernel))
                        + offsets[(2 * number + 1) * plane + position]
                    let factor = mask?[number * plane + position] ?? 1
                    for sample in bilinearTaps(y: placeY, x: placeX, height: rows.input, width: columns.input) {
                        for channel in offsetGroup * perGroup..<(offsetGroup + 1) * perGroup {
                            let value = values[(image * channels + channel) * window.inputCount + sample.offset]
                            matrix[(channel * taps + tap) * plane + position] += factor * sample.weight * value
                        }
                    }
                }
            }
        }
        y.withUnsafeMutableBufferPointer { y in
            guard let y = y.baseAddress else { return }
            weights.withUnsafeBufferPointer { weights in
                matrix.withUnsafeBufferPointer { matrix in
                    guard let weights = weights.baseAddress, let matrix = matrix.baseAddress else { return }
                    for group in 0..<groups {
                        addProduct(
                            of: weights + group * outputChannels * groupChannels * taps, matrix + group * groupChannels * taps * plane,
                            to: y + (image * groups + group) * outputChannels * plane, rows: outputChannels, columns: plane,
                            depth: groupChannels * taps)
                    }
                }
            }
        }
    }
    return [ReferenceTensor(output.dataType, output.shape, .floats(y))]
}

// MARK: Samples

@Sendable private func deformConvSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let offset = Sample.Values.data(-1.3...1.3)
    return [
        Sample("plain", [.init(type, [1, 2, 5, 6]), .init(type, [3, 2, 2, 2]), .init(type, [1, 8, 4, 5], offset)]),
        Sample(
            "bias-mask",
            [
                .init(type, [1, 2, 5, 6]), .init(type, [3, 2, 2, 2]), .init(type, [1, 8, 4, 5], offset), .init(type, [3]),
                .init(type, [1, 4, 4, 5], .data(0...1)),
            ]),
        Sample(
            "padded", [.init(type, [2, 2, 5, 6]), .init(type, [2, 2, 3, 3]), .init(type, [2, 18, 5, 6], offset)],
            ["pads": .ints([1, 1, 1, 1])]),
        Sample(
            "strided", [.init(type, [1, 2, 7, 7]), .init(type, [2, 2, 3, 3]), .init(type, [1, 18, 3, 3], offset)],
            ["strides": .ints([2, 2])]),
        Sample(
            "grouped", [.init(type, [1, 4, 5, 6]), .init(type, [4, 2, 2, 2]), .init(type, [1, 16, 4, 5], offset)],
            ["group": .int(2), "offset_group": .int(2)]),
        Sample("large", [.init(type, [1, 4, 17, 16]), .init(type, [6, 4, 2, 2]), .init(type, [1, 8, 16, 15], offset)]),
    ]
}

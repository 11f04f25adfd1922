// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

private let windowAttributes: [String: AttributeRule] = [
    "auto_pad": .string("NOTSET"), "dilations": .optional(.ints), "group": .int(1), "kernel_shape": .optional(.ints),
    "pads": .optional(.ints), "strides": .optional(.ints),
]

/// Convolutions over one to three spatial axes.
let convolutionOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Conv", since: [1, 11, 22], "(X: T, W: T, B?: T) -> (Y: T)", types: ["T": .floats], attributes: windowAttributes,
        numericClass: .dot,
        infer: { context throws(OperatorError) in
            let (x, w) = (try context.input(0), try context.input(1))
            let convolution = try Convolution(context.attributes, x.shape, w.shape, bias: context.has(2) ? try context.input(2).shape : nil)
            return [.tensor(x.dataType, try possible(convolution.output))]
        },
        reference: { context throws(OperatorError) in
            let (x, w) = (try context.input(0), try context.input(1))
            let convolution = try Convolution(context.attributes, x.shape, w.shape, bias: nil)
            let y = convolution.run(x.floats, w.floats, bias: context.has(2) ? try context.input(2).floats : nil)
            return [ReferenceTensor(x.dataType, convolution.output, .floats(y))]
        }
    ).sampled(convSamples).summing({ context in context.inputs[1].map { $0.shape.dropFirst().reduce(1, *) } ?? 1 }),
    OperatorDefinition(
        "ConvInteger", since: [10], "(x: T1, w: T2, x_zero_point?: T1, w_zero_point?: T2) -> (y: int32)",
        types: ["T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8)], attributes: windowAttributes, numericClass: .integer,
        infer: { context throws(OperatorError) in
            let (x, w) = (try context.input(0), try context.input(1))
            if context.has(2) { try checkPerChannel(try context.input(2).shape, channels: 1, "x_zero_point") }
            if context.has(3) { try checkPerChannel(try context.input(3).shape, channels: w.shape.first ?? 0, "w_zero_point") }
            return [.tensor(.int32, try possible(try Convolution(context.attributes, x.shape, w.shape, bias: nil).output))]
        },
        reference: { context throws(OperatorError) in
            let (x, w) = (try context.input(0), try context.input(1))
            let convolution = try Convolution(context.attributes, x.shape, w.shape, bias: nil)
            // Sums of products of eight-bit numbers are exact in float64.
            let y = convolution.run(
                centred(x, by: context.has(2) ? try context.input(2).floats : [0]),
                centred(w, by: context.has(3) ? try context.input(3).floats : [0]), bias: nil)
            return [ReferenceTensor(.int32, convolution.output, .integers(y.map { Int64($0) }))]
        }
    ).sampled(convIntegerSamples),
    OperatorDefinition(
        "QLinearConv", since: [10],
        "(x: T1, x_scale: float32, x_zero_point: T1, w: T2, w_scale: float32, w_zero_point: T2, y_scale: float32, y_zero_point: T3, B?: int32) -> (y: T3)",
        types: ["T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8), "T3": TypeSet(.int8, .uint8)],
        attributes: windowAttributes, numericClass: .quantised,
        infer: { context throws(OperatorError) in
            let (x, w) = (try context.input(0), try context.input(3))
            let channels = w.shape.first ?? 0
            for index in [1, 2, 6, 7] { try checkPerChannel(try context.input(index).shape, channels: 1, "input \(index)") }
            for index in [4, 5] { try checkPerChannel(try context.input(index).shape, channels: channels, "input \(index)") }
            let convolution = try Convolution(context.attributes, x.shape, w.shape, bias: context.has(8) ? try context.input(8).shape : nil)
            return [.tensor(try context.input(7).dataType, try possible(convolution.output))]
        },
        reference: { context throws(OperatorError) in
            let (x, w) = (try context.input(0), try context.input(3))
            let convolution = try Convolution(context.attributes, x.shape, w.shape, bias: nil)
            let sums = convolution.run(
                centred(x, by: try context.input(2).floats), centred(w, by: try context.input(5).floats),
                bias: context.has(8) ? try context.input(8).floats : nil)
            let (xScale, wScale) = (try context.input(1).floats[0], try context.input(4).floats)
            let (plane, channels) = (convolution.window.outputCount, w.shape[0])
            let scaled = sums.enumerated().map { $1 * xScale * wScale[wScale.count == 1 ? 0 : $0 / plane % channels] }
            return [quantise(scaled, scale: try context.input(6).floats[0], zeroPoint: try context.input(7), shape: convolution.output)]
        }
    ).sampled(qLinearConvSamples),
]

/// Throws unless `shape` is that of one element or of one for each channel.
private func checkPerChannel(_ shape: [Int], channels: Int, _ name: String) throws(OperatorError) {
    guard let count = elementCount(shape), count == 1 || count == channels else {
        throw .invalid("\(name) of shape \(shape) is neither one element nor one for each of \(channels) channels")
    }
}

/// The elements less their zero point, which is one for all or one for each entry of the first axis.
private func centred(_ tensor: ReferenceTensor, by zeros: [Double]) -> [Double] {
    let values = tensor.floats
    if zeros.count == 1 { return zeros[0] == 0 ? values : values.map { $0 - zeros[0] } }
    let inner = product(tensor.shape.dropFirst())
    return values.enumerated().map { $1 - zeros[$0 / inner] }
}

/// A grouped convolution with checked shapes.
private struct Convolution {
    let window: SpatialWindow
    let output: [Int]
    let batch: Int
    let groups: Int
    /// Channels of one group.
    let inputChannels: Int
    let outputChannels: Int

    init(_ attributes: NodeAttributes, _ x: [Int], _ w: [Int], bias: [Int]?) throws(OperatorError) {
        try require(x.count >= 3 && w.count == x.count, "an input of shape \(x) and weights of shape \(w) make no convolution")
        groups = attributes.int("group")!
        let allChannels = try multiplied(w[1], groups)
        try require(
            groups > 0 && x[1] == allChannels && w[0] % groups == 0,
            "\(groups) groups do not fit an input of shape \(x) and weights of shape \(w)")
        if let bias { try require(bias == [w[0]], "a bias of shape \(bias) for \(w[0]) output channels") }
        window = try SpatialWindow(attributes, over: Array(x[2...]), kernel: Array(w[2...]))
        (batch, inputChannels, outputChannels) = (x[0], w[1], w[0] / groups)
        output = [x[0], w[0]] + window.outputShape
    }

    /// Unfolds some rows of the image at a time into a matrix and multiplies it by the weights.
    func run(_ x: [Double], _ w: [Double], bias: [Double]?) -> [Double] {
        let (plane, depth) = (window.outputCount, inputChannels * window.kernelCount)
        var y = [Double](repeating: 0, count: product(output))
        if let bias {
            for (index, value) in bias.enumerated() {
                for image in 0..<batch {
                    let start = (image * groups * outputChannels + index) * plane
                    for position in start..<start + plane { y[position] = value }
                }
            }
        }
        let width = window.volume.width.output
        let rows = plane / max(width, 1)
        let rowsAtOnce = max(1, min(rows, 4096 / max(width, 1)))
        var columns = [Double](repeating: 0, count: depth * rowsAtOnce * width)
        var part = [Double](repeating: 0, count: outputChannels * rowsAtOnce * width)
        x.withUnsafeBufferPointer { x in
            w.withUnsafeBufferPointer { w in
                guard let x = x.baseAddress, let w = w.baseAddress else { return }
                for image in 0..<batch {
                    for group in 0..<groups {
                        let source = x + (image * groups + group) * inputChannels * window.inputCount
                        let target = (image * groups + group) * outputChannels * plane
                        for first in stride(from: 0, to: rows, by: rowsAtOnce) {
                            let count = min(rowsAtOnce, rows - first) * width
                            columns.withUnsafeMutableBufferPointer {
                                window.unfold(source, channels: inputChannels, rows: first..<first + count / width, into: $0.baseAddress!)
                            }
                            part.withUnsafeMutableBufferPointer { part in
                                part.update(repeating: 0)
                                addProduct(
                                    of: w + group * outputChannels * depth, columns, to: part.baseAddress!, rows: outputChannels,
                                    columns: count,
                                    depth: depth)
                                for channel in 0..<outputChannels {
                                    let start = target + channel * plane + first * width
                                    for position in 0..<count { y[start + position] += part[channel * count + position] }
                                }
                            }
                        }
                    }
                }
            }
        }
        return y
    }
}

// MARK: Samples

/// Windows of every kind: sizes, strides, dilations, pads, groups, on one to three axes.
private struct WindowSample {
    let name: String
    let input: [Int]
    let weight: [Int]
    var attributes: [String: Attribute] = [:]
    var hasBias = true

    static func all(_ context: inout SampleContext) -> [WindowSample] {
        let (h, w) = (context.size(7...14), context.size(9...19))
        func ints(_ values: [Int64]) -> Attribute { .ints(values) }
        return [
            .init(name: "three-by-three", input: [2, 3, h, w], weight: [4, 3, 3, 3], attributes: ["pads": ints([1, 1, 1, 1])]),
            .init(name: "no-pads", input: [1, 3, h, w], weight: [5, 3, 3, 3]),
            .init(name: "no-bias", input: [1, 3, h, w], weight: [5, 3, 3, 3], hasBias: false),
            .init(name: "one-by-one", input: [2, 17, 5, w], weight: [9, 17, 1, 1]),
            .init(
                name: "strided", input: [1, 3, h, w], weight: [4, 3, 3, 3],
                attributes: ["strides": ints([2, 2]), "pads": ints([1, 1, 1, 1])]),
            .init(name: "stride-1-2", input: [1, 2, h, w], weight: [3, 2, 3, 3], attributes: ["strides": ints([1, 2])]),
            .init(name: "dilated", input: [1, 2, h + 4, w + 4], weight: [3, 2, 3, 3], attributes: ["dilations": ints([2, 3])]),
            .init(
                name: "grouped", input: [1, 6, h, w], weight: [4, 3, 3, 3], attributes: ["group": .int(2), "pads": ints([1, 1, 1, 1])]),
            .init(
                name: "depthwise", input: [2, 7, h, w], weight: [7, 1, 3, 3], attributes: ["group": .int(7), "pads": ints([1, 1, 1, 1])]),
            .init(name: "depthwise-multiplied", input: [1, 3, h, w], weight: [6, 1, 3, 3], attributes: ["group": .int(3)]),
            .init(name: "uneven-pads", input: [1, 2, h, w], weight: [3, 2, 3, 2], attributes: ["pads": ints([0, 1, 2, 0])]),
            .init(
                name: "five-by-five", input: [1, 2, h, w], weight: [3, 2, 5, 5],
                attributes: ["pads": ints([2, 2, 2, 2]), "strides": ints([2, 1])]),
            .init(name: "large-kernel", input: [1, 1, 7, 7], weight: [2, 1, 7, 7], attributes: ["pads": ints([3, 3, 3, 3])]),
            .init(
                name: "same-upper", input: [1, 2, h, w], weight: [3, 2, 3, 3],
                attributes: ["auto_pad": .string("SAME_UPPER"), "strides": ints([2, 2])]),
            .init(
                name: "same-lower", input: [1, 2, h, w], weight: [3, 2, 2, 4],
                attributes: ["auto_pad": .string("SAME_LOWER"), "strides": ints([2, 3])]),
            .init(name: "valid", input: [1, 2, h, w], weight: [3, 2, 3, 3], attributes: ["auto_pad": .string("VALID")]),
            .init(name: "one-axis", input: [2, 3, 4 * w], weight: [5, 3, 5], attributes: ["pads": ints([2, 2])]),
            .init(
                name: "one-axis-strided", input: [1, 4, 50], weight: [4, 2, 3],
                attributes: ["group": .int(2), "strides": ints([3]), "dilations": ints([2])]),
            .init(name: "three-axes", input: [1, 2, 5, 6, 7], weight: [3, 2, 3, 3, 3], attributes: ["pads": ints([1, 1, 1, 1, 1, 1])]),
            .init(name: "three-axes-strided", input: [1, 2, 6, 7, 8], weight: [2, 2, 2, 3, 2], attributes: ["strides": ints([2, 2, 2])]),
            .init(name: "kernel-shape", input: [1, 2, h, w], weight: [3, 2, 3, 3], attributes: ["kernel_shape": ints([3, 3])]),
            .init(name: "large", input: [2, 16, 17, 19], weight: [18, 16, 3, 3], attributes: ["pads": ints([1, 1, 1, 1])]),
            .init(name: "tail-17", input: [1, 17, 5, 17], weight: [17, 17, 3, 3], attributes: ["pads": ints([1, 1, 1, 1])]),
            .init(name: "empty-batch", input: [0, 2, h, w], weight: [3, 2, 3, 3]),
        ]
    }
}

@Sendable private func convSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return WindowSample.all(&context).map {
        Sample(
            $0.name, [.init(type, $0.input), .init(type, $0.weight), $0.hasBias ? .init(type, [$0.weight[0]]) : nil].trimmed, $0.attributes)
    }
}

@Sendable private func convIntegerSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let windows = WindowSample.all(&context)
    return [DataType.int8, .uint8].flatMap { other in
        windows.map { window in
            let zeros: [Sample.Tensor?] =
                window.hasBias ? [.init(type, [], .integers(type == .int8 ? -9...9 : 100...140)), .init(other, [], .integers(0...9))] : []
            return Sample(
                "\(other.name)-\(window.name)", [.init(type, window.input), .init(other, window.weight)] + zeros, window.attributes)
        }
    }
}

@Sendable private func qLinearConvSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let windows = WindowSample.all(&context)
    let zero = Sample.Values.integers(type == .int8 ? -9...9 : 118...138)
    return windows.flatMap { window in
        [false, true].map { isPerChannel in
            let channels = window.weight[0]
            let scale: Sample.Tensor = isPerChannel ? .init(.float32, [channels], .data(0.01...0.05)) : .scalar(.float32, 0.03125)
            return Sample(
                "\(window.name)\(isPerChannel ? "-per-channel" : "")",
                [
                    .init(type, window.input), .scalar(.float32, 0.0625), .init(type, [], zero), .init(.int8, window.weight), scale,
                    .init(.int8, isPerChannel ? [channels] : [], .exactly([Double](repeating: 0, count: isPerChannel ? channels : 1))),
                    .scalar(.float32, 0.75),
                    .init(type, [], zero), window.hasBias ? .init(.int32, [channels], .integers(-500...500)) : nil,
                ].trimmed, window.attributes)
        }
    }
}

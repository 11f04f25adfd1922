// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that put a border around a tensor, or cut one off.
let paddingOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Pad", since: [2, 11, 13, 18, 19, 21, 23, 24, 25], "(data: T, pads?: int64, constant_value?: T, axes?: Tind) -> (output: T)",
        types: ["T": .any, "Tind": .indices],
        attributes: ["mode": .string("constant"), "pads": .optional(.ints), "value": .float(0)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let data = try context.input(0)
            let pads = try borders(context)
            let mode = context.attributes.string("mode") ?? ""
            try require(["constant", "reflect", "edge", "wrap"].contains(mode), "mode '\(mode)' is unknown")
            var shape: [Int] = []
            for (size, pad) in zip(data.shape, pads) {
                let total = size + pad.begin + pad.end
                try require(total >= 0, "padding \(pad.begin) and \(pad.end) leaves less than nothing of an axis of \(size)")
                let isEmpty = size + min(pad.begin, 0) + min(pad.end, 0) <= 0
                try require(mode == "constant" || !isEmpty || total == 0, "an empty axis cannot be padded in mode '\(mode)'")
                shape.append(total)
            }
            return [.tensor(data.dataType, try possible(shape))]
        },
        reference: { context throws(OperatorError) in
            let data = try context.input(0)
            let mode = context.attributes.string("mode")!
            let strides = denseStrides(data.shape)
            let shape = context.output(0).shape
            let offsets = try borders(context.inference).enumerated().map { axis, pad in
                // A negative border cuts first; what is left is then padded.
                let first = max(-pad.begin, 0)
                let length = data.shape[axis] - first - max(-pad.end, 0)
                return (0..<shape[axis]).map { position in
                    let source = sourceIndex(position - max(pad.begin, 0), length: length, mode: mode)
                    return source == noElement ? noElement : (first + source) * strides[axis]
                }
            }
            var fill = ReferenceTensor.zeros(data.dataType, [1])
            if context.has(2) {
                fill = try context.input(2)
                try require(fill.count == 1, "the padding value must be one element, not \(fill.count)")
            } else if context.version < 11, case .floats = fill.elements {
                fill.elements = .floats([context.attributes.float("value")!])
            }
            return [data.gathered(combinedOffsets(offsets), padding: fill, shape: shape)]
        }
    ).sampled(padSamples),
    OperatorDefinition(
        "CenterCropPad", since: [18], "(input_data: T, shape: Tind) -> (output_data: T)", types: ["T": .any, "Tind": .indices],
        attributes: ["axes": .optional(.ints)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            let target = try context.integers(1)
            let axes = try normalizedAxes(context.attributes.ints("axes") ?? Array(input.shape.indices), rank: input.shape.count)
            try require(target.count == axes.count, "\(target.count) sizes for \(axes.count) axes")
            try require(target.allSatisfy { $0 >= 0 }, "the sizes \(target) have a negative entry")
            var shape = input.shape
            for (axis, size) in zip(axes, target) { shape[axis] = size }
            return [.tensor(input.dataType, try possible(shape))]
        },
        reference: { context throws(OperatorError) in
            let input = try context.input(0)
            let shape = context.output(0).shape
            let strides = denseStrides(input.shape)
            let offsets = shape.indices.map { axis in
                let (size, target) = (input.shape[axis], shape[axis])
                let shift = size > target ? (size - target) / 2 : -((target - size) / 2)
                return (0..<target).map { (0..<size).contains($0 + shift) ? ($0 + shift) * strides[axis] : noElement }
            }
            return [input.gathered(combinedOffsets(offsets), padding: .zeros(input.dataType, [1]), shape: shape)]
        }
    ).sampled(centerCropPadSamples),
]

/// The border of every axis of the data; negative where something is cut off.
private func borders(_ context: InferenceContext) throws(OperatorError) -> [(begin: Int, end: Int)] {
    let rank = try context.input(0).shape.count
    guard let pads = try context.integers(attribute: "pads", before: 11, input: 1) else { throw .invalid("the pads are missing") }
    let axes = context.has(3) ? try normalizedAxes(try context.integers(3), rank: rank) : Array(0..<rank)
    try require(pads.count == 2 * axes.count, "\(pads.count) pads for \(axes.count) axes")
    try require(pads.allSatisfy { abs(Double($0)) < 0x1p40 }, "the pads \(pads) are too large")
    var result = Array(repeating: (begin: 0, end: 0), count: rank)
    for (index, axis) in axes.enumerated() { result[axis] = (pads[index], pads[index + axes.count]) }
    return result
}

/// Where position `position` of a padded axis reads in the axis of `length` elements that starts at 0.
private func sourceIndex(_ position: Int, length: Int, mode: String) -> Int {
    if position >= 0 && position < length { return position }
    func modulo(_ divisor: Int) -> Int { (position % divisor + divisor) % divisor }
    switch mode {
    case "edge": return position < 0 ? 0 : length - 1
    case "wrap": return modulo(length)
    case "reflect":
        if length == 1 { return 0 }
        let folded = modulo(2 * (length - 1))
        return folded < length ? folded : 2 * (length - 1) - folded
    default: return noElement
    }
}

// MARK: Samples

@Sendable private func padSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (a, b) = (context.size(5...9), context.size(11...40))
    func of(_ name: String, _ shape: [Int], _ pads: [Int], _ mode: String = "constant", value: Double? = nil) -> Sample {
        var attributes: [String: Attribute] = ["mode": .string(mode)]
        if version < 11 {
            attributes["pads"] = .ints(pads.map(Int64.init))
            if let value { attributes["value"] = .float(Float(value)) }
            return Sample(name, [.init(type, shape)], attributes)
        }
        return Sample(name, [.init(type, shape), .vector(pads), value.map { .scalar(type, $0) }].trimmed, attributes)
    }
    var samples = [
        of("plain", [a, b], [1, 2, 3, 4]), of("value", [a, b], [0, 2, 1, 0], value: 1), of("none", [a, b], [0, 0, 0, 0]),
        of("negative", [a, b], [-1, 2, 1, -3]),
        of("reflect", [a, b], [2, 3, 1, 4], "reflect"), of("edge", [a, b], [2, 3, 1, 4], "edge"),
        of("image", [1, 3, a, b], [0, 0, 1, 1, 0, 0, 1, 1]),
        of("large", [33, 65], [1, 2, 3, 4]), of("vector", [b], [3, 5]),
    ]
    if version >= 19 {
        samples += [of("wrap", [a, b], [2, 3, 1, 4], "wrap"), of("wrap-image", [1, 2, a, b], [0, 0, 2, 1, 0, 0, 1, 2], "wrap")]
    }
    if version >= 18 {
        samples.append(Sample("axes", [.init(type, [2, a, b]), .vector([1, 2, 3, 4]), .scalar(type, 1), .vector([2, 1])]))
        samples.append(Sample("negative-axes", [.init(type, [2, a, b]), .vector([1, 2]), nil, .vector([-1])]))
    }
    return samples
}

@Sendable private func centerCropPadSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(5...9), context.size(11...40))
    return [
        Sample("crop", [.init(type, [a, b]), .vector([a - 2, b - 5])]), Sample("pad", [.init(type, [a, b]), .vector([a + 3, b + 4])]),
        Sample("both", [.init(type, [a, b]), .vector([a - 3, b + 3])]),
        Sample("axes", [.init(type, [2, a, b]), .vector([a + 1, b - 1])], ["axes": .ints([1, 2])]),
        Sample("negative-axes", [.init(type, [2, a, b]), .vector([b - 1])], ["axes": .ints([-1])]),
        Sample("large", [.init(type, [33, 65]), .vector([40, 50])]),
    ]
}

import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that sample a tensor on another grid along its own axes.
let resizeOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Resize", since: [10, 11, 13, 18, 19], "(X: T1, roi?: T2, scales?: float32, sizes?: int64) -> (Y: T1)",
        types: ["T1": .any, "T2": TypeSet(.float16, .float32, .float64)],
        attributes: [
            "antialias": .int(0), "axes": .optional(.ints), "coordinate_transformation_mode": .optional(.string),
            "cubic_coeff_a": .float(-0.75),
            "exclude_outside": .int(0), "extrapolation_value": .float(0), "keep_aspect_ratio_policy": .string("stretch"),
            "mode": .string("nearest"), "nearest_mode": .optional(.string),
        ],
        numericClass: .dot, infer: inferResize, reference: resize
    ).sampled(resizeSamples),
    OperatorDefinition(
        "Upsample", since: [7, 9, 10], "(X: T, scales?: float32) -> (Y: T)", types: ["T": .any],
        attributes: ["mode": .string("nearest"), "scales": .optional(.floats)], numericClass: .dot, infer: inferResize, reference: resize
    ).sampled(upsampleSamples),
]

private func inferResize(_ context: InferenceContext) throws(OperatorError) -> [InferredOutput] {
    let x = try context.input(0)
    let plan = try ResizePlan(context)
    if plan.mode != "nearest", x.dataType.kind == .string || x.dataType.kind == .complex {
        throw .unsupported("mode '\(plan.mode)' is not defined for \(x.dataType.name)")
    }
    return [.tensor(x.dataType, try possible(plan.axes.map(\.output)))]
}

private func resize(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let plan = try ResizePlan(context.inference)
    let shape = plan.axes.map(\.output)
    if product(shape) == 0 { return [.zeros(x.dataType, shape)] }
    let outside = ReferenceTensor(
        x.dataType, [1], x.dataType.isFloat ? .floats([plan.extrapolation]) : .integers([Int64(exactly: plan.extrapolation.rounded()) ?? 0])
    )
    if plan.mode == "nearest" {
        let strides = denseStrides(x.shape)
        let offsets = plan.axes.enumerated().map { number, axis in
            (0..<axis.output).map { position in
                let source = axis.source(of: position)
                return axis.isOutside(source) ? noElement : plan.nearest(source, size: axis.input) * strides[number]
            }
        }
        if x.dataType.kind == .string || x.dataType.kind == .complex {
            return [x.gathered(combinedOffsets(offsets).map { max($0, 0) }, shape: shape)]
        }
        return [x.gathered(combinedOffsets(offsets), padding: outside, shape: shape)]
    }
    var (values, current) = (x.floats, x.shape)
    var isOutside = [[Bool]]()
    for (number, axis) in plan.axes.enumerated() {
        let sources = (0..<axis.output).map { axis.source(of: $0) }
        isOutside.append(sources.map(axis.isOutside))
        if axis.isIdentity { continue }
        values = resample(values, current, along: number, sources.map { plan.weights(at: $0, axis) })
        current[number] = axis.output
    }
    if isOutside.joined().contains(true) {
        let strides = denseStrides(shape)
        for index in values.indices where shape.indices.contains(where: { isOutside[$0][index / strides[$0] % shape[$0]] }) {
            values[index] = plan.extrapolation
        }
    }
    if x.dataType.isFloat { return [ReferenceTensor(x.dataType, shape, .floats(values))] }
    return [ReferenceTensor(x.dataType, shape, .integers(values.map { saturated($0, to: x.dataType) }))]
}

/// Truncated, and brought into the range of an integer type.
private func saturated(_ value: Double, to type: DataType) -> Int64 {
    if type == .bool { return value == 0 ? 0 : 1 }
    let isSigned = type.kind == .signedInteger
    let bits = min(type.bits, 63)
    let high = isSigned ? Int64.max >> (64 - Int64(type.bits)) : Int64((UInt64(1) << UInt64(bits)) - 1)
    let low = isSigned ? -high - 1 : 0
    if value.isNaN { return 0 }
    return value >= Double(high) ? high : value <= Double(low) ? low : Int64(value)
}

/// Replaces axis `axis` by weighted sums of its elements.
private func resample(_ values: [Double], _ shape: [Int], along axis: Int, _ samples: [(positions: [Int], weights: [Double])]) -> [Double] {
    let (size, inner) = (shape[axis], product(shape[(axis + 1)...]))
    let outers = product(shape[..<axis])
    var result = [Double](repeating: 0, count: outers * samples.count * inner)
    values.withUnsafeBufferPointer { values in
        result.withUnsafeMutableBufferPointer { result in
            for outer in 0..<outers {
                for (number, sample) in samples.enumerated() {
                    let target = (outer * samples.count + number) * inner
                    for (position, weight) in zip(sample.positions, sample.weights) {
                        let source = (outer * size + position) * inner
                        for index in 0..<inner { result[target + index] += weight * values[source + index] }
                    }
                }
            }
        }
    }
    return result
}

/// How one axis is resized.
struct ResizeAxis {
    var input: Int
    var output: Int
    var scale: Double
    var roi: (start: Double, end: Double)
    var transformation: String

    var isIdentity: Bool { input == output && scale == 1 && roi == (0, 1) }

    /// Where an output position lies on the input's axis.
    func source(of position: Int) -> Double {
        let x = Double(position)
        // The output's length before it was rounded to whole elements.
        let length = scale * Double(input)
        switch transformation {
        case "align_corners": return length == 1 ? 0 : x * Double(input - 1) / (length - 1)
        case "asymmetric": return x / scale
        case "pytorch_half_pixel": return output > 1 ? (x + 0.5) / scale - 0.5 : 0
        case "tf_half_pixel_for_nn": return (x + 0.5) / scale
        case "half_pixel_symmetric": return Double(input) / 2 * (1 - Double(output) / length) + (x + 0.5) / scale - 0.5
        case "tf_crop_and_resize":
            let span = (roi.end - roi.start) * Double(input - 1)
            return roi.start * Double(input - 1) + (output == 1 ? span / 2 : x * span / Double(output - 1))
        default: return (x + 0.5) / scale - 0.5
        }
    }

    func isOutside(_ source: Double) -> Bool {
        transformation == "tf_crop_and_resize" && (source < 0 || source > Double(input - 1))
    }
}

/// The checked arguments of Resize and Upsample.
struct ResizePlan {
    let mode: String
    let extrapolation: Double
    private let nearestMode: String
    private let coefficient: Double
    private let excludesOutside: Bool
    private let antialias: Bool
    private(set) var axes: [ResizeAxis] = []

    init(_ context: InferenceContext) throws(OperatorError) {
        let attributes = context.attributes
        let shape = try context.input(0).shape
        // Resize 10 and Upsample have scales as their second input (Upsample 7 as attribute) and read at x / scale, rounded down.
        let isOld = context.version <= 10
        let transformation = attributes.string("coordinate_transformation_mode") ?? (isOld ? "asymmetric" : "half_pixel")
        nearestMode = attributes.string("nearest_mode") ?? (isOld ? "floor" : "round_prefer_floor")
        let modes = ["bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"]
        mode = modes[attributes.string("mode")!] ?? attributes.string("mode")!
        extrapolation = attributes.float("extrapolation_value") ?? 0
        coefficient = attributes.float("cubic_coeff_a") ?? -0.75
        excludesOutside = attributes.flag("exclude_outside")
        antialias = attributes.flag("antialias")
        try require(["nearest", "linear", "cubic"].contains(mode), "mode '\(mode)' is unknown")
        try require(
            ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].contains(nearestMode), "nearest_mode '\(nearestMode)' is unknown")
        try require(
            [
                "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
                "tf_half_pixel_for_nn",
            ].contains(transformation), "coordinate_transformation_mode '\(transformation)' is unknown")
        let resized = try normalizedAxes(attributes.ints("axes") ?? Array(shape.indices), rank: shape.count)
        axes = shape.map { ResizeAxis(input: $0, output: $0, scale: 1, roi: (0, 1), transformation: transformation) }
        if transformation == "tf_crop_and_resize" {
            try require(context.has(1), "tf_crop_and_resize needs the region of interest")
            let roi = try context.value(1).floats
            try require(roi.count == 2 * resized.count, "a region of \(roi.count) numbers for \(resized.count) axes")
            try require(roi.allSatisfy { abs($0) < 1e9 }, "the region \(roi) is not near the image")
            for (index, axis) in resized.enumerated() { axes[axis].roi = (roi[index], roi[index + resized.count]) }
        }
        let scalesInput = isOld ? 1 : 2
        var scales = attributes.floats("scales")
        if scales == nil, context.has(scalesInput), try context.input(scalesInput).shape != [0] {
            scales = try context.value(scalesInput).floats
        }
        if let scales {
            try require(scales.count == resized.count, "\(scales.count) scales for \(resized.count) axes")
            for (index, axis) in resized.enumerated() {
                try require(scales[index] > 0 && scales[index].isFinite, "the scale \(scales[index]) is not positive")
                axes[axis].scale = scales[index]
                let part = transformation == "tf_crop_and_resize" ? axes[axis].roi.end - axes[axis].roi.start : 1
                // In float32, as every implementation does: 10 · 0.7 is to be 7.
                axes[axis].output = max(0, try integer(Double((Float(shape[axis]) * Float(part) * Float(scales[index])).rounded(.down))))
            }
        } else {
            try require(!isOld && context.has(3), "neither scales nor sizes are given")
            try fit(try context.integers(3), axes: resized, policy: attributes.string("keep_aspect_ratio_policy")!)
        }
        for axis in axes {
            try require(axis.input > 0 || axis.output == 0, "an empty axis cannot be resized to \(axis.output) elements")
        }
    }

    /// Output sizes and scales from the input 'sizes'.
    private mutating func fit(_ sizes: [Int], axes resized: [Int], policy: String) throws(OperatorError) {
        try require(sizes.count == resized.count, "\(sizes.count) sizes for \(resized.count) axes")
        try require(sizes.allSatisfy { $0 >= 0 && $0 < 1 << 40 }, "the sizes \(sizes) are no sizes")
        for (size, axis) in zip(sizes, resized) {
            axes[axis].output = size
            axes[axis].scale = Double(size) / Double(max(axes[axis].input, 1))
        }
        if policy == "stretch" { return }
        try require(policy == "not_larger" || policy == "not_smaller", "keep_aspect_ratio_policy '\(policy)' is unknown")
        let scales = resized.map { axes[$0].scale }
        let scale = (policy == "not_larger" ? scales.min() : scales.max()) ?? 1
        for axis in resized {
            axes[axis].scale = scale
            axes[axis].output = try integer((scale * Double(axes[axis].input) + 0.5).rounded(.down))
        }
    }

    /// The element that nearest-neighbour sampling takes.
    func nearest(_ source: Double, size: Int) -> Int {
        let rounded =
            switch nearestMode {
            case "floor": source.rounded(.down)
            case "ceil": source.rounded(.up)
            case "round_prefer_ceil": (source + 0.5).rounded(.down)
            default: (source - 0.5).rounded(.up)
            }
        return Int(min(max(rounded, 0), Double(size - 1)))
    }

    /// The elements that linear or cubic sampling takes, and their weights.
    func weights(at source: Double, _ axis: ResizeAxis) -> (positions: [Int], weights: [Double]) {
        let reach = mode == "linear" ? 1.0 : 2.0
        // Antialiasing stretches the filter when the axis shrinks; it then stays normalised.
        let stretch = antialias ? min(axis.scale, 1) : 1
        let safe = min(max(source, -1e15), 1e15)
        let first = Int((safe - reach / stretch).rounded(.down)) + 1
        let last = Int((safe + reach / stretch).rounded(.up)) - 1
        var positions: [Int] = []
        var weights: [Double] = []
        for position in first...max(first, last) {
            let isInside = position >= 0 && position < axis.input
            positions.append(min(max(position, 0), axis.input - 1))
            weights.append(excludesOutside && !isInside ? 0 : filter(abs(Double(position) - safe) * stretch))
        }
        if antialias || excludesOutside {
            let sum = weights.reduce(0, +)
            if sum != 0 { weights = weights.map { $0 / sum } }
        }
        return (positions, weights)
    }

    /// The filter at a distance from its centre: a triangle, or Keys' cubic convolution (doi:10.1109/TASSP.1981.1163711, equation 4).
    private func filter(_ x: Double) -> Double {
        if mode == "linear" { return max(0, 1 - x) }
        let a = coefficient
        if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
    }
}

// MARK: Samples

@Sendable private func resizeSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    guard type.isFloat && type.bits >= 16 || type.isInteger && type.bits >= 8 else { return [] }
    let (h, w) = (context.size(4...7), context.size(5...9))
    let image = [1, 2, h, w]
    func of(_ name: String, scales: [Double]? = nil, sizes: [Int]? = nil, shape: [Int]? = nil, _ attributes: [String: Attribute] = [:])
        -> Sample
    {
        let data = Sample.Tensor(type, shape ?? image)
        let factors = scales.map { Sample.Tensor(.float32, [$0.count], .exactly($0)) }
        if version == 10 { return Sample(name, [data, factors], attributes) }
        let region: Sample.Tensor? = version < 13 ? .init(.float32, [0], .exactly([])) : nil
        let none: Sample.Tensor? = version < 13 && sizes != nil ? .init(.float32, [0], .exactly([])) : nil
        return Sample(name, [data, region, factors ?? none, sizes.map { .vector($0) }].trimmed, attributes)
    }
    var samples = [
        of("nearest-up", scales: [1, 1, 2, 3]), of("nearest-down", scales: [1, 1, 0.5, 0.5]),
        of("large", scales: [1, 1, 5, 6], shape: [1, 2, 9, 11]),
        of("linear-up", scales: [1, 1, 2, 2], ["mode": .string("linear")]),
        of("linear-down", scales: [1, 1, 0.5, 0.75], ["mode": .string("linear")]),
    ]
    guard version >= 11 else { return samples }
    for mode in ["nearest", "linear", "cubic"] {
        for transformation in ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
            + (version >= 19 ? ["half_pixel_symmetric"] : [])
        {
            let attributes: [String: Attribute] = ["mode": .string(mode), "coordinate_transformation_mode": .string(transformation)]
            samples.append(of("\(mode)-\(transformation)", sizes: [1, 2, 2 * h, 3 * w], attributes))
            samples.append(of("\(mode)-\(transformation)-down", sizes: [1, 2, h - 1, w - 2], attributes))
        }
    }
    for rounding in ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] {
        samples.append(
            of(
                "nearest-\(rounding)", scales: [1, 1, 1.5, 0.75],
                ["nearest_mode": .string(rounding), "coordinate_transformation_mode": .string("asymmetric")]))
    }
    samples.append(of("cubic-coefficient", scales: [1, 1, 2, 2], ["mode": .string("cubic"), "cubic_coeff_a": .float(-0.5)]))
    samples.append(of("cubic-exclude-outside", scales: [1, 1, 2, 2], ["mode": .string("cubic"), "exclude_outside": .int(1)]))
    samples.append(of("one-axis", scales: [1, 1, 2.5], shape: [2, 3, w], ["mode": .string("linear")]))
    if version >= 18 {
        samples.append(of("antialias-linear", scales: [1, 1, 0.6, 0.5], ["mode": .string("linear"), "antialias": .int(1)]))
        samples.append(of("antialias-cubic", scales: [1, 1, 0.6, 0.5], ["mode": .string("cubic"), "antialias": .int(1)]))
        samples.append(of("axes", scales: [2, 3], ["axes": .ints([2, 3])]))
        samples.append(of("not-larger", sizes: [7, 9], ["axes": .ints([2, 3]), "keep_aspect_ratio_policy": .string("not_larger")]))
        samples.append(of("not-smaller", sizes: [7, 9], ["axes": .ints([2, 3]), "keep_aspect_ratio_policy": .string("not_smaller")]))
    }
    return samples
}

@Sendable private func upsampleSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    guard type.isFloat && type.bits >= 16 || type.isInteger && type.bits >= 8 else { return [] }
    return ["nearest", "linear"].flatMap { mode in
        ([("two", [1, 1, 2, 2]), ("mixed", [1, 1, 3, 2]), ("half", [1, 1, 2.5, 1]), ("width", [1, 1, 1, 2])] as [(String, [Double])]).map {
            name, scales in
            version < 9
                ? Sample(
                    "\(mode)-\(name)", [.init(type, [1, 2, 4, 5])], ["mode": .string(mode), "scales": .floats(scales.map(Float.init))])
                : Sample("\(mode)-\(name)", [.init(type, [1, 2, 4, 5]), .init(.float32, [4], .exactly(scales))], ["mode": .string(mode)])
        }
    }
}

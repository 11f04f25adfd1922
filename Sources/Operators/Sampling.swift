import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that read an image at computed places between its elements.
let samplingOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "GridSample", since: [16, 20, 22], "(X: T1, grid: T2) -> (Y: T1)", types: ["T1": .numeric, "T2": .floats],
        attributes: ["align_corners": .int(0), "mode": .string("linear"), "padding_mode": .string("zeros")], numericClass: .dot,
        infer: { context throws(OperatorError) in
            let (x, grid) = (try context.input(0), try context.input(1))
            let rank = x.shape.count - 2
            try require(
                rank >= 1 && grid.shape.count == rank + 2 && grid.shape[0] == x.shape[0] && grid.shape[rank + 1] == rank,
                "a grid of shape \(grid.shape) does not fit an input of shape \(x.shape)")
            try require(
                ["zeros", "border", "reflection"].contains(context.attributes.string("padding_mode")!), "the padding mode is unknown")
            try require(
                ["linear", "bilinear", "nearest", "cubic", "bicubic"].contains(context.attributes.string("mode")!), "the mode is unknown")
            if rank > 3 { throw .unsupported("sampling over \(rank) axes is not covered, at most 3 are") }
            try require(
                !x.shape.dropFirst(2).contains(0) || grid.shape.dropLast().contains(0),
                "an empty image of shape \(x.shape) cannot be sampled")
            return [.tensor(x.dataType, try possible(Array(x.shape[..<2]) + grid.shape[1...rank]))]
        },
        reference: gridSample
    ).sampled(gridSampleSamples).summing({ _ in 16 }),
    OperatorDefinition(
        "AffineGrid", since: [20], "(theta: T1, size: int64) -> (grid: T1)", types: ["T1": .floats], attributes: ["align_corners": .int(0)],
        numericClass: .dot,
        infer: { context throws(OperatorError) in
            let (theta, size) = (try context.input(0), try context.integers(1))
            let rank = size.count - 2
            try require(rank == 2 || rank == 3, "the size \(size) must have four or five entries")
            try require(size.allSatisfy { $0 >= 0 }, "the size \(size) has a negative entry")
            try require(theta.shape == [size[0], rank, rank + 1], "theta of shape \(theta.shape) does not fit the size \(size)")
            return [.tensor(theta.dataType, try possible([size[0]] + size[2...] + [rank]))]
        },
        reference: { context throws(OperatorError) in
            let (theta, shape) = (try context.input(0).floats, context.output(0).shape)
            let (spatial, rank) = (shape[1..<shape.count - 1], shape.count - 2)
            let isAligned = context.attributes.flag("align_corners")
            let strides = denseStrides(Array(spatial))
            var grid: [Double] = []
            grid.reserveCapacity(product(shape))
            for image in 0..<shape[0] {
                for position in 0..<product(spatial) {
                    // Coordinates come with the last axis (x) first.
                    var place = zip(spatial, strides).map { normalizedPlace(position / $1 % $0, $0, isAligned: isAligned) }
                    place.reverse()
                    for row in 0..<rank {
                        let start = (image * rank + row) * (rank + 1)
                        var sum = theta[start + rank]
                        for column in 0..<rank { sum += theta[start + column] * place[column] }
                        grid.append(sum)
                    }
                }
            }
            return [ReferenceTensor(context.output(0).dataType, shape, .floats(grid))]
        }
    ).sampled(affineGridSamples).summing({ _ in 4 }).decomposing { g throws(OperatorError) in
        let (theta, shape) = (try g.wide(0), try g.output().shape)
        let (spatial, rank) = (Array(shape[1..<shape.count - 1]), shape.count - 2)
        guard product(spatial) <= 1 << 20 else { throw .unsupported("the constants would be too large") }
        let isAligned = g.attributes.flag("align_corners")
        let strides = denseStrides(spatial)
        var places: [Double] = []
        for position in 0..<product(spatial) {
            let place = zip(spatial, strides).map { normalizedPlace(position / $1 % $0, $0, isAligned: isAligned) }
            places += place.reversed() + [1]
        }
        let base = try g.constant(places, theta.type.dataType, shape: [product(spatial), rank + 1])
        return [try g("MatMul", base, theta.transposed([0, 2, 1])).reshaped(shape)]
    },
    OperatorDefinition(
        "RoiAlign", since: [10, 16, 22], "(X: T1, rois: T1, batch_indices: int64) -> (Y: T1)", types: ["T1": .floats],
        attributes: [
            "coordinate_transformation_mode": .optional(.string), "mode": .string("avg"), "output_height": .int(1), "output_width": .int(1),
            "sampling_ratio": .int(0), "spatial_scale": .float(1),
        ],
        numericClass: .composite,
        infer: { context throws(OperatorError) in
            let (x, regions, indices) = (try context.input(0), try context.input(1), try context.input(2))
            try require(
                x.shape.count == 4 && regions.shape.count == 2 && regions.shape[1] == 4 && indices.shape == [regions.shape[0]],
                "regions of shape \(regions.shape) and batch indices of shape \(indices.shape) do not fit an input of shape \(x.shape)")
            try require(["avg", "max"].contains(context.attributes.string("mode")!), "the mode must be avg or max")
            let (height, width) = (context.attributes.int("output_height")!, context.attributes.int("output_width")!)
            let ratio = context.attributes.int("sampling_ratio")!
            try require(
                height > 0 && width > 0 && ratio >= 0 && ratio < 1 << 15, "an output of \(height) by \(width) with sampling ratio \(ratio)")
            return [.tensor(x.dataType, try possible([regions.shape[0], x.shape[1], height, width]))]
        },
        reference: regionAlign
    ).sampled(roiAlignSamples),
]

// MARK: - Grid sampling

/// One axis of the image that a grid samples.
private struct SampledAxis {
    let size: Int
    let isAligned: Bool
    let padding: String
    let mode: String

    /// The places where reflection turns round.
    private var low: Double { isAligned ? 0 : -0.5 }
    private var high: Double { isAligned ? Double(size - 1) : Double(size) - 0.5 }

    /// The elements (nil: outside) and weights for a normalised coordinate.
    func taps(_ coordinate: Double) -> [(position: Int?, weight: Double)] {
        var x = isAligned ? (coordinate + 1) / 2 * Double(size - 1) : ((coordinate + 1) * Double(size) - 1) / 2
        if mode == "nearest" { x = x.rounded(.toNearestOrEven) }
        if x.isNaN { x = -1e9 }
        if padding == "border" { x = min(max(x, 0), Double(size - 1)) }
        if padding == "reflection" { x = reflected(x) }
        x = min(max(x, -1e9), 1e12)
        let floor = x.rounded(.down)
        let (base, t) = (Int(floor), x - floor)
        switch mode {
        case "nearest": return [(element(Int(x)), 1)]
        case "cubic", "bicubic":
            // Keys' cubic convolution with a = -0.75.
            let a = -0.75
            func near(_ d: Double) -> Double { ((a + 2) * d - (a + 3)) * d * d + 1 }
            func far(_ d: Double) -> Double { ((a * d - 5 * a) * d + 8 * a) * d - 4 * a }
            return [
                (element(base - 1), far(t + 1)), (element(base), near(t)), (element(base + 1), near(1 - t)),
                (element(base + 2), far(2 - t)),
            ]
        default: return [(element(base), 1 - t), (element(base + 1), t)]
        }
    }

    private func element(_ position: Int) -> Int? {
        if position >= 0 && position < size { return position }
        switch padding {
        case "border": return min(max(position, 0), size - 1)
        case "reflection": return min(max(Int(reflected(Double(position))), 0), size - 1)
        default: return nil
        }
    }

    private func reflected(_ x: Double) -> Double {
        if x >= low && x <= high { return x }
        let span = high - low
        if span <= 0 { return 0 }
        let distance = abs(x < low ? low - x : x - low)
        let (turns, rest) = ((distance / span).rounded(.down), distance.truncatingRemainder(dividingBy: span))
        let isBack = turns.truncatingRemainder(dividingBy: 2) != 0
        return rest.isNaN ? low : isBack ? high - rest : low + rest
    }
}

private func gridSample(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let x = try context.input(0)
    let (values, grid) = (x.floats, try context.input(1).floats)
    let output = context.output(0)
    let rank = x.shape.count - 2
    let axes = x.shape[2...].map {
        SampledAxis(
            size: $0, isAligned: context.attributes.flag("align_corners"), padding: context.attributes.string("padding_mode")!,
            mode: context.attributes.string("mode")!)
    }
    let strides = denseStrides(Array(x.shape[2...]))
    let (channels, plane, points) = (x.shape[1], product(x.shape[2...]), product(output.shape[2...]))
    var y = [Double](repeating: 0, count: product(output.shape))
    for image in 0..<x.shape[0] {
        for point in 0..<points {
            var samples: [(offset: Int, weight: Double)] = [(0, 1)]
            for (axis, sampled) in axes.enumerated() {
                // The grid's last coordinate belongs to the first axis.
                let taps = sampled.taps(grid[(image * points + point) * rank + rank - 1 - axis])
                samples = samples.flatMap { sample in
                    taps.compactMap { tap in tap.position.map { (sample.offset + $0 * strides[axis], sample.weight * tap.weight) } }
                }
            }
            for channel in 0..<channels {
                let start = (image * channels + channel) * plane
                var sum = 0.0
                for sample in samples { sum += sample.weight * values[start + sample.offset] }
                y[(image * channels + channel) * points + point] = sum
            }
        }
    }
    if x.dataType.isFloat { return [ReferenceTensor(x.dataType, output.shape, .floats(y))] }
    return [ReferenceTensor(x.dataType, output.shape, .integers(y.map { Int64(exactly: $0.rounded(.towardZero)) ?? 0 }))]
}

// MARK: - Bilinear interpolation

/// The four neighbours of a place in a plane of `height` by `width` and their weights; those outside are left out.
func bilinearTaps(y: Double, x: Double, height: Int, width: Int) -> [(offset: Int, weight: Double)] {
    guard y > -1, x > -1, y < Double(height), x < Double(width) else { return [] }
    let (top, left) = (y.rounded(.down), x.rounded(.down))
    var taps: [(offset: Int, weight: Double)] = []
    for (row, rowWeight) in [(Int(top), 1 - (y - top)), (Int(top) + 1, y - top)] where row >= 0 && row < height {
        for (column, columnWeight) in [(Int(left), 1 - (x - left)), (Int(left) + 1, x - left)] where column >= 0 && column < width {
            taps.append((row * width + column, rowWeight * columnWeight))
        }
    }
    return taps
}

// MARK: - Regions

private func regionAlign(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let (x, regions, indices) = (try context.input(0), try context.input(1).floats, try context.input(2).integers)
    let attributes = context.attributes
    let output = context.output(0)
    let (channels, height, width) = (x.shape[1], x.shape[2], x.shape[3])
    let (rows, columns) = (output.shape[2], output.shape[3])
    // Versions before 16 knew no shift by half an element.
    let mode = attributes.string("coordinate_transformation_mode") ?? (context.version < 16 ? "output_half_pixel" : "half_pixel")
    let shift = mode == "half_pixel" ? 0.5 : 0
    let (scale, ratio, isMaximum) = (
        attributes.float("spatial_scale")!, attributes.int("sampling_ratio")!, attributes.string("mode") == "max"
    )
    let values = x.floats
    var y = [Double](repeating: 0, count: product(output.shape))
    for (region, index) in indices.enumerated() {
        try require(index >= 0 && index < Int64(x.shape[0]), "batch index \(index) is outside a batch of \(x.shape[0])")
        let corners = regions[4 * region..<4 * region + 4].map { $0 * scale - shift }
        try require(corners.allSatisfy { abs($0) < 1e6 }, "region \(region) is not near the image")
        var (spanX, spanY) = (corners[2] - corners[0], corners[3] - corners[1])
        if shift == 0 { (spanX, spanY) = (max(spanX, 1), max(spanY, 1)) }
        let (binX, binY) = (spanX / Double(columns), spanY / Double(rows))
        let countX = ratio > 0 ? ratio : max(0, Int(binX.rounded(.up)))
        let countY = ratio > 0 ? ratio : max(0, Int(binY.rounded(.up)))
        for row in 0..<rows {
            for column in 0..<columns {
                var samples: [[(offset: Int, weight: Double)]] = []
                for stepY in 0..<countY {
                    let placeY = corners[1] + binY * (Double(row) + (Double(stepY) + 0.5) / Double(countY))
                    for stepX in 0..<countX {
                        let placeX = corners[0] + binX * (Double(column) + (Double(stepX) + 0.5) / Double(countX))
                        samples.append(regionTaps(y: placeY, x: placeX, height: height, width: width))
                    }
                }
                for channel in 0..<channels {
                    let start = (Int(index) * channels + channel) * height * width
                    let target = ((region * channels + channel) * rows + row) * columns + column
                    if isMaximum {
                        // The largest weighted neighbour, as the operator's definition has it, not the largest interpolated value.
                        y[target] = samples.map { taps in taps.map { $0.weight * values[start + $0.offset] }.max() ?? 0 }.max() ?? 0
                    } else {
                        var sum = 0.0
                        for taps in samples { for tap in taps { sum += tap.weight * values[start + tap.offset] } }
                        y[target] = sum / Double(max(samples.count, 1))
                    }
                }
            }
        }
    }
    return [ReferenceTensor(x.dataType, output.shape, .floats(y))]
}

/// The four neighbours of a place, which is first moved inside the plane if it is less than one element outside.
private func regionTaps(y: Double, x: Double, height: Int, width: Int) -> [(offset: Int, weight: Double)] {
    if height == 0 || width == 0 || y < -1 || x < -1 || y > Double(height) || x > Double(width) { return [] }
    func neighbours(_ place: Double, _ size: Int) -> (low: Int, high: Int, part: Double) {
        let place = max(place, 0)
        let low = Int(place)
        return low >= size - 1 ? (size - 1, size - 1, 0) : (low, low + 1, place - Double(low))
    }
    let (rows, columns) = (neighbours(y, height), neighbours(x, width))
    return [
        (rows.low * width + columns.low, (1 - rows.part) * (1 - columns.part)),
        (rows.low * width + columns.high, (1 - rows.part) * columns.part),
        (rows.high * width + columns.low, rows.part * (1 - columns.part)), (rows.high * width + columns.high, rows.part * columns.part),
    ]
}

/// The place of element `index` of `size` between -1 and 1.
private func normalizedPlace(_ index: Int, _ size: Int, isAligned: Bool) -> Double {
    let (x, size) = (Double(index), Double(size))
    if isAligned { return size > 1 ? 2 * x / (size - 1) - 1 : -1 }
    return (2 * x + 1) / size - 1
}

// MARK: Samples

@Sendable private func gridSampleSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let modes = version >= 20 ? ["linear", "nearest", "cubic"] : ["bilinear", "nearest", "bicubic"]
    var samples: [Sample] = []
    for mode in modes {
        for padding in ["zeros", "border", "reflection"] {
            for corners in [Int64(0), 1] {
                let attributes: [String: Attribute] = [
                    "mode": .string(mode), "padding_mode": .string(padding), "align_corners": .int(corners),
                ]
                samples.append(
                    Sample(
                        "\(mode)-\(padding)-\(corners)", [.init(type, [2, 3, 5, 7]), .init(.float32, [2, 4, 6, 2], .data(-1.2...1.2))],
                        attributes))
            }
        }
    }
    samples.append(Sample("large", [.init(type, [1, 3, 9, 11]), .init(.float32, [1, 20, 20, 2], .data(-1...1))]))
    if version >= 20 {
        samples.append(Sample("volume", [.init(type, [1, 2, 4, 5, 6]), .init(.float32, [1, 3, 4, 5, 3], .data(-1.1...1.1))]))
    }
    return samples
}

@Sendable private func affineGridSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return [Int64(0), 1].flatMap { corners in
        [
            Sample("image-\(corners)", [.init(type, [2, 2, 3]), .vector([2, 3, 5, 6])], ["align_corners": .int(corners)]),
            Sample("volume-\(corners)", [.init(type, [2, 3, 4]), .vector([2, 3, 4, 5, 6])], ["align_corners": .int(corners)]),
        ]
    } + [Sample("large", [.init(type, [1, 2, 3]), .vector([1, 1, 33, 40])])]
}

@Sendable private func roiAlignSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    func of(_ name: String, _ attributes: [String: Attribute]) -> Sample {
        Sample(
            name,
            [
                .init(type, [2, 3, 11, 13]), .init(type, [3, 4], .exactly([0, 0, 9, 9, 1.5, 2.25, 8, 10, 3, 1, 12, 10])),
                .init(.int64, [3], .integers(0...1)),
            ],
            attributes.merging(["output_height": .int(4), "output_width": .int(5)]) { own, _ in own })
    }
    var samples = [
        of("default", [:]), of("max", ["mode": .string("max")]), of("ratio", ["sampling_ratio": .int(2)]),
        of("scale", ["spatial_scale": .float(0.5), "sampling_ratio": .int(3)]),
        of("large", ["output_height": .int(11), "output_width": .int(12), "sampling_ratio": .int(2)]),
    ]
    if context.version >= 16 {
        samples.append(of("half-pixel-off", ["coordinate_transformation_mode": .string("output_half_pixel"), "sampling_ratio": .int(2)]))
    }
    return samples
}

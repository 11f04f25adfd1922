// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// What object detectors do with their boxes.
let detectionOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "NonMaxSuppression", since: [10, 11],
        "(boxes: float32, scores: float32, max_output_boxes_per_class?: int64, iou_threshold?: float32, score_threshold?: float32) -> (selected_indices: int64)",
        attributes: ["center_point_box": .int(0)], numericClass: .property,
        infer: { context throws(OperatorError) in
            let (boxes, scores) = (try context.input(0).shape, try context.input(1).shape)
            try require(
                boxes.count == 3 && scores.count == 3 && boxes[2] == 4 && boxes[0] == scores[0] && boxes[1] == scores[2],
                "boxes of shape \(boxes) and scores of shape \(scores) do not belong together")
            for index in 2...4 where context.has(index) {
                let shape = try context.input(index).shape
                try require(elementCount(shape) == 1, "input \(index) must be one element, not shape \(shape)")
            }
            return [.bounded(.int64, try possible([try multiplied(scores), 3]))]
        },
        reference: { context throws(OperatorError) in
            let (boxes, scores) = (try context.input(0), try context.input(1))
            let inference = context.inference
            let limit = context.has(2) ? try inference.integer(2) : 0
            let overlapLimit = context.has(3) ? try inference.number(3) : 0
            let scoreLimit = context.has(4) ? try inference.number(4) : -.infinity
            let (values, points) = (boxes.floats, scores.floats)
            let (classes, count) = (scores.shape[1], scores.shape[2])
            let isCentred = context.attributes.flag("center_point_box")
            var selected: [Int64] = []
            for image in 0..<scores.shape[0] {
                let all = (0..<count).map { Box(values[(image * count + $0) * 4..<(image * count + $0) * 4 + 4], isCentred: isCentred) }
                for category in 0..<classes {
                    let start = (image * classes + category) * count
                    // Best first; of equal scores the earlier box.
                    let order = (0..<count).filter { points[start + $0] > scoreLimit }.sorted {
                        points[start + $0] != points[start + $1] ? points[start + $0] > points[start + $1] : $0 < $1
                    }
                    var kept: [Int] = []
                    for candidate in order {
                        if kept.count >= limit { break }
                        if kept.allSatisfy({ all[candidate].overlap(with: all[$0]) <= overlapLimit }) { kept.append(candidate) }
                    }
                    for box in kept { selected += [Int64(image), Int64(category), Int64(box)] }
                }
            }
            return [ReferenceTensor(.int64, [selected.count / 3, 3], .integers(selected))]
        }
    ).sampled(nonMaxSuppressionSamples)
]

/// A rectangle by its lower and upper corner.
private struct Box {
    let low: (Double, Double)
    let high: (Double, Double)

    /// Either two opposite corners, or centre and size.
    init(_ numbers: ArraySlice<Double>, isCentred: Bool) {
        let n = Array(numbers)
        if isCentred {
            low = (n[0] - n[2] / 2, n[1] - n[3] / 2)
            high = (n[0] + n[2] / 2, n[1] + n[3] / 2)
        } else {
            low = (min(n[0], n[2]), min(n[1], n[3]))
            high = (max(n[0], n[2]), max(n[1], n[3]))
        }
    }

    private var area: Double { (high.0 - low.0) * (high.1 - low.1) }

    /// Intersection over union; 0 if a box is empty.
    func overlap(with other: Box) -> Double {
        let width = min(high.0, other.high.0) - max(low.0, other.low.0)
        let height = min(high.1, other.high.1) - max(low.1, other.low.1)
        if width <= 0 || height <= 0 || area <= 0 || other.area <= 0 { return 0 }
        let intersection = width * height
        return intersection / (area + other.area - intersection)
    }
}

// MARK: Samples

@Sendable private func nonMaxSuppressionSamples(_ context: inout SampleContext) -> [Sample] {
    let boxes = context.size(8...20)
    /// Corners of boxes along a diagonal, so that neighbours overlap.
    let corners = (0..<boxes).flatMap { index -> [Double] in
        let start = 0.3 * Double(index)
        return [start, start, start + 1, start + 1]
    }
    func of(_ name: String, most: Double?, overlap: Double? = nil, score: Double? = nil, _ attributes: [String: Attribute] = [:]) -> Sample
    {
        Sample(
            name,
            [
                .init(.float32, [1, boxes, 4], .exactly(corners)), .init(.float32, [1, 2, boxes], .data(0...1)),
                most.map { .scalar(.int64, $0) }, overlap.map { .scalar(.float32, $0) },
                score.map { .scalar(.float32, $0) },
            ].trimmed, attributes)
    }
    return [
        of("plain", most: 5, overlap: 0.4), of("score", most: 9, overlap: 0.4, score: 0.5), of("none", most: 0),
        of("centre", most: 5, overlap: 0.3, ["center_point_box": .int(1)]),
        of("all", most: 100, overlap: 1),
    ]
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that put elements into another order, repeat them, join or cut tensors.
let movementOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Transpose", since: [1, 13, 21, 23, 24, 25], "(data: T) -> (transposed: T)", types: ["T": .any],
        attributes: ["perm": .optional(.ints)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let data = try context.input(0)
            let order = permutation(context.attributes, rank: data.shape.count)
            try require(order.sorted() == Array(data.shape.indices), "\(order) is no permutation of the axes of shape \(data.shape)")
            return [.tensor(data.dataType, order.map { data.shape[$0] })]
        },
        reference: { context throws(OperatorError) in
            let data = try context.input(0)
            return [data.transposed(permutation(context.attributes, rank: data.shape.count))]
        }
    ).sampled(transposeSamples).differentiated { g, given throws(OperatorError) in
        let order = permutation(g.attributes, rank: try g.input(0).rank)
        return [try given.gradient().transposed(order.indices.map { order.firstIndex(of: $0)! })]
    },
    OperatorDefinition(
        "Expand", since: [8, 13], "(input: T, shape: int64) -> (output: T)", types: ["T": .any], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            let target = try context.integers(1)
            try require(target.allSatisfy { $0 >= 0 }, "the new shape \(target) has a negative entry")
            guard let shape = broadcastShape([input.shape, target]) else {
                throw .invalid("shape \(input.shape) cannot be broadcast with \(target)")
            }
            return [.tensor(input.dataType, try possible(shape))]
        },
        reference: { context throws(OperatorError) in [try context.input(0).broadcast(to: context.output(0).shape)] }
    ).sampled(expandSamples),
    OperatorDefinition(
        "Tile", since: [1, 6, 13], "(input: T, repeats: int64) -> (output: T)", types: ["T": .any], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            let repeats = try context.integers(1)
            try require(repeats.count == input.shape.count, "\(repeats.count) repeats for shape \(input.shape)")
            try require(repeats.allSatisfy { $0 >= 0 }, "the repeats \(repeats) have a negative entry")
            var shape: [Int] = []
            for (size, count) in zip(input.shape, repeats) { shape.append(try multiplied(size, count)) }
            return [.tensor(input.dataType, try possible(shape))]
        },
        reference: { context throws(OperatorError) in
            let input = try context.input(0)
            let shape = context.output(0).shape
            let strides = denseStrides(input.shape)
            let offsets = shape.indices.map { axis in (0..<shape[axis]).map { $0 % input.shape[axis] * strides[axis] } }
            return [input.gathered(combinedOffsets(offsets), shape: shape)]
        }
    ).sampled(tileSamples).decomposing { g throws(OperatorError) in
        let (input, shape) = (try g.input(0), try g.output().shape)
        guard product(shape) > 0 else { throw .unsupported("nothing is repeated") }
        let (view, stretched) = (input.shape.flatMap { [1, $0] }, zip(input.shape, shape).flatMap { [$1 / $0, $0] })
        return [try g("Expand", input.reshaped(view), g.constant(stretched)).reshaped(shape)]
    },
    OperatorDefinition(
        "Concat", since: [4, 11, 13], "(inputs: T...) -> (concat_result: T)", types: ["T": .any], attributes: ["axis": .required(.int)],
        numericClass: .movement,
        infer: { context throws(OperatorError) in
            let first = try context.input(0)
            let axis = try context.axis(context.attributes.int("axis") ?? 1, rank: first.shape.count)
            var shape = first.shape
            for index in context.inputs.indices.dropFirst() {
                let other = try context.input(index)
                try require(
                    other.shape.count == shape.count && other.shape.indices.allSatisfy { $0 == axis || other.shape[$0] == shape[$0] },
                    "input \(index) of shape \(other.shape) cannot be joined with shape \(first.shape) along axis \(axis)")
                shape[axis] = try added(shape[axis], other.shape[axis])
            }
            return [.tensor(first.dataType, try possible(shape))]
        },
        reference: { context throws(OperatorError) in
            let shape = context.output(0).shape
            let axis = try normalizedAxis(context.attributes.int("axis") ?? 1, rank: shape.count)
            let tensors = context.inputs.compactMap { $0 }
            var bases: [Int] = []
            for tensor in tensors { bases.append((bases.last ?? 0) + (bases.isEmpty ? 0 : tensors[bases.count - 1].count)) }
            var runs: [Range<Int>] = []
            for outer in 0..<product(shape[..<axis]) {
                for (tensor, base) in zip(tensors, bases) {
                    let length = product(tensor.shape[axis...])
                    runs.append(base + outer * length..<base + (outer + 1) * length)
                }
            }
            return [tensors[0].pooled(with: Array(tensors.dropFirst())).gathered(runs: runs, shape: shape)]
        }
    ).sampled(concatSamples),
    OperatorDefinition(
        "Split", since: [2, 11, 13, 18], "(input: T, split?: int64) -> (outputs: T...)", types: ["T": .any],
        attributes: ["axis": .int(0), "split": .optional(.ints), "num_outputs": .optional(.int)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            let axis = try context.axis(context.attributes.int("axis")!, rank: input.shape.count)
            return try splitSizes(context, of: input.shape[axis]).map { size in
                var shape = input.shape
                shape[axis] = size
                return .tensor(input.dataType, shape)
            }
        },
        reference: { context throws(OperatorError) in
            let input = try context.input(0)
            let axis = try normalizedAxis(context.attributes.int("axis")!, rank: input.shape.count)
            let inner = product(input.shape[(axis + 1)...])
            let step = input.shape[axis] * inner
            var start = 0
            return context.outputs.indices.map { index in
                let shape = context.output(index).shape
                let length = shape[axis] * inner
                let runs = (0..<product(shape[..<axis])).map { start + $0 * step..<start + $0 * step + length }
                start += length
                return input.gathered(runs: runs, shape: shape)
            }
        }
    ).sampled(splitSamples).decomposing { g throws(OperatorError) in
        let input = try g.input(0)
        let axis = try normalizedAxis(g.int("axis"), rank: input.rank)
        var (results, start) = ([Term?](), 0)
        for index in g.wanted.indices {
            let size = try g.output(index).shape[axis]
            results.append(g.wanted[index] ? try input.sliced(axis: axis, from: start, count: size) : nil)
            start += size
        }
        return results
    },
    OperatorDefinition(
        "Slice", since: [1, 10, 11, 13], "(data: T, starts?: Tind, ends?: Tind, axes?: Tind, steps?: Tind) -> (output: T)",
        types: ["T": .any, "Tind": .indices],
        attributes: ["starts": .optional(.ints), "ends": .optional(.ints), "axes": .optional(.ints)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            [.tensor(try context.input(0).dataType, try slicePositions(context).map(\.count))]
        },
        reference: { context throws(OperatorError) in
            let data = try context.input(0)
            let positions = try slicePositions(context.inference)
            let offsets = zip(positions, denseStrides(data.shape)).map { positions, stride in
                (0..<positions.count).map { (positions.start + $0 * positions.step) * stride }
            }
            return [data.gathered(combinedOffsets(offsets), shape: positions.map(\.count))]
        }
    ).sampled(sliceSamples),
    OperatorDefinition(
        "Trilu", since: [14], "(input: T, k?: int64) -> (output: T)", types: ["T": .any], attributes: ["upper": .int(1)],
        numericClass: .movement,
        infer: { context throws(OperatorError) in
            let input = try context.input(0)
            try require(input.shape.count >= 2, "the input must have at least two axes, not shape \(input.shape)")
            return [.known(input)]
        },
        reference: { context throws(OperatorError) in
            let input = try context.input(0)
            let diagonal = context.has(1) ? try context.inference.integer(1) : 0
            let upper = context.attributes.flag("upper")
            let (rows, columns) = (input.shape[input.shape.count - 2], input.shape[input.shape.count - 1])
            let limit = rows + columns
            let shift = min(max(diagonal, -limit), limit)
            var indices: [Int] = []
            indices.reserveCapacity(input.count)
            for index in 0..<input.count {
                let (row, column) = (index / columns % rows, index % columns)
                indices.append((upper ? column >= row + shift : column <= row + shift) ? index : noElement)
            }
            return [input.gathered(indices, padding: .zeros(input.dataType, [1]), shape: input.shape)]
        }
    ).sampled(triluSamples).decomposing { g throws(OperatorError) in
        let input = try g.input(0)
        guard input.type.dataType != .string else { throw .unsupported("there is no empty string among the constants") }
        let (rows, columns) = (input.shape[input.rank - 2], input.shape[input.rank - 1])
        let diagonals = try g.constant(Array(0..<columns)) - g.constant(Array(0..<rows), shape: [rows, 1])
        let limit = g.has(1) ? try g.input(1).reshaped([]) : g.constant([0], shape: [])
        let isKept = try g(g.attributes.flag("upper") ? "GreaterOrEqual" : "LessOrEqual", diagonals, limit)
        return [try isKept.choose(input, input.same(0))]
    },
    OperatorDefinition(
        "DepthToSpace", since: [1, 11, 13, 28], "(input: T) -> (output: T)", types: ["T": .any],
        attributes: ["blocksize": .required(.int), "mode": .string("DCR")], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (input, block) = try blockedImage(context)
            let area = try multiplied(block, block)
            try require(input.shape[1] % area == 0, "\(input.shape[1]) channels do not divide into blocks of \(block) by \(block)")
            return [
                .tensor(
                    input.dataType,
                    try possible([
                        input.shape[0], input.shape[1] / area, try multiplied(input.shape[2], block), try multiplied(input.shape[3], block),
                    ]))
            ]
        },
        reference: { context throws(OperatorError) in
            let (input, block) = (try context.input(0), context.attributes.int("blocksize")!)
            let shape = context.output(0).shape
            let (n, depth, height, width) = (shape[0], shape[1], input.shape[2], input.shape[3])
            let isDCR = context.attributes.string("mode") == "DCR"
            let view = input.reshaped(isDCR ? [n, block, block, depth, height, width] : [n, depth, block, block, height, width])
            return [view.transposed(isDCR ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]).reshaped(shape)]
        }
    ).sampled(depthToSpaceSamples).decomposing { g throws(OperatorError) in
        let (input, block, shape) = (try g.input(0), try g.int("blocksize"), try g.output().shape)
        let (n, depth, height, width) = (shape[0], shape[1], input.shape[2], input.shape[3])
        let isDCR = g.attributes.string("mode") == "DCR"
        let view = try input.reshaped(isDCR ? [n, block, block, depth, height, width] : [n, depth, block, block, height, width])
        return [try view.transposed(isDCR ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]).reshaped(shape)]
    },
    OperatorDefinition(
        "SpaceToDepth", since: [1, 13, 28], "(input: T) -> (output: T)", types: ["T": .any],
        attributes: ["blocksize": .required(.int), "mode": .string("DCR")], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (input, block) = try blockedImage(context)
            try require(
                input.shape[2] % block == 0 && input.shape[3] % block == 0,
                "an image of shape \(input.shape) does not divide into blocks of \(block)")
            let depth = try multiplied(input.shape[1], try multiplied(block, block))
            return [.tensor(input.dataType, [input.shape[0], depth, input.shape[2] / block, input.shape[3] / block])]
        },
        reference: { context throws(OperatorError) in
            let (input, block) = (try context.input(0), context.attributes.int("blocksize")!)
            let shape = context.output(0).shape
            let view = input.reshaped([shape[0], input.shape[1], shape[2], block, shape[3], block])
            let isDCR = context.attributes.string("mode") == "DCR"
            return [view.transposed(isDCR ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4]).reshaped(shape)]
        }
    ).sampled(spaceToDepthSamples).decomposing { g throws(OperatorError) in
        let (input, block, shape) = (try g.input(0), try g.int("blocksize"), try g.output().shape)
        let view = try input.reshaped([shape[0], input.shape[1], shape[2], block, shape[3], block])
        return [try view.transposed(g.attributes.string("mode") == "DCR" ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4]).reshaped(shape)]
    },
    OperatorDefinition(
        "ReverseSequence", since: [10, 28], "(input: T, sequence_lens: int64) -> (Y: T)", types: ["T": .any],
        attributes: ["batch_axis": .int(1), "time_axis": .int(0)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (input, lengths) = (try context.input(0), try context.input(1))
            try require(input.shape.count >= 2, "the input must have at least two axes, not shape \(input.shape)")
            let (batch, time) = (context.attributes.int("batch_axis")!, context.attributes.int("time_axis")!)
            try require(Set([batch, time]) == [0, 1], "batch and time axis must be 0 and 1, not \(batch) and \(time)")
            try require(lengths.shape == [input.shape[batch]], "\(lengths.shape) sequence lengths for a batch of \(input.shape[batch])")
            return [.known(input)]
        },
        reference: { context throws(OperatorError) in
            let input = try context.input(0)
            let batchFirst = context.attributes.int("batch_axis")! == 0
            let lengths = try context.input(1).integers
            let inner = product(input.shape[2...])
            let steps = input.shape[batchFirst ? 1 : 0]
            for length in lengths { try require(length >= 0 && length <= steps, "a sequence length of \(length) with \(steps) time steps") }
            var runs: [Range<Int>] = []
            for first in 0..<input.shape[0] {
                for second in 0..<input.shape[1] {
                    let (entry, time) = batchFirst ? (first, second) : (second, first)
                    let length = Int(lengths[entry])
                    let source = time < length ? length - 1 - time : time
                    let start = ((batchFirst ? entry : source) * input.shape[1] + (batchFirst ? source : entry)) * inner
                    runs.append(start..<start + inner)
                }
            }
            return [input.gathered(runs: runs, shape: input.shape)]
        }
    ).sampled(reverseSequenceSamples),
]

private func permutation(_ attributes: NodeAttributes, rank: Int) -> [Int] {
    attributes.ints("perm") ?? Array((0..<rank).reversed())
}

/// The four-axis input and the block size of DepthToSpace and SpaceToDepth, checked.
private func blockedImage(_ context: InferenceContext) throws(OperatorError) -> (ConcreteType, Int) {
    let (input, block) = (try context.input(0), context.attributes.int("blocksize") ?? 0)
    try require(input.shape.count == 4, "the input must have four axes, not shape \(input.shape)")
    try require(block > 0, "the block size must be positive, not \(block)")
    let mode = context.attributes.string("mode") ?? ""
    try require(mode == "DCR" || mode == "CRD", "mode must be DCR or CRD, not '\(mode)'")
    return (input, block)
}

/// The size of each output of `Split` along an axis of `total`.
private func splitSizes(_ context: InferenceContext, of total: Int) throws(OperatorError) -> [Int] {
    let count = context.wanted.count
    if let sizes = try context.integers(attribute: "split", before: 13, input: 1) {
        try require(sizes.count == count, "\(sizes.count) sizes for \(count) outputs")
        try require(context.attributes.int("num_outputs") == nil, "both 'split' and 'num_outputs' are given")
        var sum = 0
        for size in sizes {
            try require(size >= 0, "the sizes \(sizes) have a negative entry")
            sum = try added(sum, size)
        }
        try require(sum == total, "the sizes \(sizes) add up to \(sum), but the axis has \(total)")
        return sizes
    }
    try require(count > 0, "the node has no outputs")
    if let named = context.attributes.int("num_outputs") {
        try require(named == count, "num_outputs is \(named), but the node has \(count) outputs")
    }
    if context.version < 18 {
        try require(total % count == 0, "an axis of \(total) cannot be split into \(count) equal parts")
        return Array(repeating: total / count, count: count)
    }
    let size = (total + count - 1) / count
    let last = total - size * (count - 1)
    try require(last >= 0, "an axis of \(total) cannot be split into \(count) parts of \(size)")
    return Array(repeating: size, count: count - 1) + [last]
}

/// Where a slice reads along one axis.
private struct SlicePositions {
    var start: Int
    var step: Int
    var count: Int
}

/// One entry per axis of the input, by NumPy's rules for out-of-range and negative bounds.
private func slicePositions(_ context: InferenceContext) throws(OperatorError) -> [SlicePositions] {
    let shape = try context.input(0).shape
    guard let starts = try context.integers(attribute: "starts", before: 10, input: 1),
        let ends = try context.integers(attribute: "ends", before: 10, input: 2)
    else { throw .invalid("starts or ends are missing") }
    let axes = try normalizedAxes(try context.integers(attribute: "axes", before: 10, input: 3) ?? Array(starts.indices), rank: shape.count)
    let steps = context.version >= 10 && context.has(4) ? try context.integers(4) : Array(repeating: 1, count: starts.count)
    try require(
        starts.count == ends.count && starts.count == axes.count && starts.count == steps.count,
        "\(starts.count) starts, \(ends.count) ends, \(axes.count) axes and \(steps.count) steps do not belong together")
    var positions = shape.map { SlicePositions(start: 0, step: 1, count: $0) }
    for (index, axis) in axes.enumerated() {
        let size = shape[axis]
        try require(steps[index] != 0, "the step of axis \(axis) is zero")
        // A longer step than the axis reads one element at most, as does this one; it cannot overflow.
        let step = min(max(steps[index], -size - 1), size + 1)
        func clamped(_ bound: Int) -> Int {
            let bound = bound < 0 ? bound + size : bound
            return step > 0 ? min(max(bound, 0), size) : min(max(bound, -1), size - 1)
        }
        let (start, end) = (clamped(starts[index]), clamped(ends[index]))
        let count = step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step
        positions[axis] = SlicePositions(start: start, step: step, count: max(count, 0))
    }
    return positions
}

// MARK: Samples

@Sendable private func transposeSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b, c) = (context.size(2...9), 2 * context.size(4...20) + 1, context.size(2...17))
    func of(_ name: String, _ shape: [Int], _ order: [Int64]?) -> Sample {
        Sample(name, [.init(type, shape)], order.map { ["perm": .ints($0)] } ?? [:])
    }
    var samples = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].map { order in
        of("order-\(order.map(String.init).joined())", [a, b, c], order.map(Int64.init))
    }
    samples += [
        of("default", [a, b, c], nil), of("matrix", [b, a], nil), of("vector", [b], nil), of("scalar", [], nil),
        of("empty", [a, 0, c], [2, 0, 1]),
        of("image-to-last", [2, c, 5, 7], [0, 2, 3, 1]), of("image-to-first", [2, 5, 7, c], [0, 3, 1, 2]),
        of("heads", [2, b, 4, 8], [0, 2, 1, 3]),
        of("ones", [1, a, 1, b], [2, 3, 0, 1]), of("rank-6", [2, 3, 1, 2, 3, 2], [5, 3, 1, 0, 2, 4]), of("large", [33, 65], nil),
        of("large-odd", [129, 31], nil),
        // The same volume in another factorisation was given a cached program (tt-metal#55167).
        of("field-factorisation-a", [16, 64], nil),
        Sample("field-factorisation-b", [.init(type, [64, 16])], after: "field-factorisation-a"),
    ]
    return samples
}

@Sendable private func expandSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(2...9), context.size(11...40))
    return
        ([
            ("row", [1, b], [a, b]), ("column", [a, 1], [a, b]), ("scalar", [], [a, b]), ("higher", [b], [2, a, b]),
            ("both", [a, 1], [2, 1, b]),
            ("same", [a, b], [a, b]), ("ones", [a, b], [1, 1]), ("empty", [1, b], [0, b]), ("large", [1, 1, 129], [4, 5, 129]),
            ("to-scalar", [], []),
        ] as [(String, [Int], [Int])]).map { Sample($0.0, [.init(type, $0.1), .vector($0.2)]) }
}

@Sendable private func tileSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(2...9), context.size(11...40))
    return
        ([
            ("first", [a, b], [3, 1]), ("last", [a, b], [1, 2]), ("both", [a, b], [2, 3]), ("none", [a, b], [0, 2]),
            ("ones", [a, b], [1, 1]),
            ("rank-4", [2, 1, 3, a], [1, 4, 2, 1]), ("vector", [b], [7]), ("large", [17, 33], [2, 2]),
        ] as [(String, [Int], [Int])]).map { Sample($0.0, [.init(type, $0.1), .vector($0.2)]) }
}

@Sendable private func concatSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (a, b) = (context.size(2...9), context.size(11...40))
    func of(_ name: String, _ shapes: [[Int]], _ axis: Int64) -> Sample {
        Sample(name, shapes.map { .init(type, $0) }, ["axis": .int(axis)])
    }
    var samples = [
        of("first", [[a, b], [3, b]], 0), of("last", [[a, b], [a, 7]], 1), of("middle", [[2, a, 3], [2, b, 3]], 1), of("one", [[a, b]], 1),
        of("empty", [[a, b], [0, b]], 0), of("many", (1...9).map { [a, $0] }, 1), of("vectors", [[1], [b], [2]], 0),
        of("large", [[17, 65], [17, 33]], 1),
        of("rank-4", [[2, 3, 5, a], [2, 3, 5, 1]], 3),
    ]
    if version >= 11 { samples.append(of("negative", [[a, b], [a, 7]], -1)) }
    return samples
}

@Sendable private func splitSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (a, b) = (context.size(2...9), context.size(11...40))
    func of(_ name: String, _ shape: [Int], _ axis: Int64, _ sizes: [Int]?, outputs: Int) -> Sample {
        var attributes: [String: Attribute] = ["axis": .int(axis)]
        if let sizes, version < 13 { attributes["split"] = .ints(sizes.map(Int64.init)) }
        if sizes == nil, version >= 18 { attributes["num_outputs"] = .int(Int64(outputs)) }
        let inputs: [Sample.Tensor?] = [.init(type, shape)] + (version >= 13 && sizes != nil ? [.vector(sizes!)] : [])
        return Sample(name, inputs, attributes, wanted: [Bool](repeating: true, count: outputs))
    }
    var samples = [
        of("equal", [4 * a, 5], 0, nil, outputs: 4), of("equal-last", [a, 6], 1, nil, outputs: 3),
        of("sizes", [a, b + 4], 1, [1, b, 3], outputs: 3),
        of("one", [a, b], 1, [b], outputs: 1), of("middle", [2, a + 2, 3], 1, [2, a], outputs: 2),
        of("large", [33, 130], 1, [65, 1, 64], outputs: 3),
    ]
    if version >= 11 { samples.append(of("negative", [a, b + 1], -1, [1, b], outputs: 2)) }
    if version >= 13 { samples.append(of("with-empty", [a, b], 1, [0, b], outputs: 2)) }
    if version >= 18 { samples.append(of("uneven", [a, 10], 1, nil, outputs: 4)) }
    return samples
}

@Sendable private func sliceSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (a, b) = (context.size(5...9), context.size(15...40))
    func of(_ name: String, _ shape: [Int], _ starts: [Int], _ ends: [Int], _ axes: [Int]? = nil, _ steps: [Int]? = nil) -> Sample {
        if version < 10 {
            var attributes: [String: Attribute] = ["starts": .ints(starts.map(Int64.init)), "ends": .ints(ends.map(Int64.init))]
            if let axes { attributes["axes"] = .ints(axes.map(Int64.init)) }
            return Sample(name, [.init(type, shape)], attributes)
        }
        return Sample(
            name, [.init(type, shape), .vector(starts), .vector(ends), axes.map { .vector($0) }, steps.map { .vector($0) }].trimmed)
    }
    var samples = [
        of("both", [a, b], [1, 2], [a - 1, b - 2]), of("one-axis", [a, b], [3], [b], [1]), of("from-end", [a, b], [-4, -9], [-1, -2]),
        of("beyond", [a, b], [2, 3], [1000, 1000]), of("largest-end", [a, b], [1, 1], [1 << 53, b], [0, 1]),
        of("empty", [a, b], [3, 3], [3, b]),
        of("rank-4", [2, a, 3, b], [1, 2], [a, b], [1, 3]), of("large", [40, 129], [3, 1], [40, 128]),
    ]
    if version >= 10 {
        samples += [
            of("steps", [a, b], [0, 1], [a, b], [0, 1], [2, 3]), of("reversed", [a, b], [a, b], [-1000, -1000], [0, 1], [-1, -1]),
            of("backwards", [a, b], [-1], [0], [1], [-2]), of("axes-swapped", [a, b], [2, 1], [b, a], [1, 0]),
            of("long-step", [a, b], [1], [b], [1], [1000]),
        ]
    }
    if version >= 11 { samples.append(of("negative-axes", [2, a, b], [1, 2], [a, b], [-2, -1])) }
    return samples
}

@Sendable private func triluSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(3...9), context.size(11...20))
    var samples: [Sample] = []
    for (side, upper) in [("upper", Int64(1)), ("lower", 0)] {
        samples.append(Sample("\(side)-default", [.init(type, [a, b])], ["upper": .int(upper)]))
        for k in [-30, -2, 0, 1, 3, 30] {
            samples.append(Sample("\(side)-\(k)", [.init(type, [2, b, a]), .scalar(.int64, Double(k))], ["upper": .int(upper)]))
        }
        samples.append(Sample("\(side)-large", [.init(type, [33, 65])], ["upper": .int(upper)]))
    }
    return samples
}

@Sendable private func depthToSpaceSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let modes = context.version >= 11 ? ["DCR", "CRD"] : [nil]
    return modes.flatMap { mode in
        ([("two", [1, 8, 3, 5], 2), ("three", [2, 18, 2, 3], 3), ("one", [2, 3, 4, 5], 1), ("large", [2, 16, 9, 7], 4)]
            as [(String, [Int], Int64)]).map {
                Sample(
                    "\($0.0)\(mode.map { "-" + $0 } ?? "")", [.init(type, $0.1)],
                    ["blocksize": .int($0.2)].merging(mode.map { ["mode": .string($0)] } ?? [:]) { $1 })
            }
    }
}

@Sendable private func spaceToDepthSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return
        ([("two", [1, 3, 4, 6], 2), ("three", [2, 2, 6, 9], 3), ("one", [2, 3, 4, 5], 1), ("large", [2, 4, 16, 12], 4)]
        as [(String, [Int], Int64)]).map {
            Sample($0.0, [.init(type, $0.1)], ["blocksize": .int($0.2)])
        }
}

@Sendable private func reverseSequenceSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(3...9), context.size(5...20))
    return [
        Sample("time-first", [.init(type, [a, b]), .init(.int64, [b], .integers(1...Int64(a)))]),
        Sample(
            "batch-first", [.init(type, [b, a]), .init(.int64, [b], .integers(1...Int64(a)))],
            ["batch_axis": .int(0), "time_axis": .int(1)]),
        Sample("inner", [.init(type, [a, 4, 3]), .init(.int64, [4], .integers(1...Int64(a)))]),
        Sample("large", [.init(type, [17, 65]), .init(.int64, [65], .integers(1...17))]),
    ]
}

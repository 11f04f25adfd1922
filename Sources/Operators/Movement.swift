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
        }),
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
        reference: { context throws(OperatorError) in [try context.input(0).broadcast(to: context.output(0).shape)] }),
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
        }),
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
        }),
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
        }),
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
        }),
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
        }),
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
        }),
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
        }),
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
        }),
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

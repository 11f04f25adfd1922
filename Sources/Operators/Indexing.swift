// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators that read or write at places named by an index tensor.
let indexingOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Gather", since: [1, 11, 13], "(data: T, indices: Tind) -> (output: T)", types: ["T": .any, "Tind": .indices],
        attributes: ["axis": .int(0)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (data, indices) = (try context.input(0), try context.input(1))
            let axis = try context.axis(context.attributes.int("axis")!, rank: data.shape.count)
            return [.tensor(data.dataType, try possible(data.shape[..<axis] + indices.shape + data.shape[(axis + 1)...]))]
        },
        reference: { context throws(OperatorError) in
            let (data, indices) = (try context.input(0), try context.input(1).integers)
            let axis = try normalizedAxis(context.attributes.int("axis")!, rank: data.shape.count)
            let (size, inner) = (data.shape[axis], product(data.shape[(axis + 1)...]))
            var rows: [Int] = []
            for index in indices { rows.append(try position(index, size: size) * inner) }
            var runs: [Range<Int>] = []
            for outer in 0..<product(data.shape[..<axis]) {
                for row in rows { runs.append(outer * size * inner + row..<outer * size * inner + row + inner) }
            }
            return [data.gathered(runs: runs, shape: context.output(0).shape)]
        }
    ).sampled(gatherSamples),
    OperatorDefinition(
        "GatherElements", since: [11, 13], "(data: T, indices: Tind) -> (output: T)", types: ["T": .any, "Tind": .indices],
        attributes: ["axis": .int(0)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let data = try context.input(0)
            return [.tensor(data.dataType, try elementIndices(context, of: data).shape)]
        },
        reference: { context throws(OperatorError) in
            let (data, indices) = (try context.input(0), try context.input(1))
            return [data.gathered(try elementPositions(context.attributes, indices, in: data.shape), shape: indices.shape)]
        }
    ).sampled(gatherElementsSamples),
    OperatorDefinition(
        "GatherND", since: [11, 12, 13], "(data: T, indices: int64) -> (output: T)", types: ["T": .any],
        attributes: ["batch_dims": .int(0)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (data, indices) = (try context.input(0), try context.input(1))
            let batch = context.attributes.int("batch_dims")!
            try require(
                batch >= 0 && batch < indices.shape.count && batch < data.shape.count
                    && indices.shape[..<batch] == data.shape[..<batch],
                "\(batch) batch axes do not fit data of shape \(data.shape) and indices of shape \(indices.shape)")
            let depth = indices.shape[indices.shape.count - 1]
            try require(depth >= 1 && depth <= data.shape.count - batch, "indices of \(depth) entries into shape \(data.shape)")
            return [.tensor(data.dataType, try possible(indices.shape.dropLast() + data.shape[(batch + depth)...]))]
        },
        reference: { context throws(OperatorError) in
            let (data, indices) = (try context.input(0), try context.input(1))
            let starts = try tuplePositions(indices, in: data.shape, batch: context.attributes.int("batch_dims")!)
            return [data.gathered(runs: starts.runs, shape: context.output(0).shape)]
        }
    ).sampled(gatherNDSamples),
    OperatorDefinition(
        "Scatter", since: [9, 11], "(data: T, indices: Tind, updates: T) -> (output: T)", types: ["T": .any, "Tind": .indices],
        attributes: ["axis": .int(0)], numericClass: .movement, infer: inferScatterElements, reference: scatterElements
    ).sampled(scatterElementsSamples),
    OperatorDefinition(
        "ScatterElements", since: [11, 13, 16, 18], "(data: T, indices: Tind, updates: T) -> (output: T)",
        types: ["T": .any, "Tind": .indices], attributes: ["axis": .int(0), "reduction": .string("none")], numericClass: .dot,
        infer: inferScatterElements, reference: scatterElements
    ).sampled(scatterElementsSamples).summing({ context in 1 + (context.inputs[1]?.count ?? 1) }),
    OperatorDefinition(
        "ScatterND", since: [11, 13, 16, 18], "(data: T, indices: int64, updates: T) -> (output: T)", types: ["T": .any],
        attributes: ["reduction": .string("none")], numericClass: .dot,
        infer: { context throws(OperatorError) in
            let (data, indices, updates) = (try context.input(0), try context.input(1), try context.input(2))
            try require(!indices.shape.isEmpty, "the indices are a scalar")
            let depth = indices.shape[indices.shape.count - 1]
            try require(depth >= 1 && depth <= data.shape.count, "indices of \(depth) entries into shape \(data.shape)")
            try require(
                updates.shape == indices.shape.dropLast() + data.shape[depth...],
                "updates of shape \(updates.shape) do not fit data of shape \(data.shape) and indices of shape \(indices.shape)")
            try checkReduction(context.attributes, of: data.dataType)
            return [.known(data)]
        },
        reference: { context throws(OperatorError) in
            let data = try context.input(0)
            let starts = try tuplePositions(try context.input(1), in: data.shape, batch: 0)
            let reduction = context.attributes.string("reduction")!
            return [data.scattering(try context.input(2), at: starts.runs.flatMap { Array($0) }, reduction: reduction)]
        }
    ).sampled(scatterNDSamples).summing({ context in 1 + (context.inputs[1]?.count ?? 1) }),
    OperatorDefinition(
        "TensorScatter", since: [24], "(past_cache: T, update: T, write_indices?: int64) -> (present_cache: T)", types: ["T": .any],
        attributes: ["axis": .int(-2), "mode": .string("linear")], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (cache, update) = (try context.input(0), try context.input(1))
            let axis = try context.axis(context.attributes.int("axis")!, rank: cache.shape.count)
            try require(axis > 0, "axis 0 is the batch and cannot be the sequence")
            try require(
                update.shape.count == cache.shape.count
                    && update.shape.indices.allSatisfy {
                        $0 == axis ? update.shape[$0] <= cache.shape[$0] : update.shape[$0] == cache.shape[$0]
                    },
                "an update of shape \(update.shape) does not fit a cache of shape \(cache.shape) along axis \(axis)")
            if context.has(2) {
                let indices = try context.input(2)
                try require(indices.shape == [cache.shape[0]], "\(indices.shape) write indices for a batch of \(cache.shape[0])")
            }
            let mode = context.attributes.string("mode") ?? ""
            try require(mode == "linear" || mode == "circular", "mode '\(mode)' is unknown")
            return [.known(cache)]
        },
        reference: { context throws(OperatorError) in
            let (cache, update) = (try context.input(0), try context.input(1))
            let axis = try normalizedAxis(context.attributes.int("axis")!, rank: cache.shape.count)
            let isCircular = context.attributes.string("mode") == "circular"
            let (size, length, inner) = (cache.shape[axis], update.shape[axis], product(cache.shape[(axis + 1)...]))
            let starts = context.has(2) ? try context.input(2).integers : Array(repeating: 0, count: cache.shape[0])
            let perEntry = product(cache.shape[1..<axis])
            var targets: [Int] = []
            for (entry, start) in starts.enumerated() where length > 0 {
                try require(
                    start >= 0 && (isCircular || start <= Int64(size - length)),
                    "\(length) elements from write index \(start) leave a cache of \(size)")
                for outer in entry * perEntry..<(entry + 1) * perEntry {
                    for step in 0..<length {
                        let row = outer * size + (Int(start) % size + step) % size
                        targets.append(contentsOf: row * inner..<(row + 1) * inner)
                    }
                }
            }
            return [cache.scattering(update, at: targets, reduction: "none")]
        }
    ).sampled(tensorScatterSamples),
]

/// `index` counted from the front. Throws if it is outside `-size ..< size`.
private func position(_ index: Int64, size: Int) throws(OperatorError) -> Int {
    let result = index < 0 ? Int(index) + size : Int(index)
    guard result >= 0, result < size else { throw .invalid("index \(index) is outside an axis of \(size)") }
    return result
}

/// The index tensor of GatherElements and ScatterElements, checked against the data.
private func elementIndices(_ context: InferenceContext, of data: ConcreteType) throws(OperatorError) -> ConcreteType {
    let indices = try context.input(1)
    let axis = try context.axis(context.attributes.int("axis")!, rank: data.shape.count)
    try require(
        indices.shape.count == data.shape.count && data.shape.indices.allSatisfy { $0 == axis || indices.shape[$0] <= data.shape[$0] },
        "indices of shape \(indices.shape) do not fit data of shape \(data.shape) along axis \(axis)")
    return indices
}

/// The flat position in the data that each element of an index tensor names.
private func elementPositions(_ attributes: NodeAttributes, _ indices: ReferenceTensor, in shape: [Int]) throws(OperatorError) -> [Int] {
    let axis = try normalizedAxis(attributes.int("axis")!, rank: shape.count)
    var strides = denseStrides(shape)
    let step = strides[axis]
    strides[axis] = 0
    var positions = stridedIndices(shape: indices.shape, strides: strides)
    for (element, index) in indices.integers.enumerated() { positions[element] += try position(index, size: shape[axis]) * step }
    return positions
}

/// The stretch of the data that each tuple of GatherND's and ScatterND's indices names.
private func tuplePositions(_ indices: ReferenceTensor, in shape: [Int], batch: Int) throws(OperatorError) -> (
    runs: [Range<Int>], length: Int
) {
    let depth = indices.shape[indices.shape.count - 1]
    let strides = denseStrides(shape)
    let length = product(shape[(batch + depth)...])
    let tuples = product(indices.shape.dropLast())
    let perBatch = tuples / max(product(indices.shape[..<batch]), 1)
    let batchStride = product(shape[batch...])
    let values = indices.integers
    var runs: [Range<Int>] = []
    runs.reserveCapacity(tuples)
    for tuple in 0..<tuples {
        var start = batch == 0 ? 0 : tuple / perBatch * batchStride
        for entry in 0..<depth {
            start += try position(values[tuple * depth + entry], size: shape[batch + entry]) * strides[batch + entry]
        }
        runs.append(start..<start + length)
    }
    return (runs, length)
}

private func inferScatterElements(_ context: InferenceContext) throws(OperatorError) -> [InferredOutput] {
    let (data, updates) = (try context.input(0), try context.input(2))
    let indices = try elementIndices(context, of: data)
    try require(updates.shape == indices.shape, "updates of shape \(updates.shape) for indices of shape \(indices.shape)")
    try checkReduction(context.attributes, of: data.dataType)
    return [.known(data)]
}

private func scatterElements(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
    let data = try context.input(0)
    let positions = try elementPositions(context.attributes, try context.input(1), in: data.shape)
    return [data.scattering(try context.input(2), at: positions, reduction: context.attributes.string("reduction") ?? "none")]
}

private func checkReduction(_ attributes: NodeAttributes, of type: DataType) throws(OperatorError) {
    let reduction = attributes.string("reduction") ?? "none"
    try require(["none", "add", "mul", "min", "max"].contains(reduction), "reduction '\(reduction)' is unknown")
    if reduction != "none", type.kind == .string || type.kind == .complex {
        throw .unsupported("reduction '\(reduction)' is not defined for \(type.name)")
    }
}

extension ReferenceTensor {
    /// This tensor with `updates` written, in order, to the flat positions `targets`.
    fileprivate func scattering(_ updates: ReferenceTensor, at targets: [Int], reduction: String) -> ReferenceTensor {
        var result = self
        switch (elements, updates.elements) {
        case (.floats(var values), .floats(let new)):
            scatter(new, into: &values, at: targets, floatReduction(reduction))
            result.elements = .floats(values)
        case (.integers(var values), .integers(let new)):
            scatter(new, into: &values, at: targets, integerReduction(reduction, isUnsigned: dataType == .uint64))
            result.elements = .integers(values)
        case (.strings(var values), .strings(let new)):
            scatter(new, into: &values, at: targets) { $1 }
            result.elements = .strings(values)
        case (.complex(var values), .complex(let new)):
            scatter(new, into: &values, at: targets.flatMap { [2 * $0, 2 * $0 + 1] }) { $1 }
            result.elements = .complex(values)
        default: break
        }
        return result
    }
}

private func scatter<Element>(_ new: [Element], into values: inout [Element], at targets: [Int], _ combine: (Element, Element) -> Element) {
    for (value, target) in zip(new, targets) { values[target] = combine(values[target], value) }
}

/// NaN wins in minimum and maximum, as in NumPy.
private func floatReduction(_ name: String) -> (Double, Double) -> Double {
    switch name {
    case "add": { $0 + $1 }
    case "mul": { $0 * $1 }
    case "min": { $0.isNaN || $0 < $1 ? $0 : $1 }
    case "max": { $0.isNaN || $0 > $1 ? $0 : $1 }
    default: { $1 }
    }
}

private func integerReduction(_ name: String, isUnsigned: Bool) -> (Int64, Int64) -> Int64 {
    func isLess(_ left: Int64, _ right: Int64) -> Bool { isUnsigned ? UInt64(bitPattern: left) < UInt64(bitPattern: right) : left < right }
    return switch name {
    case "add": { $0 &+ $1 }
    case "mul": { $0 &* $1 }
    case "min": { isLess($1, $0) ? $1 : $0 }
    case "max": { isLess($0, $1) ? $1 : $0 }
    default: { $1 }
    }
}

// MARK: Samples

@Sendable private func gatherSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (a, b) = (context.size(3...9), context.size(11...40))
    func of(_ name: String, _ shape: [Int], _ indices: [Int], _ axis: Int, _ indexType: DataType = .int64, negative: Bool = false) -> Sample
    {
        let size = Int64(shape[axis < 0 ? axis + shape.count : axis])
        return Sample(
            name, [.init(type, shape), .init(indexType, indices, .integers((negative ? -size : 0)...(size - 1)))],
            ["axis": .int(Int64(axis))])
    }
    var samples = [
        of("rows", [a, b], [5], 0), of("columns", [a, b], [7], 1), of("scalar-index", [a, b], [], 0),
        of("matrix-index", [a, b], [2, 3], 0),
        of("middle", [2, b, 3], [4], 1), of("int32", [a, b], [5], 0, .int32), of("vector", [b], [9], 0), of("empty-index", [a, b], [0], 0),
        of("large", [129, 33], [65], 0), of("large-last", [17, 129], [65], 1),
    ]
    if version >= 11 { samples += [of("negative-index", [a, b], [6], 0, negative: true), of("negative-axis", [a, b], [5], -1)] }
    return samples
}

@Sendable private func gatherElementsSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(3...9), context.size(11...40))
    func of(_ name: String, _ shape: [Int], _ indices: [Int], _ axis: Int, _ indexType: DataType = .int64) -> Sample {
        let size = Int64(shape[axis < 0 ? axis + shape.count : axis])
        return Sample(name, [.init(type, shape), .init(indexType, indices, .integers(-size...(size - 1)))], ["axis": .int(Int64(axis))])
    }
    return [
        of("first", [a, b], [2, b], 0), of("last", [a, b], [a, 5], 1), of("negative", [2, a, b], [2, a, 3], -1),
        of("shorter", [a, b], [1, 1], 0),
        of("int32", [a, b], [a, b], 1, .int32), of("large", [33, 65], [33, 65], 1), of("empty", [a, b], [0, b], 0),
    ]
}

@Sendable private func gatherNDSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let a = context.size(3...9)
    func of(_ name: String, _ shape: [Int], _ indices: [Int], batch: Int64 = 0) -> Sample {
        let least = Int64(shape.dropFirst(Int(batch)).prefix(indices.last!).min() ?? 1)
        return Sample(
            name, [.init(type, shape), .init(.int64, indices, .integers(-least...(least - 1)))],
            batch == 0 ? [:] : ["batch_dims": .int(batch)])
    }
    var samples = [
        of("elements", [a, 7], [5, 2]), of("rows", [a, 7], [4, 1]), of("blocks", [a, 5, 6], [2, 3, 2]), of("one", [a], [1]),
        of("large", [33, 17, 5], [40, 9, 2]),
    ]
    if version >= 12 { samples += [of("batch", [3, a, 7], [3, 4, 1], batch: 1), of("batch-two", [2, 3, a, 4], [2, 3, 2], batch: 2)] }
    return samples
}

@Sendable private func scatterElementsSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (a, b) = (context.size(3...9), context.size(11...40))
    func of(_ name: String, _ shape: [Int], _ axis: Int64, _ indices: Sample.Tensor, _ reduction: String? = nil) -> Sample {
        Sample(
            name, [.init(type, shape), indices, .init(type, indices.shape)],
            ["axis": .int(axis)].merging(reduction.map { ["reduction": .string($0)] } ?? [:]) { $1 })
    }
    // Without a reduction an index may come once only; along a line of one element each it does.
    var samples = [
        of("once", [b], 0, .init(.int64, [b], .permutation)),
        of("one-row", [a, b], 0, .init(.int64, [1, b], .integers(0...Int64(a - 1)))),
        of("one-column", [a, b], 1, .init(.int64, [a, 1], .integers(0...Int64(b - 1)))),
        of("int32", [b], 0, .init(.int32, [b], .permutation)),
        of("large", [65, 33], 0, .init(.int64, [1, 33], .integers(0...64))),
    ]
    if version >= 11 { samples.append(of("negative", [a, b], -1, .init(.int64, [a, 1], .integers(Int64(-b)...Int64(b - 1))))) }
    let reductions = version >= 18 ? ["add", "mul", "max", "min"] : version >= 16 ? ["add", "mul"] : []
    for reduction in reductions where type != .bool && type.bits >= 8 && (type.isInteger || addsUp(type)) {
        samples.append(of("\(reduction)-repeated", [a, 5], 0, .init(.int64, [12, 5], .integers(0...Int64(a - 1))), reduction))
        samples.append(of("\(reduction)-large", [17, 65], 1, .init(.int64, [17, 40], .integers(0...64)), reduction))
    }
    return samples
}

/// Reductions are for numbers that add up: not for the 8-bit floats.
private func addsUp(_ type: DataType) -> Bool { [.float16, .bfloat16, .float32, .float64].contains(type) }

@Sendable private func scatterNDSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let a = context.size(5...12)
    func of(_ name: String, _ shape: [Int], _ indices: Sample.Tensor, _ updates: [Int], _ reduction: String? = nil) -> Sample {
        Sample(name, [.init(type, shape), indices, .init(type, updates)], reduction.map { ["reduction": .string($0)] } ?? [:])
    }
    var samples = [
        of("rows", [a, 7], .init(.int64, [a, 1], .permutation), [a, 7]),
        of("one-element", [a, 7], .init(.int64, [1, 2], .integers(0...4)), [1]),
        of("vector", [a], .init(.int64, [a, 1], .permutation), [a]),
        of("large", [65, 33], .init(.int64, [65, 1], .permutation), [65, 33]),
    ]
    let reductions = version >= 18 ? ["add", "mul", "max", "min"] : version >= 16 ? ["add", "mul"] : []
    for reduction in reductions where type != .bool && type.bits >= 8 && (type.isInteger || addsUp(type)) {
        samples.append(of("\(reduction)-repeated", [a, 7], .init(.int64, [20, 1], .integers(0...Int64(a - 1))), [20, 7], reduction))
        samples.append(of("\(reduction)-elements", [a, 7], .init(.int64, [30, 2], .integers(0...4)), [30], reduction))
    }
    return samples
}

@Sendable private func tensorScatterSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let a = context.size(4...9)
    return [
        Sample("linear", [.init(type, [2, 3, a, 5]), .init(type, [2, 3, 2, 5]), .init(.int64, [2], .integers(0...Int64(a - 2)))]),
        Sample("default", [.init(type, [2, 3, a, 5]), .init(type, [2, 3, 2, 5])]),
        Sample(
            "circular", [.init(type, [2, 3, a, 5]), .init(type, [2, 3, 3, 5]), .init(.int64, [2], .integers(0...Int64(a - 1)))],
            ["mode": .string("circular")]),
        Sample("large", [.init(type, [2, 4, 33, 9]), .init(type, [2, 4, 5, 9]), .init(.int64, [2], .integers(0...20))]),
        Sample("rank-3", [.init(type, [3, a, 5]), .init(type, [3, 1, 5]), .init(.int64, [3], .integers(0...Int64(a - 1)))]),
    ]
}

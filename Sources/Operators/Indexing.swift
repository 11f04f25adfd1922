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
        }),
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
        }),
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
        }),
    OperatorDefinition(
        "Scatter", since: [9, 11], "(data: T, indices: Tind, updates: T) -> (output: T)", types: ["T": .any, "Tind": .indices],
        attributes: ["axis": .int(0)], numericClass: .movement, infer: inferScatterElements, reference: scatterElements),
    OperatorDefinition(
        "ScatterElements", since: [11, 13, 16, 18], "(data: T, indices: Tind, updates: T) -> (output: T)",
        types: ["T": .any, "Tind": .indices], attributes: ["axis": .int(0), "reduction": .string("none")], numericClass: .dot,
        infer: inferScatterElements, reference: scatterElements),
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
        }),
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
        }),
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

import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Reductions over a set of axes.
let reductionOperators: [OperatorDefinition] = [
    reduction(
        "ReduceSum", since: [1, 11, 13], axesAreInputSince: 13, numericClass: .sum, float: Fold(from: 0) { $0 + $1 },
        integer: { _ in Fold(from: 0) { $0 &+ $1 } }
    )
    .differentiated { g, given throws(OperatorError) in [try Reduced(g, inputVersion: 13).spread(given.gradient())] },
    reduction(
        "ReduceMean", since: [1, 11, 13, 18], numericClass: .sum, float: Fold(from: 0, finish: { $0 / Double($1) }) { $0 + $1 },
        integer: { type in Fold(from: 0, finish: { truncatingMean($0, $1, of: type) }) { $0 &+ $1 } }
    )
    .decomposing { g throws(OperatorError) in
        let data = try Reduced(g)
        guard data.x.type.dataType.isFloat || data.length > 0 else { throw .unsupported("the mean of no integers is told by the whole") }
        return [try data.sum() / Double(data.length)]
    }
    .differentiated { g, given throws(OperatorError) in
        let data = try Reduced(g)
        return [try data.spread(given.gradient() / Double(data.length))]
    },
    reduction(
        "ReduceProd", since: [1, 11, 13, 18], numericClass: .product, float: Fold(from: 1) { $0 * $1 },
        integer: { _ in Fold(from: 1) { $0 &* $1 } }),
    reduction(
        "ReduceL1", since: [1, 11, 13, 18], numericClass: .sum, float: Fold(from: 0) { $0 + abs($1) },
        integer: { type in type == .uint64 ? Fold(from: 0) { $0 &+ $1 } : Fold(from: 0) { $0 &+ ($1 < 0 ? 0 &- $1 : $1) } }
    )
    .decomposing { g throws(OperatorError) in
        let data = try Reduced(g)
        return [try data.sum(of: g("Abs", data.x))]
    },
    reduction(
        "ReduceL2", since: [1, 11, 13, 18], numericClass: .composite,
        float: Fold(from: 0, finish: { sum, _ in sum.squareRoot() }) { $0 + $1 * $1 }
    )
    .decomposing { g throws(OperatorError) in
        let data = try Reduced(g, floatsOnly: true)
        return [try g("Sqrt", data.sum(of: data.x * data.x))]
    },
    reduction(
        "ReduceSumSquare", since: [1, 11, 13, 18], numericClass: .dot, float: Fold(from: 0) { $0 + $1 * $1 },
        integer: { _ in Fold(from: 0) { $0 &+ $1 &* $1 } }
    )
    .decomposing { g throws(OperatorError) in
        let data = try Reduced(g)
        return [try data.sum(of: data.x * data.x)]
    },
    reduction(
        "ReduceLogSum", since: [1, 11, 13, 18, 28], numericClass: .composite,
        float: Fold(from: 0, finish: { sum, _ in log(sum) }) { $0 + $1 }
    )
    .decomposing { g throws(OperatorError) in [try g("Log", Reduced(g, floatsOnly: true).sum())] },
    reduction("ReduceLogSumExp", since: [1, 11, 13, 18, 28], numericClass: .softmax, float: nil)
        .decomposing { g throws(OperatorError) in
            let data = try Reduced(g, floatsOnly: true)
            let greatest = try data.x.reduced("ReduceMax", data.axes)
            // An infinite maximum is no shift: infinity − infinity would be NaN.
            let shift = try g("IsInf", greatest).choose(greatest.same(0), greatest)
            let sums = try g("Exp", data.x - shift).reduced("ReduceSum", data.axes)
            return [try (g("Log", sums) + shift).reshaped(data.shape)]
        },
    reduction(
        "ReduceMax", since: [1, 11, 12, 13, 18, 20], types: [reducible, TypeSet(.int8, .uint8, .bool)], numericClass: .movement,
        float: Fold(from: -.infinity, propagatingMaximum),
        integer: { type in
            let lowest = type.integerLimits.lower
            return type == .uint64
                ? Fold(from: lowest) { UInt64(bitPattern: $1) > UInt64(bitPattern: $0) ? $1 : $0 } : Fold(from: lowest) { max($0, $1) }
        }),
    reduction(
        "ReduceMin", since: [1, 11, 12, 13, 18, 20], types: [reducible, TypeSet(.int8, .uint8, .bool)], numericClass: .movement,
        float: Fold(from: .infinity, propagatingMinimum),
        integer: { type in
            let highest = type.integerLimits.upper
            return type == .uint64
                ? Fold(from: highest) { UInt64(bitPattern: $1) < UInt64(bitPattern: $0) ? $1 : $0 } : Fold(from: highest) { min($0, $1) }
        }
    )
    .decomposing { g throws(OperatorError) in
        guard try g.input(0).type.dataType.isFloat else { throw .unsupported("the lowest integer has no negative") }
        let data = try Reduced(g)
        return [try -(-data.x).reduced("ReduceMax", data.axes).reshaped(data.shape)]
    },
]

/// What the decompositions and gradients of reductions start from.
private struct Reduced {
    let x: Term
    /// Counted from the front.
    let axes: [Int]
    /// Of the output.
    let shape: [Int]

    init(_ g: FragmentBuilder, floatsOnly: Bool = false, inputVersion: Int = 18) throws(OperatorError) {
        x = try g.wide(0)
        if floatsOnly, !x.type.dataType.isFloat { throw .unsupported("integers go through float64") }
        axes = try reducedAxes(g.inference, inputVersion: inputVersion).sorted()
        let (axes, keeps) = (axes, g.attributes.flag("keepdims"))
        shape = x.shape.enumerated().compactMap { axes.contains($0) ? keeps ? 1 : nil : $1 }
    }

    /// How many elements become one.
    var length: Int { product(axes.map { x.shape[$0] }) }

    func sum(of terms: Term? = nil) throws(OperatorError) -> Term { try (terms ?? x).reduced("ReduceSum", axes).reshaped(shape) }

    /// A gradient of the output, for every element that went into it.
    func spread(_ gradient: Term) throws(OperatorError) -> Term {
        let kept = x.shape.enumerated().map { axes.contains($0) ? 1 : $1 }
        return try x.builder("Expand", gradient.reshaped(kept), x.builder.constant(x.shape))
    }
}

private let reducible: TypeSet = [.floats, TypeSet(.int32, .int64, .uint32, .uint64)]

/// How a set of elements becomes one: start, step, and a last touch that also gets their number.
private struct Fold<Element: Sendable>: Sendable {
    let start: Element
    let finish: (@Sendable (Element, Int) -> Element)?
    let step: @Sendable (Element, Element) -> Element

    init(
        from start: Element, finish: (@Sendable (Element, Int) -> Element)? = nil,
        _ step: @escaping @Sendable (Element, Element) -> Element
    ) {
        self.start = start
        self.finish = finish
        self.step = step
    }

    /// Folds `values` of `shape` over the axes where `kept` has 1 instead of the shape's size, in row-major order.
    func callAsFunction(_ values: [Element], _ shape: [Int], into kept: [Int]) -> [Element] {
        let count = elementCount(kept) ?? 0
        var result = [Element](repeating: start, count: count)
        let walk = BroadcastWalk(shape: shape, operands: [shape, kept])
        result.withUnsafeMutableBufferPointer { result in
            values.withUnsafeBufferPointer { values in
                walk.forEachRow { start, offsets in
                    if walk.rowStrides[1] == 0 {
                        var sum = result[offsets[1]]
                        for index in start..<(start + walk.rowLength) { sum = step(sum, values[index]) }
                        result[offsets[1]] = sum
                    } else {
                        for index in 0..<walk.rowLength {
                            result[offsets[1] + index] = step(result[offsets[1] + index], values[start + index])
                        }
                    }
                }
            }
        }
        if let finish, count > 0 {
            let size = values.count / count
            for index in result.indices { result[index] = finish(result[index], size) }
        }
        return result
    }
}

/// - Parameters:
///   - float: nil for ReduceLogSumExp, which needs two passes.
///   - integer: nil where integers go through float64 and are truncated.
private func reduction(
    _ name: String, since: [Int], axesAreInputSince inputVersion: Int = 18, types: TypeSet = reducible, numericClass: NumericClass,
    float: Fold<Double>?, integer: (@Sendable (DataType) -> Fold<Int64>)? = nil
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: since, "(data: T, axes?: int64) -> (reduced: T)", types: ["T": types],
        attributes: ["axes": .optional(.ints), "keepdims": .int(1), "noop_with_empty_axes": .int(0)], numericClass: numericClass,
        infer: { context throws(OperatorError) in
            let data = try context.input(0)
            let axes = try reducedAxes(context, inputVersion: inputVersion)
            let keepsDimensions = context.attributes.flag("keepdims")
            let shape = data.shape.enumerated().compactMap { axes.contains($0) ? keepsDimensions ? 1 : nil : $1 }
            return [.tensor(data.dataType, try possible(shape))]
        },
        reference: { context throws(OperatorError) in
            let data = try context.input(0)
            let axes = try reducedAxes(context.inference, inputVersion: inputVersion)
            let kept = data.shape.enumerated().map { axes.contains($0) ? 1 : $1 }
            let shape = context.output(0).shape
            if case .integers(let values) = data.elements, let integer {
                return [ReferenceTensor(data.dataType, shape, .integers(integer(data.dataType)(values, data.shape, into: kept)))]
            }
            let values = data.floats
            let result = float.map { $0(values, data.shape, into: kept) } ?? logSumExp(values, data.shape, into: kept)
            if data.dataType.isFloat { return [ReferenceTensor(data.dataType, shape, .floats(result))] }
            return [ReferenceTensor(data.dataType, shape, .integers(result.map(data.dataType.integer(truncating:))))]
        }
    ).sampled(reductionSamples(axesAreInputSince: inputVersion)).summing { context in
        max((context.inputs.first.flatMap { $0?.count } ?? 1) / max(elementCount(context.output(0).shape) ?? 1, 1), 1)
    }
}

/// The axes to reduce, as an attribute or, later, as an input. None given means all, or none at all with `noop_with_empty_axes`.
private func reducedAxes(_ context: InferenceContext, inputVersion: Int) throws(OperatorError) -> [Int] {
    let rank = try context.input(0).shape.count
    let axes = try context.integers(attribute: "axes", before: inputVersion, input: 1) ?? []
    if axes.isEmpty { return context.attributes.flag("noop_with_empty_axes") ? [] : Array(0..<rank) }
    return try normalizedAxes(axes, rank: rank)
}

private func logSumExp(_ values: [Double], _ shape: [Int], into kept: [Int]) -> [Double] {
    let greatest = Fold(from: -.infinity, propagatingMaximum)(values, shape, into: kept)
    // An infinite maximum is no shift: infinity − infinity would be NaN.
    let shifts = greatest.map { $0.isFinite ? $0 : 0 }
    let shifted = broadcastMap(values, shape, shifts, kept, shape: shape) { exp($0 - $1) }
    let sums = Fold(from: 0) { $0 + $1 }(shifted, shape, into: kept)
    return zip(sums, shifts).map { log($0) + $1 }
}

private func truncatingMean(_ sum: Int64, _ count: Int, of type: DataType) -> Int64 {
    if count == 0 { return 0 }
    return type == .uint64 ? Int64(bitPattern: UInt64(bitPattern: sum) / UInt64(count)) : sum / Int64(count)
}

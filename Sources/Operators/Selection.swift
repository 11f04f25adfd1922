// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators whose output's shape depends on the data.
let selectionOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Compress", since: [9, 11, 28], "(input: T, condition: bool) -> (output: T)", types: ["T": .any],
        attributes: ["axis": .optional(.int)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (input, condition) = (try context.input(0), try context.input(1))
            try require(condition.shape.count == 1, "the condition must have one axis, not shape \(condition.shape)")
            guard let axis = context.attributes.int("axis") else {
                return [.bounded(input.dataType, [min(try multiplied(input.shape), condition.shape[0])])]
            }
            var shape = input.shape
            let index = try context.axis(axis, rank: shape.count)
            shape[index] = min(shape[index], condition.shape[0])
            return [.bounded(input.dataType, shape)]
        },
        reference: { context throws(OperatorError) in
            var input = try context.input(0)
            if context.attributes.int("axis") == nil { input = input.reshaped([input.count]) }
            let axis = try normalizedAxis(context.attributes.int("axis") ?? 0, rank: input.shape.count)
            let kept = try context.input(1).integers.prefix(input.shape[axis]).enumerated().filter { $0.element != 0 }.map(\.offset)
            return [input.slices(kept, along: axis)]
        }
    ).sampled(compressSamples),
    OperatorDefinition(
        "NonZero", since: [9, 13], "(X: T) -> (Y: int64)", types: ["T": .any], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let shape = try context.input(0).shape
            return [.bounded(.int64, [max(shape.count, 1), try multiplied(shape)])]
        },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            let found: [Int] =
                switch x.elements {
                case .floats(let values): values.indices.filter { values[$0] != 0 }
                case .integers(let values): values.indices.filter { values[$0] != 0 }
                case .strings(let values): values.indices.filter { !values[$0].isEmpty }
                case .complex(let values): (0..<x.count).filter { values[2 * $0] != 0 || values[2 * $0 + 1] != 0 }
                }
            // A scalar counts as a vector of one element.
            let shape = x.shape.isEmpty ? [1] : x.shape
            var coordinates: [Int64] = []
            for (size, stride) in zip(shape, denseStrides(shape)) { coordinates += found.map { Int64($0 / stride % size) } }
            return [ReferenceTensor(.int64, [shape.count, found.count], .integers(coordinates))]
        }
    ).sampled(nonZeroSamples),
    OperatorDefinition(
        "Unique", since: [11, 28], "(X: T) -> (Y: T, indices?: int64, inverse_indices?: int64, counts?: int64)",
        types: ["T": .any], attributes: ["axis": .optional(.int), "sorted": .int(1)], numericClass: .property,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            if x.dataType.kind == .complex { throw .unsupported("complex numbers have no order") }
            var shape = x.shape
            var count = 0
            if let axis = context.attributes.int("axis") {
                count = shape[try context.axis(axis, rank: shape.count)]
            } else {
                count = try multiplied(shape)
                shape = [count]
            }
            return [.bounded(x.dataType, shape), .bounded(.int64, [count]), .tensor(.int64, [count]), .bounded(.int64, [count])]
        },
        reference: { context throws(OperatorError) in
            var x = try context.input(0)
            if context.attributes.int("axis") == nil { x = x.reshaped([x.count]) }
            let axis = try normalizedAxis(context.attributes.int("axis") ?? 0, rank: x.shape.count)
            let groups = uniqueSlices(of: x, along: axis, sorted: context.attributes.flag("sorted"))
            var inverse = [Int64](repeating: 0, count: x.shape[axis])
            for (number, group) in groups.enumerated() { for slice in group { inverse[slice] = Int64(number) } }
            let firsts = groups.map { $0[0] }
            return [
                x.slices(firsts, along: axis),
                ReferenceTensor(.int64, [groups.count], .integers(firsts.map(Int64.init))),
                ReferenceTensor(.int64, [inverse.count], .integers(inverse)),
                ReferenceTensor(.int64, [groups.count], .integers(groups.map { Int64($0.count) })),
            ]
        }
    ).sampled(uniqueSamples),
]

extension ReferenceTensor {
    /// The sub-tensors at `positions` of an axis, in that order.
    fileprivate func slices(_ positions: [Int], along axis: Int) -> ReferenceTensor {
        let (size, inner) = (shape[axis], product(shape[(axis + 1)...]))
        var runs: [Range<Int>] = []
        for outer in 0..<product(shape[..<axis]) {
            for position in positions {
                let start = (outer * size + position) * inner
                runs.append(start..<start + inner)
            }
        }
        var shape = shape
        shape[axis] = positions.count
        return gathered(runs: runs, shape: shape)
    }
}

/// The positions along `axis` in groups of equal sub-tensors, each ascending; the groups by value or by first position.
private func uniqueSlices(of x: ReferenceTensor, along axis: Int, sorted: Bool) -> [[Int]] {
    let front = x.transposed([axis] + x.shape.indices.filter { $0 != axis })
    let length = product(front.shape.dropFirst())
    let order: (Int, Int) -> Int =
        switch front.elements {
        case .floats(let values), .complex(let values): lexicographic(values, length) { $0 < $1 || (!$0.isNaN && $1.isNaN) }
        case .integers(let values):
            x.dataType == .uint64
                ? lexicographic(values, length) { UInt64(bitPattern: $0) < UInt64(bitPattern: $1) } : lexicographic(values, length, by: <)
        case .strings(let values): lexicographic(values, length, by: <)
        }
    let positions = (0..<x.shape[axis]).sorted {
        let relation = order($0, $1)
        return relation == 0 ? $0 < $1 : relation < 0
    }
    var groups: [[Int]] = []
    for position in positions {
        if let last = groups.last?.first, order(last, position) == 0 {
            groups[groups.count - 1].append(position)
        } else {
            groups.append([position])
        }
    }
    return sorted ? groups : groups.sorted { $0[0] < $1[0] }
}

/// Compares rows of `length` elements: below zero, zero or above zero.
private func lexicographic<Element>(_ values: [Element], _ length: Int, by isLess: @escaping (Element, Element) -> Bool) -> (Int, Int) ->
    Int
{
    { left, right in
        for offset in 0..<length {
            let (a, b) = (values[left * length + offset], values[right * length + offset])
            if isLess(a, b) { return -1 }
            if isLess(b, a) { return 1 }
        }
        return 0
    }
}

// MARK: Samples

@Sendable private func compressSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b) = (context.size(3...9), context.size(11...40))
    return [
        Sample("flat", [.init(type, [a, b]), .init(.bool, [a * b])]), Sample("short", [.init(type, [a, b]), .init(.bool, [b])]),
        Sample("rows", [.init(type, [a, b]), .init(.bool, [a])], ["axis": .int(0)]),
        Sample("columns", [.init(type, [a, b]), .init(.bool, [b])], ["axis": .int(1)]),
        Sample("large", [.init(type, [33, 65]), .init(.bool, [65])], ["axis": .int(1)]),
    ] + (context.version >= 11 ? [Sample("negative", [.init(type, [2, a, b]), .init(.bool, [b])], ["axis": .int(-1)])] : [])
}

@Sendable private func nonZeroSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let values: Sample.Values = .integers(0...1)
    let (a, b) = (context.size(3...9), context.size(11...40))
    return ([("matrix", [a, b]), ("vector", [b]), ("rank-3", [2, a, b]), ("empty", [0, b]), ("large", [33, 65])] as [(String, [Int])]).map {
        Sample($0.0, [.init(type, $0.1, values)])
    }
        + [Sample("data", [.init(type, [a, b])])]
}

@Sendable private func uniqueSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let b = context.size(11...40)
    let all = [true, true, true, true]
    let few: Sample.Values = type == .bool ? .data() : .integers(0...5)
    return [
        Sample("flat", [.init(type, [b], few)], wanted: all), Sample("unsorted", [.init(type, [b], few)], ["sorted": .int(0)], wanted: all),
        Sample("matrix", [.init(type, [5, b], few)], wanted: all), Sample("values-only", [.init(type, [b], few)]),
        Sample("rows", [.init(type, [12, 2], type == .bool ? .data() : .integers(0...1))], ["axis": .int(0)], wanted: all),
        Sample("large", [.init(type, [1200], few)], wanted: all),
    ]
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

// Sample generators that several operators share.

/// One input of every shape.
@Sendable func unarySamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return context.elementwiseShapes().map { Sample($0.name, [.init(type, $0.shape)]) }
}

/// As `unarySamples`, with values inside a range: for functions that are undefined, or dull, outside it.
func unarySamples(in range: ClosedRange<Double>) -> SampleGenerator {
    { context in
        let type = context.type
        return context.elementwiseShapes().flatMap { name, shape in
            name == "large"
                ? [Sample("domain", [.init(type, shape, .data(range))]), Sample(name, [.init(type, shape)])]
                : [Sample(name, [.init(type, shape, .data(range))])]
        }
    }
}

/// Every way in which two shapes broadcast, for operators of two inputs of one type.
@Sendable func binarySamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return broadcastShapes(&context).map {
        Sample(
            $0.name, [.init(type, $0.a), .init(type, $0.b)], $0.attributes,
            after: $0.name == "field-factorisation-b" ? "field-factorisation-a" : nil)
    }
}

/// Before version 7 the second input is broadcast only where attributes say so.
func broadcastShapes(_ context: inout SampleContext) -> [(name: String, a: [Int], b: [Int], attributes: [String: Attribute])] {
    var same = context.elementwiseShapes().map { ($0.name, $0.shape, $0.shape, [String: Attribute]()) }
    let (rows, columns) = (context.size(3...9), context.size(17...70))
    if context.version < 7 {
        same.append(("legacy-scalar", [rows, columns], [], ["broadcast": .int(1)]))
        same.append(("legacy-axis", [rows, columns], [rows], ["broadcast": .int(1), "axis": .int(0)]))
        return same
    }
    return same + [
        ("scalar-right", [rows, columns], [], [:]), ("scalar-left", [], [rows, columns], [:]), ("one-right", [rows, columns], [1], [:]),
        ("row-right", [rows, columns], [columns], [:]), ("column-right", [rows, columns], [rows, 1], [:]),
        ("both", [rows, 1], [1, columns], [:]), ("higher-rank", [columns], [2, rows, columns], [:]),
        ("middle", [2, rows, 1, 5], [rows, 4, 1], [:]), ("empty-broadcast", [0, columns], [1, columns], [:]),
        ("large-row", [context.size(9...20), 129], [129], [:]),
        // A zero-dimensional operand crashed a real kernel (triton-ascend#472).
        ("field-zero-dimensional", [], [], [:]),
        // The same volume in another factorisation was given a cached program (tt-metal#55167).
        ("field-factorisation-a", [8, 96], [8, 96], [:]), ("field-factorisation-b", [96, 8], [96, 8], [:]),
    ]
}

/// One, two, three and five inputs, broadcast against each other (from version 8 on).
@Sendable func variadicSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (rows, columns) = (context.size(3...9), context.size(17...70))
    func of(_ name: String, _ shapes: [[Int]]) -> Sample { Sample(name, shapes.map { .init(type, $0) }) }
    var samples = context.elementwiseShapes().map { of($0.name, [$0.shape, $0.shape]) }
    // Max of one input gave garbage, Min zeros, in a third-party provider.
    samples += [of("field-one-input", [[rows, columns]]), of("three", [[rows, columns], [rows, columns], [rows, columns]])]
    if context.version >= 8 {
        samples += [
            of("five-broadcast", [[rows, columns], [columns], [rows, 1], [], [1, 1]]), of("scalars", [[], []]),
            of("growing", [[1], [columns], [rows, columns], [2, rows, columns]]),
        ]
    }
    return samples
}

/// Reductions over each axis, several, all and none. From `inputVersion` on the axes are an input.
func reductionSamples(axesAreInputSince inputVersion: Int) -> SampleGenerator {
    { context in
        let type = context.type
        let version = context.version
        func of(_ name: String, _ shape: [Int], _ axes: [Int]?, keeps: Bool = true, noop: Bool = false) -> Sample {
            var attributes: [String: Attribute] = keeps ? [:] : ["keepdims": .int(0)]
            if noop { attributes["noop_with_empty_axes"] = .int(1) }
            if version < inputVersion {
                if let axes { attributes["axes"] = .ints(axes.map(Int64.init)) }
                return Sample(name, [.init(type, shape)], attributes)
            }
            return Sample(name, [.init(type, shape), axes.map { .vector($0) }].trimmed, attributes)
        }
        let (a, b, c) = (context.size(2...5), 2 * context.size(3...20) + 1, context.size(3...9))
        var samples = [
            of("all", [a, b], nil), of("all-flat", [a, b], nil, keeps: false), of("last", [a, b], [1]),
            of("last-flat", [a, b], [1], keeps: false),
            of("first", [b, a], [0]), of("first-flat", [b, c], [0], keeps: false), of("middle", [a, b, c], [1]),
            of("outer", [a, b, c], [0, 2]),
            of("inner", [a, b, c], [1, 2], keeps: false), of("one-element", [1], [0]), of("axis-of-one", [a, 1, c], [1]),
            of("scalar", [], nil),
            of("large", [context.size(40...60), context.size(20...30), 3], [2]), of("long", [3, context.size(1025...4099)], [1]),
            of("rank-5", [2, 3, 2, a, 3], [0, 2, 4]), of("vector", [context.size(129...300)], [0], keeps: false),
            of("large-columns", [33, 1031], [0]),
            // Padding of tiles leaked into a reduction (tt-metal#56754).
            of("field-tile-padding", [33, 65], [1], keeps: false), of("field-tile-padding-all", [31, 33], nil),
        ]
        if version >= 11 { samples += [of("negative", [a, b, c], [-1]), of("negative-two", [a, b, c], [-1, -3], keeps: false)] }
        if version >= inputVersion { samples += [of("noop", [a, b], [], noop: true), of("noop-left-out", [a, b], nil, noop: true)] }
        return samples
    }
}

/// Lines along each axis of tensors of rank 1 to 4, under the attribute `axis`.
func axisSamples(default axis: Int, from version: Int = 1, extra: [String: Attribute] = [:]) -> SampleGenerator {
    { context in
        let type = context.type
        let (a, b, c) = (context.size(2...6), 2 * context.size(4...30) + 1, context.size(2...5))
        func of(_ name: String, _ shape: [Int], _ axis: Int?) -> Sample {
            Sample(name, [.init(type, shape)], extra.merging(axis.map { ["axis": .int(Int64($0))] } ?? [:]) { $1 })
        }
        var samples = [
            of("default", [a, b, c], nil), of("first", [b, c], 0), of("last", [a, b], 1), of("middle", [a, b, c], 1), of("one", [a, 1], 1),
            of("rank-4", [2, a, c, b], 3), of("long", [3, context.size(1025...4099)], 1),
            of("large", [context.size(30...40), context.size(40...70)], 1),
            of("empty", [0, b], 1), of("tail-17", [3, 17], 1), of("tail-33", [5, 33], 1),
        ]
        if context.version >= 11 { samples += [of("negative", [a, b, c], -1), of("negative-first", [a, b], -2)] }
        return samples
    }
}

extension [Sample.Tensor?] {
    /// Without optional inputs left out at the end.
    var trimmed: [Sample.Tensor?] {
        var result = self
        while let last = result.last, last == nil { result.removeLast() }
        return result
    }
}

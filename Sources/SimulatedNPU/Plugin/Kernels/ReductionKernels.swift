// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Tensors

/// A tensor seen as lines along some of its axes, which come last in the iteration space.
struct LineSpace {
    let kept, reduced: [Int]
    let shape: [Int]

    init(_ shape: [Int], along axes: Set<Int>) {
        self.shape = shape
        kept = shape.indices.filter { !axes.contains($0) }
        reduced = shape.indices.filter { axes.contains($0) }
    }

    var sizes: [Int] { (kept + reduced).map { shape[$0] } }
    var columns: Int { reduced.count }
    /// Elements of a line.
    var length: Int { reduced.reduce(1) { $0 * shape[$1] } }

    /// Strides of something that has one stride for each axis of the shape.
    func strides(_ strides: [Int]) -> [Int] { (kept + reduced).map { strides[$0] } }
    var denseStrides: [Int] { strides(SimulatedNPU.denseStrides(shape)) }
    /// Of a dense tensor with one element for each line.
    var lineStrides: [Int] { SimulatedNPU.denseStrides(kept.map { shape[$0] }) + reduced.map { _ in 0 } }
}

private struct Reduction {
    let name: String
    let axesAreInputSince: Int
    let types: [DataType]
    var numerics: sb_numerics?
    /// Of no elements.
    var empty = 0.0
    /// From the element and the length of a line.
    let result: @Sendable (Term, Double) -> Term
}

private let summed = floatTypes + [.int32, .int64, .uint32, .uint64]

private let reductions = [
    Reduction(name: "ReduceSum", axesAreInputSince: 13, types: summed) { x, _ in .sum(x) },
    Reduction(name: "ReduceMean", axesAreInputSince: 18, types: floatTypes, empty: .nan) { x, count in .sum(x) / .constant(count) },
    Reduction(name: "ReduceMax", axesAreInputSince: 18, types: summed + [.int8, .uint8, .bool], empty: -.infinity) { x, _ in .greatest(x) },
    Reduction(name: "ReduceMin", axesAreInputSince: 18, types: summed + [.int8, .uint8, .bool], empty: .infinity) { x, _ in
        .reduction(NPU_V_LEAST, x)
    },
    Reduction(name: "ReduceProd", axesAreInputSince: 18, types: summed, empty: 1) { x, _ in .reduction(NPU_V_PRODUCT, x) },
    Reduction(name: "ReduceSumSquare", axesAreInputSince: 18, types: summed) { x, _ in .reduction(NPU_V_SUM_OF_SQUARES, x) },
    Reduction(name: "ReduceL1", axesAreInputSince: 18, types: summed) { x, _ in .reduction(NPU_V_SUM_OF_MAGNITUDES, x) },
    Reduction(name: "ReduceL2", axesAreInputSince: 18, types: floatTypes) { x, _ in .squareRoot(.reduction(NPU_V_SUM_OF_SQUARES, x)) },
    Reduction(name: "ReduceLogSum", axesAreInputSince: 18, types: floatTypes, numerics: approximateFunctions, empty: -.infinity) { x, _ in
        .log(.sum(x))
    },
    Reduction(name: "ReduceLogSumExp", axesAreInputSince: 18, types: floatTypes, numerics: approximateFunctions, empty: -.infinity) {
        x, _ in
        let most = Term.greatest(x)
        // An infinite maximum would leave nothing but NaN.
        let shift = Term.select(.operation(NPU_V_IS_INFINITE, most), 0, most)
        return .log(.sum(.exp(x - shift))) + shift
    },
]

extension VectorLowering {
    /// An output that is one value throughout; infinities are the limits of integers.
    mutating func addConstant(_ value: Double, to y: Operand, output index: Int = 0) throws(Refusal) {
        var value = value
        if value.isInfinite && !floatTypes.contains(y.type) {
            try require(y.type.bits <= 32, .dataType, "limits of 64 bits")
            let isSigned = signedTypes.contains(y.type)
            let least = isSigned ? -Double(sign: .plus, exponent: y.type.bits - 1, significand: 1) : 0
            value =
                value < 0
                ? least : y.type == .bool ? 1 : Double(sign: .plus, exponent: y.type.bits - (isSigned ? 1 : 0), significand: 1) - 1
        }
        add(VectorPhase(y.shape, inputs: [], outputs: [(.constant(value), try output(index, y))]))
    }

    /// One result for each line of input 0.
    mutating func addReduction(_ x: Operand, _ y: Operand, along axes: Set<Int>, _ result: (Term, Double) -> Term) throws(Refusal) {
        let lines = LineSpace(x.shape, along: axes)
        try require(lines.length > 0 || y.count == 0, .shape, "nothing to reduce")
        let input = try input(0, x, strides: lines.denseStrides)
        add(
            VectorPhase(
                lines.sizes, columns: lines.columns, inputs: [input],
                outputs: [(result(.input(0, input.type), Double(lines.length)), try output(0, y, strides: lines.lineStrides))]))
    }
}

let reductionKernels =
    reductions.map { reduction in
        vectorKernel(reduction.name, since: 1, types: reduction.types, hostInputs: [1], numerics: reduction.numerics) {
            node, lowering throws(Refusal) in
            let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
            let given = try node.integers(attribute: "axes", input: node.version >= reduction.axesAreInputSince ? 1 : Int.max) ?? []
            var axes: Set<Int> = []
            for axis in given { axes.insert(try node.axis(axis, rank: x.shape.count)) }
            if given.isEmpty && node.int("noop_with_empty_axes") ?? 0 == 0 { axes = Set(x.shape.indices) }
            if x.count == 0 && y.count > 0 {
                try lowering.addConstant(reduction.empty, to: y)
            } else {
                try lowering.addReduction(x, y, along: axes, reduction.result)
            }
        }
    }
    + [("ArgMax", NPU_V_GREATEST_INDEX), ("ArgMin", NPU_V_LEAST_INDEX)].map { name, operation in
        vectorKernel(name, since: 1, types: numberTypes) { node, lowering throws(Refusal) in
            let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
            let axis = try node.axis(default: 0, rank: x.shape.count)
            let flags = node.int("select_last_index") ?? 0 != 0 ? UInt32(1 << 4) : 0
            try lowering.addReduction(x, y, along: [axis]) { x, _ in .reduction(operation, x, flags: flags) }
        }
    }
    + [
        vectorKernel("GlobalAveragePool", since: 1, types: floatTypes) { node, lowering throws(Refusal) in
            let x = try node.operand(input: 0)
            try lowering.addReduction(x, node.operand(output: 0), along: Set(x.shape.indices.dropFirst(2))) { .sum($0) / .constant($1) }
        },
        vectorKernel("GlobalMaxPool", since: 1, types: floatTypes) { node, lowering throws(Refusal) in
            let x = try node.operand(input: 0)
            try lowering.addReduction(x, node.operand(output: 0), along: Set(x.shape.indices.dropFirst(2))) { x, _ in .greatest(x) }
        },
        vectorKernel("CumSum", since: 11, types: floatTypes + [.int32, .int64], hostInputs: [1]) { node, lowering throws(Refusal) in
            let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
            guard let given = try node.integers(attribute: "", input: 1)?.first else { throw Refusal(.other, "the axis is not known") }
            let axis = try node.axis(given, rank: x.shape.count)
            let lines = LineSpace(x.shape, along: [axis])
            var (strides, offset) = (denseStrides(x.shape), 0)
            if node.int("reverse") ?? 0 != 0 {
                offset = max(x.shape[axis] - 1, 0) * strides[axis]
                strides[axis].negate()
            }
            let input = try lowering.input(0, x, strides: lines.strides(strides), offset: offset)
            let term = Term.operation(NPU_V_RUNNING_SUM, .input(0, input.type), parameter: node.int("exclusive") ?? 0 != 0 ? 1 : 0)
            lowering.add(
                VectorPhase(
                    lines.sizes, columns: lines.columns, inputs: [input],
                    outputs: [(term, try lowering.output(0, y, strides: lines.strides(strides), offset: offset))]))
        },
    ]

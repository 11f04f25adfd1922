// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

// How the fused operators are tried: every step, alone and behind another; operands of every shape that broadcasts; and what kernels get wrong at seams: a step left out, two
// steps in the wrong order, an operand on the wrong side, a bias or a tail missed where tiles end.

private extension Sample {
    /// - Parameters:
    ///   - base: inputs of the operator before the steps.
    ///   - operands: shapes of those of the steps.
    init(
        _ name: String, _ type: DataType, _ base: [Tensor?], _ steps: [FusedStep], operands: [[Int]] = [],
        in range: ClosedRange<Double>? = nil,
        _ attributes: [String: Attribute] = [:]
    ) {
        self.init(
            name, base + operands.map { Tensor(type, $0, .data(range)) }, attributes.merging(FusedStep.attributes(steps)) { $1 })
    }
}

private let relu = FusedStep("Relu")
private let add = FusedStep("Add", operand: 0)

/// The ends of chains that networks have, by name: their steps, and the shapes of the operands for an output of that shape with its channels along `axis`.
private func epilogues(_ shape: [Int], channels axis: Int) -> [(name: String, steps: [FusedStep], operands: [[Int]])] {
    let perChannel = [shape[axis]] + [Int](repeating: 1, count: shape.count - 1 - axis)
    return [
        ("relu", [relu], []), ("bias-relu", [add, relu], [perChannel]), ("residual-relu", [add, relu], [shape]),
        ("relu-residual", [relu, add], [shape]),
        ("scale-shift-relu", [FusedStep("Mul", operand: 0), FusedStep("Add", operand: 1), relu], [perChannel, perChannel]),
        ("bias-residual-clip", [add, FusedStep("Add", operand: 1), FusedStep("Clip", parameters: [-1, 1.5])], [perChannel, shape]),
        ("subtracted-from", [FusedStep("Sub", operand: 0, isReversed: true), relu], [shape]),
        ("twice-the-same", [FusedStep("Mul", operand: 0), add, FusedStep("Tanh")], [perChannel]),
        ("scalar-leaky", [add, FusedStep("LeakyRelu", parameters: [0.1])], [[]]), ("sigmoid", [FusedStep("Sigmoid")], []),
        ("bias-hard-swish", [add, FusedStep("HardSwish")], [perChannel]),
        ("clip-above", [FusedStep("Clip", parameters: [-.infinity, 0.5])], []),
    ]
}

@Sendable func fusedConvSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (rows, columns) = (context.size(5...9), context.size(6...11))
    func base(_ x: [Int], _ w: [Int], bias: Bool) -> [Sample.Tensor?] {
        [.init(type, x), .init(type, w), bias ? .init(type, [w[0]]) : nil]
    }
    let pads: [String: Attribute] = ["pads": .ints([1, 1, 1, 1])]
    var samples = epilogues([2, 5, rows, columns], channels: 1).map { name, steps, operands in
        Sample(name, type, base([2, 3, rows, columns], [5, 3, 3, 3], bias: name.hasPrefix("r")), steps, operands: operands, pads)
    }
    func shaped(_ name: String, _ x: [Int], _ w: [Int], _ y: [Int], _ attributes: [String: Attribute] = [:]) -> [Sample] {
        [
            Sample("\(name)-bias-relu", type, base(x, w, bias: true), [relu], attributes),
            Sample("\(name)-residual-relu", type, base(x, w, bias: false), [add, relu], operands: [y], attributes),
        ]
    }
    // One channel and one place beyond a tile of 16.
    samples +=
        shaped("tail-17", [1, 17, 1, 17], [17, 17, 1, 1], [1, 17, 1, 17])
        + shaped("pointwise", [2, 8, rows, columns], [33, 8, 1, 1], [2, 33, rows, columns])
    samples += shaped("grouped", [1, 4, rows, columns], [6, 2, 3, 3], [1, 6, rows, columns], pads.merging(["group": .int(2)]) { $1 })
    samples += shaped("depthwise", [1, 5, rows, columns], [5, 1, 3, 3], [1, 5, rows, columns], pads.merging(["group": .int(5)]) { $1 })
    samples += shaped("stride-2", [1, 3, 9, 11], [4, 3, 3, 3], [1, 4, 4, 5], ["strides": .ints([2, 2])])
    samples +=
        shaped("one-axis", [2, 3, 37], [4, 3, 5], [2, 4, 33]) + shaped("large", [1, 16, 18, 20], [24, 16, 3, 3], [1, 24, 18, 20], pads)
    return samples
}

@Sendable func fusedMatMulSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (m, k, n) = (context.size(3...9), context.size(11...30), 2 * context.size(9...20) + 1)
    func base(_ a: [Int], _ b: [Int]) -> [Sample.Tensor?] { [.init(type, a), .init(type, b)] }
    var samples = epilogues([m, n], channels: 1).map { Sample($0.name, type, base([m, k], [k, n]), $0.steps, operands: $0.operands) }
    func shaped(_ name: String, _ a: [Int], _ b: [Int], _ y: [Int]) -> [Sample] {
        [
            Sample("\(name)-bias-relu", type, base(a, b), [add, relu], operands: [[y.last ?? 1]]),
            Sample("\(name)-relu-residual", type, base(a, b), [relu, add], operands: [y]),
        ]
    }
    samples +=
        shaped("tail-17x17x17", [17, 17], [17, 17], [17, 17]) + shaped("row", [1, 40], [40, 65], [1, 65])
        + shaped("column", [33, 7], [7, 1], [33, 1])
    samples += shaped("batch", [2, 3, m, k], [2, 3, k, n], [2, 3, m, n]) + shaped("batch-weights", [3, m, k], [k, n], [3, m, n])
    samples += shaped("large", [40, 64], [64, 72], [40, 72]) + shaped("long", [9, 700], [700, 33], [9, 33])
    // The operand itself is broadcast in other ways than a bias.
    samples += [
        Sample("per-row", type, base([m, k], [k, n]), [FusedStep("Mul", operand: 0), relu], operands: [[m, 1]]),
        Sample("per-matrix", type, base([2, 3, m, k], [2, 3, k, n]), [add, relu], operands: [[3, 1, 1]]),
        Sample("shared-by-batch", type, base([4, m, k], [4, k, n]), [add, relu], operands: [[m, n]]),
        Sample("depth-1", type, base([m, 1], [1, n]), [add, relu], operands: [[n]]),
        Sample("empty", type, base([0, k], [k, n]), [add, relu], operands: [[n]]),
    ]
    return samples
}

@Sendable func fusedGemmSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (m, k, n) = (context.size(3...9), context.size(11...30), 2 * context.size(9...20) + 1)
    func base(_ a: [Int], _ b: [Int], c: [Int]? = nil) -> [Sample.Tensor?] { [.init(type, a), .init(type, b), c.map { .init(type, $0) }] }
    var samples = epilogues([m, n], channels: 1).map { name, steps, operands in
        Sample(name, type, base([m, k], [k, n], c: name.hasPrefix("r") ? [n] : nil), steps, operands: operands)
    }
    let transposed: [String: Attribute] = ["transB": .int(1)]
    for (name, c) in [("row", [n]), ("column", [m, 1]), ("one", [1]), ("scalar", []), ("full", [m, n])] {
        samples.append(Sample("bias-\(name)", type, base([m, k], [n, k], c: c), [relu, add], operands: [[m, n]], transposed))
    }
    samples += [
        Sample("tail-17x17x17", type, base([17, 17], [17, 17], c: [17]), [relu], transposed),
        Sample("both-transposed", type, base([k, m], [n, k], c: [n]), [relu], ["transA": .int(1), "transB": .int(1)]),
        Sample(
            "scaled", type, base([m, k], [k, n], c: [m, n]), [add, relu], operands: [[n]], ["alpha": .float(0.5), "beta": .float(2)]),
        Sample("large", type, base([40, 64], [72, 64], c: [72]), [add, relu], operands: [[40, 72]], transposed),
        Sample("long", type, base([9, 700], [33, 700], c: [33]), [relu], transposed),
    ]
    return samples
}

@Sendable func fusedElementwiseSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let shape = [context.size(3...9), 2 * context.size(9...40) + 1]
    let parameters: [String: [Float]] = [
        "Celu": [0.75], "Clip": [-0.5, 0.75], "Elu": [0.5], "HardSigmoid": [0.25, 0.5], "LeakyRelu": [0.125], "Selu": [1.5, 1.25],
        "ThresholdedRelu": [0.5],
    ]
    let positive: Set = ["Log", "Reciprocal", "Sqrt"]
    var samples = FusedStep.unary.keys.sorted().map { name in
        let range = positive.contains(name) ? 0.25...4.0 : nil
        return Sample(
            "step-\(name)", type, [.init(type, shape, .data(range))],
            [FusedStep(name, parameters: parameters[name] ?? []), FusedStep("Mul", operand: 0)], operands: [shape])
    }
    for name in FusedStep.binary.sorted() {
        for (kind, operand) in [("same", shape), ("row", [shape[1]]), ("column", [shape[0], 1]), ("scalar", []), ("one", [1, 1])] {
            for isReversed in [false, true] {
                let range = name == "Div" ? 0.25...4.0 : nil
                samples.append(
                    Sample(
                        "\(name)-\(kind)\(isReversed ? "-reversed" : "")", type, [.init(type, shape, .data(range))],
                        [FusedStep(name, operand: 0, isReversed: isReversed), FusedStep("Neg")], operands: [operand], in: range))
            }
        }
    }
    samples += context.elementwiseShapes().map { name, shape in
        Sample("shape-\(name)", type, [.init(type, shape)], [add, relu, FusedStep("Mul", operand: 1)], operands: [shape, shape])
    }
    let chain = (0..<8).flatMap { operand -> [FusedStep] in [FusedStep("Add", operand: operand), FusedStep("Tanh")] }
    samples.append(Sample("eight-operands", type, [.init(type, shape)], chain, operands: (0..<8).map { $0 % 2 == 0 ? shape : [shape[1]] }))
    samples.append(
        Sample(
            "order", type, [.init(type, shape)], [FusedStep("Mul", operand: 0), FusedStep("Add", operand: 1)],
            operands: [shape, [shape[1]]]))
    samples.append(
        Sample(
            "other-order", type, [.init(type, shape)], [FusedStep("Add", operand: 1), FusedStep("Mul", operand: 0)],
            operands: [shape, [shape[1]]]))
    return samples
}

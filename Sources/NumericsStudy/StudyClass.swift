// SPDX-License-Identifier: Apache-2.0
package import HardwareModel
package import Tensors

/// What the study tries of one numeric class.
package struct StudyClass: Sendable {
    package let name: String
    package let operators: [String]
    package let types: [DataType]
    /// Right ones of different arithmetic; the first is the one that faults are planted into.
    package let implementations: [Implementation]

    package static let all: [StudyClass] = [
        StudyClass(
            name: "movement and selection",
            operators: ["Relu", "Abs", "Neg", "Identity", "Floor", "Ceil", "Round", "Transpose", "Max", "Min", "ReduceMax", "ReduceMin"],
            types: floats,
            implementations: [.own("plain"), .own("the other zero") { $0.order = .reversed }, .flushing, .numpy]),
        StudyClass(
            name: "integer", operators: ["Add", "Sub", "Mul", "Div", "Neg", "ReduceSum", "ReduceProd", "MatMulInteger"],
            types: [.int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64],
            implementations: [.own("128 bits, wrapped at the end"), .numpy]),
        StudyClass(
            name: "arithmetic", operators: ["Add", "Sub", "Mul", "Sqrt", "LeakyRelu", "PRelu"], types: floats,
            implementations: [.own("float32"), .wide, .flushing, .truncatingStores, .numpy]),
        StudyClass(
            name: "division", operators: ["Div", "Reciprocal", "Softsign"], types: floats,
            implementations: [
                .own("float32"), .wide, .own("by the reciprocal") { $0.division = .byReciprocal },
                .own("12-bit estimate, two Newton steps") { $0.division = .approximated },
                .numpy,
            ]),
        StudyClass(
            name: "cast", operators: ["Cast"], types: floats + [.int8, .uint8, .int16, .int32, .int64],
            implementations: [.own("rounded by hand"), .truncatingStores, .numpy]),
        StudyClass(
            name: "transcendental",
            operators: [
                "Exp", "Log", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Erf", "Pow",
                "Elu", "Selu", "Celu", "Sigmoid",
                "Softplus", "Gelu", "Mish", "Swish",
            ], types: floats,
            implementations: [
                .own("C library, float32"), .wide, .own("polynomials of the CPU plugin") { $0.functions = .polynomials },
                .own("ONNX's definitions") { $0.functions = .definitions }, .numpy,
            ]),
        StudyClass(
            name: "dot", operators: ["MatMul", "Gemm", "Conv", "AveragePool", "GlobalAveragePool", "ReduceSumSquare", "CumSum"],
            types: floats,
            implementations: sums + [
                .own("fused multiply-add") { $0.isFused = true }, .openBLAS,
                .own("TF32 factors, declared", { $0.inputBits = 11 }, facts: { $0.inputBits = 11 }),
                .own("bfloat16 factors, declared", { $0.inputBits = 8 }, facts: { $0.inputBits = 8 }),
            ]),
        StudyClass(name: "sum", operators: ["ReduceSum", "ReduceMean", "ReduceL1", "Sum", "Mean"], types: floats, implementations: sums),
        StudyClass(name: "product", operators: ["ReduceProd", "CumProd"], types: floats, implementations: orders + [.flushing, .numpy]),
        StudyClass(
            name: "softmax", operators: ["Softmax", "LogSoftmax", "ReduceLogSumExp"], types: floats,
            implementations: orders + [
                .own("lanes, polynomials of the CPU plugin") { ($0.order, $0.functions) = (.lanes, .polynomials) },
                .own("by the reciprocal of the sum") { ($0.order, $0.division) = (.blocks, .byReciprocal) }, .numpy,
            ]),
        StudyClass(
            name: "normalisation",
            operators: ["LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization", "BatchNormalization"],
            types: floats,
            implementations: orders + [
                .own("Welford, or folded constants") { $0.variance = .welford },
                .own("estimates of the reciprocal") { ($0.order, $0.division) = (.lanes, .approximated) }, .numpy,
            ]),
        StudyClass(
            name: "quantised", operators: ["QuantizeLinear", "DequantizeLinear", "QLinearMatMul"], types: [.float32, .int8, .uint8],
            implementations: [
                .own("float32"), .own("by the reciprocal of the scale") { $0.division = .byReciprocal },
                .own("float64 factors") { $0.functions = .widened },
                .own("31-bit multiplier and shift") { $0.functions = .polynomials }, .numpy,
            ]),
        StudyClass(
            name: "composite", operators: ["ReduceL2", "ReduceLogSum", "HardSigmoid", "HardSwish", "Attention", "RNN", "GRU", "LSTM"],
            types: floats,
            implementations: orders + [
                .own("fused multiply-add, polynomials of the CPU plugin") { ($0.isFused, $0.functions) = (true, .polynomials) },
                .own("blocks, by reciprocals") { ($0.order, $0.division) = (.blocks, .byReciprocal) }, .numpy,
            ]),
        StudyClass(
            name: "property", operators: ["TopK", "ArgMax", "ArgMin"], types: floats,
            implementations: [.own("sorted, NaN above all"), .own("sorted, NaN below all") { $0.order = .reversed }, .numpy]),
    ]

    private static let floats: [DataType] = [.float32, .float16, .bfloat16, .float64]

    private static let orders: [Implementation] = [
        .own("sequential"), .own("reversed") { $0.order = .reversed }, .own("pairwise") { $0.order = .pairwise },
        .own("eight lanes") { $0.order = .lanes },
    ]

    private static let sums: [Implementation] =
        orders + [
            .own("blocks of 32") { $0.order = .blocks }, .numpy,
            .own(
                "truncating sums and stores, declared", { ($0.truncatesSums, $0.store) = (true, .truncated) },
                facts: { $0.truncates = true }),
            .own("float16 accumulator, declared", types: [.float16], { $0.accumulator = .float16 }, facts: { $0.accumulator = .float16 }),
            .own(
                "float16 accumulator in pairs, declared", types: [.float16], { ($0.accumulator, $0.order) = (.float16, .pairwise) },
                facts: { $0.accumulator = .float16 }),
            .flushing,
        ]
}

/// A right implementation, with what it would declare.
package struct Implementation: Sendable {
    package enum Source: Sendable { case own, openBLAS, numpy }
    package let name: String
    package let source: Source
    package let arithmetic: Arithmetic
    package let facts: NumericFacts
    /// Nil: all.
    package let types: [DataType]?

    static func own(
        _ name: String, types: [DataType]? = nil, _ change: (inout Arithmetic) -> Void = { _ in },
        facts: (inout NumericFacts) -> Void = { _ in }
    ) -> Implementation {
        var declared = NumericFacts.strict
        facts(&declared)
        return Implementation(name: name, source: .own, arithmetic: Arithmetic().with(change), facts: declared, types: types)
    }

    static let numpy = Implementation(name: "numpy", source: .numpy, arithmetic: Arithmetic(), facts: .strict, types: nil)
    static let openBLAS = Implementation(name: "OpenBLAS", source: .openBLAS, arithmetic: Arithmetic(), facts: .strict, types: nil)
    static let wide = own("float64, rounded once", types: [.float32, .float16, .bfloat16]) { ($0.isWide, $0.functions) = (true, .widened) }
    static let flushing = own("denormals flushed, declared", { $0.flushesDenormals = true }, facts: { $0.flushesDenormals = true })
    static let truncatingStores = own("stores truncated, declared", { $0.store = .truncated }, facts: { $0.truncates = true })
}

// SPDX-License-Identifier: Apache-2.0
import Execution
import Graph
import Southbound
import Tensors
import Testing

/// Kernels for the 16-bit floats, for integers, of quantised operators, of attention and of indexing, against the float64 reference.
@Suite struct FurtherKernelTests {
    private static func ints(_ values: Int64...) -> Attribute { .ints(values) }

    /// A kernel of each kind; the float32 cases are in `KernelTests`. Rounded twice, an elementwise result would be off by one unit.
    static let shortFloats: [KernelCase] = [DataType.float16, .bfloat16].flatMap { type in
        [
            KernelCase("Add", 14, [[3, 5, 700], [5, 1]], .ulp(0.5), type: type),
            KernelCase("Mul", 14, [[3, 5, 700], [700]], .ulp(0.5), type: type),
            KernelCase("Div", 14, [[2, 1000], [2, 1000]], .ulp(0.5), type: type, positive: [1]),
            KernelCase("Less", 13, [[40], [40]], .exact, type: type),
            KernelCase("Sqrt", 13, [[1300]], .ulp(0.5), type: type, positive: [0]),
            KernelCase("LeakyRelu", 16, [[1300]], .ulp(0.5), ["alpha": .float(0.01)], type: type),
            KernelCase("Sum", 13, [[40, 50], [50], [40, 1]], .scaled(8), type: type),
            KernelCase("Tanh", 13, [[1300]], .ulp(0.51), type: type),
            KernelCase("MatMul", 13, [[33, 65], [65, 17]], .dot(terms: 65), type: type),
            KernelCase("Gemm", 13, [[5, 700], [3, 700], [3]], .dot(terms: 701), ["transB": .int(1)], type: type),
            KernelCase("Conv", 11, [[1, 3, 9, 9], [4, 3, 3, 3], [4]], .dot(terms: 28), ["pads": ints(1, 1, 1, 1)], type: type),
            KernelCase("MaxPool", 12, [[1, 2, 9, 9]], .exact, ["kernel_shape": ints(3, 3)], type: type),
            KernelCase("ReduceSum", 13, [[3, 3000]], .dot(terms: 3000), type: type, constants: [[1]]),
            KernelCase("Softmax", 13, [[3, 170]], .ulp(0.51), type: type),
            KernelCase("LayerNormalization", 17, [[3, 40], [40], [40]], .scaled(64), type: type),
        ]
    }

    static let functions: [KernelCase] = {
        let names: [(String, Int)] = [
            ("Sin", 22), ("Cos", 22), ("Atan", 22), ("Sinh", 22), ("Cosh", 22), ("Asinh", 22), ("Gelu", 20), ("Mish", 22), ("Softplus", 22),
            ("Elu", 22), ("Celu", 12), ("Selu", 22), ("Swish", 24), ("Softsign", 22),
        ]
        var cases = names.map { KernelCase($0, $1, [[3, 5, 701]], .ulp(1)) }
        cases.append(KernelCase("Gelu", 20, [[701]], .ulp(1), ["approximate": .string("tanh")]))
        cases.append(KernelCase("Tan", 22, [[701]], .ulp(2)))
        cases.append(KernelCase("Acosh", 22, [[701]], .ulp(1), positive: [0]))
        for type in [DataType.int8, .uint8, .int16, .uint16, .uint32, .uint64] {
            for name in ["Add", "Sub", "Mul", "Max"] { cases.append(KernelCase(name, 14, [[4, 50], [50]], .exact, type: type)) }
            cases.append(KernelCase("Mod", 13, [[4, 50], [50]], .exact, type: type))
            cases.append(KernelCase("BitwiseXor", 18, [[4, 50], [50]], .exact, type: type))
            cases.append(KernelCase("BitwiseNot", 18, [[200]], .exact, type: type))
        }
        for to in [1, 3, 5, 6, 7, 9, 10, 11, 12, 13, 16] as [Int64] {
            for type in [DataType.float16, .float64, .int16, .uint64] where to != Int64(type.rawValue) {
                cases.append(KernelCase("Cast", 13, [[601]], .exact, ["to": .int(to)], type: type))
            }
        }
        cases.append(KernelCase("Mean", 13, [[4, 50], [50], [4, 1]], .scaled(4)))
        cases.append(KernelCase("IsNaN", 20, [[50]], .exact))
        cases.append(KernelCase("IsInf", 20, [[50]], .exact, type: .bfloat16))
        return cases
    }()

    static let quantized: [KernelCase] = {
        let pads = ints(1, 1, 1, 1)
        let scale: DataType = .float32
        var cases = [
            KernelCase("MatMulInteger", 10, [[5, 70], [70, 33], [5], [33]], .exact, type: .uint8, types: [1: .int8, 3: .int8]),
            KernelCase("MatMulInteger", 10, [[2, 1, 5, 7], [3, 7, 18]], .exact, type: .int8),
            KernelCase(
                "ConvInteger", 10, [[2, 4, 9, 8], [6, 2, 3, 3], [], [6]], .exact, ["group": .int(2), "pads": pads], type: .uint8,
                types: [1: .int8, 3: .int8]),
            KernelCase(
                "QLinearMatMul", 21, [[5, 70], [], [], [70, 33], [33], [33], [], []], .step, type: .uint8, positive: [1, 4, 6],
                types: [1: scale, 3: .int8, 4: scale, 5: .int8, 6: scale]),
            KernelCase(
                "QLinearConv", 10, [[1, 4, 9, 8], [], [], [6, 2, 3, 3], [6], [6], [], [], [6]], .step, ["group": .int(2), "pads": pads],
                type: .uint8,
                positive: [1, 4, 6], types: [1: scale, 3: .int8, 4: scale, 5: .int8, 6: scale, 8: .int32]),
            KernelCase("QuantizeLinear", 13, [[3, 700], [], []], .step, positive: [1], types: [2: .uint8]),
            KernelCase("QuantizeLinear", 13, [[2, 5, 7], [5], [5]], .step, ["axis": .int(1)], positive: [1], types: [2: .int8]),
            KernelCase(
                "QuantizeLinear", 21, [[3, 12], [3, 3], [3, 3]], .step, ["axis": .int(1), "block_size": .int(4)], positive: [1],
                types: [2: .int16]),
        ]
        for type in [DataType.int8, .uint8, .int16, .uint16, .int32] {
            cases.append(
                KernelCase(
                    "DequantizeLinear", 21, [[2, 5, 7], [5]], .ulp(0.5), ["axis": .int(1)], type: type, positive: [1], types: [1: scale]))
        }
        return cases
    }()

    static let attention: [KernelCase] = [
        KernelCase("Attention", 23, [[2, 3, 70, 8], [2, 3, 40, 8], [2, 3, 40, 6]], .scaled(64)),
        KernelCase(
            "Attention", 23, [[1, 4, 9, 8], [1, 2, 9, 8], [1, 2, 9, 8], [9, 9]], .scaled(64), ["is_causal": .int(1)], types: [3: .bool]),
        KernelCase(
            "Attention", 23, [[2, 5, 24], [2, 7, 8], [2, 7, 8], [2, 1, 5, 7], [2, 1, 4, 8], [2, 1, 4, 8]], .scaled(64),
            ["q_num_heads": .int(3), "kv_num_heads": .int(1), "softcap": .float(2), "scale": .float(0.3)]),
        KernelCase("RotaryEmbedding", 23, [[2, 3, 5, 8], [2, 5, 4], [2, 5, 4]], .scaled(4)),
        KernelCase(
            "RotaryEmbedding", 23, [[2, 5, 24], [2, 5, 2], [2, 5, 2]], .scaled(4),
            ["num_heads": .int(3), "rotary_embedding_dim": .int(4), "interleaved": .int(1)]),
    ]

    static let lines: [KernelCase] = [
        KernelCase("ReduceProd", 13, [[3, 40]], .ulp(40), ["axes": ints(1)]),
        KernelCase("ReduceLogSum", 13, [[3, 40]], .scaled(64), ["axes": ints(1)], positive: [0]),
        KernelCase("ReduceLogSumExp", 13, [[3, 40, 5]], .scaled(64), ["axes": ints(1)]),
        KernelCase("ReduceSum", 11, [[30, 40]], .exact, ["axes": ints(0)], type: .int32),
        KernelCase("ReduceMax", 13, [[30, 40]], .exact, ["axes": ints(1)], type: .uint8),
        KernelCase("ArgMax", 13, [[3, 40, 5]], .exact, ["axis": .int(1)]),
        KernelCase("ArgMin", 13, [[30, 40]], .exact, ["axis": .int(1), "select_last_index": .int(1)], type: .int8),
        KernelCase("CumSum", 14, [[3, 40, 5]], .dot(terms: 40), constants: [[1]]),
        KernelCase("CumSum", 14, [[3, 40]], .exact, ["reverse": .int(1), "exclusive": .int(1)], type: .int64, constants: [[1]]),
        KernelCase("InstanceNormalization", 22, [[2, 5, 6, 7], [5], [5]], .scaled(64)),
        KernelCase("GroupNormalization", 21, [[2, 6, 5, 7], [6], [6]], .scaled(64), ["num_groups": .int(3)]),
        KernelCase("RMSNormalization", 23, [[3, 65], [65]], .scaled(32)),
        KernelCase("LpNormalization", 22, [[3, 40, 5]], .ulp(8), ["axis": .int(1), "p": .int(1)]),
        KernelCase("MeanVarianceNormalization", 13, [[3, 4, 5, 7]], .scaled(64)),
        KernelCase(
            "ConvTranspose", 11, [[2, 4, 5, 6], [4, 3, 3, 2], [6]], .dot(terms: 13),
            ["group": .int(2), "strides": ints(2, 1), "pads": ints(1, 0, 0, 1), "output_padding": ints(1, 0)]),
    ]

    static let places: [KernelCase] = [
        KernelCase("Tile", 13, [[2, 3, 4]], .exact, constants: [[2, 1, 3]]),
        KernelCase("DepthToSpace", 13, [[2, 12, 3, 5]], .exact, ["blocksize": .int(2), "mode": .string("CRD")]),
        KernelCase("SpaceToDepth", 13, [[2, 3, 4, 6]], .exact, ["blocksize": .int(2)], type: .float16),
        KernelCase("Pad", 18, [[3, 5]], .exact, constants: [[1, -2, 0, 3]]),
        KernelCase("Pad", 18, [[3, 5]], .exact, ["mode": .string("reflect")], constants: [[2, 4, 1, 3]]),
        KernelCase("Pad", 19, [[3, 5]], .exact, ["mode": .string("wrap")], type: .int8, constants: [[2, 4, 1, 3]]),
        KernelCase("Trilu", 14, [[2, 4, 6]], .exact, ["upper": .int(0)]),
        KernelCase("GatherElements", 13, [[9]], .exact, constants: [[3, -1, 0]]),
        KernelCase("GatherND", 13, [[5, 4, 3]], .exact, constants: [[1, -1]]),
    ]

    private static let all = shortFloats + functions + quantized + attention + lines + places

    @Test(arguments: [1, 3]) func agreesWithTheReference(threads: Int) throws {
        let devices = try DeviceSet("cpu", options: NamedOptions(["cpu.threads=\(threads)"]), fallback: nil, installation: .locate())
        for entry in Self.all { try entry.check(devices.devices) }
    }
}

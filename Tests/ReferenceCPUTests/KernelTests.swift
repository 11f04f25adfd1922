// SPDX-License-Identifier: Apache-2.0
import Execution
import Graph
import Operators
import Southbound
import Tensors
import Testing

/// Every tuned kernel against the float64 reference, through the loaded plugin; with one thread and with several.
@Suite struct KernelTests {
    private static func ints(_ values: Int64...) -> Attribute { .ints(values) }

    static let convolutions: [KernelCase] = [
        KernelCase("Conv", 11, [[1, 3, 7, 9], [4, 3, 3, 3]], .dot(terms: 27)),
        KernelCase("Conv", 11, [[2, 3, 7, 9], [4, 3, 3, 2], [4]], .dot(terms: 18), ["strides": ints(2, 3), "pads": ints(1, 0, 2, 1)]),
        KernelCase(
            "Conv", 11, [[1, 4, 11, 11], [6, 2, 3, 3], [6]], .dot(terms: 18),
            ["group": .int(2), "dilations": ints(2, 3), "pads": ints(2, 3, 2, 3)]),
        KernelCase("Conv", 11, [[2, 5, 6, 5], [7, 5, 1, 1], [7]], .dot(terms: 5)),
        KernelCase("Conv", 11, [[1, 5, 6, 5], [7, 5, 1, 1]], .dot(terms: 5), ["strides": ints(2, 2)]),
        KernelCase(
            "Conv", 11, [[2, 6, 9, 8], [6, 1, 3, 3], [6]], .dot(terms: 9),
            ["group": .int(6), "auto_pad": .string("SAME_UPPER"), "strides": ints(2, 2)]),
        KernelCase("Conv", 11, [[1, 3, 9, 8], [6, 1, 3, 3]], .dot(terms: 9), ["group": .int(3), "auto_pad": .string("SAME_LOWER")]),
        KernelCase("Conv", 11, [[1, 3, 20], [5, 3, 4], [5]], .dot(terms: 12), ["strides": ints(3), "pads": ints(1, 2)]),
        KernelCase("Conv", 11, [[1, 2, 5, 6, 7], [3, 2, 2, 3, 2]], .dot(terms: 24), ["strides": ints(1, 2, 1)]),
        KernelCase("Conv", 11, [[1, 64, 40, 40], [32, 64, 3, 3], [32]], .dot(terms: 576), ["pads": ints(1, 1, 1, 1)]),
    ]

    static let pools: [KernelCase] = [
        KernelCase("MaxPool", 12, [[2, 3, 8, 9]], .exact, ["kernel_shape": ints(3, 2), "strides": ints(2, 2), "pads": ints(1, 0, 1, 1)]),
        KernelCase(
            "MaxPool", 12, [[1, 2, 7, 7]], .exact,
            ["kernel_shape": ints(3, 3), "strides": ints(2, 2), "ceil_mode": .int(1), "dilations": ints(1, 2)]),
        KernelCase("AveragePool", 11, [[1, 3, 8, 9]], .dot(terms: 9), ["kernel_shape": ints(3, 3), "pads": ints(1, 1, 1, 1)]),
        KernelCase(
            "AveragePool", 11, [[1, 3, 8, 9]], .dot(terms: 9),
            ["kernel_shape": ints(3, 3), "pads": ints(1, 1, 1, 1), "count_include_pad": .int(1)]),
        KernelCase(
            "AveragePool", 19, [[1, 3, 8, 8]], .dot(terms: 9), ["kernel_shape": ints(3, 3), "strides": ints(2, 2), "ceil_mode": .int(1)]),
        KernelCase("GlobalAveragePool", 11, [[2, 5, 7, 6]], .dot(terms: 42)), KernelCase("GlobalMaxPool", 11, [[2, 5, 7, 6]], .exact),
    ]

    static let products: [KernelCase] = [
        KernelCase("MatMul", 13, [[5, 7], [7, 3]], .dot(terms: 7)), KernelCase("MatMul", 13, [[2, 3, 5, 7], [7, 3]], .dot(terms: 7)),
        KernelCase("MatMul", 13, [[4, 5, 7], [4, 7, 3]], .dot(terms: 7)), KernelCase("MatMul", 13, [[5, 7], [4, 7, 3]], .dot(terms: 7)),
        KernelCase("MatMul", 13, [[7], [7, 3]], .dot(terms: 7)), KernelCase("MatMul", 13, [[5, 7], [7]], .dot(terms: 7)),
        KernelCase("MatMul", 13, [[65, 129], [129, 77]], .dot(terms: 129)),
        KernelCase("MatMul", 13, [[33, 20], [20, 17]], .dot(terms: 20), type: .float64),
        KernelCase("Gemm", 13, [[5, 7], [7, 3]], .dot(terms: 7)),
        KernelCase("Gemm", 13, [[7, 5], [3, 7], [3]], .dot(terms: 8), ["transA": .int(1), "transB": .int(1)]),
        KernelCase("Gemm", 13, [[5, 7], [7, 3], [5, 1]], .dot(terms: 9), ["alpha": .float(0.5), "beta": .float(2)]),
        KernelCase("Gemm", 13, [[5, 7], [3, 7], [1, 3]], .dot(terms: 8), ["transB": .int(1)]),
    ]

    static let elementwise: [KernelCase] = {
        var cases: [KernelCase] = []
        for name in ["Abs", "Ceil", "Floor", "Neg", "Relu", "Round", "Sign"] { cases.append(KernelCase(name, 13, [[3, 5, 7]], .exact)) }
        for name in ["Reciprocal", "HardSwish", "HardSigmoid", "LeakyRelu", "Softsign"] {
            cases.append(KernelCase(name, 14, [[3, 5, 7]], .ulp(4)))
        }
        for name in ["Erf", "Exp", "Sigmoid", "Tanh"] { cases.append(KernelCase(name, 13, [[3, 5, 701]], .ulp(4))) }
        for name in ["Relu", "Neg", "Abs", "Sign"] {
            for type in [DataType.int32, .int64, .float64] { cases.append(KernelCase(name, 14, [[40_001]], .exact, type: type)) }
        }
        cases.append(KernelCase("Log", 13, [[3, 5, 7]], .scaled(4), positive: [0]))
        cases.append(KernelCase("Sqrt", 13, [[3, 5, 7]], .ulp(1), positive: [0]))
        cases.append(KernelCase("Clip", 6, [[33]], .exact, ["min": .float(-0.5), "max": .float(1)]))
        cases.append(KernelCase("Relu", 14, [[0, 3]], .exact))
        cases.append(KernelCase("Relu", 14, [[]], .exact))
        cases.append(KernelCase("Not", 1, [[3, 5]], .exact, type: .bool))
        return cases
    }()

    static let binary: [KernelCase] = {
        let shapes: [([Int], [Int])] = [
            ([3, 5, 7], [3, 5, 7]), ([3, 5, 7], [7]), ([5, 1], [3, 1, 7]), ([], [4, 2]), ([2, 40_000], [1]), ([2, 3, 4, 5], [3, 1, 1]),
        ]
        var cases: [KernelCase] = []
        for (a, b) in shapes {
            for name in ["Add", "Sub", "Mul"] { cases.append(KernelCase(name, 14, [a, b], .ulp(1))) }
            for name in ["Max", "Min", "Less", "Equal", "GreaterOrEqual"] { cases.append(KernelCase(name, 16, [a, b], .exact)) }
            cases.append(KernelCase("Div", 14, [a, b], .ulp(1), positive: [1]))
        }
        cases.append(KernelCase("PRelu", 16, [[2, 3, 4], [3, 1]], .ulp(1)))
        cases.append(KernelCase("Pow", 15, [[5, 9], [9]], .ulp(8), positive: [0]))
        cases.append(KernelCase("Sum", 13, [[4, 5], [5]], .ulp(1)))
        cases.append(KernelCase("Add", 14, [[4, 5], [5]], .exact, type: .int64))
        cases.append(KernelCase("And", 7, [[4, 5], [5]], .exact, type: .bool))
        cases.append(KernelCase("Xor", 7, [[4, 1], [5]], .exact, type: .bool))
        return cases
    }()

    static let normalizations: [KernelCase] = [
        KernelCase("BatchNormalization", 9, [[2, 5, 6, 7], [5], [5], [5], [5]], .scaled(32), positive: [4]),
        KernelCase("BatchNormalization", 15, [[3, 5], [5], [5], [5], [5]], .scaled(32), ["epsilon": .float(0.01)], positive: [4]),
        KernelCase("LRN", 13, [[2, 7, 4, 5]], .ulp(8), ["size": .int(5), "alpha": .float(0.5), "bias": .float(2)]),
        KernelCase("LRN", 13, [[1, 3, 4, 5]], .ulp(8), ["size": .int(4)]),
        KernelCase("Softmax", 13, [[3, 17]], .ulp(16)), KernelCase("Softmax", 13, [[3, 17, 5]], .ulp(16), ["axis": .int(1)]),
        KernelCase("Softmax", 11, [[3, 17, 5]], .ulp(32), ["axis": .int(1)]),
        KernelCase("LogSoftmax", 13, [[3, 17, 5]], .scaled(32), ["axis": .int(-2)]),
        KernelCase("LayerNormalization", 17, [[3, 4, 33], [33], [33]], .scaled(64)),
        KernelCase("LayerNormalization", 17, [[3, 4, 33], [4, 33]], .scaled(64), ["axis": .int(1)]),
    ]

    static let reductions: [KernelCase] =
        ["ReduceSum", "ReduceMean", "ReduceL1", "ReduceSumSquare"].map {
            KernelCase($0, 11, [[3, 5, 7]], .dot(terms: 21), ["axes": ints(0, 2)])
        }
        + [
            KernelCase("ReduceSum", 13, [[3, 5, 7]], .dot(terms: 5), constants: [[1]]),
            KernelCase("ReduceSum", 13, [[3, 5, 7]], .dot(terms: 105)),
            KernelCase("ReduceMax", 11, [[3, 5, 7]], .exact, ["axes": ints(-1)]),
            KernelCase("ReduceMin", 18, [[3, 5, 7]], .exact, ["keepdims": .int(0)], constants: [[0]]),
            KernelCase("ReduceL2", 11, [[3, 5, 7]], .ulp(16), ["axes": ints(1)]),
        ]

    static let movements: [KernelCase] = [
        KernelCase("Reshape", 14, [[3, 5, 4]], .exact, constants: [[5, -1]]),
        KernelCase("Flatten", 13, [[3, 5, 4]], .exact, ["axis": .int(2)]),
        KernelCase("Squeeze", 13, [[3, 1, 4]], .exact, constants: [[1]]),
        KernelCase("Unsqueeze", 11, [[3, 4]], .exact, ["axes": ints(0, 3)]),
        KernelCase("Identity", 16, [[3, 4]], .exact, type: .int64),
        KernelCase("Transpose", 13, [[3, 5, 4, 2]], .exact, ["perm": ints(2, 0, 3, 1)]),
        KernelCase("Transpose", 13, [[30, 50]], .exact), KernelCase("Transpose", 13, [[2, 3, 4]], .exact, type: .bool),
        KernelCase("Expand", 13, [[3, 1]], .exact, constants: [[2, 3, 4]]),
        KernelCase("Slice", 13, [[8, 9]], .exact, constants: [[1, -2], [7, 0], [0, 1], [2, -3]]),
        KernelCase("Slice", 9, [[8, 9]], .exact, ["starts": ints(2), "ends": ints(100), "axes": ints(1)]),
        KernelCase("Slice", 13, [[8, 9]], .exact, constants: [[5], [2]]),
        KernelCase("Concat", 13, [[2, 3, 4], [2, 1, 4], [2, 0, 4]], .exact, ["axis": .int(1)]),
        KernelCase("Concat", 13, [[2, 3], [2, 5]], .exact, ["axis": .int(-1)], type: .int64),
        KernelCase("Split", 13, [[2, 9]], .exact, ["axis": .int(1)], constants: [[9]]),
        KernelCase("Gather", 13, [[5, 7]], .exact, ["axis": .int(0)], constants: [[4, -1, 0, 2]]),
        KernelCase("Gather", 13, [[5, 7, 3]], .exact, ["axis": .int(1)], constants: [[6, -7]]),
        KernelCase("Cast", 13, [[5, 7]], .exact, ["to": .int(7)]), KernelCase("Cast", 13, [[5, 7]], .exact, ["to": .int(1)], type: .int32),
        KernelCase("Cast", 13, [[5, 7]], .exact, ["to": .int(9)]),
    ]

    private static let all = convolutions + pools + products + elementwise + binary + normalizations + reductions + movements

    @Test(arguments: [1, 3]) func agreesWithTheReference(threads: Int) throws {
        let devices = try DeviceSet("cpu", options: NamedOptions(["cpu.threads=\(threads)"]), fallback: nil, installation: .locate())
        for entry in Self.all { try entry.check(devices.devices) }
    }

    @Test func anIndexOutOfRangeIsAnErrorAndNoRead() throws {
        let devices = try DeviceSet("cpu", fallback: nil, installation: .locate())
        #expect(throws: (any Error).self) {
            try KernelCase("Gather", 13, [[5, 7]], .exact, constants: [[5]]).check(devices.devices)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

/// The suite `operators`: sizes that networks have.
package let operatorCases: [BenchCase] =
    matrixCases + convolutionCases + elementwiseCases + lineCases + reductionCases + movementCases + attentionCases + quantisedCases

private func tensor(_ type: DataType, _ shape: [Int], _ values: Sample.Values = .data(-1...1)) -> Sample.Tensor {
    .init(type, shape, values)
}

private let matrixCases: [BenchCase] =
    [256, 512, 1024, 2048].map { product(.float32, $0, $0, $0, "\($0)") }
    + [product(.float16, 1024, 1024, 1024, "1024"), product(.bfloat16, 1024, 1024, 1024, "1024")]
    + [product(.float32, 1, 4096, 4096, "vector-4096"), product(.float32, 128, 768, 3072, "gpt2-ffn")]
    + [
        BenchCase(
            "Gemm", "64x1024x1024", [tensor(.float32, [64, 1024]), tensor(.float32, [1024, 1024]), tensor(.float32, [1024])],
            ["transB": .int(1)], constants: [1, 2])
    ]

private func product(_ type: DataType, _ m: Int, _ k: Int, _ n: Int, _ name: String) -> BenchCase {
    BenchCase(
        "MatMul", name, [tensor(type, [m, k]), tensor(type, [k, n])], constants: [1], part: m > 1 ? .rows : .init([(1, 1)], output: 1))
}

/// ResNet-50's, batch 1, and a depthwise one of MobileNet.
private let convolutionCases: [BenchCase] = [
    convolution("resnet-stem-7x7", 3, 224, 64, 7, stride: 2), convolution("resnet-56-1x1", 64, 56, 64, 1),
    convolution("resnet-56-3x3", 64, 56, 64, 3), convolution("resnet-56-expand", 64, 56, 256, 1),
    convolution("resnet-28-3x3", 128, 28, 128, 3), convolution("resnet-28-expand", 128, 28, 512, 1),
    convolution("resnet-14-3x3", 256, 14, 256, 3), convolution("resnet-14-reduce", 1024, 14, 256, 1),
    convolution("resnet-7-3x3", 512, 7, 512, 3), convolution("resnet-7-expand", 512, 7, 2048, 1),
    convolution("mobilenet-depthwise", 144, 56, 144, 3, group: 144),
]

private func convolution(_ name: String, _ channels: Int, _ size: Int, _ filters: Int, _ kernel: Int, stride: Int = 1, group: Int = 1)
    -> BenchCase
{
    let pad = Int64(kernel / 2), kernel64 = Int64(kernel), stride = Int64(stride)
    return BenchCase(
        "Conv", name,
        [
            tensor(.float32, [1, channels, size, size]), tensor(.float32, [filters, channels / group, kernel, kernel]),
            tensor(.float32, [filters]),
        ],
        [
            "kernel_shape": .ints([kernel64, kernel64]), "strides": .ints([stride, stride]), "pads": .ints([pad, pad, pad, pad]),
            "group": .int(Int64(group)),
        ], constants: [1, 2],
        // One group has one filter here, and its channel.
        part: group > 1 ? .init([], output: 0) : .init([(1, 0), (2, 0)], output: 1))
}

private let elementwiseCases: [BenchCase] =
    [("1M", [1024, 1024]), ("16M", [4096, 4096])].flatMap { name, shape in
        [
            BenchCase("Add", name, [tensor(.float32, shape), tensor(.float32, shape)], part: .init([(0, 0), (1, 0)])),
            BenchCase("Relu", name, [tensor(.float32, shape)]),
        ]
    }
    + [BenchCase("Add", "1M", [tensor(.float16, [1024, 1024]), tensor(.float16, [1024, 1024])], part: .init([(0, 0), (1, 0)]))]
    + [BenchCase("Mul", "bias-1M", [tensor(.float32, [1024, 1024]), tensor(.float32, [1024])])]
    + ["Sigmoid", "Tanh", "Exp", "Erf", "Gelu"].map { BenchCase($0, "1M", [tensor(.float32, [1024, 1024])]) }
    + [BenchCase("Cast", "to-float16-1M", [tensor(.float32, [1024, 1024])], ["to": .int(Int64(DataType.float16.rawValue))])]

private let lineCases: [BenchCase] = [
    BenchCase("Softmax", "attention-1536x128", [tensor(.float32, [1536, 128])], ["axis": .int(-1)]),
    BenchCase("Softmax", "vocabulary-64x32000", [tensor(.float32, [64, 32000])], ["axis": .int(-1)]),
    BenchCase(
        "LayerNormalization", "512x1024", [tensor(.float32, [512, 1024]), tensor(.float32, [1024]), tensor(.float32, [1024])],
        constants: [1, 2]),
    BenchCase("RMSNormalization", "512x4096", [tensor(.float32, [512, 4096]), tensor(.float32, [4096])], constants: [1]),
    BenchCase(
        "BatchNormalization", "64x112x112",
        [tensor(.float32, [8, 64, 112, 112])] + [-1...1, -1...1, -1...1, 0.5...2].map { tensor(.float32, [64], .data($0)) },
        constants: [1, 2, 3, 4]),
]

private let reductionCases: [BenchCase] = [
    reduction("ReduceSum", "rows-1024x4096", 1), reduction("ReduceSum", "columns-1024x4096", 0),
    reduction("ReduceMax", "rows-1024x4096", 1),
    BenchCase(
        "MaxPool", "resnet-3x3", [tensor(.float32, [8, 64, 112, 112])],
        ["kernel_shape": .ints([3, 3]), "strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1])]),
    BenchCase("GlobalAveragePool", "2048x7x7", [tensor(.float32, [8, 2048, 7, 7])]),
]

private func reduction(_ name: String, _ label: String, _ axis: Int) -> BenchCase {
    BenchCase(
        name, label, [tensor(.float32, [1024, 4096]), .vector([axis])], ["keepdims": .int(0)], constants: [1], part: .init([(0, 1 - axis)]))
}

private let movementCases: [BenchCase] = [
    BenchCase("Transpose", "2048x2048", [tensor(.float32, [2048, 2048])], ["perm": .ints([1, 0])], part: .init([(0, 0)], output: 1)),
    BenchCase(
        "Transpose", "to-channels-last", [tensor(.float32, [8, 128, 56, 56])], ["perm": .ints([0, 2, 3, 1])]),
    BenchCase(
        "Concat", "channels", [tensor(.float32, [8, 128, 56, 56]), tensor(.float32, [8, 128, 56, 56])], ["axis": .int(1)],
        part: .init([(0, 0), (1, 0)])),
    BenchCase(
        "Gather", "embedding-32000x1024", [tensor(.float32, [32000, 1024]), tensor(.int64, [512], .integers(0...31999))], constants: [0],
        part: .init([(1, 0)])),
]

private let attentionCases: [BenchCase] = [("gpt2-128", 128), ("gpt2-512", 512)].map { name, length in
    BenchCase(
        "Attention", name, (0..<3).map { _ in tensor(.float32, [1, 12, length, 64]) }, part: .init([(0, 1), (1, 1), (2, 1)], output: 1))
}

private let quantisedCases: [BenchCase] = [
    BenchCase(
        "MatMulInteger", "512", [tensor(.uint8, [512, 512], .integers(0...255)), tensor(.int8, [512, 512], .integers(-128...127))],
        constants: [1]),
    BenchCase(
        "QLinearMatMul", "512",
        [
            tensor(.uint8, [512, 512], .integers(0...255)), .scalar(.float32, 0.02), .scalar(.uint8, 128),
            tensor(.int8, [512, 512], .integers(-128...127)), .scalar(.float32, 0.01), .scalar(.int8, 0), .scalar(.float32, 2),
            .scalar(.uint8, 128),
        ], constants: [1, 2, 3, 4, 5, 6, 7]),
    BenchCase(
        "QLinearConv", "resnet-28-3x3",
        [
            tensor(.uint8, [1, 128, 28, 28], .integers(0...255)), .scalar(.float32, 0.02), .scalar(.uint8, 128),
            tensor(.int8, [128, 128, 3, 3], .integers(-128...127)), .scalar(.float32, 0.01), .scalar(.int8, 0), .scalar(.float32, 2),
            .scalar(.uint8, 128),
        ], ["kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1])], constants: [1, 2, 3, 4, 5, 6, 7], part: .init([(3, 0)], output: 1)),
    BenchCase(
        "QuantizeLinear", "1M", [tensor(.float32, [1024, 1024]), .scalar(.float32, 0.01), .scalar(.uint8, 128)], constants: [1, 2]),
    BenchCase(
        "DequantizeLinear", "1M", [tensor(.uint8, [1024, 1024], .integers(0...255)), .scalar(.float32, 0.01), .scalar(.uint8, 128)],
        constants: [1, 2]),
]

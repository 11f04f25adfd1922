// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Convolutions as products of the filters and what the windows see.
let convolutionKernels: [LoweredKernel] =
    LoweredKernel.floatProduct("Conv", since: 1) { node, profile throws(Refusal) in
        let (x, w, y) = (try node.operand(input: 0), try node.operand(input: 1), try node.operand(output: 0))
        try require(x.type == w.type && y.type == x.type, .dataType, "mixed data types")
        let convolution = try Convolution(node, x, w, y)
        var problem = try convolution.problem(inputs: (0, 1), profile)
        if let bias = try node.optional(input: 2) {
            try require(bias.type == x.type && bias.count == w.shape[0], .shape, "a bias that does not fit")
            problem.epilogue.inputs = [convolution.perFilter(2, bias)]
            problem.epilogue.term = problem.epilogue.term + .input(1, npu_type(bias.type.rawValue))
        }
        return problem
    }
    + [
        LoweredKernel("ConvInteger", since: 10, types: [.int8, .uint8]) { node, profile throws(Refusal) in
            let (x, w, y) = (try node.operand(input: 0), try node.operand(input: 1), try node.operand(output: 0))
            let convolution = try Convolution(node, x, w, y)
            var problem = try convolution.problem(inputs: (0, 1), profile)
            problem.b.zeroPoint = try node.zeroPoint(2, of: x.type, count: 1)
            problem.a.zeroPoint = try node.zeroPoint(3, of: w.type, count: convolution.groups == 1 ? w.shape[0] : 1)
            return try problem.lower(profile)
        },
        LoweredKernel("QLinearConv", since: 10, types: [.int8, .uint8]) { node, profile throws(Refusal) in
            let (x, w, y) = (try node.operand(input: 0), try node.operand(input: 3), try node.operand(output: 0))
            let convolution = try Convolution(node, x, w, y)
            var problem = try convolution.problem(inputs: (0, 3), profile)
            problem.b.zeroPoint = try node.zeroPoint(2, of: x.type, count: 1)
            problem.a.zeroPoint = try node.zeroPoint(5, of: w.type, count: convolution.groups == 1 ? w.shape[0] : 1)
            var addends: [Epilogue.Input] = []
            if let bias = try node.optional(input: 8) {
                try require(bias.type == .int32 && bias.count == w.shape[0], .shape, "a bias that does not fit")
                addends = [convolution.perFilter(8, bias)]
            }
            let scale = try node.operand(input: 4)
            try require(scale.count == 1 || scale.count == w.shape[0], .shape, "scales that do not fit")
            let scales = [
                try node.scale(1, rows: nil, columns: nil, batches: problem.batches),
                scale.count == 1 ? try node.scale(4, rows: nil, columns: nil, batches: problem.batches) : convolution.perFilter(4, scale),
            ]
            problem.epilogue = try node.requantization(
                accumulators: problem.epilogue.term, addends: addends, scales: scales, output: (6, 7), y.type, batches: problem.batches)
            return try problem.lower(profile)
        },
    ]

/// The geometry of a convolution of one to three axes.
struct Convolution {
    let x, w, y: Operand
    let groups: Int
    private var patch = npu_patch()
    private let inputSize, outputSize, taps: Int

    private var filters: Int { w.shape[0] / groups }
    private var channels: Int { w.shape[1] }
    private var batches: Int { x.shape[0] }

    init(_ node: NodeView, _ x: Operand, _ w: Operand, _ y: Operand) throws(Refusal) {
        (self.x, self.w, self.y) = (x, w, y)
        groups = Int(node.int("group") ?? 1)
        let axes = x.shape.count - 2
        try require(x.shape.count == w.shape.count && y.shape.count == w.shape.count && axes >= 1, .shape, "ranks that do not fit")
        try require(axes <= Int(NPU_PATCH_AXES), .shape, "more than three spatial axes")
        try require(
            groups > 0 && x.shape[1] == w.shape[1] * groups && w.shape[0] % groups == 0 && y.shape[1] == w.shape[0], .shape,
            "channels that do not fit")
        let kernel = Array(w.shape.dropFirst(2))
        try require(
            node.ints("kernel_shape").map { $0.map { Int($0) } == kernel } ?? true, .attribute, "a kernel_shape that is not the filters'")
        let window = try SpatialWindow(node, input: Array(x.shape.dropFirst(2)), output: Array(y.shape.dropFirst(2)), kernel: kernel)
        patch = try window.patch(elementBytes: x.width)
        inputSize = x.shape.dropFirst(2).reduce(1, *)
        outputSize = y.shape.dropFirst(2).reduce(1, *)
        taps = kernel.reduce(1, *)
        patch.channels = UInt64(channels)
        patch.channel_stride = UInt64(inputSize * x.width)
    }

    /// A value for each filter, as an operand of the epilogue.
    func perFilter(_ input: Int, _ operand: Operand) -> Epilogue.Input {
        Epilogue.Input(
            input: input, bytes: operand.bytes, type: operand.type, row: 1, column: 0, offsets: parts.map { $0.group * filters })
    }

    private var parts: [(batch: Int, group: Int)] { (0..<batches).flatMap { batch in (0..<groups).map { (batch, $0) } } }

    func problem(inputs: (x: Int, w: Int), _ profile: Profile) throws(Refusal) -> ProductProblem {
        guard let arithmetic = ProductArithmetic(w.type, x.type, profile) else {
            throw Refusal(.dataType, "types that the matrix unit does not take together")
        }
        try require(batches * groups <= 1 << 16, .shape, "more than 65536 products")
        let depth = channels * taps
        var a = w.matrix(inputs.w, row: depth, column: 1, offsets: parts.map { $0.group * filters * depth })
        // Packed in whole tiles: with few filters per group they are mostly empty.
        let padding = roundUp(filters, to: Int(profile.config.tile_m)) * roundUp(depth, to: Int(profile.config.tile_k))
        if padding > 4 * filters * depth { a.constant = nil }
        var b = x.matrix(
            inputs.x, row: inputSize, column: 1, offsets: parts.map { ($0.batch * x.shape[1] + $0.group * channels) * inputSize })
        b.constant = nil
        // Windows of one element that lie side by side are the image itself.
        if taps > 1 || outputSize != inputSize || patch.reachesOutside { b.source = .patches(patch) }
        return ProductProblem(
            m: filters, n: outputSize, k: depth, a: a, b: b, arithmetic: arithmetic,
            output: .init(
                bytes: y.bytes, type: y.type, rowStride: outputSize,
                offsets: parts.map { ($0.batch * y.shape[1] + $0.group * filters) * outputSize }), epilogue: .none(arithmetic))
    }
}

/// Windows along some axes: what `Conv` and pooling have in common.
struct SpatialWindow {
    let input, output, kernel, strides, dilations: [Int]
    /// Elements of padding before the first element.
    let pads: [Int]

    init(_ node: NodeView, input: [Int], output: [Int], kernel: [Int]) throws(Refusal) {
        (self.input, self.output, self.kernel) = (input, output, kernel)
        func list(_ name: String, default value: Int, count: Int) throws(Refusal) -> [Int] {
            guard let values = node.ints(name) else { return [Int](repeating: value, count: count) }
            try require(values.count == count, .attribute, "as many \(name) as there are axes")
            return values.map { Int($0) }
        }
        strides = try list("strides", default: 1, count: input.count)
        dilations = try list("dilations", default: 1, count: input.count)
        try require(strides.allSatisfy { $0 > 0 } && dilations.allSatisfy { $0 > 0 }, .attribute, "strides and dilations that are positive")
        let mode = node.string("auto_pad") ?? "NOTSET"
        if mode == "NOTSET" || mode == "" {
            pads = Array(try list("pads", default: 0, count: 2 * input.count).prefix(input.count))
        } else if mode == "VALID" {
            pads = input.map { _ in 0 }
        } else {
            try require(mode == "SAME_UPPER" || mode == "SAME_LOWER", .attribute, "no auto_pad \(mode)")
            var pads: [Int] = []
            for axis in input.indices {
                let total = max((output[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - input[axis], 0)
                pads.append(mode == "SAME_UPPER" ? total / 2 : (total + 1) / 2)
            }
            self.pads = pads
        }
    }

    /// The instruction that loads what they see, but for places and ranges.
    func patch(elementBytes: Int) throws(Refusal) -> npu_patch {
        for list in [input, output, kernel, strides, dilations, pads] {
            try require(list.allSatisfy { abs($0) < 1 << 24 }, .shape, "an axis that is too long")
        }
        func three(_ values: [Int], _ rest: UInt32) -> (UInt32, UInt32, UInt32) {
            let all = [UInt32](repeating: rest, count: 3 - values.count) + values.map { UInt32($0) }
            return (all[0], all[1], all[2])
        }
        var patch = npu_patch()
        patch.input = three(input, 1)
        patch.output = three(output, 1)
        patch.kernel = three(kernel, 1)
        patch.stride = three(strides, 1)
        patch.dilation = three(dilations, 1)
        let all = [Int32](repeating: 0, count: 3 - pads.count) + pads.map { Int32($0) }
        patch.pad = (all[0], all[1], all[2])
        patch.element_bytes = UInt32(elementBytes)
        return patch
    }
}

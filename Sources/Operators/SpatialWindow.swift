// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// One axis over which a window (of a convolution or a pooling) slides. All sizes are positive and below 2^31, pads not negative.
struct WindowAxis: Sendable {
    var input = 1
    var output = 1
    var kernel = 1
    var stride = 1
    var dilation = 1
    var padBegin = 0
    var padEnd = 0

    /// From the first to the last element that a window covers.
    var extent: Int { (kernel - 1) * dilation + 1 }

    /// The taps of the window at output position `position` that fall inside the input.
    func taps(at position: Int) -> Range<Int> {
        let start = position * stride - padBegin
        let low = start >= 0 ? 0 : (dilation - 1 - start) / dilation
        let high = start >= input ? 0 : min(kernel, (input - 1 - start) / dilation + 1)
        return low..<max(low, high)
    }

    /// The output positions whose tap `tap` falls inside the input.
    func positions(reading tap: Int) -> Range<Int> {
        let start = tap * dilation - padBegin
        let low = min(output, start >= 0 ? 0 : (stride - 1 - start) / stride)
        let high = start >= input ? 0 : min(output, (input - 1 - start) / stride + 1)
        return low..<max(low, high)
    }

    /// The input position that tap `tap` reads for output position `position`.
    func source(_ position: Int, tap: Int) -> Int { position * stride - padBegin + tap * dilation }
}

/// A window over one to three spatial axes: the attributes kernel_shape, strides, dilations, pads, auto_pad and ceil_mode, checked.
struct SpatialWindow: Sendable {
    /// One per spatial axis of the operator.
    private(set) var axes: [WindowAxis]

    var inputShape: [Int] { axes.map(\.input) }
    var outputShape: [Int] { axes.map(\.output) }
    var kernelCount: Int { axes.reduce(1) { $0 * $1.kernel } }
    var inputCount: Int { axes.reduce(1) { $0 * $1.input } }
    var outputCount: Int { axes.reduce(1) { $0 * $1.output } }

    /// The axes as depth, height and width; those that the operator lacks have size one.
    var volume: (depth: WindowAxis, height: WindowAxis, width: WindowAxis) {
        let all = Array(repeating: WindowAxis(), count: 3 - axes.count) + axes
        return (all[0], all[1], all[2])
    }

    /// A window that slides over `input`.
    init(_ attributes: NodeAttributes, over input: [Int], kernel: [Int]) throws(OperatorError) {
        try self.init(attributes, input: input, kernel: kernel)
        let autoPad = attributes.string("auto_pad") ?? "NOTSET"
        for axis in axes.indices {
            try axes[axis].slide(autoPad: autoPad, ceil: attributes.flag("ceil_mode"))
        }
    }

    /// A window whose outputs are not determined yet: `output` is left at one.
    init(_ attributes: NodeAttributes, input: [Int], kernel: [Int]) throws(OperatorError) {
        let rank = input.count
        if rank > 3 { throw .unsupported("windows over \(rank) spatial axes are not covered, at most 3 are") }
        try require(rank >= 1, "the input has no spatial axes")
        try require(input.allSatisfy { $0 >= 0 }, "the input's sizes \(input) have a negative entry")
        if let named = attributes.ints("kernel_shape") {
            try require(named == kernel, "kernel_shape \(named) does not fit the kernel's shape \(kernel)")
        }
        let strides = attributes.ints("strides") ?? Array(repeating: 1, count: rank)
        let dilations = attributes.ints("dilations") ?? Array(repeating: 1, count: rank)
        var pads = attributes.ints("pads") ?? Array(repeating: 0, count: 2 * rank)
        let autoPad = attributes.string("auto_pad") ?? "NOTSET"
        try require(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"].contains(autoPad), "auto_pad '\(autoPad)' is unknown")
        try require(
            kernel.count == rank && strides.count == rank && dilations.count == rank && pads.count == 2 * rank,
            "a kernel of shape \(kernel), strides \(strides), dilations \(dilations) and pads \(pads) do not fit \(rank) spatial axes")
        try require(
            (kernel + strides + dilations).allSatisfy { $0 > 0 },
            "kernel \(kernel), strides \(strides) and dilations \(dilations) must be positive")
        try require(pads.allSatisfy { $0 >= 0 }, "the pads \(pads) have a negative entry")
        try require(
            (input + kernel + strides + dilations + pads).allSatisfy { $0 < 1 << 31 }, "a window over \(input) has a size beyond 2^31")
        if autoPad != "NOTSET" { pads = Array(repeating: 0, count: 2 * rank) }
        axes = (0..<rank).map {
            WindowAxis(
                input: input[$0], kernel: kernel[$0], stride: strides[$0], dilation: dilations[$0], padBegin: pads[$0],
                padEnd: pads[$0 + rank])
        }
    }

    /// Sets pads and sizes of one axis, for operators that have rules of their own.
    mutating func set(axis: Int, padBegin: Int, padEnd: Int, input: Int, output: Int) {
        axes[axis].padBegin = padBegin
        axes[axis].padEnd = padEnd
        axes[axis].input = input
        axes[axis].output = output
    }
}

extension WindowAxis {
    /// Pads (if they are automatic) and output size of a window that slides over the input.
    fileprivate mutating func slide(autoPad: String, ceil: Bool) throws(OperatorError) {
        if autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER" {
            output = (input + stride - 1) / stride
            let total = max(0, (output - 1) * stride + extent - input)
            padBegin = autoPad == "SAME_UPPER" ? total / 2 : total - total / 2
            padEnd = total - padBegin
            return
        }
        let room = input + padBegin + padEnd - extent
        try require(room >= 0, "a window of \(extent) elements is larger than the padded input of \(input + padBegin + padEnd)")
        output = room / stride + 1
        // Rounded up, unless the last window would start in the padding behind the input. Automatic padding is never rounded.
        if ceil, autoPad == "NOTSET", room % stride != 0, output * stride < input + padBegin { output += 1 }
    }
}

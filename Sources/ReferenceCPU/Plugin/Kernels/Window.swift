// SPDX-License-Identifier: Apache-2.0
import PluginKit
import ReferenceCPUKernels

/// A window's geometry from a node's attributes, for one to three spatial axes.
///
/// The attributes `auto_pad`, `pads`, `strides`, `dilations` mean what ONNX says under Conv and MaxPool; output sizes are the host's.
func window(_ node: NodeView, input: [Int], output: [Int], kernel: [Int]) throws(Refusal) -> cpu_window {
    let rank = input.count - 2
    try require((1...3).contains(rank) && output.count == input.count && kernel.count == rank, .shape, "not one to three spatial axes")
    let strides = node.ints("strides").map { $0.map { Int($0) } } ?? Array(repeating: 1, count: rank)
    let dilations = node.ints("dilations").map { $0.map { Int($0) } } ?? Array(repeating: 1, count: rank)
    let pads = node.ints("pads").map { $0.map { Int($0) } } ?? Array(repeating: 0, count: 2 * rank)
    try require(
        strides.count == rank && dilations.count == rank && pads.count == 2 * rank && pads.allSatisfy { $0 >= 0 }, .attribute,
        "strides, dilations or pads that do not fit")
    let automatic = node.string("auto_pad") ?? "NOTSET"
    var axes: [(input: Int, output: Int, kernel: Int, stride: Int, dilation: Int, pad: Int, padEnd: Int)] = []
    for axis in 0..<rank {
        let (size, result) = (input[axis + 2], output[axis + 2])
        var (before, after) = (pads[axis], pads[rank + axis])
        switch automatic {
        case "NOTSET", "": break
        case "VALID": (before, after) = (0, 0)
        case "SAME_UPPER", "SAME_LOWER":
            let total = max((result - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - size, 0)
            before = automatic == "SAME_UPPER" ? total / 2 : total - total / 2
            after = total - before
        default: throw Refusal(.attribute, "auto_pad '\(automatic)'")
        }
        axes.append((size, result, kernel[axis], strides[axis], dilations[axis], before, after))
    }
    while axes.count < 3 { axes.insert((1, 1, 1, 1, 1, 0, 0), at: 0) }
    func each(_ value: (Int) -> Int) -> (Int64, Int64, Int64) { (Int64(value(0)), Int64(value(1)), Int64(value(2))) }
    return cpu_window(
        input: each { axes[$0].input }, output: each { axes[$0].output }, kernel: each { axes[$0].kernel },
        stride: each { axes[$0].stride },
        dilation: each { axes[$0].dilation }, pad: each { axes[$0].pad }, pad_end: each { axes[$0].padEnd })
}

extension cpu_window {
    /// Every input element is one column, in order.
    var isPointwise: Bool {
        kernel == (1, 1, 1) && stride == (1, 1, 1) && pad == (0, 0, 0) && input == output
    }
}

// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

private let steps: [DataType] = [.int8, .uint8, .int16, .uint16]

/// The data's shape and the strides of scales and zero points over it: one for all, one per place on the axis, or one per block along it (then the axis is two).
private func scaleSpace(_ node: NodeView, _ x: Operand, _ scale: Operand) throws(Refusal) -> (shape: [Int], strides: [Int]) {
    let block = Int(node.int("block_size") ?? 0)
    if let zeros = node.input(2) { try require(zeros.count == scale.count, .shape, "zero points that do not fit") }
    if block == 0 && scale.count == 1 && scale.shape.count <= 1 { return (x.shape, x.shape.map { _ in 0 }) }
    let axis = try node.axis(default: 1, rank: x.shape.count)
    if block == 0 {
        try require(scale.shape == [x.shape[axis]], .shape, "scales that do not fit")
        return (x.shape, x.shape.indices.map { $0 == axis ? 1 : 0 })
    }
    try require(block > 0 && x.shape[axis] % block == 0 && scale.shape.count == x.shape.count, .shape, "blocks that do not fit")
    var (shape, strides) = (x.shape, denseStrides(scale.shape))
    shape[axis] /= block
    try require(scale.shape == shape, .shape, "scales that do not fit")
    shape.insert(block, at: axis + 1)
    strides.insert(0, at: axis + 1)
    return (shape, strides)
}

let quantizationKernels = [
    vectorKernel("QuantizeLinear", since: 10, types: floatTypes + [.int32]) { node, lowering throws(Refusal) in
        let (x, scale, y) = (try node.operand(input: 0), try node.operand(input: 1), try node.operand(output: 0))
        try require(steps.contains(y.type) && floatTypes.contains(scale.type), .dataType, "no such quantisation")
        let precision = node.int("precision").flatMap { $0 == 0 ? nil : DataType(rawValue: UInt32($0)) } ?? scale.type
        try require(floatTypes.contains(precision), .attribute, "a precision of \(precision.name)")
        let space = try scaleSpace(node, x, scale)
        var inputs = [
            try lowering.input(0, x, strides: denseStrides(space.shape)), try lowering.input(1, scale, strides: space.strides),
        ]
        var term = Term.input(0, inputs[0].type) / .input(1, inputs[1].type)
        if precision != .float32 { term = term.converted(to: precision.vectorType!) }
        term = .round(term)
        if node.input(2) != nil {
            inputs.append(try lowering.input(2, try node.operand(input: 2), strides: space.strides))
            term = term + .input(2, inputs[2].type)
        }
        lowering.add(
            VectorPhase(space.shape, inputs: inputs, outputs: [(term, try lowering.output(0, y, strides: denseStrides(space.shape)))]))
    },
    vectorKernel("DequantizeLinear", since: 10, types: steps + [.int32]) { node, lowering throws(Refusal) in
        let (x, scale, y) = (try node.operand(input: 0), try node.operand(input: 1), try node.operand(output: 0))
        try require(floatTypes.contains(scale.type) && floatTypes.contains(y.type), .dataType, "no such dequantisation")
        let space = try scaleSpace(node, x, scale)
        var inputs = [
            try lowering.input(0, x, strides: denseStrides(space.shape)), try lowering.input(1, scale, strides: space.strides),
        ]
        // The difference needs one bit more than the type has.
        let wide = x.type == .int32 ? NPU_INT64 : NPU_INT32
        var term = Term.input(0, inputs[0].type)
        if node.input(2) != nil {
            inputs.append(try lowering.input(2, try node.operand(input: 2), strides: space.strides))
            term = term.converted(to: wide) - .input(2, inputs[2].type)
        }
        lowering.add(
            VectorPhase(
                space.shape, inputs: inputs,
                outputs: [
                    (
                        .operation(NPU_V_SCALE, term, .input(1, inputs[1].type)),
                        try lowering.output(0, y, strides: denseStrides(space.shape))
                    )
                ]))
    },
    vectorKernel("DynamicQuantizeLinear", since: 11, types: [.float32]) { node, lowering throws(Refusal) in
        let x = try node.operand(input: 0)
        try require(x.count > 0, .shape, "no element")
        let input = try lowering.input(0, x)
        let value = Term.input(0, input.type)
        let least = Term.min(.reduction(NPU_V_LEAST, value), 0)
        let most = Term.max(.greatest(value), 0)
        let span = most - least
        // The range of the largest numbers is none itself.
        let step = Term.select(.operation(NPU_V_IS_INFINITE, span), most / 255 - least / 255, span / 255)
        let scale = Term.select(.operation(NPU_V_EQUAL, span, 0), 1, step)
        // In steps, and as a step: stored as uint8, which saturates.
        let zero = Term.round(-least / scale).converted(to: NPU_UINT8)
        let results = [.round(value / scale) + zero, scale, zero]
        var outputs: [(term: Term, access: Access)] = []
        for (index, term) in results.enumerated() where node.output(index) != nil {
            let y = try node.operand(output: index)
            outputs.append((term, try lowering.output(index, y, strides: index == 0 ? denseStrides(x.shape) : x.shape.map { _ in 0 })))
        }
        lowering.add(VectorPhase(x.shape, columns: x.shape.count, inputs: [input], outputs: outputs))
    },
]

// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

private let column = Term.operation(NPU_V_COLUMN)
private let row = Term.operation(NPU_V_ROW)

/// Operators whose elements depend on where they are.
let placeKernels = [
    vectorKernel("Trilu", since: 14, types: vectorTypes) { node, lowering throws(Refusal) in
        let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
        try require(x.shape.count >= 2, .shape, "no matrix")
        let input = try lowering.input(0, x, as: x.type.movedType)
        var inputs = [input]
        // Rows are counted through all matrices.
        var place = Term.operation(NPU_V_MODULO, row, .constant(Double(max(x.shape[x.shape.count - 2], 1))))
        if node.input(1) != nil {
            inputs.append(try lowering.input(1, try node.operand(input: 1), strides: x.shape.map { _ in 0 }))
            place = place + .input(1, inputs[1].type)
        }
        let isKept = node.int("upper") ?? 1 != 0 ? place <= column : column <= place
        lowering.add(
            VectorPhase(
                x.shape, inputs: inputs,
                outputs: [(.select(isKept, .input(0, input.type), 0), try lowering.output(0, y, as: x.type.movedType))]))
    },
    vectorKernel("EyeLike", since: 9, types: vectorTypes) { node, lowering throws(Refusal) in
        let y = try node.operand(output: 0)
        try require(y.shape.count == 2, .shape, "no matrix")
        let place = row + .constant(Double(node.int("k") ?? 0))
        lowering.add(VectorPhase(y.shape, inputs: [], outputs: [(.operation(NPU_V_EQUAL, place, column), try lowering.output(0, y))]))
    },
    vectorKernel("OneHot", since: 9, types: numberTypes) { node, lowering throws(Refusal) in
        let (x, values, y) = (try node.operand(input: 0), try node.operand(input: 2), try node.operand(output: 0))
        let axis = try node.axis(default: -1, rank: y.shape.count)
        let depth = y.shape[axis]
        // The new axis is the last of the iteration space.
        var (sizes, strides) = (y.shape, denseStrides(y.shape))
        sizes.append(sizes.remove(at: axis))
        strides.append(strides.remove(at: axis))
        let zero = sizes.map { _ in 0 }
        let inputs = [
            try lowering.input(0, x, strides: denseStrides(x.shape) + [0]), try lowering.input(2, values, strides: zero),
            try lowering.input(2, values, strides: zero, offset: 1),
        ]
        let index = Term.input(0, inputs[0].type).converted(to: NPU_INT64)
        let place = Term.select(index < 0, index + .constant(Double(depth)), index)
        let (off, on) = (Term.input(1, inputs[1].type), Term.input(2, inputs[2].type))
        lowering.add(
            VectorPhase(
                sizes, inputs: inputs,
                outputs: [(.select(.operation(NPU_V_EQUAL, place, column), on, off), try lowering.output(0, y, strides: strides))]))
    },
    vectorKernel("Range", since: 11, types: [.float32, .int16, .int32, .int64]) { node, lowering throws(Refusal) in
        let (start, delta, y) = (try node.operand(input: 0), try node.operand(input: 2), try node.operand(output: 0))
        let inputs = [try lowering.input(0, start, strides: [0]), try lowering.input(2, delta, strides: [0])]
        lowering.add(
            VectorPhase(
                y.shape, inputs: inputs,
                outputs: [(.input(0, inputs[0].type) + .input(1, inputs[1].type) * column, try lowering.output(0, y))]))
    },
]

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Row-major to the chip's layout and back: the copy engines lay the panels out, whole ones and the rest of a line that is no whole one.
let layoutKernels = [
    LoweredKernel("ConvertLayout", domain: "southbridge", since: 1, types: vectorTypes, flags: [.deterministic, .layouts]) {
        node, profile throws(Refusal) in
        let (x, y) = (try node.packed(input: 0, profile), try node.packed(output: 0, profile))
        try require(x.type == y.type && x.shape == y.shape, .shape, "two tensors that differ in more than their layout")
        guard let form = x.fractal ?? y.fractal, x.fractal == nil || y.fractal == nil else {
            throw Refusal(.layout, "neither from row-major nor to it, or both")
        }
        var lowering = VectorLowering()
        let (whole, rest) = (form.columns / form.width, form.columns % form.width)
        func add(_ sizes: [Int], packed: [Int], plain: [Int], from panel: Int) throws(Refusal) {
            let packedOffset = panel * form.height * form.width
            let plainOffset = panel * form.width
            let input = try lowering.input(
                0, x, strides: x.fractal == nil ? plain : packed, offset: x.fractal == nil ? plainOffset : packedOffset,
                as: x.type.movedType)
            let output = try lowering.output(
                0, y, strides: y.fractal == nil ? plain : packed, offset: y.fractal == nil ? plainOffset : packedOffset,
                as: y.type.movedType)
            lowering.add(VectorPhase(sizes, inputs: [input], outputs: [(.input(0, input.type), output)]))
        }
        let matrix = form.rows * form.columns
        if whole > 0 {
            try add(
                [form.matrices, form.rows, whole, form.width], packed: [form.matrix, form.width, form.height * form.width, 1],
                plain: [matrix, form.columns, form.width, 1], from: 0)
        }
        if rest > 0 {
            try add(
                [form.matrices, form.rows, rest], packed: [form.matrix, form.width, 1], plain: [matrix, form.columns, 1], from: whole)
        }
        return try lowering.build(profile)
    }
]

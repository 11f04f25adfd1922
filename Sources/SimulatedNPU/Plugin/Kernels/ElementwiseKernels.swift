// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

let elementwiseKernels = [
    LoweredKernel("Add", since: 7, types: [.float32, .float16, .bfloat16]) { node, profile throws(Refusal) in
        let (a, b, y) = (try node.operand(input: 0), try node.operand(input: 1), try node.operand(output: 0))
        try require(a.shape == y.shape && b.shape == y.shape, .shape, "broadcasting")
        let builder = ProgramBuilder(profile)
        let (first, second, target) = (
            builder.input(0, bytes: a.bytes), builder.input(1, bytes: b.bytes), builder.output(0, bytes: y.bytes)
        )
        // Six places: three operands, twice over.
        let chunk = builder.free(in: NPU_VECTORS) / 6 / 64 * 64 / y.width
        var places: [npu_address] = []
        for _ in 0..<6 { places.append(try builder.allocate(chunk * y.width, in: NPU_VECTORS)) }
        let share = roundUp(divideUp(y.count, by: builder.cores), to: 64)
        for core in 0..<builder.cores {
            let end = min(share * (core + 1), y.count)
            for (index, at) in stride(from: share * core, to: end, by: chunk).enumerated() {
                let count = min(chunk, end - at)
                let local = places[(index % 2 * 3)..<(index % 2 * 3 + 3)]
                let (x, w, z) = (local[local.startIndex], local[local.startIndex + 1], local[local.startIndex + 2])
                builder.copy(core: core, to: x, from: first + at * y.width, run: count * y.width)
                builder.copy(core: core, to: w, from: second + at * y.width, run: count * y.width)
                builder.vector(core: core, NPU_V_ADD, to: z.operand(y.type), x.operand(y.type), w.operand(y.type), count: count)
                builder.copy(core: core, to: target + at * y.width, from: z, run: count * y.width)
            }
        }
        return try builder.finish()
    }
]

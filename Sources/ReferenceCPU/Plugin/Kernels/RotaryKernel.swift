// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

let rotaryKernels = [
    TunedKernel("RotaryEmbedding", since: 23, types: TypeSet(.float32), widens: true) { node, device throws(Refusal) in
        let (x, cosines, sines) = (try node.present(input: 0), try node.present(input: 1), try node.present(input: 2))
        try require(cosines.type == x.type && sines.type == x.type, .dataType, "caches of another type")
        let rank = x.shape.count
        let heads = rank == 4 ? x.shape[1] : Int(node.int("num_heads") ?? 0)
        try require((rank == 3 || rank == 4) && heads > 0 && x.view.count > 0, .shape, "no heads")
        let (batch, steps, size) = rank == 4 ? (x.shape[0], x.shape[2], x.shape[3]) : (x.shape[0], x.shape[1], x.shape[2] / heads)
        let named = Int(node.int("rotary_embedding_dim") ?? 0)
        let half = (named == 0 ? size : named) / 2
        try require(2 * half <= size && cosines.shape == sines.shape, .shape, "caches that do not fit")
        let strides = HeadStrides(rank, heads: heads, rows: steps, size: size)
        var how = cpu_rotary()
        (how.batch, how.heads, how.steps, how.size, how.half) = (Int64(batch), Int64(heads), Int64(steps), Int64(size), Int64(half))
        (how.batch_stride, how.head_stride, how.step_stride) = (Int64(strides.batch), Int64(strides.head), Int64(strides.row))
        how.is_interleaved = node.int("interleaved") ?? 0 != 0
        how.positions = Int64(cosines.shape[0])
        return TunedKernel.Plan(kernel: PreparedRotary(how, device))
    }
]

private final class PreparedRotary: PreparedKernel {
    private struct Task {
        let how: cpu_rotary
        let ids: UnsafeMutableRawPointer?
        let x, cosines, sines, y: UnsafeMutableRawPointer
    }

    private let how: cpu_rotary
    private let pool: ThreadPool

    init(_ how: cpu_rotary, _ device: CPUDevice) {
        self.how = how
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let (count, perItem) = (Int(how.batch * how.steps), Int(how.heads * how.size))
        let ids = launch.hasInput(3) ? try launch.input(3).hostElements() : nil
        if let ids {
            // Before the threads start, so that an error leaves nothing half done.
            for index in 0..<(how.half > 0 ? count : 0) {
                let position = ids.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self)
                guard position >= 0, position < how.positions else {
                    throw .invalid("RotaryEmbedding: position \(position) is outside a cache of \(how.positions)")
                }
            }
        }
        let task = Task(
            how: how, ids: ids, x: try launch.input(0).hostElements(), cosines: try launch.input(1).hostElements(),
            sines: try launch.input(2).hostElements(), y: try launch.output(0).hostElements())
        pool.parallel(count, grain: max(elementGrain / perItem, 1), with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            withUnsafePointer(to: task.how) { cpu_rotate($0, task.ids, task.x, task.cosines, task.sines, task.y, Int64(begin), Int64(end)) }
        }
    }
}

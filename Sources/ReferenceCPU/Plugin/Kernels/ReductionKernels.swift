// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let reductions: [(name: String, code: cpu_reduce, axesAreInputSince: Int)] = [
    ("ReduceSum", CPU_REDUCE_SUM, 13), ("ReduceMean", CPU_REDUCE_MEAN, 18), ("ReduceMax", CPU_REDUCE_MAX, 18),
    ("ReduceMin", CPU_REDUCE_MIN, 18),
    ("ReduceSumSquare", CPU_REDUCE_SUM_SQUARE, 18), ("ReduceL1", CPU_REDUCE_L1, 18), ("ReduceL2", CPU_REDUCE_L2, 18),
]

let reductionKernels: [TunedKernel] =
    reductions.map { entry in
        TunedKernel(entry.name, since: 1, types: TypeSet(.float32)) { node, device throws(Refusal) in
            let x = try node.present(input: 0)
            let given = try node.integers(attribute: "axes", input: node.version >= entry.axesAreInputSince ? 1 : Int.max) ?? []
            if given.isEmpty { try require(node.int("noop_with_empty_axes") ?? 0 == 0, .attribute, "nothing is reduced") }
            var axes: Set<Int> = []
            for axis in given { axes.insert(try node.axis(axis, rank: x.shape.count)) }
            return try reduction(entry.code, x.shape, axes: given.isEmpty ? Set(x.shape.indices) : axes, device)
        }
    }
    + [("GlobalAveragePool", CPU_REDUCE_MEAN), ("GlobalMaxPool", CPU_REDUCE_MAX)].map { name, code in
        TunedKernel(name, since: 1, types: TypeSet(.float32)) { node, device throws(Refusal) in
            let x = try node.present(input: 0)
            return try reduction(code, x.shape, axes: Set(x.shape.indices.dropFirst(2)), device)
        }
    }

private func reduction(_ code: cpu_reduce, _ shape: [Int], axes: Set<Int>, _ device: CPUDevice) throws(Refusal) -> TunedKernel.Plan {
    try require(!shape.contains(0), .shape, "no element")
    let strides = dense(shape)
    let (kept, reduced) = (shape.indices.filter { !axes.contains($0) }, shape.indices.filter { axes.contains($0) })
    let work = product(reduced.map { shape[$0] })
    return TunedKernel.Plan(
        kernel: PreparedReduction(
            code, kept: try Walk(kept.map { shape[$0] }, [kept.map { strides[$0] }]),
            reduced: try Walk(reduced.map { shape[$0] }, [reduced.map { strides[$0] }]), count: product(kept.map { shape[$0] }), work: work,
            device))
}

private final class PreparedReduction: PreparedKernel {
    private struct Task {
        let code: cpu_reduce
        let kept, reduced: UnsafePointer<cpu_walk>
        let x, y: UnsafeMutableRawPointer
    }

    private let code: cpu_reduce
    private let kept, reduced: Walk
    private let count, grain: Int
    private let pool: ThreadPool

    init(_ code: cpu_reduce, kept: Walk, reduced: Walk, count: Int, work: Int, _ device: CPUDevice) {
        self.code = code
        (self.kept, self.reduced) = (kept, reduced)
        self.count = count
        grain = max(elementGrain / work, 1)
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            code: code, kept: kept.address, reduced: reduced.address, x: try launch.input(0).hostElements(),
            y: try launch.output(0).hostElements())
        pool.parallel(count, grain: grain, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            cpu_reduce_float32(task.code, task.kept, task.reduced, task.x, task.y, Int64(begin), Int64(end))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let real = TypeSet(.float32, .float64)
private let exact: TypeSet = [real, TypeSet(.int32, .int64)]
private let ordered: TypeSet = [exact, TypeSet(.int8, .uint8, .bool)]

private let reductions: [(name: String, loop: Reduction, axesAreInputSince: Int, types: TypeSet)] = [
    ("ReduceSum", .fold(CPU_REDUCE_SUM), 13, exact), ("ReduceMean", .fold(CPU_REDUCE_MEAN), 18, real),
    ("ReduceMax", .fold(CPU_REDUCE_MAX), 18, ordered), ("ReduceMin", .fold(CPU_REDUCE_MIN), 18, ordered),
    ("ReduceSumSquare", .fold(CPU_REDUCE_SUM_SQUARE), 18, exact), ("ReduceL1", .fold(CPU_REDUCE_L1), 18, exact),
    ("ReduceL2", .fold(CPU_REDUCE_L2), 18, real), ("ReduceProd", .fold(CPU_REDUCE_PROD), 18, exact),
    ("ReduceLogSum", .fold(CPU_REDUCE_LOG_SUM), 18, real), ("ReduceLogSumExp", .logSumExp, 18, TypeSet(.float32)),
]

let reductionKernels: [TunedKernel] =
    reductions.map { entry in
        TunedKernel(entry.name, since: 1, types: entry.types, widens: true) { node, device throws(Refusal) in
            let x = try node.present(input: 0)
            let given = try node.integers(attribute: "axes", input: node.version >= entry.axesAreInputSince ? 1 : Int.max) ?? []
            if given.isEmpty { try require(node.int("noop_with_empty_axes") ?? 0 == 0, .attribute, "nothing is reduced") }
            var axes: Set<Int> = []
            for axis in given { axes.insert(try node.axis(axis, rank: x.shape.count)) }
            return try reduction(entry.loop, x.type, x.shape, axes: given.isEmpty ? Set(x.shape.indices) : axes, device)
        }
    }
    + [("GlobalAveragePool", CPU_REDUCE_MEAN), ("GlobalMaxPool", CPU_REDUCE_MAX)].map { name, code in
        TunedKernel(name, since: 1, types: real, widens: true) { node, device throws(Refusal) in
            let x = try node.present(input: 0)
            return try reduction(.fold(code), x.type, x.shape, axes: Set(x.shape.indices.dropFirst(2)), device)
        }
    }

private enum Reduction {
    case fold(cpu_reduce)
    case logSumExp
}

private func reduction(_ loop: Reduction, _ type: DataType, _ shape: [Int], axes: Set<Int>, _ device: CPUDevice) throws(Refusal)
    -> TunedKernel.Plan
{
    try require(!shape.contains(0), .shape, "no element")
    guard let type = type.loopType else { throw Refusal(.dataType, "no loop for \(type.name)") }
    let strides = dense(shape)
    let (kept, reduced) = (shape.indices.filter { !axes.contains($0) }, shape.indices.filter { axes.contains($0) })
    let work = product(reduced.map { shape[$0] })
    return TunedKernel.Plan(
        kernel: PreparedReduction(
            loop, type, kept: try Walk(kept.map { shape[$0] }, [kept.map { strides[$0] }]),
            reduced: try Walk(reduced.map { shape[$0] }, [reduced.map { strides[$0] }]), count: product(kept.map { shape[$0] }), work: work,
            device))
}

private final class PreparedReduction: PreparedKernel {
    private struct Task {
        let loop: Reduction
        let type: cpu_type
        let kept, reduced: UnsafePointer<cpu_walk>
        let x, y: UnsafeMutableRawPointer
    }

    private let loop: Reduction
    private let type: cpu_type
    private let kept, reduced: Walk
    private let count, grain: Int
    private let pool: ThreadPool

    init(_ loop: Reduction, _ type: cpu_type, kept: Walk, reduced: Walk, count: Int, work: Int, _ device: CPUDevice) {
        self.loop = loop
        self.type = type
        (self.kept, self.reduced) = (kept, reduced)
        self.count = count
        grain = max(elementGrain / work, 1)
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            loop: loop, type: type, kept: kept.address, reduced: reduced.address, x: try launch.input(0).hostElements(),
            y: try launch.output(0).hostElements())
        pool.parallel(count, grain: grain, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            switch task.loop {
            case .fold(let code): _ = cpu_reduction(code, task.type, task.kept, task.reduced, task.x, task.y, Int64(begin), Int64(end))
            case .logSumExp: cpu_log_sum_exp_float32(task.kept, task.reduced, task.x, task.y, Int64(begin), Int64(end))
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let summed = TypeSet(.float32, .float64, .int32, .int64)
private let ordered: TypeSet = [TypeSet(.float32, .float64), integers]

/// Operators that go along one axis.
let lineKernels =
    [("ArgMax", true), ("ArgMin", false)].map { name, isGreatest in
        TunedKernel(name, since: 1, types: ordered, widens: true) { node, device throws(Refusal) in
            let last = node.int("select_last_index") ?? 0 != 0
            return try line(node, axis: Int(node.int("axis") ?? 0), device) { _, type in
                .extreme(type, isGreatest: isGreatest, isLast: last)
            }
        }
    } + [
        TunedKernel("CumSum", since: 11, types: summed, widens: true) { node, device throws(Refusal) in
            guard let axis = try node.integers(attribute: "", input: 1)?.first else { throw Refusal(.other, "the axis is not known") }
            let (isExclusive, isReverse) = (node.int("exclusive") ?? 0 != 0, node.int("reverse") ?? 0 != 0)
            return try line(node, axis: axis, device) { _, type in .sum(type, isExclusive: isExclusive, isReverse: isReverse) }
        },
        TunedKernel("TopK", since: 1, types: ordered, widens: true) { node, device throws(Refusal) in
            let values = try node.present(output: 0)
            let isGreatest = node.int("largest") ?? 1 != 0
            return try line(node, axis: Int(node.int("axis") ?? -1), device) { axis, type in
                .top(type, count: values.shape[axis], isGreatest: isGreatest)
            }
        },
    ]

private enum LineLoop {
    case extreme(cpu_type, isGreatest: Bool, isLast: Bool)
    case sum(cpu_type, isExclusive: Bool, isReverse: Bool)
    case top(cpu_type, count: Int, isGreatest: Bool)
}

private func line(_ node: NodeView, axis: Int, _ device: CPUDevice, _ loop: (Int, cpu_type) -> LineLoop) throws(Refusal) -> TunedKernel.Plan
{
    let x = try node.present(input: 0)
    let axis = try node.axis(axis, rank: x.shape.count)
    guard let type = x.type.loopType, x.view.count > 0 else { throw Refusal(.shape, "no element") }
    let inner = product(x.shape[(axis + 1)...])
    let kernel = PreparedLines(loop(axis, type), length: x.shape[axis], inner: inner, items: product(x.shape[..<axis]) * inner, device)
    return TunedKernel.Plan(kernel: kernel, workspace: kernel.workspace)
}

private final class PreparedLines: PreparedKernel {
    private struct Task {
        let loop: LineLoop
        let length, inner, items, shares: Int
        let x: UnsafeMutableRawPointer
        let y, second: UnsafeMutableRawPointer?
        let scratch: UnsafeMutableRawPointer?

        func run(_ begin: Int, _ end: Int, share: Int) {
            let (length, inner, begin, end) = (Int64(length), Int64(inner), Int64(begin), Int64(end))
            switch loop {
            case .extreme(let type, let isGreatest, let isLast):
                _ = cpu_extreme(type, length, inner, isGreatest, isLast, x, y, begin, end)
            case .sum(let type, let isExclusive, let isReverse):
                _ = cpu_running_sum(type, length, inner, isExclusive, isReverse, x, y, begin, end)
            case .top(let type, let count, let isGreatest):
                let heap = scratch.map { $0.assumingMemoryBound(to: Int64.self) + share * count }
                _ = cpu_top_k(type, length, inner, Int64(count), isGreatest, x, y, second, heap, begin, end)
            }
        }
    }

    private let loop: LineLoop
    private let length, inner, items, shares: Int
    private let pool: ThreadPool

    init(_ loop: LineLoop, length: Int, inner: Int, items: Int, _ device: CPUDevice) {
        self.loop = loop
        (self.length, self.inner, self.items) = (length, inner, items)
        pool = device.pool
        shares = max(min(device.pool.threadCount, items, length * items / elementGrain), 1)
    }

    var workspace: Int {
        if case .top(_, let count, _) = loop { shares * count * MemoryLayout<Int64>.size } else { 0 }
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            loop: loop, length: length, inner: inner, items: items, shares: shares, x: try launch.input(0).hostElements(),
            y: launch.hasOutput(0) ? try launch.output(0).hostElements() : nil,
            second: launch.hasOutput(1) ? try launch.output(1).hostElements() : nil,
            scratch: workspace > 0 ? try launch.hostWorkspace(atLeast: workspace) : nil)
        pool.parallel(shares, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            for share in begin..<end { task.run(share * task.items / task.shares, (share + 1) * task.items / task.shares, share: share) }
        }
    }
}

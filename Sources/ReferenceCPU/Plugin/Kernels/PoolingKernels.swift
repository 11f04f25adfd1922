// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

let poolingKernels = [
    TunedKernel("MaxPool", since: 1, types: TypeSet(.float32), widens: true) { node, device throws(Refusal) in
        try require(node.int("storage_order") ?? 0 == 0, .attribute, "column-major indices")
        return try pooling(.max, node, device)
    },
    TunedKernel("AveragePool", since: 7, types: TypeSet(.float32), widens: true) { node, device throws(Refusal) in
        try pooling(node.int("count_include_pad") ?? 0 == 0 ? .average : .averageWithPadding, node, device)
    },
]

private enum Pooling { case max, average, averageWithPadding }

private func pooling(_ kind: Pooling, _ node: NodeView, _ device: CPUDevice) throws(Refusal) -> TunedKernel.Plan {
    try node.requireOutputs(1)
    let (x, y) = (try node.present(input: 0), try node.present(output: 0))
    guard let kernel = node.ints("kernel_shape") else { throw Refusal(.attribute, "no kernel_shape") }
    try require(x.shape.count >= 3 && y.view.count > 0 && x.view.count > 0, .shape, "nothing to pool")
    let window = try window(node, input: x.shape, output: y.shape, kernel: kernel.map { Int($0) })
    return TunedKernel.Plan(
        kernel: PreparedPooling(
            kind, window, planes: x.shape[0] * x.shape[1], work: product(y.shape.dropFirst(2)) * product(kernel.map { Int($0) }), device))
}

private final class PreparedPooling: PreparedKernel {
    private struct Task {
        let kind: Pooling
        let window: cpu_window
        let x, y: UnsafeMutableRawPointer
    }

    private let kind: Pooling
    private let window: cpu_window
    private let planes: Int
    private let grain: Int
    private let pool: ThreadPool

    init(_ kind: Pooling, _ window: cpu_window, planes: Int, work: Int, _ device: CPUDevice) {
        self.kind = kind
        self.window = window
        self.planes = planes
        grain = max(elementGrain / max(work, 1), 1)
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(kind: kind, window: window, x: try launch.input(0).hostElements(), y: try launch.output(0).hostElements())
        pool.parallel(planes, grain: grain, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            withUnsafePointer(to: task.window) { window in
                switch task.kind {
                case .max: cpu_max_pool_float32(window, task.x, task.y, Int64(begin), Int64(end))
                case .average: cpu_average_pool_float32(window, false, task.x, task.y, Int64(begin), Int64(end))
                case .averageWithPadding: cpu_average_pool_float32(window, true, task.x, task.y, Int64(begin), Int64(end))
                }
            }
        }
    }
}

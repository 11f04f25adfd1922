// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let numbers: TypeSet = [floats, integers]

private let folds: [(name: String, code: cpu_binary, types: TypeSet, isMean: Bool)] = [
    ("Max", CPU_BINARY_MAX, numbers, false), ("Min", CPU_BINARY_MIN, numbers, false), ("Sum", CPU_BINARY_ADD, floats, false),
    ("Mean", CPU_BINARY_ADD, floats, true),
]

/// Operators of any number of inputs of one type, folded from the left.
let foldKernels = folds.map { entry in
    TunedKernel(entry.name, since: 8, types: entry.types) { node, device throws(Refusal) in
        let (first, y) = (try node.present(input: 0), try node.present(output: 0))
        try require(node.inputCount <= Int(CPU_FOLD_OPERANDS), .other, "more than \(CPU_FOLD_OPERANDS) inputs")
        try require(y.view.count > 0, .shape, "no element")
        guard let type = first.type.loopType else { throw Refusal(.dataType, "no loop for \(first.type.name)") }
        var walks: [Walk] = []
        for index in 0..<node.inputCount {
            let input = try node.present(input: index)
            try require(input.type == first.type, .dataType, "inputs of two types")
            walks.append(try Walk(y.shape, [try broadcast(input.shape, to: y.shape)]))
        }
        return TunedKernel.Plan(kernel: PreparedFold(entry.code, type, isMean: entry.isMean, walks, count: y.view.count, device))
    }
}

private final class PreparedFold: PreparedKernel, @unchecked Sendable {
    private struct Task {
        let code: cpu_binary
        let type: cpu_type
        let isMean: Bool
        let count: Int32
        let walks: UnsafePointer<UnsafePointer<cpu_walk>?>
        let x: UnsafePointer<UnsafeRawPointer?>
        let y: UnsafeMutableRawPointer
    }

    private let code: cpu_binary
    private let type: cpu_type
    private let isMean: Bool
    private let walks: [Walk]
    /// Of the walks, for the C loop.
    private let addresses: UnsafeMutablePointer<UnsafePointer<cpu_walk>?>
    private let count: Int
    private let pool: ThreadPool

    init(_ code: cpu_binary, _ type: cpu_type, isMean: Bool, _ walks: [Walk], count: Int, _ device: CPUDevice) {
        self.code = code
        self.type = type
        self.isMean = isMean
        self.walks = walks
        addresses = .allocate(capacity: walks.count)
        for (index, walk) in walks.enumerated() { addresses.advanced(by: index).initialize(to: walk.address) }
        self.count = count
        pool = device.pool
    }

    deinit { addresses.deallocate() }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let y = try launch.output(0).hostElements()
        // Small enough for the stack.
        try withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: Int(CPU_FOLD_OPERANDS)) { inputs throws(PluginFailure) in
            for index in 0..<walks.count { inputs[index] = UnsafeRawPointer(try launch.input(index).hostElements()) }
            let task = Task(
                code: code, type: type, isMean: isMean, count: Int32(walks.count), walks: addresses, x: UnsafePointer(inputs.baseAddress!),
                y: y)
            pool.parallel(count, grain: elementGrain, with: task) { context, begin, end in
                let task = context!.assumingMemoryBound(to: Task.self).pointee
                _ = cpu_fold(task.code, task.type, task.isMean, task.count, task.walks, task.x, task.y, Int64(begin), Int64(end))
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import PluginKit
import ReferenceCPUKernels

/// A copy that reads every axis of the output at places named by a table of its own; see `cpu_table_copy`.
final class PreparedTableCopy: PreparedKernel, @unchecked Sendable {
    private struct Task {
        let width, rank: Int32
        let shape, tables: UnsafePointer<Int64>
        let x, y: UnsafeMutableRawPointer
        let fill: UnsafeRawPointer
    }

    private let width: Int32
    private let rank, rows, columns: Int
    private let memory: UnsafeMutablePointer<Int64>
    /// Input that holds the element for places outside; without it they are zero.
    private let fillInput: Int?
    private let pool: ThreadPool

    /// - Parameter tables: for each axis of the output where it is read, in elements of the input, or a negative number outside of it.
    init(_ width: Int32, tables: [[Int]], fillInput: Int?, _ device: CPUDevice) {
        self.width = width
        rank = tables.count
        let shape = tables.map(\.count)
        columns = shape.last ?? 1
        rows = product(shape.dropLast())
        self.fillInput = fillInput
        // Shape, tables, and two zeros: the widest element there is.
        let values = shape + tables.flatMap { $0 } + [0, 0]
        memory = .allocate(capacity: values.count)
        for (index, value) in values.enumerated() { memory.advanced(by: index).initialize(to: Int64(value)) }
        zeros = UnsafeRawPointer(memory + values.count - 2)
        pool = device.pool
    }

    private let zeros: UnsafeRawPointer

    deinit { memory.deallocate() }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        var fill = zeros
        if let fillInput, launch.hasInput(fillInput) { fill = UnsafeRawPointer(try launch.input(fillInput).hostElements()) }
        let task = Task(
            width: width, rank: Int32(rank), shape: memory, tables: memory + rank, x: try launch.input(0).hostElements(),
            y: try launch.output(0).hostElements(), fill: fill)
        pool.parallel(columns == 0 ? 0 : rows, grain: max(elementGrain / max(columns, 1), 1), with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            cpu_table_copy(task.width, task.rank, task.shape, task.tables, task.x, task.fill, task.y, Int64(begin), Int64(end))
        }
    }
}

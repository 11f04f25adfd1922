// SPDX-License-Identifier: Apache-2.0
import PluginKit
import ReferenceCPUKernels

/// A strided walk at a fixed address, for the C loops.
final class Walk: @unchecked Sendable {
    let address: UnsafePointer<cpu_walk>
    private let storage: UnsafeMutablePointer<cpu_walk>

    /// - Parameter strides: in elements, for each operand one per axis of `shape`.
    init(_ shape: [Int], _ strides: [[Int]]) throws(Refusal) {
        storage = .allocate(capacity: 1)
        storage.initialize(to: cpu_walk())
        address = UnsafePointer(storage)
        let sizes = shape.isEmpty ? [1] : shape.map(Int64.init)
        let steps = strides.flatMap { shape.isEmpty ? [0] : $0.map(Int64.init) }
        let fits = cpu_walk_make(storage, Int32(sizes.count), sizes, Int32(strides.count), steps)
        try require(fits, .shape, "more than \(CPU_WALK_RANK) axes that cannot be joined")
    }

    deinit { storage.deallocate() }
}

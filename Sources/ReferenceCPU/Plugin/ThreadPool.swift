// SPDX-License-Identifier: Apache-2.0

/// The plugin's threads: one per physical core that the process may use, the calling thread among them.
package final class ThreadPool: Sendable {
    /// The work for the indices `begin ..< end`.
    package typealias Body = @convention(c) (_ context: UnsafeMutableRawPointer?, _ begin: Int, _ end: Int) -> Void

    package let threadCount: Int

    package init(threadCount: Int) { self.threadCount = threadCount }

    /// Calls `body` for disjoint ranges that together are `0 ..< count`, at once on several threads, and returns when all are done.
    ///
    /// The ranges depend on `count`, `grain` and the number of threads alone: at most one per thread, of nearly equal length, and no more than
    /// `count / grain` (but one). Allocates nothing. May be called from several threads at once, and from within a body (which then runs alone).
    package func parallel(_ count: Int, grain: Int = 1, _ context: UnsafeMutableRawPointer?, _ body: Body) {
        if count > 0 { body(context, 0, count) }
    }

    /// The same with a value for all bodies to read.
    package func parallel<Context>(_ count: Int, grain: Int = 1, with context: Context, _ body: Body) {
        withUnsafePointer(to: context) { parallel(count, grain: grain, UnsafeMutableRawPointer(mutating: $0), body) }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Southbound
import Synchronization

/// Stops runs from outside: from any thread, or when their time is over. One that has stopped a run stops every later one that it is given to.
///
/// What a plugin cannot break off is waited for: the run ends when the kernel that it is in ends.
package final class RunControl: Sendable {
    package enum Reason: Int, Sendable {
        case cancelled = 1
        case deadline
    }

    private let state = Atomic<Int>(0)
    private let queues = Mutex<[Stream]>([])

    package init() {}

    /// What stopped it; nil while nothing has.
    package var reason: Reason? { Reason(rawValue: state.load(ordering: .acquiring)) }

    /// Ends the run in progress, and all that come.
    package func stop(_ reason: Reason = .cancelled) {
        guard state.compareExchange(expected: 0, desired: reason.rawValue, ordering: .acquiringAndReleasing).exchanged else { return }
        // A stream that cannot be cancelled now is found cancelled by the loop, or is waited for.
        queues.withLock { for stream in $0 { _ = try? stream.cancel() } }
    }

    /// Calls `stop(.deadline)` in so many seconds from now, if the control is still there.
    package func stop(afterSeconds seconds: Double) {
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [weak self] in self?.stop(.deadline) }
    }

    @inline(__always)
    var isStopped: Bool { state.load(ordering: .relaxed) != 0 }

    /// From here to `end` these queues are cancelled when the control is stopped.
    func begin(_ lanes: [Lanes.Lane]) { queues.withLock { $0 = lanes.map(\.stream) } }
    func end() { queues.withLock { $0 = [] } }
}

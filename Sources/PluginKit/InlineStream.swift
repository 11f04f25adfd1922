// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// A stream whose calls do their work before they return: there is never anything to wait for. For plugins with `Execution.inline`.
package final class InlineStream: Stream {
    package init() {}
    package func synchronize() {}
    package var isFinished: Bool { true }
    package func destroy() {}
}

/// A point in an inline stream: the time at which the host recorded it, for all work before is done by then.
package final class InlineEvent: Event {
    /// Nanoseconds of the monotonic clock; 0 before the first record.
    private let time = Atomic<UInt64>(0)

    package init() {}
    package func record(on stream: InlineStream) { time.store(monotonicNanoseconds(), ordering: .releasing) }
    package func hold(_ stream: InlineStream) {}
    package func synchronize() {}
    package var isReached: Bool { true }

    package func nanoseconds(until end: InlineEvent) throws(PluginFailure) -> UInt64 {
        let (first, last) = (time.load(ordering: .acquiring), end.time.load(ordering: .acquiring))
        guard first != 0, last != 0 else { throw .notReady("an event was never recorded") }
        guard first <= last else { throw .invalid("the first event was recorded after the second") }
        return last - first
    }
}

extension Device where Stream == InlineStream, Event == InlineEvent {
    package func makeStream() -> InlineStream { InlineStream() }
    package func makeEvent() -> InlineEvent { InlineEvent() }
}

/// The time of the monotonic clock.
package func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// How long each phase of making a plan took, in the order in which they ran first.
package final class PhaseTimes: Sendable {
    package typealias Phase = (name: String, duration: Duration)

    private let times = Mutex<[Phase]>([])

    package init() {}

    package var phases: [Phase] { times.withLock { $0 } }

    /// Runs `body` as a part of the phase `name`.
    package func measure<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
        let clock = ContinuousClock()
        let start = clock.now
        defer {
            let duration = clock.now - start
            times.withLock { times in
                if let known = times.firstIndex(where: { $0.name == name }) {
                    times[known].duration += duration
                } else {
                    times.append((name, duration))
                }
            }
        }
        return try body()
    }
}

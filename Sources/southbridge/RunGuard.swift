// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Execution
import Glibc
import Synchronization

/// Ends the runs of one command when the user interrupts it (SIGINT) or its time is over: in good order where the devices let it, else with the process.
final class RunGuard {
    let control = RunControl()
    private let state = State()
    private let interrupt: any DispatchSourceSignal
    /// Seconds that a device, or planning, may take until a stopped run has ended.
    private static let grace = 2.0

    private final class State: Sendable {
        let isOver = Atomic<Bool>(false)
    }

    /// - Parameter seconds: from now on; nil: no limit.
    init(seconds: Double?) {
        signal(SIGINT, SIG_IGN)
        let (control, state) = (control, state)
        interrupt = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        interrupt.setEventHandler {
            control.stop(.cancelled)
            Self.leave(after: Self.grace, state, code: 130, "interrupted; the device did not stop")
        }
        interrupt.resume()
        guard let seconds else { return }
        control.stop(afterSeconds: seconds)
        Self.leave(after: seconds + Self.grace, state, code: 5, "the run was not done in \(seconds) s, and the device did not stop")
    }

    /// The runs are over: from here on an interrupt ends the process as usual, and time does not count.
    func finish() {
        state.isOver.store(true, ordering: .relaxed)
        interrupt.cancel()
        signal(SIGINT, SIG_DFL)
    }

    private static func leave(after seconds: Double, _ state: State, code: Int32, _ message: String) {
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds) {
            if state.isOver.load(ordering: .relaxed) { return }
            standardError("southbridge: \(message)")
            _exit(code)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Execution
import Foundation
import Southbound
import Synchronization
import TestSupport
import Testing

/// Several threads on the same devices at once.
@Suite struct ConcurrentSessionTests {
    /// Calls `body` with 0 to `count` - 1, each on a thread of its own. Returns what was thrown.
    private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) -> [any Error] {
        let errors = Mutex<[any Error]>([])
        let group = DispatchGroup()
        for index in 0..<count {
            group.enter()
            Thread {
                do { try body(index) } catch { errors.withLock { $0.append(error) } }
                group.leave()
            }.start()
        }
        group.wait()
        return errors.withLock { $0 }
    }

    private func devices(_ chip: String) throws -> [Device] {
        switch chip {
        case "npu": [try npu(), try cpu()]
        case "adversarial": [try npu(["ordering": "adversarial"]), try cpu()]
        case "lazy": [try lazyQueues(), try cpu()]
        default: [try cpu()]
        }
    }

    @Test(arguments: ["npu", "adversarial", "lazy", "cpu"]) func sessionsOfSeveralThreads(chip: String) throws {
        let devices = try devices(chip)
        let wrong = Atomic<Int>(0)
        let errors = onThreads(3) { thread in
            let model = SplitModel(rounds: 2 + thread)
            let session = model.session(devices)
            for run in 0..<8 where try !model.isRight(session, seed: 10 * thread + run) { wrong.add(1, ordering: .relaxed) }
        }
        #expect(errors.isEmpty, "\(errors)")
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    @Test(arguments: ["npu", "adversarial", "lazy", "cpu"]) func oneSessionOfSeveralThreads(chip: String) throws {
        let model = SplitModel(rounds: 3)
        let session = model.session(try devices(chip))
        let wrong = Atomic<Int>(0)
        let errors = onThreads(3) { thread in
            for run in 0..<8 where try !model.isRight(session, seed: 10 * thread + run) { wrong.add(1, ordering: .relaxed) }
        }
        #expect(errors.isEmpty, "\(errors)")
        #expect(wrong.load(ordering: .relaxed) == 0)
    }
}

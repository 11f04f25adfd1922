// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// Runs `body` on `count` threads at once and throws the first failure after all have ended.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let failures = Failures()
    let done = DispatchGroup()
    for index in 0..<count {
        done.enter()
        let thread = Thread {
            do { try body(index) } catch { failures.add(error) }
            done.leave()
        }
        thread.stackSize = 1 << 19
        thread.start()
    }
    done.wait()
    if let failure = failures.first { throw failure }
}

private final class Failures: Sendable {
    private let list = Mutex<[any Error]>([])
    func add(_ error: any Error) { list.withLock { $0.append(error) } }
    var first: (any Error)? { list.withLock { $0.first } }
}

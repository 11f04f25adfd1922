// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A lock with a condition.
final class Monitor: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(condition)
        mutex.deallocate()
        condition.deallocate()
    }

    func lock() { pthread_mutex_lock(mutex) }
    func unlock() { pthread_mutex_unlock(mutex) }
    /// Gives the lock away until somebody broadcasts.
    func wait() { pthread_cond_wait(condition, mutex) }
    /// As `wait`, for at most so long. False if the time has passed.
    func wait(seconds: Double) -> Bool {
        var end = timespec()
        clock_gettime(CLOCK_REALTIME, &end)
        let nanoseconds = Double(end.tv_nsec) + seconds.truncatingRemainder(dividingBy: 1) * 1e9
        end.tv_sec += Int(seconds) + Int(nanoseconds / 1e9)
        end.tv_nsec = Int(nanoseconds) % 1_000_000_000
        return pthread_cond_timedwait(condition, mutex, &end) == 0
    }
    func broadcast() { pthread_cond_broadcast(condition) }

    func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        lock()
        defer { unlock() }
        return try body()
    }
}

// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// The plugin's threads: one per physical core that the process may use, the calling thread among them. They are started at the first use.
package final class ThreadPool: Sendable {
    /// The work for the indices `begin ..< end`.
    package typealias Body = @convention(c) (_ context: UnsafeMutableRawPointer?, _ begin: Int, _ end: Int) -> Void

    package let threadCount: Int
    private let crew: Crew

    package init(threadCount: Int) {
        self.threadCount = threadCount
        crew = Crew(size: threadCount - 1)
    }

    deinit { crew.dismiss() }

    /// Calls `body` for disjoint ranges that together are `0 ..< count`, at once on several threads, and returns when all are done.
    ///
    /// The ranges depend on `count`, `grain` and the number of threads alone: at most one per thread, of nearly equal length, and no more than
    /// `count / grain` (but one). Allocates nothing. May be called from several threads at once, and from within a body (which then runs alone).
    package func parallel(_ count: Int, grain: Int = 1, _ context: UnsafeMutableRawPointer?, _ body: Body) {
        guard count > 0 else { return }
        let parts = min(threadCount, max(count / max(grain, 1), 1), Int(UInt16.max))
        if parts == 1 { return body(context, 0, count) }
        let task = Task(context: context, body: body, count: count, parts: parts)
        if !crew.perform(task) { for part in 0..<parts { task.run(part) } }
    }

    /// The same with a value for all bodies to read.
    package func parallel<Context>(_ count: Int, grain: Int = 1, with context: Context, _ body: Body) {
        withUnsafePointer(to: context) { parallel(count, grain: grain, UnsafeMutableRawPointer(mutating: $0), body) }
    }
}

private struct Task {
    var context: UnsafeMutableRawPointer?
    var body: ThreadPool.Body
    var count: Int
    var parts: Int

    func run(_ part: Int) {
        let (share, rest) = count.quotientAndRemainder(dividingBy: parts)
        let begin = part * share + min(part, rest)
        body(context, begin, begin + share + (part < rest ? 1 : 0))
    }
}

/// The threads beside the caller. Outlives the pool until the last thread has left.
private final class Crew: @unchecked Sendable {
    private let size: Int
    private var threads: [pthread_t] = []
    private var task = Task(context: nil, body: { _, _, _ in }, count: 0, parts: 1)
    private let isBusy = Atomic<Bool>(false)
    /// The number of the task, that of its parts, and that of those begun, in 31, 16 and 16 bits. A thread that sees the first change has work.
    private let state = Atomic<Int>(0)
    private let unfinished = Atomic<Int>(0)
    private let isDismissed = Atomic<Bool>(false)
    private let sleepers = Atomic<Int>(0)
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wake: UnsafeMutablePointer<pthread_cond_t>

    /// Loads of the state before a thread goes to sleep: some ten microseconds, about the time between two kernels of a network.
    private static let patience = 20_000

    init(size: Int) {
        self.size = max(size, 0)
        mutex = .allocate(capacity: 1)
        wake = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(wake)
        mutex.deallocate()
        wake.deallocate()
    }

    /// False if the crew is at work for somebody else, or could not be started.
    func perform(_ task: Task) -> Bool {
        guard isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else { return false }
        defer { isBusy.store(false, ordering: .releasing) }
        if threads.isEmpty && !start() { return false }
        self.task = task
        unfinished.store(task.parts, ordering: .relaxed)
        let number = (state.load(ordering: .relaxed) >> 32 + 1) & 0x7FFF_FFFF
        state.store(number << 32 | task.parts << 16, ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeAll() }
        runParts(of: number)
        var spins = 0
        while unfinished.load(ordering: .acquiring) > 0 {
            spins += 1
            if spins > Self.patience { sched_yield() }
        }
        return true
    }

    /// Runs parts that nobody has begun. What a sleeping or displaced thread would be late for, whoever is awake does.
    private func runParts(of number: Int) {
        var seen = state.load(ordering: .acquiring)
        while seen >> 32 == number, seen & 0xFFFF < seen >> 16 & 0xFFFF {
            let (isMine, now) = state.compareExchange(expected: seen, desired: seen + 1, ordering: .acquiringAndReleasing)
            if isMine {
                // The task stays the same until this part is done, too.
                task.run(seen & 0xFFFF)
                unfinished.subtract(1, ordering: .releasing)
            }
            seen = isMine ? state.load(ordering: .acquiring) : now
        }
    }

    func dismiss() {
        isDismissed.store(true, ordering: .sequentiallyConsistent)
        wakeAll()
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    private func wakeAll() {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
    }

    private func start() -> Bool {
        // The host's signals are the host's business.
        var (all, before) = (sigset_t(), sigset_t())
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        for _ in 0..<size {
            var thread = pthread_t()
            let member = Unmanaged.passRetained(self)
            let status = pthread_create(
                &thread, nil,
                { argument in
                    Unmanaged<Crew>.fromOpaque(argument!).takeRetainedValue().work()
                    return nil
                }, member.toOpaque())
            guard status == 0 else {
                member.release()
                dismiss()
                isDismissed.store(false, ordering: .sequentiallyConsistent)
                return false
            }
            threads.append(thread)
        }
        return true
    }

    private func work() {
        var seen = 0
        while true {
            var spins = 0
            while state.load(ordering: .acquiring) >> 32 == seen && !isDismissed.load(ordering: .relaxed) {
                spins += 1
                if spins > Self.patience { sleep(until: seen) }
            }
            if isDismissed.load(ordering: .relaxed) { return }
            seen = state.load(ordering: .acquiring) >> 32
            runParts(of: seen)
        }
    }

    /// Sleeps while the task's number is still `seen`.
    private func sleep(until seen: Int) {
        pthread_mutex_lock(mutex)
        sleepers.add(1, ordering: .sequentiallyConsistent)
        while state.load(ordering: .sequentiallyConsistent) >> 32 == seen && !isDismissed.load(ordering: .sequentiallyConsistent) {
            pthread_cond_wait(wake, mutex)
        }
        sleepers.subtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
    }
}

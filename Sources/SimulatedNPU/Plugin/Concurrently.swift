// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The results of `count` calls, which run at once: one on this thread, each other one on a thread of its own, or on this one where there is none to be had.
func concurrently<Result>(_ count: Int, _ body: (Int) -> Result) -> [Result] {
    withoutActuallyEscaping(body) { body in
        let calls = (0..<count).map { index in Call { body(index) } }
        for call in calls.dropFirst() { call.start() }
        return calls.map { $0.finish() }
    }
}

private final class Call<Result>: @unchecked Sendable {
    private let body: () -> Result
    private var result: Result?
    private var thread: pthread_t?

    init(_ body: @escaping () -> Result) { self.body = body }

    func start() {
        // The host's signals are the host's business.
        var (all, before) = (sigset_t(), sigset_t())
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var made = pthread_t()
        let work = Work { [unowned self] in result = body() }
        let argument = Unmanaged.passRetained(work)
        let status = pthread_create(
            &made, nil,
            { argument in
                Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        if status == 0 { thread = made } else { argument.release() }
    }

    func finish() -> Result {
        if let thread { pthread_join(thread, nil) } else { result = body() }
        return result!
    }
}

/// What a thread does; a C function cannot be generic.
private final class Work {
    let run: () -> Void

    init(_ run: @escaping () -> Void) { self.run = run }
}

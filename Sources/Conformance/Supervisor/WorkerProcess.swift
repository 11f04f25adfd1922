// SPDX-License-Identifier: Apache-2.0
import CConformance
import Foundation
import Synchronization

/// How a worker's process came to its end.
package struct WorkerDeath: Error, Sendable {
    package enum Cause: Sendable, Equatable {
        case signal(Int32)
        case exit(Int32)
        /// The supervisor ended it: the time of the case was over.
        case timedOut(seconds: Double)
        /// The supervisor ended it: it held more memory than a worker may.
        case tooMuchMemory(bytes: Int)
        /// It lives, or lived, but what it sent is no message.
        case garbled(String)
        case interrupted
    }
    package let cause: Cause
    /// The end of what it wrote to standard error since the request.
    package let log: String
}

/// One worker: a child process, its pipes and its limits.
final class WorkerProcess: @unchecked Sendable {
    /// What watches over one exchange; read by the channel while it waits.
    private struct Watch {
        var deadline = ContinuousClock.now
        var seconds = 0.0
        var cause: WorkerDeath.Cause?
    }

    private let process: pid_t
    private let channel: FrameChannel
    private let logPath: String
    private let watch: WatchBox
    private var isReaped = false

    /// The largest resident size of a worker, in bytes.
    private static let memoryLimit = Int(sysconf(Int32(_SC_PHYS_PAGES))) / 100 * 85 * Int(sysconf(Int32(_SC_PAGESIZE)))

    private final class WatchBox: Sendable {
        let state = Mutex(Watch())
        let process: pid_t
        init(process: pid_t) { self.process = process }

        func check() throws(FrameError) {
            if sbc_interrupted() != 0 {
                state.withLock { $0.cause = .interrupted }
                throw FrameError(.interrupted, "interrupted")
            }
            let resident = WorkerProcess.residentBytes(of: process)
            let cause: WorkerDeath.Cause? = state.withLock { watch in
                if ContinuousClock.now >= watch.deadline { watch.cause = .timedOut(seconds: watch.seconds) }
                if resident > WorkerProcess.memoryLimit { watch.cause = .tooMuchMemory(bytes: resident) }
                return watch.cause
            }
            if cause != nil { throw FrameError(.timedOut, "out of time or memory") }
        }
    }

    /// - Parameters:
    ///   - command: run by the shell if it is one string, else by itself.
    ///   - logPath: gets the worker's standard error, appended.
    init(command: WorkerCommand, logPath: String) throws(ConformanceError) {
        var toWorker: [Int32] = [0, 0]
        var fromWorker: [Int32] = [0, 0]
        guard sbc_pipe(&toWorker) == 0, sbc_pipe(&fromWorker) == 0 else {
            throw .internal("no pipe for a worker: \(String(cString: strerror(errno)))")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toWorker[0], STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, fromWorker[1], STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, logPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A process group of its own: Ctrl-C reaches the supervisor alone, and the worker's own children die with it.
        // No signal blocked, as Dispatch's threads do: a plugin that runs a compiler and waits for SIGCHLD would wait for ever.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var noSignals = sigset_t()
        sigemptyset(&noSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        let arguments = command.arguments.map { strdup($0) } + [nil]
        var environment = ProcessInfo.processInfo.environment
        environment["SWIFT_BACKTRACE"] = "enable=no"
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in arguments + variables { free(pointer) } }
        var child: pid_t = 0
        let status = posix_spawn(&child, command.arguments[0], &actions, &attributes, arguments, variables)
        close(toWorker[0])
        close(fromWorker[1])
        guard status == 0 else {
            close(toWorker[1])
            close(fromWorker[0])
            throw .usage("the worker '\(command.arguments.joined(separator: " "))' cannot be started: \(String(cString: strerror(status)))")
        }
        process = child
        self.logPath = logPath
        let box = WatchBox(process: child)
        watch = box
        channel = FrameChannel(input: fromWorker[0], output: toWorker[1]) { () throws(FrameError) in try box.check() }
    }

    deinit {
        kill()
        close(channel.input)
        close(channel.output)
    }

    /// Sends a request and waits for its reply; the worker is gone if this throws.
    func exchange(_ request: WorkerRequest, _ blobs: [Data] = [], seconds: Double) throws(WorkerDeath) -> (
        reply: WorkerReply, blobs: [Data]
    ) {
        watch.state.withLock { $0 = Watch(deadline: .now + .seconds(seconds), seconds: seconds) }
        let logStart = logSize()
        do {
            try channel.send(request, blobs)
            let (reply, blobs) = try channel.receive(WorkerReply.self)
            return (reply, blobs)
        } catch {
            throw end(after: error, logStart: logStart)
        }
    }

    /// Asks the worker to end and waits for it. Returns nil if it ended as it should.
    func end(seconds: Double) -> WorkerDeath? {
        watch.state.withLock { $0 = Watch(deadline: .now + .seconds(seconds), seconds: seconds) }
        let logStart = logSize()
        do {
            try channel.send(WorkerRequest(.end))
            _ = try channel.receive()
        } catch {
            let death = end(after: error, logStart: logStart)
            return death.cause == .exit(0) ? nil : death
        }
        kill()
        return WorkerDeath(cause: .garbled("a reply to 'end'"), log: "")
    }

    private func end(after error: FrameError, logStart: Int) -> WorkerDeath {
        var cause = watch.state.withLock { $0.cause }
        if cause == nil && error.reason != .ended { cause = .garbled(error.description) }
        if cause != nil { kill() }
        let status = reap(seconds: 2)
        return WorkerDeath(cause: cause ?? status, log: logTail(from: logStart))
    }

    private func reap(seconds: Double) -> WorkerDeath.Cause {
        var status: Int32 = 0
        let deadline = ContinuousClock.now + .seconds(seconds)
        var result = waitpid(process, &status, WNOHANG)
        while result == 0 && ContinuousClock.now < deadline {
            usleep(500)
            result = waitpid(process, &status, WNOHANG)
        }
        if result == 0 {
            Foundation.kill(-process, SIGKILL)
            result = waitpid(process, &status, 0)
            isReaped = true
            return .garbled("it closed its output and went on")
        }
        isReaped = true
        Foundation.kill(-process, SIGKILL)
        let signal = status & 0x7f
        return signal != 0 ? .signal(signal) : .exit(status >> 8 & 0xff)
    }

    func kill() {
        guard !isReaped else { return }
        Foundation.kill(-process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        isReaped = true
    }

    private func logSize() -> Int {
        var status = stat()
        return stat(logPath, &status) == 0 ? Int(status.st_size) : 0
    }

    private func logTail(from start: Int) -> String {
        guard let handle = FileHandle(forReadingAtPath: logPath) else { return "" }
        defer { try? handle.close() }
        let size = logSize()
        try? handle.seek(toOffset: UInt64(max(start, size - 4000)))
        let data = (try? handle.readToEnd()) ?? nil
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    fileprivate static func residentBytes(of process: pid_t) -> Int {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8) else { return 0 }
        let fields = text.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}

/// The program that serves as worker.
package struct WorkerCommand: Sendable {
    package let arguments: [String]

    /// This program itself.
    package static func own(_ executable: String) -> WorkerCommand { WorkerCommand(arguments: [executable, "worker"]) }
    /// A user's command line, given to the shell.
    package static func shell(_ command: String) -> WorkerCommand { WorkerCommand(arguments: ["/bin/sh", "-c", "exec \(command)"]) }
}

extension WorkerDeath.Cause {
    /// For a message: what happened to the process.
    package var description: String {
        switch self {
        case .signal(let number): "killed by signal \(number) (\(String(cString: strsignal(number))))"
        case .exit(let status): "exited with status \(status) in mid-case"
        case .timedOut(let seconds): "no answer after \(seconds.formatted()) s"
        case .tooMuchMemory(let bytes): "held \(bytes >> 20) MiB of memory, more than a worker may"
        case .garbled(let reason): "broke the worker protocol: \(reason)"
        case .interrupted: "interrupted"
        }
    }
}

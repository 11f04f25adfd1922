// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginKit
import SimulatedNPUMachine

/// The chip's front end: takes commands into streams, places them on the chip's clock, and lets one thread carry them out.
///
/// Times are computed when a command is queued, from the commands alone; when and in which order they are carried out changes none.
final class Dispatcher: @unchecked Sendable {
    let timing: CommandTiming
    let machine: OpaquePointer
    private let monitor = Monitor()
    private var order: DispatchOrder
    private var streams: [NPUStream] = []
    private var demands: [Demand] = []
    private var thread: pthread_t?
    private var isLeaving = false
    private var clock = ChipClock()
    private let faults: FaultPlan
    /// Seconds after which somebody who waits is told that the device does not answer; 0: never.
    private let watchdog: Double
    private var recorder: Recorder
    private var isLost = false
    /// Whose command does not end.
    private var hanging: NPUStream?
    /// Commands that a stream holds before a call waits; 0: any number.
    private let queueDepth: Int

    /// - Parameter machine: an `npu_machine`, the dispatcher's from now on.
    init(machine: OpaquePointer, timing: CommandTiming, queueDepth: Int, order: DispatchOrder, faults: FaultPlan, watchdog: Double) {
        self.queueDepth = queueDepth
        self.faults = faults
        self.watchdog = watchdog
        self.machine = machine
        self.timing = timing
        self.order = order
        recorder = Recorder(config: timing.config)
    }

    deinit { npu_machine_destroy(machine) }

    func makeStream() -> NPUStream {
        let stream = NPUStream(self)
        monitor.locked { streams.append(stream) }
        return stream
    }

    /// Ends the thread; all streams are gone by then.
    func close() {
        monitor.locked {
            isLeaving = true
            monitor.broadcast()
        }
        if let thread { pthread_join(thread, nil) }
        thread = nil
    }

    /// Throws if the device is gone.
    func check() throws(PluginFailure) {
        if monitor.locked({ isLost }) { throw .deviceLost }
    }

    // MARK: Queueing

    func queue(_ command: Command, on stream: NPUStream, taking duration: CommandTiming.Duration) throws(PluginFailure) {
        try monitor.locked { () throws(PluginFailure) in
            try prepare(stream)
            let span = clock.place(duration, from: stream.time)
            stream.time = span.upperBound + duration.latency
            stream.append(command, span: span)
            if order.isPrompt { monitor.broadcast() }
        }
    }

    func record(_ event: NPUEvent, on stream: NPUStream) throws(PluginFailure) {
        try monitor.locked { () throws(PluginFailure) in
            try prepare(stream)
            let mark = Mark(stream, time: stream.time)
            mark.isReached = faults.strikes(.lateEvent)
            event.mark = mark
            stream.append(.record(mark))
            if order.isPrompt { monitor.broadcast() }
        }
    }

    func hold(_ stream: NPUStream, for event: NPUEvent) throws(PluginFailure) {
        try monitor.locked { () throws(PluginFailure) in
            guard let mark = event.mark else { return }
            guard event.dispatcher === self else { throw .invalid("the event belongs to another device than the stream") }
            try prepare(stream)
            stream.time = max(stream.time, mark.time)
            stream.append(.wait(mark))
            if order.isPrompt { monitor.broadcast() }
        }
    }

    // MARK: Observation

    var counters: [Counter] { monitor.locked { recorder.counters } }
    func record(_ isOn: Bool) { monitor.locked { recorder.isRecording = isOn } }
    func takeActivities() -> [Activity] { monitor.locked { recorder.take() } }
    /// Counts a copy that went past the streams.
    func count(_ route: CopyRoute, _ byteCount: Int) { monitor.locked { recorder.count(route, byteCount) } }

    // MARK: Waiting

    /// Waits until the stream is idle. Returns the failure that poisoned it, which is then forgotten.
    func finish(_ stream: NPUStream) throws(PluginFailure) -> PluginFailure? {
        try monitor.locked { () throws(PluginFailure) in
            try wait(for: Demand(stream) { stream.isIdle })
            if isLost { throw .deviceLost }
            defer { stream.failure = nil }
            return stream.failure
        }
    }

    func finish(_ event: NPUEvent) throws(PluginFailure) -> PluginFailure? {
        try monitor.locked { () throws(PluginFailure) in
            guard let mark = event.mark else { return nil }
            try wait(for: Demand(mark.stream) { mark.isReached })
            if isLost { throw .deviceLost }
            return mark.failure
        }
    }

    func remove(_ stream: NPUStream) {
        monitor.locked {
            // A device that does not answer keeps nobody from going.
            try? wait(for: Demand(stream) { stream.isIdle })
            streams.removeAll { $0 === stream }
        }
    }

    func isFinished(_ stream: NPUStream) -> Bool {
        monitor.locked {
            if !stream.isIdle && order.grantsQuery() { monitor.broadcast() }
            return stream.isIdle
        }
    }

    func isReached(_ event: NPUEvent) -> Bool {
        monitor.locked {
            guard let mark = event.mark, !mark.isReached else { return true }
            if order.grantsQuery() { monitor.broadcast() }
            return false
        }
    }

    /// Times of two marks that are both reached; else nil.
    func times(_ start: NPUEvent, _ end: NPUEvent) -> (Double, Double)? {
        monitor.locked {
            guard let first = start.mark, let last = end.mark, first.isReached, last.isReached else { return nil }
            return (first.time, last.time)
        }
    }

    private func wait(for demand: Demand) throws(PluginFailure) {
        if demand.isMet() { return }
        demands.append(demand)
        defer { demands.removeAll { $0 === demand } }
        monitor.broadcast()
        while !demand.isMet() {
            if hanging == nil || watchdog == 0 {
                monitor.wait()
            } else if !monitor.wait(seconds: watchdog) {
                throw .timeout(watchdog)
            }
        }
    }

    /// Drops the stream's work that has not begun, and breaks off what hangs.
    func cancel(_ stream: NPUStream) {
        monitor.locked {
            let hangs = hanging === stream
            if hangs { hanging = nil }
            guard stream.drop() || hangs else { return }
            stream.failure = stream.failure ?? .cancelled("the stream's work was dropped on request")
            monitor.broadcast()
        }
    }

    // MARK: The thread

    /// Returns once the stream takes another command.
    private func prepare(_ stream: NPUStream) throws(PluginFailure) {
        try start()
        guard queueDepth > 0 else { return }
        try wait(for: Demand(stream) { [queueDepth] in stream.count < queueDepth })
        if isLost { throw .deviceLost }
    }

    private func start() throws(PluginFailure) {
        if isLost { throw .deviceLost }
        if thread != nil { return }
        // The host's signals are the host's business.
        var (all, before) = (sigset_t(), sigset_t())
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var made = pthread_t()
        // `close` joins the thread before the last reference goes.
        let status = pthread_create(
            &made, nil,
            { argument in
                Unmanaged<Dispatcher>.fromOpaque(argument!).takeUnretainedValue().drain()
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
        guard status == 0 else { throw .internal("the simulator cannot start a thread") }
        thread = made
    }

    private func drain() {
        monitor.lock()
        defer { monitor.unlock() }
        while !isLeaving {
            guard let stream = order.choose(among: streams, demands), let command = stream.next else {
                monitor.wait()
                continue
            }
            let span = stream.nextSpan
            stream.removeNext()
            stream.isRunning = true
            if command.isWork && faults.strikes(.hang) && !hang(stream) { return }
            if command.isWork && faults.strikes(.lost) { isLost = true }
            if isLost { stream.failure = stream.failure ?? .deviceLost }
            if stream.failure == nil || !command.isWork {
                monitor.unlock()
                let failure = run(command)
                monitor.lock()
                stream.failure = stream.failure ?? failure
                if failure == nil { recorder.add(command, span) }
            }
            if case .record(let mark) = command {
                mark.isReached = true
                mark.failure = stream.failure
            }
            stream.isRunning = false
            monitor.broadcast()
        }
    }

    /// Until the stream is cancelled. False if the device is closed before that.
    private func hang(_ stream: NPUStream) -> Bool {
        hanging = stream
        monitor.broadcast()
        while !isLeaving && hanging != nil { monitor.wait() }
        return !isLeaving
    }

    private func run(_ command: Command) -> PluginFailure? {
        switch command {
        case .copy(let target, let source, let byteCount, _): memcpy(target, source, byteCount - (faults.strikes(.wrongCopy) ? 1 : 0))
        case .fill(let target, let byte, let byteCount): memset(target, Int32(byte), byteCount)
        case .launch(let resident, let bindings, let correlation):
            let program = resident.lowering.program
            if var failure = program.run(on: machine, bindings) {
                failure.correlation = correlation
                return failure
            }
            if let output = program.firstOutput, faults.strikes(.flip) {
                let place = bindings[output].address.assumingMemoryBound(to: UInt8.self) + program.slotBytes(output) / 2
                place.pointee ^= 1
            }
        case .record, .wait: break
        }
        return nil
    }
}

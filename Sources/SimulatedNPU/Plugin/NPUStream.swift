// SPDX-License-Identifier: Apache-2.0
package import PluginKit
import SimulatedNPUMachine

enum CopyRoute { case toDevice, fromDevice, withinDevice, withinHost, fromPeer }

/// What a stream's queue holds.
enum Command {
    case copy(to: UnsafeMutableRawPointer, from: UnsafeRawPointer, byteCount: Int, CopyRoute)
    case fill(UnsafeMutableRawPointer, UInt8, byteCount: Int)
    /// Keeps the program and its constants until it has run.
    case launch(ResidentProgram, [npu_binding], correlation: UInt64)
    case record(Mark)
    case wait(Mark)

    /// Skipped on a poisoned stream, dropped from a cancelled one.
    var isWork: Bool {
        switch self {
        case .copy, .fill, .launch: true
        case .record, .wait: false
        }
    }
}

/// An in-order queue of the chip. Everything in it belongs to the dispatcher, under its lock.
package final class NPUStream: Stream, @unchecked Sendable {
    let dispatcher: Dispatcher
    /// Commands, and when on the chip's clock they occupy their part of it.
    private var commands: [(command: Command, span: ClosedRange<Double>)] = []
    private var head = 0
    /// A command that has left the queue and is not done.
    var isRunning = false
    /// The first failure since the last synchronization; what comes after it is skipped.
    var failure: PluginFailure?
    /// The chip's time, in seconds, at which all that is queued will be done.
    var time = 0.0

    init(_ dispatcher: Dispatcher) { self.dispatcher = dispatcher }

    var next: Command? { head < commands.count ? commands[head].command : nil }
    var nextSpan: ClosedRange<Double> { commands[head].span }
    /// Commands that have not begun.
    var count: Int { commands.count - head }
    var isIdle: Bool { head == commands.count && !isRunning }

    func append(_ command: Command, span: ClosedRange<Double>? = nil) { commands.append((command, span ?? time...time)) }

    func removeNext() {
        head += 1
        if head == commands.count {
            commands.removeAll(keepingCapacity: true)
            head = 0
        }
    }

    /// Drops all work that has not begun, and what it would have waited for; marks stay, so that nobody waits for them in vain. False, and nothing has changed, if
    /// there was no work.
    func drop() -> Bool {
        guard commands[head...].contains(where: { $0.command.isWork }) else { return false }
        commands = commands[head...].filter { if case .record = $0.command { true } else { false } }
        head = 0
        return true
    }

    package func synchronize() throws(PluginFailure) {
        if let failure = try dispatcher.finish(self) { throw failure }
    }
    package var isFinished: Bool { dispatcher.isFinished(self) }
    package func destroy() { dispatcher.remove(self) }
    package static let isCancellable = true
    package func cancel() { dispatcher.cancel(self) }
}

/// A place in a stream that an event was recorded at.
final class Mark {
    let stream: NPUStream
    /// The chip's time at which the stream passes it.
    let time: Double
    var isReached = false
    /// Why the work before it was not done.
    var failure: PluginFailure?

    init(_ stream: NPUStream, time: Double) {
        self.stream = stream
        self.time = time
    }
}

package final class NPUEvent: Event, @unchecked Sendable {
    let dispatcher: Dispatcher
    var mark: Mark?

    init(_ dispatcher: Dispatcher) { self.dispatcher = dispatcher }

    package func record(on stream: NPUStream) throws(PluginFailure) { try dispatcher.record(self, on: stream) }
    package func hold(_ stream: NPUStream) throws(PluginFailure) { try dispatcher.hold(stream, for: self) }
    package func synchronize() throws(PluginFailure) {
        if let failure = try dispatcher.finish(self) { throw failure }
    }
    package var isReached: Bool { dispatcher.isReached(self) }
    package func nanoseconds(until end: NPUEvent) throws(PluginFailure) -> UInt64 {
        guard let (first, last) = dispatcher.times(self, end) else { throw .notReady("an event's mark is not reached, or was never set") }
        guard first <= last else { throw .invalid("the first event was recorded after the second") }
        return UInt64((last * 1e9).rounded(.down)) - UInt64((first * 1e9).rounded(.down))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation

/// Colours where they are wanted: on a terminal, and never with NO_COLOR.
struct TerminalStyle: Sendable {
    static let standardOutput = TerminalStyle(descriptor: STDOUT_FILENO)

    private let isColoured: Bool

    private init(descriptor: Int32) {
        let environment = ProcessInfo.processInfo.environment
        isColoured = isatty(descriptor) == 1 && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    func bold(_ text: String) -> String { paint(text, "1") }
    func good(_ text: String) -> String { paint(text, "32") }
    func bad(_ text: String) -> String { paint(text, "31") }

    func outcome(_ outcome: LevelResult.Outcome) -> String {
        let text = outcome.rawValue.padding(toLength: 13, withPad: " ", startingAt: 0)
        return switch outcome {
        case .passed: good(text)
        case .failed: bad(text)
        case .notReached, .notApplicable: text
        }
    }

    private func paint(_ text: String, _ code: String) -> String { isColoured ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }
}

/// Progress on standard error: a bar on a terminal, a plain line every ten seconds elsewhere.
final class ProgressBar: @unchecked Sendable {
    private let isTerminal = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    private var lastShown: ContinuousClock.Instant?
    private var isDrawn = false

    /// One call at a time.
    func show(_ progress: ConformanceRun.Progress) {
        let now = ContinuousClock.now
        let interval: Duration = isTerminal ? .milliseconds(50) : .seconds(10)
        if lastShown == nil && !isTerminal { lastShown = now }
        if let lastShown, now - lastShown < interval, progress.done < progress.total || !isTerminal { return }
        lastShown = now
        let bad = progress.summary.needingAttention
        let counts = "\(progress.done)/\(progress.total) \(progress.summary[.passed]) passed\(bad > 0 ? ", \(bad) need attention" : "")"
        guard isTerminal else { return standardError(counts) }
        let width = 30
        let filled = progress.total > 0 ? width * progress.done / progress.total : width
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        FileHandle.standardError.write(Data("\r\(bar) \(counts) \(String(progress.last.id.prefix(40)))\u{1b}[K".utf8))
        isDrawn = true
    }

    func finish() {
        if isDrawn { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
        isDrawn = false
    }
}

/// Progress of one long task on standard error: a line that is drawn over on a terminal, a plain line every ten seconds elsewhere.
final class ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    private var lastShown = ContinuousClock.now
    private var isDrawn = false

    func show(_ done: Int, of total: Int, _ subject: String) {
        let now = ContinuousClock.now
        guard now - lastShown >= (isTerminal ? .milliseconds(50) : .seconds(10)) else { return }
        lastShown = now
        guard isTerminal else { return standardError("\(done)/\(total) \(subject)") }
        FileHandle.standardError.write(Data("\r\(done)/\(total) \(String(subject.prefix(60)))\u{1b}[K".utf8))
        isDrawn = true
    }

    func finish() {
        if isDrawn { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
        isDrawn = false
    }
}

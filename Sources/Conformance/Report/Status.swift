// SPDX-License-Identifier: Apache-2.0

/// What became of one case. The list is closed: a report with any other word is refused.
package enum Status: String, Codable, CaseIterable, Sendable {
    case passed
    /// Wrong, in the way that `CaseResult.failure` says.
    case failed
    /// The worker died: a signal, an abort or an exit.
    case crashed
    case timedOut
    /// The plugin declares that it does not offer this.
    case unsupported
    /// Failed, and listed with reason, owner, link and an expiry date that has not passed.
    case expectedFailure
    /// Listed as a failure and passes: the list is wrong, so the run fails.
    case unexpectedPass
    /// Failed, then passed alone twice. Reported, never forgiven in a claim.
    case flaky
    /// A result that cannot be believed, such as a time below the roofline's floor.
    case mistrusted
    case notRun
    /// The suite's own fault.
    case infrastructure

    /// Whether a person has to look at it before the run can be called good.
    package var needsAttention: Bool {
        switch self {
        case .failed, .crashed, .timedOut, .unexpectedPass, .flaky, .mistrusted, .infrastructure: true
        case .passed, .unsupported, .expectedFailure, .notRun: false
        }
    }
}

/// What kind of wrong a `failed` case is. The list is closed.
package enum FailureKind: String, Codable, CaseIterable, Sendable {
    case numeric
    case shape
    /// Something written outside an output, or an input changed.
    case memory
    /// The wrong status code, an error without a message, or success where an error was due.
    case errorCode
    case leak
    case race
    /// Two runs differ where the plugin claims that they do not.
    case determinism
    /// The plugin does not do what it declares, or declares what is not so.
    case declaration
}

/// How close a passed case is: `A` shows no lost bit, `B` stays within the worst-case bound.
package enum Grade: String, Codable, CaseIterable, Sendable {
    case a = "A"
    case b = "B"
}

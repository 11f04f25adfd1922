// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import Synchronization

/// A fault that a user asks for, `KIND:N`: the n-th of the things that it concerns goes wrong. For showing that a harness survives it, and notices.
final class FaultPlan: Sendable {
    enum Kind: String, CaseIterable {
        /// The n-th allocation finds no memory.
        case outOfMemory = "out-of-memory"
        /// The n-th command never ends.
        case hang
        /// From the n-th command on the device is gone.
        case lost
        /// One bit of the first output of the n-th program is wrong.
        case flip
        /// The n-th mark counts as reached when it is recorded.
        case lateEvent = "late-event"
        /// The n-th copy leaves out its last byte.
        case wrongCopy = "wrong-copy"
    }

    static let option = OptionSchema(
        name: "fault", kind: .string, defaultValue: "",
        help: "a fault on demand, KIND:N: the n-th (from 1) goes wrong of out-of-memory, hang, lost, flip, late-event or wrong-copy")

    private let kind: Kind?
    private let number: Int
    private let count = Atomic<Int>(0)

    init(_ options: OptionValues) throws(PluginFailure) {
        let text = options.string(Self.option)
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if text.isEmpty {
            (kind, number) = (nil, 0)
        } else if parts.count == 2, let kind = Kind(rawValue: String(parts[0])), let number = Int(parts[1]), number > 0 {
            (self.kind, self.number) = (kind, number)
        } else {
            let kinds = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalid("option 'fault' must be KIND:N with N from 1 and KIND of \(kinds), not '\(text)'")
        }
    }

    /// Counts one more of what a fault concerns. True if it is the one that goes wrong.
    func strikes(_ kind: Kind) -> Bool {
        kind == self.kind && count.add(1, ordering: .relaxed).newValue == number
    }
}

extension PluginFailure {
    static let deviceLost = PluginFailure(code: SB_ERROR_DEVICE_LOST, "it has to be closed and opened again")
    static func timeout(_ seconds: Double) -> PluginFailure {
        PluginFailure(code: SB_ERROR_TIMEOUT, "the device has not answered for \(seconds) s", mayRetry: true)
    }
}

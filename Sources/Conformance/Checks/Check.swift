// SPDX-License-Identifier: Apache-2.0
package import Southbound

/// One check of the levels `load` and `driver`, or of the suite `layouts`: code that runs in a worker, against the plugin itself.
package struct Check: Sendable {
    /// `suite/group/case`; of the levels `load` and `driver` the suite is named after the level.
    package let id: String
    package let level: Level
    /// The sentences of `southbridge.h` that it tests.
    package let specification: [String]
    /// Returns if the plugin did right; throws a `CheckFailure` if not, or `CheckFailure.unsupported` if the plugin does not offer what is checked.
    package let body: @Sendable (CheckContext) throws -> Void

    package init(
        _ id: String, _ level: Level, _ specification: [String],
        _ body: @escaping @Sendable (CheckContext) throws -> Void
    ) {
        self.id = id
        self.level = level
        self.specification = specification
        self.body = body
    }

    /// Every check of the suite; ids are unique.
    package static let all: [Check] =
        loadNegotiationChecks + loadIdentityChecks + loadOptionChecks + loadInstanceChecks + loadProcessChecks
        + loadHardwareChecks
        + deviceChecks + errorChecks + memoryChecks + hostMemoryChecks + copyChecks + copyRangeChecks + fillChecks
        + streamChecks + lateFailureChecks + eventChecks
        + threadChecks + limitChecks + lifecycleChecks + layoutChecks + planChecks
    /// Looks at the process before any plugin is loaded; `load/process` compares with it what it finds later.
    package static func rememberProcess() { _ = ProcessState.initial }

    package static let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
}

/// What a check is given: the plugin's path and options, not a loaded plugin, so that it can look at negotiation itself.
package struct CheckContext: Sendable {
    package let reference: PluginReference
    package let options: [String: String]
    package let deviceIndex: Int
    package let seed: UInt64

    package init(reference: PluginReference, options: [String: String], deviceIndex: Int, seed: UInt64) {
        self.reference = reference
        self.options = options
        self.deviceIndex = deviceIndex
        self.seed = seed
    }

    package func loadPlugin() throws -> Plugin { try Plugin.load(reference, options: options) }
    package func openDevice() throws -> Device { try openDevice(of: loadPlugin()) }

    func openDevice(of plugin: Plugin) throws -> Device {
        guard plugin.driver != nil else { throw CheckFailure.unsupported("the plugin has no group 'driver'") }
        return try plugin.openDevice(deviceIndex)
    }
}

/// Why a check did not pass.
package struct CheckFailure: Error, Sendable {
    package let status: Status
    package let kind: FailureKind?
    package let message: String

    package static func failed(_ kind: FailureKind, _ message: String) -> CheckFailure {
        CheckFailure(status: .failed, kind: kind, message: message)
    }

    package static func unsupported(_ message: String) -> CheckFailure {
        CheckFailure(status: .unsupported, kind: nil, message: message)
    }
}

/// Throws a failure unless `condition` holds.
package func expect(_ condition: Bool, _ kind: FailureKind, _ message: @autoclosure () -> String) throws(CheckFailure) {
    if !condition { throw .failed(kind, message()) }
}

// SPDX-License-Identifier: Apache-2.0

/// What went wrong with a plugin: while it was loaded, or later on a device. The message says what, where and what to do.
package struct PluginError: Error, Sendable, CustomStringConvertible {
    package let code: Code
    /// The plugin's given or declared name; its path while no name is known.
    package let plugin: String
    package let message: String
    /// The plugin says that the same call may succeed later.
    package let isRetryable: Bool
    /// `correlation` of the launch that failed; 0 if the failure belongs to none.
    package let correlation: UInt64

    package init(_ code: Code, plugin: String, _ message: String, isRetryable: Bool = false, correlation: UInt64 = 0) {
        self.code = code
        self.plugin = plugin
        self.message = message
        self.isRetryable = isRetryable
        self.correlation = correlation
    }

    package var description: String { "plugin '\(plugin)': \(message)" }

    package struct Code: Hashable, Sendable, CustomStringConvertible {
        package let name: String
        package let stage: Stage
        package var description: String { name }
        package init(_ name: String, _ stage: Stage) {
            self.name = name
            self.stage = stage
        }
    }

    /// When a fault shows, which is also what decides about the exit code.
    package enum Stage: Sendable {
        /// The caller named something that is not there (exit code 2).
        case usage
        /// The plugin cannot be loaded or breaks the interface before any work is done (3).
        case negotiation
        /// A call on a started plugin failed (5).
        case run
    }

    package var isUsageFailure: Bool { code.stage == .usage }
    package var isNegotiationFailure: Bool { code.stage == .negotiation }
}

extension PluginError.Code {
    // Usage.
    /// Neither a built-in plugin nor a path.
    package static let unknownPlugin = Self("unknownPlugin", .usage)
    /// The plugin has devices, but not the one asked for.
    package static let unknownDevice = Self("unknownDevice", .usage)
    package static let badOption = Self("badOption", .usage)

    // Negotiation.
    /// The file is missing or unreadable, or the system's loader refuses it.
    package static let cannotOpen = Self("cannotOpen", .negotiation)
    package static let notALibrary = Self("notALibrary", .negotiation)
    package static let noEntryPoint = Self("noEntryPoint", .negotiation)
    /// The entry point failed: the plugin refuses this host.
    package static let entryFailed = Self("entryFailed", .negotiation)
    /// A table, or an entry of a list, is NULL.
    package static let missingTable = Self("missingTable", .negotiation)
    package static let wrongMajorVersion = Self("wrongMajorVersion", .negotiation)
    package static let structTooSmall = Self("structTooSmall", .negotiation)
    /// A required function is NULL.
    package static let missingFunction = Self("missingFunction", .negotiation)
    /// The plugin has none of the groups that it needs.
    package static let noGroup = Self("noGroup", .negotiation)
    package static let duplicateGroup = Self("duplicateGroup", .negotiation)
    package static let duplicateKernel = Self("duplicateKernel", .negotiation)
    /// A text that is not UTF-8, or is too long.
    package static let invalidText = Self("invalidText", .negotiation)
    /// A count, name, figure or constant that cannot be.
    package static let invalidDescription = Self("invalidDescription", .negotiation)
    package static let startFailed = Self("startFailed", .negotiation)
    /// The plugin has a driver, but finds no device on this machine.
    package static let noDevice = Self("noDevice", .negotiation)

    // Run.
    package static let invalidArgument = Self("invalidArgument", .run)
    package static let unsupported = Self("unsupported", .run)
    package static let outOfMemory = Self("outOfMemory", .run)
    package static let notReady = Self("notReady", .run)
    package static let deviceLost = Self("deviceLost", .run)
    package static let timedOut = Self("timedOut", .run)
    package static let cancelled = Self("cancelled", .run)
    /// Any other failure of a call.
    package static let callFailed = Self("callFailed", .run)
}

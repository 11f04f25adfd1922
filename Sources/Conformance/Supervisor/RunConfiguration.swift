// SPDX-License-Identifier: Apache-2.0
package import Southbound

/// What a user asks of `conform`. Nil means that nothing was said: a default, or when resuming what the run began with.
package struct RunConfiguration: Sendable {
    package var plugin: PluginReference
    /// Options by key, and the plugin name under which they were given.
    package var options: [String: String] = [:]
    package var optionsName: String?
    package var libraries: [String] = []
    package var level: Level?
    package var profile: String?
    package var tier: Tier?
    package var suite: String?
    package var filter: String?
    package var corpus: String?
    package var cases: Int?
    package var jobs: Int?
    package var seed: UInt64?
    package var timeout: Double?
    package var timeScale: Double?
    package var worker: String?
    package var shard: Shard?
    package var expectedFailures: ExpectedFailuresFile?
    package var resume = false
    package var output: String?
    /// The command line as typed, for the report.
    package var command = ""

    package init(plugin: PluginReference) { self.plugin = plugin }

    /// Profiles that this version of the suite knows.
    package static let profiles = [Profile.declared] + Profile.classes
}

/// How much of the suite a run has.
package enum Tier: String, Codable, CaseIterable, Sendable {
    /// The smallest set of cases that still notices every kind of planted fault: for slow devices and inner loops.
    case smoke
    case full
}

/// One of several runs that together decide all cases.
package struct Shard: Sendable, Equatable, CustomStringConvertible {
    package let index: Int
    package let count: Int

    /// Reads `I/N`, 1 ≤ I ≤ N.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]), index >= 1, index <= count else { return nil }
        self.index = index
        self.count = count
    }

    package var description: String { "\(index)/\(count)" }
}

/// What decides which cases a run has and how they are run; written into the log's header and taken from there on `--resume`.
struct RunSettings: Codable, Equatable, Sendable {
    var level: Level
    var profile: String
    /// Nil in runs of versions that had the full tier alone.
    var tier: Tier?
    var suite: String?
    var filter: String?
    var corpus: String?
    var cases: Int?
    var seed: UInt64
    var timeout: Double
    var timeScale: Double
    var worker: String?
    var shard: String?
    /// Nil: those that come with the suite.
    var expectedFailures: ExpectedFailuresFile?
    var options: [String: String]
    var libraries: [String]

    init(_ configuration: RunConfiguration) {
        level = configuration.level ?? .models
        profile = configuration.profile ?? Profile.declared
        tier = configuration.tier == .smoke ? .smoke : nil
        suite = configuration.suite
        filter = configuration.filter
        corpus = configuration.corpus
        cases = configuration.cases
        // Below 2^53, so that every JSON reader keeps it exact.
        seed = configuration.seed ?? UInt64.random(in: 0..<(1 << 53))
        timeout = configuration.timeout ?? 60
        timeScale = configuration.timeScale ?? 1
        worker = configuration.worker
        shard = configuration.shard?.description
        expectedFailures = configuration.expectedFailures
        options = configuration.options
        libraries = configuration.libraries
    }

    /// Nothing may be claimed from a run that leaves cases out.
    var isComplete: Bool { tier == nil && suite == nil && filter == nil && cases == nil && shard == nil }

    /// The first flag by which a resumed run would differ from its beginning.
    func contradiction(_ configuration: RunConfiguration) -> String? {
        func differs<Value: Equatable>(_ given: Value?, _ begun: Value?) -> Bool { given != nil && given != begun }
        let flags: [(String, Bool)] = [
            ("--level", differs(configuration.level, level)), ("--profile", differs(configuration.profile, profile)),
            ("--tier", differs(configuration.tier, tier ?? .full)), ("--suite", differs(configuration.suite, suite)),
            ("--filter", differs(configuration.filter, filter)),
            ("--corpus", differs(configuration.corpus, corpus)), ("--cases", differs(configuration.cases, cases)),
            ("--seed", differs(configuration.seed, seed)), ("--timeout", differs(configuration.timeout, timeout)),
            ("--time-scale", differs(configuration.timeScale, timeScale)), ("--worker", differs(configuration.worker, worker)),
            ("--shard", differs(configuration.shard?.description, shard)),
            ("--expected-failures", differs(configuration.expectedFailures, expectedFailures)),
            ("--option", !configuration.options.isEmpty && configuration.options != options),
            ("--library", !configuration.libraries.isEmpty && configuration.libraries != libraries),
        ]
        return flags.first { $0.1 }?.0
    }
}

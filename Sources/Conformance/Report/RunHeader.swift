// SPDX-License-Identifier: Apache-2.0

/// The first line of `run.jsonl`: all that is known before the first verdict, enough to resume the run.
package struct RunHeader: Codable, Equatable, Sendable {
    package static let schema = "southbridge.run/1"

    package private(set) var schema = RunHeader.schema
    package var suite: Report.Suite
    package var plugin: Report.Plugin
    package var host: Report.Host
    package var devices: [Report.Device]
    /// `seconds` is 0 here.
    package var run: Report.Run
    package var requestedLevel: Level
    package var profile: String
    /// Filters, limits and whatever else decides which cases run and how; a resumed run must have the same.
    package var options: [String: JSONValue]
    package var planned: Planned

    /// The full list of what the run must decide: the denominator, fixed before the first verdict.
    package struct Planned: Codable, Equatable, Sendable {
        package var count: Int
        /// Over the sorted case ids, each ended by a line feed.
        package var digest: String

        package init(ids: some Sequence<String>) {
            // By bytes: the same order in every language and version.
            let lines = ids.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
            count = lines.count
            digest = sha256(Array(lines.map { $0 + [UInt8(ascii: "\n")] }.joined()))
        }
    }

    package init(
        suite: Report.Suite, plugin: Report.Plugin, host: Report.Host, devices: [Report.Device],
        run: Report.Run, requestedLevel: Level, profile: String, options: [String: JSONValue] = [:],
        planned: Planned
    ) {
        self.suite = suite
        self.plugin = plugin
        self.host = host
        self.devices = devices
        self.run = run
        self.requestedLevel = requestedLevel
        self.profile = profile
        self.options = options
        self.planned = planned
    }
}

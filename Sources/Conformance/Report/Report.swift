// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// One run of the suite on one plugin: the content of `report.json`.
package struct Report: Codable, Sendable {
    package static let schema = "southbridge.report/1"

    private var schema = Report.schema
    package var suite: Suite
    package var plugin: Plugin
    package var host: Host
    /// Empty where the plugin could not be loaded.
    package var devices: [Device]
    package var run: Run
    package var verdict: Verdict
    /// One entry per level, in the order of `Level`.
    package var levels: [LevelResult]
    /// Over all cases.
    package var summary: Summary
    package var cases: [CaseResult]
    /// The end of the `run.jsonl` that this report was made from: what catches lines cut off its tail.
    @Nullable package var log: RunLog.End?
    @Nullable package var specification: Specification?

    package init(
        suite: Suite, plugin: Plugin, host: Host, devices: [Device], run: Run, verdict: Verdict,
        levels: [LevelResult], cases: [CaseResult], log: RunLog.End? = nil,
        specification: Specification? = nil
    ) {
        self.suite = suite
        self.plugin = plugin
        self.host = host
        self.devices = devices
        self.run = run
        self.verdict = verdict
        self.levels = levels
        self.summary = Summary(cases)
        self.cases = cases
        self.log = log
        self.specification = specification
    }

    /// The bytes of `report.json`. Equal reports give equal bytes.
    package func encoded() throws -> Data { try ReportJSON.encodeIndented(self) }

    /// - Parameter source: the file's name, for the error.
    package init(decoding data: Data, source: String = "report.json") throws(ReportReadError) {
        struct Header: Decodable { var schema: String }
        let found = try ReportJSON.decode(Header.self, from: data, source: source).schema
        guard found == Report.schema else {
            throw ReportReadError("\(source): schema is '\(found)', this version reads '\(Report.schema)'")
        }
        self = try ReportJSON.decode(Report.self, from: data, source: source)
        let recounted = Summary(cases)
        guard recounted == summary else {
            throw ReportReadError("\(source): summary does not count the \(recounted.total) cases that follow it")
        }
    }
}

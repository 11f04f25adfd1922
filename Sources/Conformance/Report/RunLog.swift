// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// `run.jsonl`: a header line, then one line per verdict in the order in which they fell. Each line is a JSON
/// object that carries, under `previous`, the SHA-256 of the line before it (its bytes without the line feed;
/// `null` in the first line), so that a line edited, removed or moved afterwards shows.
package struct RunLog: Sendable {
    package var header: RunHeader
    package var cases: [CaseResult]
    package var end: End
    /// The bytes up to and with the last line feed. What follows is a line that a kill cut short: whoever
    /// resumes the run cuts the file to this length before the first append.
    package var completeBytes: Int

    /// Where a log ends.
    package struct End: Codable, Equatable, Sendable {
        /// The header's line included.
        package var lines: Int
        /// Of the last line.
        package var digest: String

        package init(lines: Int, digest: String) {
            self.lines = lines
            self.digest = digest
        }
    }

    /// Reads a whole log. A last line without a line feed is ignored; its case counts as not run.
    ///
    /// The chain is not checked here: `verify` does.
    package init(reading data: Data, source: String = "run.jsonl") throws(ReportReadError) {
        let lines = RunLog.lines(of: data)
        guard let first = lines.first else {
            throw ReportReadError("\(source): holds no complete line")
        }
        header = try RunLog.header(first, source: source)
        cases = []
        cases.reserveCapacity(lines.count - 1)
        for (index, line) in lines.enumerated().dropFirst() {
            cases.append(try ReportJSON.decode(CaseResult.self, from: line, source: "\(source): line \(index + 1)"))
        }
        end = End(lines: lines.count, digest: sha256(lines[lines.count - 1]))
        completeBytes = lines.reduce(0) { $0 + $1.count + 1 }
    }

    /// The complete lines, without their line feeds.
    package static func lines(of data: Data) -> [Data] {
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return Array(lines.dropLast())
    }

    static func header(_ line: Data, source: String) throws(ReportReadError) -> RunHeader {
        struct Only: Decodable { var schema: String }
        let schema = try ReportJSON.decode(Only.self, from: line, source: "\(source): line 1").schema
        guard schema == RunHeader.schema else {
            throw ReportReadError(
                "\(source): line 1: schema is '\(schema)', this version reads '\(RunHeader.schema)'")
        }
        return try ReportJSON.decode(RunHeader.self, from: line, source: "\(source): line 1")
    }
}

/// Makes the lines of a `run.jsonl`, in order. Write each result with a single append: it ends in a line feed,
/// which is what tells a complete line from one cut short.
package struct RunLogEncoder: Sendable {
    /// Nil before the header.
    package private(set) var end: RunLog.End?

    /// For a new log: the first line must be the header.
    package init() {}

    /// For a log that goes on after its last complete line.
    package init(resuming log: RunLog) { end = log.end }

    package mutating func line(_ header: RunHeader) throws -> Data {
        precondition(end == nil, "a header begins a log")
        return try chained(header)
    }

    package mutating func line(_ result: CaseResult) throws -> Data {
        precondition(end != nil, "a log begins with its header")
        return try chained(result)
    }

    private mutating func chained(_ content: some Encodable) throws -> Data {
        var line = try ReportJSON.encode(ChainedLine(content: content, previous: end?.digest))
        end = RunLog.End(lines: (end?.lines ?? 0) + 1, digest: sha256(line))
        line.append(UInt8(ascii: "\n"))
        return line
    }
}

/// A line's content with `previous` among its keys.
private struct ChainedLine<Content: Encodable>: Encodable {
    var content: Content
    var previous: String?

    private enum Key: String, CodingKey { case previous }

    func encode(to encoder: any Encoder) throws {
        try content.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(previous, forKey: .previous)
    }
}

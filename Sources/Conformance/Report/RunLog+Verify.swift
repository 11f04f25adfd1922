// SPDX-License-Identifier: Apache-2.0
package import Foundation

extension RunLog {
    /// Something in a log that an undisturbed run would not have written.
    package struct Problem: Equatable, Sendable, CustomStringConvertible {
        /// Counted from 1; nil where it concerns the log as a whole.
        package var line: Int?
        package var message: String

        package var description: String { line.map { "line \($0): \(message)" } ?? message }
    }

    /// Checks the complete lines of a log, as `lines(of:)` gives them: each line reads, names the digest of the
    /// line before it, and decides a case not decided yet; and all planned cases are there.
    ///
    /// Catches what was edited, removed, moved or repeated. Lines cut off the end of an unfinished run show only
    /// against a report, and a log whose whole chain was computed anew shows only against a digest kept elsewhere.
    package static func verify(_ lines: [Data]) -> [Problem] {
        guard let first = lines.first else {
            return [Problem(line: nil, message: "the log holds no complete line")]
        }
        var problems: [Problem] = []
        var planned: RunHeader.Planned?
        do {
            planned = try header(first, source: "header").planned
        } catch {
            problems.append(Problem(line: 1, message: error.description))
        }

        var lineOfCase: [String: Int] = [:]
        var expected: String?
        for (index, line) in lines.enumerated() {
            let number = index + 1
            if let problem = chainProblem(line, expected: expected, number: number) { problems.append(problem) }
            expected = sha256(line)
            guard index > 0 else { continue }
            do {
                let id = try ReportJSON.decode(CaseResult.self, from: line, source: "verdict").id
                if let earlier = lineOfCase.updateValue(number, forKey: id) {
                    problems.append(
                        Problem(line: number, message: "case '\(id)' was decided on line \(earlier) already"))
                }
            } catch {
                problems.append(Problem(line: number, message: error.description))
            }
        }

        if let planned, RunHeader.Planned(ids: lineOfCase.keys) != planned {
            let message =
                lineOfCase.count == planned.count
                ? "the cases decided are not the cases planned"
                : "\(lineOfCase.count) cases are decided of \(planned.count) planned"
            problems.append(Problem(line: nil, message: message))
        }
        return problems
    }

    /// Also checks that the report was made from this very log and repeats its verdicts.
    package static func verify(_ lines: [Data], report: Report) -> [Problem] {
        var problems = verify(lines)
        let end = lines.last.map { End(lines: lines.count, digest: sha256($0)) }
        if report.log == nil {
            problems.append(Problem(line: nil, message: "the report does not name the log that it was made from"))
        } else if report.log != end {
            problems.append(
                Problem(line: nil, message: "the report was made from a log of \(report.log?.lines ?? 0) lines with another end"))
        }
        var logged: [String: Data] = [:]
        for line in lines.dropFirst() {
            if let result = try? ReportJSON.decode(CaseResult.self, from: line, source: "") {
                logged[result.id] = try? ReportJSON.encode(result)
            }
        }
        for result in report.cases {
            guard let bytes = logged.removeValue(forKey: result.id) else {
                problems.append(Problem(line: nil, message: "the report's case '\(result.id)' is not in the log"))
                continue
            }
            if bytes != (try? ReportJSON.encode(result)) {
                problems.append(
                    Problem(line: nil, message: "the report's case '\(result.id)' differs from the log's"))
            }
        }
        for id in logged.keys.sorted() {
            problems.append(Problem(line: nil, message: "the log's case '\(id)' is not in the report"))
        }
        return problems
    }

    private static func chainProblem(_ line: Data, expected: String?, number: Int) -> Problem? {
        struct Only: Decodable { var previous: String? }
        // A line that does not read is reported by the caller.
        guard let stated = try? ReportJSON.decode(Only.self, from: line, source: "") else { return nil }
        guard stated.previous != expected else { return nil }
        return Problem(
            line: number,
            message: number == 1
                ? "the first line names a line before it"
                : "line \(number - 1) is not the line that stood before it: edited, removed or moved")
    }
}

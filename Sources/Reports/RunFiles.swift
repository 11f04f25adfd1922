// SPDX-License-Identifier: Apache-2.0
package import Conformance
package import Foundation

/// What a finished run's folder holds beside its log.
package struct RunFiles: Sendable {
    package let folder: URL
    package let html: URL
}

/// Writes `report.json`, `report.html`, `report.md` and `junit.xml`, each whole or not at all.
package func writeReports(_ report: Report, to folder: URL) throws -> RunFiles {
    let files: [(String, ReportFormat)] = [("report.json", .json), ("report.md", .md), ("junit.xml", .junit), ("report.html", .html)]
    for (name, format) in files { try render(report, as: format).write(to: folder.appending(path: name), options: .atomic) }
    return RunFiles(folder: folder, html: folder.appending(path: "report.html"))
}

/// What is wrong with a run's log and with the report made from it, a sentence each; empty if all is well.
package func verifyRun(in folder: URL) throws -> [String] {
    let log = try read("run.jsonl", in: folder)
    let report = try Report(decoding: read("report.json", in: folder), source: "report.json")
    var problems: [String] = []
    if log.last != UInt8(ascii: "\n") { problems.append("run.jsonl ends in the middle of a line") }
    problems += RunLog.verify(RunLog.lines(of: log), report: report).map(\.description)
    return problems
}

private func read(_ name: String, in folder: URL) throws(ReportReadError) -> Data {
    let file = folder.appending(path: name)
    do { return try Data(contentsOf: file) } catch {
        throw ReportReadError("\(file.path) cannot be read; a run that was cut short is finished with 'conform --resume'")
    }
}

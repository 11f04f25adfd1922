// SPDX-License-Identifier: Apache-2.0
import Foundation

/// `numerics-study DOCUMENT PYTHON SCRIPT LOG [CLASS...]`: tries the suite's bounds against right and wrong arithmetic and writes the tables of `docs/numerics.md` anew. `make
/// numerics` gives the paths. With names of classes only these are tried, and the document stays as it is.
@main
struct StudyCommand {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count >= 5 else {
            FileHandle.standardError.write(Data("usage: numerics-study DOCUMENT PYTHON SCRIPT LOG [CLASS...]\n".utf8))
            exit(2)
        }
        do {
            let hasFalseAlarms = try run(
                document: arguments[1], python: arguments[2], script: arguments[3], log: arguments[4], classes: Array(arguments[5...]))
            exit(hasFalseAlarms ? 1 : 0)
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            exit(2)
        }
    }

    private static func run(document: String, python: String, script: String, log: String, classes: [String]) throws -> Bool {
        let study = Study(numpy: (python, script), threads: 2)
        var results: [(StudyClass, ClassTally)] = []
        for subject in StudyClass.all where classes.isEmpty || classes.contains(subject.name) {
            let start = Date()
            let tally = try study.run(subject, leastOutputs: 1_000_000, seeds: 1...40)
            results.append((subject, tally))
            FileHandle.standardError.write(
                Data(
                    "\(subject.name): \(tally.outputs) outputs of \(tally.cases) cases, \(tally.falseAlarms) false alarms, \(Int(Date().timeIntervalSince(start))) s\n"
                        .utf8))
        }
        let tables = StudyTables(results)
        if classes.isEmpty { try tables.write(into: document) }
        try Data(tables.log.utf8).write(to: URL(fileURLWithPath: log))
        return results.contains { $0.1.falseAlarms > 0 }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation

/// `numerics-study DOCUMENT PYTHON SCRIPT LOG`: tries the suite's bounds against right and wrong arithmetic and writes the tables of `docs/numerics.md` anew. `make numerics`
/// gives the paths.
@main
struct StudyCommand {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 5 else {
            FileHandle.standardError.write(Data("usage: numerics-study DOCUMENT PYTHON SCRIPT LOG\n".utf8))
            exit(2)
        }
        do {
            let hasFalseAlarms = try run(document: arguments[1], python: arguments[2], script: arguments[3], log: arguments[4])
            exit(hasFalseAlarms ? 1 : 0)
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            exit(2)
        }
    }

    private static func run(document: String, python: String, script: String, log: String) throws -> Bool {
        let study = Study(numpy: (python, script), threads: 2)
        var results: [(StudyClass, ClassTally)] = []
        for subject in StudyClass.all {
            let start = Date()
            let tally = try study.run(subject, leastOutputs: 1_000_000, seeds: 1...40)
            results.append((subject, tally))
            print("\(subject.name): \(tally.outputs) outputs of \(tally.cases) cases, \(tally.falseAlarms) false alarms, \(Int(Date().timeIntervalSince(start))) s")
        }
        let tables = StudyTables(results)
        try tables.write(into: document)
        try Data(tables.log.utf8).write(to: URL(fileURLWithPath: log))
        return results.contains { $0.1.falseAlarms > 0 }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Conformance
import Foundation
import Reports

extension ReportFormat: ExpressibleByArgument {}

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Render or check a run.",
        discussion: """
            EXAMPLES
              southbridge report southbridge-runs/cpu-20261124-101500
              southbridge report RUN --format junit --output junit.xml
              southbridge report RUN --verify
            """)

    @Argument(help: ArgumentHelp("The run's folder, or its report.json.", valueName: "run"), completion: .directory)
    var source: String

    @Option(help: ArgumentHelp("html, md, json, junit or csv (default: md).", valueName: "format"))
    var format: ReportFormat = .md

    @Option(help: ArgumentHelp("Write to a file instead of standard output.", valueName: "file"), completion: .file())
    var output: String?

    @Flag(help: "Check order, completeness and digests of the run's log instead.")
    var verify = false

    func run() throws {
        var path = URL(filePath: source)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path.path, isDirectory: &isFolder) else {
            throw CommandFailure(code: 2, "\(source): no such run")
        }
        if verify { return try check(folder: isFolder.boolValue ? path : path.deletingLastPathComponent()) }
        if isFolder.boolValue { path.append(path: "report.json") }
        guard let data = try? Data(contentsOf: path) else {
            throw CommandFailure(
                code: 2, "\(path.path) cannot be read; a run that was cut short has none: finish it with 'conform --resume'")
        }
        let rendered = try render(Report(decoding: data, source: path.path), as: format)
        if let output { try rendered.write(to: URL(filePath: output), options: .atomic) } else { FileHandle.standardOutput.write(rendered) }
    }

    private func check(folder: URL) throws {
        let problems = try verifyRun(in: folder)
        for problem in problems { print(problem) }
        if !problems.isEmpty { throw CommandFailure.negative }
        print("the log is whole, in order, and agrees with its report")
    }
}

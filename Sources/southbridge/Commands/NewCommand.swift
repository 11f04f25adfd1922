// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Scaffold
import Southbound

struct NewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Scaffold a plugin.",
        discussion: """
            EXAMPLES
              southbridge new acme
              southbridge new acme --vendor "Acme Silicon" --output work
            """)

    @Argument(help: "The plugin's name: letters, digits, '-' and '_'.")
    var name: String

    @Option(help: ArgumentHelp("c (default). Templates for cpp and swift come with a later version.", valueName: "language"))
    var language = "c"

    @Option(help: ArgumentHelp("cpu, gpgpu or npu (default).", valueName: "family"))
    var family = "npu"

    @Option(help: ArgumentHelp("kernel (default). Graph mode comes with a later version of the header.", valueName: "mode"))
    var mode = "kernel"

    @Option(help: ArgumentHelp("The vendor's name.", valueName: "text"))
    var vendor: String?

    @Option(help: ArgumentHelp("Where to make the folder NAME (default: here).", valueName: "dir"), completion: .directory)
    var output = "."

    @Flag(help: "Print JSON on standard output.")
    var json = false

    private struct Result: Encodable {
        let folder: String
        let files: [String]
        let next: [String]
    }

    func run() throws {
        for (flag, value, offered) in [
            ("--language", language, ["c"]), ("--mode", mode, ["kernel"]), ("--family", family, ["cpu", "gpgpu", "npu"]),
        ]
        where !offered.contains(value) {
            throw CommandFailure(code: 2, "\(flag) '\(value)' is not offered by this version; it has \(offered.joined(separator: ", "))")
        }
        let installation = try Installation.locate()
        let result = try scaffold(
            name: name, vendor: vendor ?? name, family: family, into: URL(filePath: output), templates: installation.templates,
            header: installation.header)
        if json { return try printJSON(Result(folder: result.folder.path, files: result.files, next: result.nextSteps)) }
        print("made \(result.folder.path):")
        for file in result.files { print("  \(file)") }
        print("next:")
        for step in result.nextSteps { print("  \(step)") }
    }
}

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
            The new folder holds the header, the plugin with one example to replace, its test, a build file, files for continuous integration, and a README that says
            what to do next. It builds without a warning and passes the levels `load` and `driver` untouched.

            EXAMPLES
              southbridge new acme
              southbridge new acme --language cpp --family gpgpu --vendor "Acme Silicon" --output work
              southbridge new acme --language swift --mode both
            """)

    @Argument(help: "The plugin's name: a letter, then letters, digits, '-' and '_'. Asked for on a terminal if it is left out.")
    var name: String?

    @Option(help: ArgumentHelp("c (default), cpp or swift.", valueName: "language"), completion: .list(Language.allCases.map(\.rawValue)))
    var language = "c"

    @Option(help: ArgumentHelp("cpu, gpgpu or npu (default).", valueName: "family"), completion: .list(Family.allCases.map(\.rawValue)))
    var family = "npu"

    @Option(
        help: ArgumentHelp(
            "kernel (default): the stack runs operator by operator. graph: the chip's own compiler takes subgraphs. both.",
            valueName: "mode"),
        completion: .list(Mode.allCases.map(\.rawValue)))
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
        let installation = try Installation.locate()
        let name = try self.name ?? askedName()
        let choice = Choice(
            name: name, vendor: vendor ?? name, language: try value(of: "--language", language), mode: try value(of: "--mode", mode),
            family: try value(of: "--family", family))
        let result = try scaffold(
            choice, into: URL(filePath: output),
            from: ScaffoldSources(templates: installation.templates, header: installation.header, pluginKit: installation.pluginKit))
        if json { return try printJSON(Result(folder: result.folder.path, files: result.files, next: result.nextSteps)) }
        print("made \(result.folder.path):")
        for file in result.files { print("  \(file)") }
        print("next:")
        for step in result.nextSteps { print("  \(step)") }
    }

    private func value<Value: RawRepresentable<String> & CaseIterable>(of flag: String, _ text: String) throws -> Value {
        guard let value = Value(rawValue: text) else {
            throw CommandFailure(code: 2, "\(flag) '\(text)' is none of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    private func askedName() throws -> String {
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw CommandFailure(code: 2, "the plugin's name is missing: southbridge new NAME")
        }
        FileHandle.standardError.write(Data("name of the plugin (letters, digits, '-' and '_'): ".utf8))
        return readLine()?.trimmingCharacters(in: .whitespaces) ?? ""
    }
}

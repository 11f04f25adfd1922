// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Conformance
import Foundation
import Southbound

struct ReproduceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reproduce",
        abstract: "Run one failed case again from its reproducer.",
        discussion: """
            Exits with 0 if the case passes now, with 1 if it still fails.

            EXAMPLES
              southbridge reproduce southbridge-runs/acme-20260131-093000 operators/MatMul/float32-tail-17-signed
              southbridge reproduce runs/today operators/MatMul/float32-tail-17-signed --plugin ./libacme.so
            """)

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory)
    var folder: String

    @Argument(help: "The case's id, as the report gives it.")
    var `case`: String

    @Option(help: ArgumentHelp("Another plugin, or another build of it.", valueName: "plugin"))
    var plugin: String?

    @Flag(help: "Print the verdict as JSON.")
    var json = false

    func run() throws {
        let installation = try Installation.locate()
        catchInterrupts()
        let reproduction = try Reproduction(
            of: URL(fileURLWithPath: folder), installation: installation,
            executable: URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path)
        let result = try reproduction.decide(`case`, plugin: try plugin.map { try .parse($0, installation: installation) })
        if json {
            try printJSON(result)
        } else {
            print("\(result.status.rawValue) \(result.id)")
            for line in (result.message ?? "").split(separator: "\n") { print(printable(String(line))) }
        }
        if result.status.needsAttention { throw CommandFailure.negative }
    }
}

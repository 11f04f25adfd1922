// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Conformance
import Foundation

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print a completion script for a shell.",
        discussion: """
            EXAMPLES
              southbridge completion bash > /etc/bash_completion.d/southbridge
              southbridge completion zsh > ~/.zsh/completions/_southbridge
              southbridge completion fish > ~/.config/fish/completions/southbridge.fish
            """)

    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() {
        let script =
            switch shell {
            case .bash: Southbridge.completionScript(for: .bash)
            case .zsh: Southbridge.completionScript(for: .zsh)
            case .fish: Southbridge.completionScript(for: .fish)
            }
        print(script)
    }
}

/// What the supervisor starts; not for people.
struct WorkerCommandLine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Serve the worker protocol on standard input and output.", shouldDisplay: false)

    func run() throws {
        var worker = Worker()
        let status = worker.serve()
        if status != 0 { throw CommandFailure(code: status, "") }
    }
}

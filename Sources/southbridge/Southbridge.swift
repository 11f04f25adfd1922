// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Conformance
import Foundation

struct Southbridge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "southbridge",
        abstract: "Attach an AI chip to one shared software stack, and prove how well it does.",
        discussion: """
            A PLUGIN is a path to a shared library, or a built-in name: cpu. NAME=PATH gives it a name for this command.
            A device is PLUGIN:INDEX, index 0 if left out; --device takes a list in order of preference, separated by commas.

            EXAMPLES
              southbridge devices
              southbridge run model.onnx --device cpu
              southbridge run model.onnx --device chip=./libchip.so,cpu --input x=x.npy --output results
              southbridge explain model.onnx --device chip=./libchip.so,cpu
              southbridge conform ./libchip.so --level driver
              southbridge plan ./libchip.so
              southbridge new acme

            EXIT CODES
              0 done (conform: conformant at the level asked for); 1 done, but the verdict is negative; 2 wrong usage, or an input
              cannot be read; 3 no plugin could be negotiated; 4 internal error; 5 a run failed on the device; 130 interrupted
            """,
        version: suiteVersion,
        subcommands: [
            NewCommand.self, DevicesCommand.self, RunCommand.self, ExplainCommand.self, DebugCommand.self, ConformCommand.self,
            BenchCommand.self, PlanCommand.self,
            ReportCommand.self,
            ReproduceCommand.self, DoctorCommand.self,
            CompletionCommand.self, WorkerCommandLine.self,
        ])
}

@main
enum Main {
    static func main() {
        do {
            var command = try Southbridge.parseAsRoot()
            try command.run()
            exit(withCode: 0)
        } catch {
            finish(error)
        }
    }

    /// The one place that turns an error into words and an exit code.
    private static func finish(_ error: any Error) -> Never {
        if let failure = CommandFailure(error) {
            if !failure.message.isEmpty { standardError("southbridge: \(failure.message)") }
            exit(withCode: failure.code)
        }
        let code = Southbridge.exitCode(for: error)
        let text = Southbridge.fullMessage(for: error)
        if code == .success {
            print(text)
            exit(withCode: 0)
        }
        standardError(
            Southbridge.message(for: error).isEmpty ? text : "southbridge: \(Southbridge.message(for: error)); see 'southbridge --help'")
        exit(withCode: 2)
    }

    private static func exit(withCode code: Int32) -> Never {
        guard fflush(nil) == 0 else {
            standardError("southbridge: standard output cannot be written: \(String(cString: strerror(errno)))")
            Foundation.exit(code == 0 ? 2 : code)
        }
        Foundation.exit(code)
    }
}

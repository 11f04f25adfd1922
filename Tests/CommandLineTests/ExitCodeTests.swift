// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The contract of the command line: exit codes, and one sentence per error.
@Suite struct ExitCodeTests {
    private static let squeezenet = repository.appending(path: "build/networks/squeezenet/model.onnx").path

    struct Failure: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        let code: Int32
        init(_ arguments: [String], _ code: Int32) { (self.arguments, self.code) = (arguments, code) }
        var testDescription: String { arguments.joined(separator: " ") }
    }

    private static let failures: [Failure] = [
        Failure(["conform", "nonsense.so", "--output", "run"], 3), Failure(["conform", "missing.so", "--output", "run2"], 3),
        Failure(["run", "broken.onnx", "--device", "cpu"], 2), Failure(["run", "missing.onnx", "--device", "cpu"], 2),
        Failure(["run", squeezenet, "--device", "xpu"], 2), Failure(["run", squeezenet, "--device", "cpu:9"], 2),
        Failure(["run", squeezenet, "--device", "nonsense.so"], 3),
        Failure(["run", squeezenet, "--device", "cpu", "--input", "nobody=x.npy"], 2),
        Failure(["run", squeezenet, "--device", "cpu", "--place", "*=gpu"], 2),
        Failure(["run", squeezenet, "--device", "cpu", "--option", "cpu.threads=none"], 2),
        Failure(["run", squeezenet, "--device", "cpu", "--option", "cpu.speed=1"], 2),
        Failure(["run", squeezenet, "--device", "cpu", "--option", "gpu.threads=1"], 2),
        Failure(["run", squeezenet, "--device", "cpu", "--repeat", "0"], 2),
        Failure(["conform", "cpu", "--bogus"], 2), Failure(["conform", "cpu", "--level", "highest"], 2),
        Failure(["conform", "cpu", "--shard", "3/2"], 2),
        Failure(["conform", "cpu", "--suite", "nothing", "--output", "run3"], 2),
        Failure(["conform", "cpu", "--filter", "nothing*", "--output", "run4"], 2),
        Failure(["conform", "cpu", "--corpus", "/nowhere", "--output", "run5"], 2), Failure(["conform", "cpu", "--resume"], 2),
        Failure(["report", "nowhere"], 2), Failure(["report", "nonsense.so"], 2), Failure(["bogus"], 2),
        Failure(["devices", "nonsense.so"], 3),
        Failure(["new", "no good"], 2),
        Failure(["plan", "nonsense.so"], 3), Failure(["plan", "xpu"], 2), Failure(["plan", "cpu:9"], 2), Failure(["plan", "cpu,npu"], 2),
        Failure(["plan", "cpu", "broken.onnx"], 2), Failure(["plan", "cpu", "missing.onnx"], 2),
        Failure(["plan", "cpu", squeezenet, "--shape", "nobody=1"], 2), Failure(["plan", "cpu", squeezenet, "--output", "broken.onnx"], 2),
        Failure(["plan", "cpu", squeezenet, "--output", "."], 2), Failure(["plan", "cpu", squeezenet, "--limit", "-1"], 2),
    ]

    @Test(arguments: failures)
    func anErrorIsOneSentenceAndItsCode(failure: Failure) throws {
        let (arguments, code) = (failure.arguments, failure.code)
        try withTemporaryFolder { folder in
            try Data("no library\n".utf8).write(to: folder.appending(path: "nonsense.so"))
            try Data(repeating: 0x0a, count: 500).write(to: folder.appending(path: "broken.onnx"))
            let result = try runCommand(products.appending(path: "southbridge").path, arguments, in: folder)
            #expect(result.status == code, "\(arguments): \(result.error)")
            let lines = result.error.split(separator: "\n").filter { $0.hasPrefix("southbridge: ") }
            #expect(lines.count == 1, "\(arguments): \(result.error)")
        }
    }

    @Test func conformWritesItsReportEvenWithoutAPlugin() throws {
        try withTemporaryFolder { folder in
            try Data("no library\n".utf8).write(to: folder.appending(path: "nonsense.so"))
            #expect(try southbridge("conform", "nonsense.so", "--output", "run", in: folder).status == 3)
            for name in ["run.jsonl", "report.json", "report.html", "report.md", "junit.xml"] {
                #expect(FileManager.default.fileExists(atPath: folder.appending(path: "run/\(name)").path), "\(name)")
            }
        }
    }

    @Test func helpAndVersionAndCompletion() throws {
        for command in ["new", "devices", "run", "conform", "report", "plan", "doctor"] {
            let help = try southbridge(command, "--help")
            #expect(help.status == 0)
            #expect(help.output.contains("EXAMPLES"))
        }
        #expect(try southbridge("--version").output == "0.4.0\n")
        for shell in ["bash", "zsh", "fish"] { #expect(try southbridge("completion", shell).output.contains("conform")) }
    }

    @Test func fullDiskIsOneErrorAndNothingIsLost() throws {
        let result = try runCommand("sh", ["-c", "exec '\(products.appending(path: "southbridge").path)' devices cpu > /dev/full"])
        #expect(result.status != 0)
        #expect(result.error.contains("cannot be written"))
    }
}

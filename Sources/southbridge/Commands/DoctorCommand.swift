// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Glibc
import Southbound

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what is on this machine and what is missing, with the command that mends it.",
        discussion: """
            Exits with 1 if something is missing that running plugins or the suite needs.

            EXAMPLES
              southbridge doctor
              southbridge doctor --json
            """)

    @Flag(help: "Print JSON on standard output.")
    var json = false

    /// One thing looked for.
    private struct Finding: Encodable {
        let name: String
        let isPresent: Bool
        /// Without it something does not work; otherwise only a convenience is missing.
        let isRequired: Bool
        let detail: String
        /// The command that mends it, if it is missing.
        let mend: String?
    }

    func run() throws {
        let installation = try Installation.locate()
        let findings = files(installation) + libraries() + tools()
        if json { try printJSON(findings) } else { show(findings) }
        if findings.contains(where: { $0.isRequired && !$0.isPresent }) { throw CommandFailure.negative }
    }

    private func show(_ findings: [Finding]) {
        let style = TerminalStyle.standardOutput
        for finding in findings {
            let mark = finding.isPresent ? style.good("ok     ") : finding.isRequired ? style.bad("missing") : "absent "
            print("\(mark)  \(finding.name): \(finding.detail)")
            if !finding.isPresent, let mend = finding.mend { print("         mend: \(mend)") }
        }
    }

    private func files(_ installation: Installation) -> [Finding] {
        let setUp = installation.isBuildTree ? "make setup" : "make setup install (in the source tree)"
        let build = installation.isBuildTree ? "make build" : "make install (in the source tree)"
        return [
            file("reference CPU plugin", installation.pluginFolder.appending(path: "libsouthbridge_cpu.so"), required: true, mend: build),
            file("header", installation.header, required: true, mend: build),
            file("templates", installation.templates.appending(path: "c"), required: false, mend: build),
            file("ONNX corpus (level operators)", installation.corpus.appending(path: "manifest.json"), required: true, mend: setUp),
            file("networks (level models)", installation.networks.appending(path: "manifest.json"), required: true, mend: setUp),
        ]
    }

    private func file(_ name: String, _ url: URL, required: Bool, mend: String) -> Finding {
        let isPresent = access(url.path, R_OK) == 0
        return Finding(name: name, isPresent: isPresent, isRequired: required, detail: url.path, mend: isPresent ? nil : mend)
    }

    private func libraries() -> [Finding] {
        [("OpenBLAS", "libopenblas.so.0", "libopenblas0-pthread"), ("hwloc", "libhwloc.so.15", "libhwloc15")].map { name, soname, package in
            let handle = dlopen(soname, RTLD_LAZY | RTLD_LOCAL)
            defer { if let handle { dlclose(handle) } }
            let isPresent = handle != nil
            return Finding(
                name: name, isPresent: isPresent, isRequired: true, detail: isPresent ? soname : "\(soname) cannot be loaded",
                mend: isPresent ? nil : "apt-get install \(package)")
        }
    }

    private func tools() -> [Finding] {
        let wanted = [
            ("C compiler", "cc", "apt-get install gcc", "builds plugins"), ("make", "make", "apt-get install make", "builds plugins"),
            ("Swift", "swift", "install a Swift 6.3 toolchain or newer", "builds Southbridge itself"),
            ("Python", "python3", "apt-get install python3 python3-venv", "exports the ONNX corpus"),
        ]
        return wanted.map { name, command, mend, use in
            let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            let path = folders.map { "\($0)/\(command)" }.first { (candidate: String) in access(candidate, X_OK) == 0 }
            return Finding(
                name: name, isPresent: path != nil, isRequired: false, detail: path ?? "'\(command)' is not on PATH (\(use))",
                mend: path == nil ? mend : nil)
        }
    }
}

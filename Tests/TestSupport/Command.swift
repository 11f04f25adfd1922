// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// What a program left behind.
package struct CommandResult: Sendable {
    package let status: Int32
    package let output: String
    package let error: String
}

/// Runs a program to its end.
@discardableResult
package func runCommand(_ program: String, _ arguments: [String], in folder: URL? = nil, environment: [String: String] = [:]) throws
    -> CommandResult
{
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // Files, not pipes: nobody has to read while the program runs.
    return try withTemporaryFolder { folder in
        let files = try ["output", "error"].map { name in
            let file = folder.appending(path: name)
            FileManager.default.createFile(atPath: file.path, contents: nil)
            return (file, try FileHandle(forWritingTo: file))
        }
        (process.standardOutput, process.standardError) = (files[0].1, files[1].1)
        process.standardInput = FileHandle.nullDevice
        try withSignalsUnblocked { try process.run() }
        process.waitUntilExit()
        let texts = try files.map { String(decoding: try Data(contentsOf: $0.0), as: UTF8.self) }
        return CommandResult(status: process.terminationStatus, output: texts[0], error: texts[1])
    }
}

/// Dispatch's threads block signals, and a child inherits that: a program that waits for SIGCHLD, as cmake does, would wait for ever.
private func withSignalsUnblocked(_ body: () throws -> Void) rethrows {
    var (none, before) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
}

/// Runs the built command line.
package func southbridge(_ arguments: String..., in folder: URL? = nil, environment: [String: String] = [:]) throws -> CommandResult {
    try runCommand(products.appending(path: "southbridge").path, arguments, in: folder, environment: environment)
}

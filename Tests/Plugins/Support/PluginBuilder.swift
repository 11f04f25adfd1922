// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Synchronization

/// Builds the plugins of the tests as a vendor would: with the system's compiler, from `southbridge.h` alone.
package enum PluginBuilder {
    /// The repository's root.
    package static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardizedFileURL
    package static let include = root.appending(path: "Sources/CSouthbridge/include")

    private static let built = Mutex<[String: String]>([:])

    /// Where this process builds; its child processes build there, too.
    package static let folder: URL = {
        let key = "SOUTHBRIDGE_TEST_PLUGINS"
        if let folder = ProcessInfo.processInfo.environment[key] { return URL(filePath: folder) }
        let folder = FileManager.default.temporaryDirectory.appending(path: "southbridge-plugins-\(getpid())")
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        setenv(key, folder.path, 1)
        atexit { try? FileManager.default.removeItem(at: PluginBuilder.folder) }
        return folder
    }()

    /// The path of the library made of a file in `Tests/Plugins`, or of a file at an absolute path; built once.
    ///
    /// - Parameter defines: such as `FAULT=free_leaks`.
    package static func build(_ source: String, _ defines: String...) throws -> String {
        let key = ([URL(filePath: source).deletingPathExtension().lastPathComponent] + defines).joined(separator: "-")
        if let path = built.withLock({ $0[key] }) { return path }
        let path = source.hasPrefix("/") ? source : root.appending(path: "Tests/Plugins/\(source)").path
        let output = folder.appending(path: "lib\(key.replacing("=", with: "-")).so").path
        let new = "\(output).\(UUID().uuidString)"
        let result = try run(
            "cc",
            ["-std=c11", "-O1", "-fPIC", "-shared", "-pthread", "-fvisibility=hidden", "-Wall", "-Wextra", "-I\(include.path)"]
                + defines.map { "-D\($0)" } + ["-o", new, path, "-lm"])
        guard result.status == 0 else { throw BuildFailure(description: "cc \(path): \(result.output)") }
        // In one step: another test may be building or loading it.
        guard rename(new, output) == 0 else { throw BuildFailure(description: "cannot rename to \(output)") }
        built.withLock { $0[key] = output }
        return output
    }

    /// Runs a program found in PATH and waits for it.
    package static func run(
        _ program: String, _ arguments: [String], in folder: URL? = nil, environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = environment.map { "\($0.key)=\($0.value)" } + [program] + arguments
        if let folder { process.currentDirectoryURL = folder }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    package struct BuildFailure: Error, CustomStringConvertible {
        package let description: String
    }
}

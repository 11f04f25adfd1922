// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Synchronization

private let built = Mutex<[String: Result<URL, TestFailure>]>([:])

/// Compiles one C file against the header alone, once per test run.
/// - Parameter source: relative to the repository.
package func buildPlugin(_ source: String, flags: [String] = []) throws(TestFailure) -> URL {
    let key = ([source] + flags).joined(separator: " ")
    return try built.withLock { built in
        if let known = built[key] { return known }
        let result = Result { () throws(TestFailure) in try compile(source, flags) }
        built[key] = result
        return result
    }.get()
}

private func compile(_ source: String, _ flags: [String]) throws(TestFailure) -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(path: "southbridge-plugins-\(UUID().uuidString)")
    let name = URL(filePath: source).deletingPathExtension().lastPathComponent
    let library = folder.appending(path: "lib\(name).so")
    do {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let result = try runCommand(
            "cc",
            [
                "-std=c11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-I",
                repository.appending(path: "Sources/CSouthbridge/include").path,
            ]
                + flags + ["-o", library.path, repository.appending(path: source).path, "-lm"])
        if result.status == 0 { return library }
        throw TestFailure("\(source) does not compile: \(result.error)")
    } catch let failure as TestFailure {
        throw failure
    } catch {
        throw TestFailure("\(source): \(error)")
    }
}

package func minimalPlugin() throws(TestFailure) -> URL { try buildPlugin("VendorExamples/minimal/minimal.c") }

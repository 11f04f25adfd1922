// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import HardwareModel
import Scaffold
import Southbound
import TestSupport
import Testing

@Suite struct ScaffoldTests {
    private func make(
        _ name: String, vendor: String = "Acme", language: Language = .c, mode: Mode = .kernel, family: Family = .npu, in folder: URL
    ) throws(ScaffoldError) -> ScaffoldResult {
        try scaffold(
            Choice(name: name, vendor: vendor, language: language, mode: mode, family: family), into: folder, from: Self.sources)
    }

    private static let sources = ScaffoldSources(
        templates: repository.appending(path: "Templates"),
        header: repository.appending(path: "Sources/CSouthbridge/include/southbridge.h"),
        pluginKit: repository.appending(path: "Sources/PluginKit"))

    private func names(in folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    private static let compiled: [(name: String, language: Language, mode: Mode, family: Family)] = [
        ("acme", .c, .kernel, .cpu), ("acme-2_x", .c, .graph, .gpgpu), ("A", .c, .both, .npu),
        ("acme", .cpp, .kernel, .npu), ("acme-2_x", .cpp, .graph, .cpu), ("A", .cpp, .both, .gpgpu),
    ]

    @Test(arguments: compiled) func buildsAndPassesUntouched(
        name: String, language: Language, mode: Mode, family: Family
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "southbridge-new-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let made = try make(name, language: language, mode: mode, family: family, in: folder)
        #expect(made.folder.path == folder.appending(path: name).path)
        try checkFiles(made)
        for (compiler, other) in [("gcc", "g++"), ("clang", "clang++")] {
            let flags = "-O2 -Wall -Wextra -Wpedantic -Werror"
            let result = try runCommand(
                "make", ["-B", "CC=\(compiler)", "CXX=\(other)", "CFLAGS=\(flags)", "CXXFLAGS=\(flags)", "test"], in: made.folder)
            #expect(result.status == 0 && result.error.isEmpty, "\(compiler): \(result.error)")
        }
        try await checkPlugin(made.folder.appending(path: "lib\(name).so").path, name: name, family: family)
    }

    /// The slow one: PluginKit is compiled with it.
    @Test func swiftPackageBuildsAndPassesUntouched() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "southbridge-new-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let made = try make("acme-2", vendor: "Ünï \"q\" \\ @NAME@", language: .swift, mode: .both, in: folder)
        try checkFiles(made)
        let result = try runCommand("swift", ["build", "-c", "release"], in: made.folder)
        #expect(result.status == 0 && !result.output.contains("warning:"), "\(result.output) \(result.error)")
        let path = made.folder.appending(path: ".build/release/libacme-2.so").path
        try await checkPlugin(path, name: "acme-2", vendor: "Ünï \"q\" \\ @NAME@", family: .npu)
    }

    @Test func cmakeBuildsWhatMakeDoes() throws {
        try withTemporaryFolder { folder in
            for language in [Language.c, .cpp] {
                let made = try make("acme_\(language)", language: language, mode: .both, in: folder)
                for arguments in [["-B", "build"], ["--build", "build"]] {
                    let result = try runCommand("cmake", arguments, in: made.folder)
                    #expect(result.status == 0 && !result.output.contains("warning"), "\(result.output) \(result.error)")
                }
                let tests = try runCommand("ctest", ["--test-dir", "build", "-R", "alone"], in: made.folder)
                #expect(tests.status == 0 && tests.output.contains("100% tests passed"), "\(tests.output)")
            }
        }
    }

    /// All files are there, with nothing left to fill in.
    private func checkFiles(_ made: ScaffoldResult) throws {
        for file in ["README.md", ".gitignore", ".gitlab-ci.yml", ".github/workflows/conformance.yml", "Jenkinsfile"] {
            #expect(made.files.contains(file))
        }
        for file in made.files {
            let text = try String(contentsOf: made.folder.appending(path: file), encoding: .utf8)
            for mark in ["@NAME@", "@VENDOR@", "@MODULE@", "@LIBRARY@", "@if ", "@end", "PLACEHOLDER"] {
                #expect(!text.contains(mark) || mark == "@NAME@" && text.contains("\\u{40}NAME"), "\(mark) in \(file)")
            }
        }
    }

    private func checkPlugin(_ path: String, name: String, vendor: String = "Acme", family: Family) async throws {
        let plugin = try Plugin.load(PluginReference(path: path))
        #expect(plugin.name == name && plugin.identity.vendor == vendor)
        #expect(try plugin.model(ofDevice: 0).family.rawValue == family.rawValue)
        await #expect(processExitsWith: .success) { [path = path as String] in
            Check.rememberProcess()
            let context = CheckContext(reference: PluginReference(path: path), options: [:], deviceIndex: 0, seed: 3)
            for check in Check.all {
                do {
                    try check.body(context)
                } catch let failure as CheckFailure where failure.status == .unsupported {
                    continue
                }
            }
        }
    }

    @Test func vendorIsEscaped() throws {
        try withTemporaryFolder { folder in
            let vendor = "Ünï \"quoted\" \\ back ??/ */ 7\u{1}8 \n@NAME@ %s"
            let made = try make("acme", vendor: vendor, in: folder)
            let result = try runCommand("make", ["CFLAGS=-O1 -Wall -Wextra -Wpedantic -Werror"], in: made.folder)
            #expect(result.status == 0, "\(result.error)")
            #expect(
                try Plugin.load(PluginReference(path: made.folder.appending(path: "libacme.so").path)).identity.vendor
                    == vendor)
        }
    }

    @Test(arguments: [
        "", "-acme", "2fast", "a b", "acme/x", "../acme", "äcme", "a\nb", ".", String(repeating: "a", count: 65),
    ])
    func nameRefused(name: String) throws {
        try withTemporaryFolder { folder in
            let error = #expect(throws: ScaffoldError.self) { _ = try make(name, in: folder) }
            #expect(error?.description.contains("\n") == false)
            let left = try names(in: folder)
            #expect(left.isEmpty)
        }
    }

    @Test func nothingIsOverwritten() throws {
        try withTemporaryFolder { folder in
            let taken = folder.appending(path: "acme")
            try FileManager.default.createDirectory(at: taken, withIntermediateDirectories: true)
            #expect(throws: ScaffoldError.self) { _ = try make("acme", in: folder) }
            #expect(try names(in: taken) == [])
            try FileManager.default.createSymbolicLink(
                atPath: folder.appending(path: "dangling").path, withDestinationPath: "nowhere")
            #expect(throws: ScaffoldError.self) { _ = try make("dangling", in: folder) }
            #expect(try names(in: folder) == ["acme", "dangling"])
        }
    }

    @Test func placeThatCannotBeWritten() throws {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "file")
            try Data().write(to: file)
            for place in [file, URL(filePath: "/proc/self/fdinfo")] {
                let error = #expect(throws: ScaffoldError.self) { _ = try make("acme", in: place) }
                #expect(error?.description.contains("cannot be made") == true, "\(error?.description ?? "")")
            }
            #expect(try names(in: folder) == ["file"])
        }
    }

    @Test func missingTemplatesLeaveNothing() throws {
        try withTemporaryFolder { folder in
            var sources = Self.sources
            sources.templates = folder
            #expect(throws: ScaffoldError.self) { _ = try scaffold(Choice(name: "acme", vendor: ""), into: folder, from: sources) }
            let left = try names(in: folder)
            #expect(left.isEmpty)
        }
    }

    @Test func nextStepsAreTheReadMe() throws {
        try withTemporaryFolder { folder in
            let made = try make("acme", in: folder)
            #expect(made.nextSteps.count == 3)
            #expect(made.nextSteps[0] == "make -C \(folder.path)/acme")
            #expect(made.nextSteps[2].hasSuffix("/acme/libacme.so --level driver"))
            let readMe = try String(contentsOf: repository.appending(path: "README.md"), encoding: .utf8)
            for command in ["southbridge new acme", "make -C acme", "./acme/libacme.so"] {
                #expect(readMe.contains(command))
            }
        }
    }

    @Test func minimalExampleStaysMinimal() throws {
        let source = try String(
            contentsOf: repository.appending(path: "VendorExamples/minimal/minimal.c"), encoding: .utf8)
        let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 151)
        // A definition at the margin that opens a body or a list of parameters.
        let functions = lines.filter {
            ($0.hasPrefix("static ") || $0.hasPrefix("int32_t ")) && $0.contains("(") && !$0.contains("=")
        }
        #expect((1...10).contains(functions.count))
    }
}

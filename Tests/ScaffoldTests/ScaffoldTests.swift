// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import HardwareModel
import Scaffold
import Southbound
import TestSupport
import Testing

@Suite struct ScaffoldTests {
    private func make(_ name: String, vendor: String = "Acme", family: String = "npu", in folder: URL)
        throws(ScaffoldError) -> ScaffoldResult
    {
        try scaffold(
            name: name, vendor: vendor, family: family, into: folder,
            templates: repository.appending(path: "Templates"),
            header: repository.appending(path: "Sources/CSouthbridge/include/southbridge.h"))
    }

    private func names(in folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test(arguments: [("acme", "cpu"), ("acme-2_x", "gpgpu"), ("A", "npu")])
    func buildsAndPassesUntouched(name: String, family: String) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "southbridge-new-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let made = try make(name, family: family, in: folder)
        #expect(made.folder.path == folder.appending(path: name).path)
        #expect(made.files == [".gitignore", "\(name).c", "Makefile", "README.md", "southbridge.h"].sorted())
        #expect(try names(in: made.folder) == made.files)
        for file in made.files {
            let text = try String(contentsOf: made.folder.appending(path: file), encoding: .utf8)
            for mark in ["@NAME@", "@VENDOR@", "PLACEHOLDER"] { #expect(!text.contains(mark), "\(file)") }
        }
        for compiler in ["gcc", "clang"] {
            let result = try runCommand(
                "make", ["-B", "CC=\(compiler)", "CFLAGS=-O2 -Wall -Wextra -Wpedantic -Werror"], in: made.folder)
            #expect(result.status == 0 && result.error.isEmpty, "\(compiler): \(result.error)")
        }
        let path = made.folder.appending(path: "lib\(name).so").path
        let plugin = try Plugin.load(PluginReference(path: path))
        #expect(plugin.name == name && plugin.identity.vendor == "Acme")
        #expect(try plugin.model(ofDevice: 0).family.rawValue == family)
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
            #expect(throws: ScaffoldError.self) {
                _ = try scaffold(
                    name: "acme", vendor: "", family: "npu", into: folder, templates: folder,
                    header: repository.appending(path: "Sources/CSouthbridge/include/southbridge.h"))
            }
            #expect(throws: ScaffoldError.self) { _ = try make("acme", family: "tpu", in: folder) }
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

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import TestSupport
import Testing

/// No check may fail a correct plugin, whatever it leaves out.
@Suite struct CorrectDriverTests {
    @Test func minimal() async throws {
        let path = try minimalPlugin().path
        try await passes(path)
    }

    @Test func complete() async throws {
        let path = try completePlugin()
        try await passes(path)
    }

    @Test func referenceCPU() async throws {
        let path = products.appending(path: "libsouthbridge_cpu.so").path
        try #require(FileManager.default.fileExists(atPath: path), "the reference CPU plugin is not built")
        try await passes(path)
    }

    @Test func identifiersAreUnique() {
        #expect(Set(Check.all.map(\.id)).count == Check.all.count)
        #expect(Check.all.count >= 65)
        for check in Check.all {
            let suite = String(check.id.prefix { $0 != "/" })
            #expect(suite == (check.level == .operators ? "layouts" : check.level.rawValue), "\(check.id)")
            #expect(!check.specification.isEmpty, "\(check.id) cites nothing")
        }
    }

    /// Runs all checks in a child process and records what it says about those that failed.
    private func passes(_ path: String) async throws {
        let log = FileManager.default.temporaryDirectory.appending(path: "southbridge-checks-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: log) }
        await #expect(processExitsWith: .success) { [path = path as String, log = log as String] in
            CheckRun.all(path, log: log)
        }
        let said = try String(contentsOfFile: log, encoding: .utf8)
        if CheckRun.tellsTimes { print(said) } else { #expect(said.isEmpty) }
    }
}

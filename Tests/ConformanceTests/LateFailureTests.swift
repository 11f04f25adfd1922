// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import TestSupport
import Testing

/// What a queue does after a launch has failed on it (SB-STR-004): a right one, and three that are wrong each in one way.
@Suite struct LateFailureTests {
    @Test(
        arguments: [
            (nil, ""), ("RUNS_ON", "a buffer that work after the failure would have written"), ("NO_NUMBER", "tells of launch 0"),
            ("STAYS_POISONED", "cannot finish the work on a stream"),
        ] as [(String?, String)])
    func aFailureThatComesLate(fault: String?, message: String) throws {
        let plugin = try buildPlugin("Tests/Plugins/lazy_queues.c", flags: ["-DGATHERS"] + (fault.map { ["-D\($0)"] } ?? []))
        try withTemporaryFolder { folder in
            let output = folder.appending(path: "run").path
            let result = try southbridge("conform", plugin.path, "--filter", "driver/streams/late-failure", "--output", output)
            let report = try Report(decoding: Data(contentsOf: URL(filePath: "\(output)/report.json")))
            #expect(result.status == (fault == nil ? 0 : 1), "\(result.output)\(result.error)")
            #expect(report.cases.map(\.status) == [fault == nil ? .passed : .failed])
            #expect(report.cases[0].message?.contains(message) ?? message.isEmpty, "\(report.cases[0].message ?? "")")
        }
    }

    /// The simulated NPU finds an index out of range when it gets there.
    @Test func theSimulatedChipIsRight() throws {
        try withTemporaryFolder { folder in
            let output = folder.appending(path: "run").path
            let arguments = ["conform", "npu", "--filter", "driver/streams/late-failure", "--option", "npu.ordering=adversarial"]
            let result = try runCommand(products.appending(path: "southbridge").path, arguments + ["--output", output])
            #expect(result.status == 0, "\(result.output)")
            #expect(try Report(decoding: Data(contentsOf: URL(filePath: "\(output)/report.json"))).summary[.passed] == 1)
        }
    }
}

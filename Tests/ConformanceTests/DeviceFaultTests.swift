// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import TestSupport
import Testing

/// Faults on demand of the simulated NPU: the harness survives each, and says what it was.
@Suite struct DeviceFaultTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        let option: String
        let suite: String
        let filter: String
        let status: Status
        let failure: FailureKind?
        /// Stands in the message of a case.
        let text: String
        var testDescription: String { option }
    }

    static let faults = [
        Fault(
            option: "out-of-memory:2", suite: "driver", filter: "driver/memory/*", status: .failed, failure: .errorCode,
            text: "out of memory"),
        Fault(option: "flip:1", suite: "layouts", filter: "layouts/convert/*", status: .failed, failure: .memory, text: "bytes differ"),
        Fault(
            option: "flip:1", suite: "layouts", filter: "layouts/kernels/*", status: .failed, failure: .memory, text: "the packed result"),
        Fault(option: "flip:1", suite: "golden", filter: "golden/Add/float*", status: .failed, failure: .numeric, text: "1 of "),
        Fault(option: "hang:1", suite: "golden", filter: "golden/Add/float32*", status: .timedOut, failure: nil, text: "no answer"),
        Fault(
            option: "lost:1", suite: "golden", filter: "golden/Add/float32*", status: .failed, failure: .errorCode,
            text: "the device is lost"),
        Fault(
            option: "wrong-copy:1", suite: "golden", filter: "golden/Add/float*", status: .failed, failure: .numeric,
            text: "elements are wrong"),
        Fault(option: "late-event:1", suite: "driver", filter: "driver/events/*", status: .failed, failure: .memory, text: "an event that"),
    ]

    @Test(arguments: faults) func isNoticed(_ fault: Fault) throws {
        try withTemporaryFolder { folder in
            let run = folder.appending(path: "run").path
            let result = try southbridge(
                "conform", "npu", "--suite", fault.suite, "--filter", fault.filter, "--option", "npu.fault=\(fault.option)", "--timeout",
                "3", "--seed", "3",
                "--output", run)
            #expect(result.status == 1, "\(result.error)")
            let report = try Report(decoding: Data(contentsOf: URL(filePath: "\(run)/report.json")))
            #expect(
                report.cases.contains {
                    // An event is too late only if the device is: on a busy machine now and then.
                    ($0.status == fault.status || fault.option.hasPrefix("late-event") && $0.status == .flaky)
                        && (fault.failure == nil || $0.failure == fault.failure)
                        && $0.message?.contains(fault.text) == true
                })
            #expect(report.summary[.infrastructure] == 0 && report.summary[.notRun] == 0)
        }
    }

    @Test func aHangIsToldByTheWatchdog() throws {
        try withTemporaryFolder { folder in
            let run = folder.appending(path: "run").path
            let result = try southbridge(
                "conform", "npu", "--suite", "golden", "--filter", "golden/Add/float32-broadcast", "--option", "npu.fault=hang:1",
                "--option",
                "npu.watchdog=1", "--timeout", "20", "--output", run)
            #expect(result.status == 1)
            let report = try Report(decoding: Data(contentsOf: URL(filePath: "\(run)/report.json")))
            #expect(report.cases.contains { $0.failure == .errorCode && $0.message?.contains("has not answered") == true })
        }
    }

    @Test func aFaultThatDoesNotExistIsRefused() throws {
        let result = try southbridge("devices", "npu", "--option", "npu.fault=rust:1")
        #expect(result.status == 2 || result.status == 3)
        #expect(result.error.contains("option 'fault' must be KIND:N"))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import TestSupport
import Testing

/// A plugin whose kernels crash, hang, exit, abort and compute nonsense: each costs the case that it served, and no other.
@Suite struct FaultyPluginTests {
    @Test func everyFaultCostsItsOwnCaseAlone() throws {
        try withTemporaryFolder { folder in
            let plugin = try buildPlugin("Tests/Plugins/faulty_kernels.c")
            let run = folder.appending(path: "run").path
            let result = try southbridge("conform", plugin.path, "--suite", "onnx", "--timeout", "1", "--seed", "3", "--output", run)
            #expect(result.status == 1)
            let report = try Report(decoding: Data(contentsOf: URL(filePath: "\(run)/report.json")))
            let status = Dictionary(uniqueKeysWithValues: report.cases.map { ($0.id, $0) })

            #expect(status["onnx/node/test_relu"]?.status == .passed)
            #expect(status["onnx/node/test_abs"]?.status == .crashed)
            #expect(status["onnx/node/test_abs"]?.message?.contains("signal 11") == true)
            #expect(status["onnx/node/test_neg"]?.status == .timedOut)
            #expect(status["onnx/node/test_tanh"]?.status == .crashed)
            #expect(status["onnx/node/test_tanh"]?.message?.contains("signal 6") == true)
            #expect(status["onnx/node/test_sqrt"]?.status == .crashed)
            #expect(status["onnx/node/test_sqrt"]?.message?.contains("exited with status 3") == true)
            #expect(status["onnx/node/test_exp"]?.status == .failed)
            #expect(status["onnx/node/test_exp"]?.failure == .numeric)
            #expect(status["onnx/node/test_ceil"]?.failure == .errorCode)
            #expect(status["onnx/node/test_ceil"]?.message?.contains("parity error") == true)

            #expect(report.summary.total == report.cases.count)
            #expect(report.summary[.notRun] == 0)
            #expect(report.summary[.infrastructure] == 0)
            for id in ["onnx/node/test_abs", "onnx/node/test_neg", "onnx/node/test_exp"] {
                let kept = try FileManager.default.contentsOfDirectory(atPath: "\(run)/failures/\(id)")
                #expect(Set(["model.onnx", "input_0.pb", "expected_0.pb", "reproduce.sh"]).isSubset(of: kept))
            }
        }
    }

    @Test func aWorkerThatSpeaksNoProtocolIsOneClearError() throws {
        try withTemporaryFolder { folder in
            for worker in ["echo hello", "true", "head -c 100000 /dev/zero", "/no/such/program"] {
                let result = try southbridge(
                    "conform", "cpu", "--level", "load", "--worker", worker, "--timeout", "2", "--output", "run-\(worker.count)", in: folder
                )
                #expect(result.status == 2 || result.status == 3, "\(worker): \(result.error)")
                #expect(result.error.hasPrefix("southbridge: "))
            }
        }
    }
}

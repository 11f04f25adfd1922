// SPDX-License-Identifier: Apache-2.0
import Benchmark
import Foundation
import HardwareModel
import TestSupport
import Testing

struct BenchRunTests {
    private func bench(_ arguments: [String]) throws -> (status: Int32, report: BenchReport) {
        let result = try runCommand(products.appending(path: "southbridge").path, ["bench"] + arguments + ["--time", "0.05", "--json"])
        return (result.status, try JSONDecoder().decode(BenchReport.self, from: Data(result.output.utf8)))
    }

    /// Figures of the reference plugin are whole: times in order, rates that follow from them, none above the best of the same run. (Shares are of its
    /// copies, too: of tensors that stay in a cache, or on a machine that was busy when it copied, they may be above 1.)
    @Test func measuresTheReference() throws {
        let (status, report) = try bench(["cpu", "--suite", "operators", "--filter", "MatMul/float32-[25]*"])
        #expect(status == 0 || report.operators.contains { $0.plugin.status == .refused })
        #expect(report.reference == nil && report.operators.count == 3)
        let peak = report.plugin.measured.peaks.first?.operationsPerSecond ?? 0
        for result in report.operators where result.plugin.status == .measured {
            let times = try #require(result.plugin.host)
            #expect(times.p10 <= times.median && times.median <= times.p90 && times.low <= times.median && times.median <= times.high)
            #expect(times.count >= 10)
            #expect(try #require(result.plugin.operationsPerSecond) == result.work.operationCount / times.median)
            #expect(try #require(result.plugin.operationsPerSecond) <= peak && #require(result.plugin.shareOfMeasured) > 0)
            #expect(result.plugin.kernels.allSatisfy { $0.hasPrefix("cpu/") } && result.plugin.deviceClock == nil)
            #expect(try #require(result.plugin.first) > 0)
        }
    }

    /// A kernel that computes nonsense gets no figure, a right one is set beside the reference, what the plugin lacks is unsupported.
    @Test func refusesWrongResults() throws {
        let plugin = try buildPlugin("Tests/Plugins/faulty_kernels.c").path
        let (status, report) = try bench([plugin, "--suite", "operators", "--filter", "*[xl][pu]/float32-1M"])
        let results = Dictionary(uniqueKeysWithValues: report.operators.map { ($0.id, $0) })
        #expect(results["Exp/float32-1M"]?.plugin.status == .wrong && results["Exp/float32-1M"]?.plugin.host == nil)
        #expect(results["Exp/float32-1M"]?.reference?.host != nil || results["Exp/float32-1M"]?.reference?.status == .refused)
        #expect(results["Gelu/float32-1M"]?.plugin.status == .unsupported)
        #expect(results["Relu/float32-1M"]?.plugin.status == .measured)
        #expect(results["Relu/float32-1M"]?.ratio != nil || results["Relu/float32-1M"]?.reference?.status == .refused)
        #expect(status == 1)
    }

    @Test func launchesAreTimedOnBoth() throws {
        let plugin = try buildPlugin("VendorExamples/minimal/minimal.c").path
        let (_, report) = try bench([plugin, "--suite", "launch"])
        #expect(report.launch.count == 2)
        for launch in report.launch { #expect(launch.submission.median <= launch.throughput.median && launch.throughput.median < 1e-3) }
    }

    @Test func wrongUseIsRefused() throws {
        #expect(try southbridge("bench", "cpu", "--suite", "speed").status == 2)
        #expect(try southbridge("bench", "cpu", "--filter", "NoSuch*").status == 2)
        #expect(try southbridge("bench", "cpu", "--time", "0").status == 2)
    }

    /// A time that the description does not allow is no measurement; what has no declared peak has no share.
    @Test func timesBelowTheFloorAreRefused() {
        let declared = Roofline(
            bytesPerSecond: 1e9, peaks: [.init(unit: "u", dataType: "float32", accumulatorType: "", operationsPerSecond: 1e12)])
        func judged(_ seconds: Double, _ work: Work, transforms: Bool = false) -> BenchReport.Measurement {
            var measurement = BenchReport.Measurement(.measured)
            measurement.host = Samples([seconds]).statistics
            measurement.judge(work, declared, usesTransforms: transforms)
            return measurement
        }
        let work = Work(operations: ["float32": 1e9], bytes: 1e5)
        #expect(judged(2e-3, work).status == .measured && judged(2e-3, work).shareOfDeclared == 0.5)
        #expect(judged(0.9e-3, work).status == .refused && judged(0.9e-3, work).host == nil)
        #expect(judged(0.9e-3, work, transforms: true).status == .measured)
        #expect(judged(0.9e-4, work, transforms: true).status == .refused)
        #expect(judged(1, Work(operations: ["int8": 1e9], bytes: 1e5)).shareOfDeclared == nil)
    }
}

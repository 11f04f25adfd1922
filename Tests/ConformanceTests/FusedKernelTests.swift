// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import HardwareModel
import Operators
import Tensors
import TestSupport
import Testing

/// `conform` on kernels of fused operators: right ones pass, and each fault at a seam is caught.
@Suite struct FusedKernelTests {
    private func conform(_ fault: String) throws -> (status: Int32, cases: [CaseResult]) {
        try withTemporaryFolder { folder in
            let plugin = try buildPlugin("Tests/Plugins/planted_fused.c", flags: ["-DFAULT=\(fault)", "-lm"])
            let output = folder.appending(path: "run").path
            let result = try southbridge(
                "conform", plugin.path, "--level", "operators", "--filter", "*Fused*", "--seed", "3", "--jobs", "1", "--output", output)
            let data = try? Data(contentsOf: URL(filePath: "\(output)/report.json"))
            return (result.status, try Report(decoding: try #require(data, "\(result.error)")).cases)
        }
    }

    @Test func rightKernelsPass() throws {
        let (status, cases) = try conform("none")
        let attention = cases.filter { $0.status.needsAttention }
        #expect(status == 0 && attention.isEmpty, "\(attention.prefix(3))")
        #expect(cases.count { $0.status == .passed && $0.operator == "FusedMatMul" } > 50)
        #expect(cases.count { $0.status == .passed && $0.operator == "FusedElementwise" } > 25)
        // What it does not declare it is not asked for.
        #expect(
            cases.contains { $0.operator == "FusedConv" } && !cases.contains { $0.operator == "FusedConv" && $0.status != .unsupported })
    }

    /// By fault: the kernels that have it, and a case that shows it.
    private static let faults: [(name: String, operators: Set<String>, shownBy: String)] = [
        ("activation_left_out", ["FusedMatMul", "FusedElementwise"], "operators/southbridge.FusedMatMul/float32-relu-exact"),
        ("residual_in_front", ["FusedMatMul", "FusedElementwise"], "operators/southbridge.FusedMatMul/float32-relu-residual-exact"),
        ("bias_missed_at_tail", ["FusedMatMul"], "operators/southbridge.FusedMatMul/float32-tail-17x17x17-bias-relu-signed"),
        (
            "last_residual_left_out", ["FusedMatMul", "FusedElementwise"],
            "operators/southbridge.FusedMatMul/float32-scale-shift-relu-exact"
        ),
    ]

    @Test(arguments: faults.indices) func aFaultIsCaught(_ index: Int) throws {
        let (name, operators, shownBy) = Self.faults[index]
        let (status, cases) = try conform(name)
        #expect(status == 1)
        let failed = cases.filter { $0.status == .failed && $0.failure == .numeric }
        #expect(operators.isSubset(of: Set(failed.compactMap(\.operator))), "\(name): \(failed.map(\.id))")
        #expect(failed.contains { $0.id == shownBy }, "\(name): \(failed.map(\.id))")
        // Not everything is: the cases without such a seam still pass.
        #expect(cases.contains { $0.status == .passed })
    }

    /// Where every partial sum is a whole number nothing may differ; where it is not, a step more or less is far out of the bound.
    @Test(arguments: [DataType.float32, .float16, .bfloat16, .float64]) func boundsFollowTheParts(_ type: DataType) throws {
        for generated in GeneratedCase.all() where generated.domain == FusedStep.domain && generated.type == type {
            let call = try generated.call(seed: 1)
            let judge = try Judge(call, facts: .strict)
            let right = try judge.results.map { try $0?.hostTensor() }
            let finding = judge.finding(on: right)
            #expect(finding.failure == nil, "\(generated.id): \(finding.message ?? "")")
            guard let result = right[0], result.count > 0, generated.family == .exact, generated.sample == "relu" else { continue }
            // One step of the type up.
            var values = result.decodedDoubles()
            let place = try #require(values.indices.max { abs(values[$0]) < abs(values[$1]) })
            values[place] += type == .bfloat16 ? 0x1p-4 * abs(values[place]) : 0x1p-9 * abs(values[place])
            let wrong = try HostTensor(type, result.shape, doubles: values)
            #expect(judge.finding(on: [wrong]).failure == .numeric, "\(generated.id)")
        }
    }
}

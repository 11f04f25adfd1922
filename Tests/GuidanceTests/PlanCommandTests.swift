// SPDX-License-Identifier: Apache-2.0
import Foundation
import Guidance
import ONNX
import Tensors
import TestSupport
import Testing

@Suite struct PlanCommandTests {
    private static func network(_ name: String) -> String { repository.appending(path: "build/networks/\(name)/model.onnx").path }

    /// Every signature is a case that `conform` runs, and that the reference plugin passes.
    @Test func casesAreThoseThatConformRuns() throws {
        try withTemporaryFolder { folder in
            let plan = try southbridge(
                "plan", minimalPlugin().path, Self.network("gpt2_small"), Self.network("unet_small"), "--limit", "0", "--output", "cases",
                "--json",
                in: folder)
            try #require(plan.status == 0, "\(plan.error)")
            let report = try JSONDecoder().decode(PlanReport.self, from: Data(plan.output.utf8))
            #expect(report.schema == "southbridge.plan/1" && report.models.count == 2)
            let signatures = report.suggestions.flatMap(\.signatures)
            #expect(signatures.allSatisfy { ($0.case == nil) != ($0.withoutCase == nil) })
            let cases = signatures.compactMap(\.case)
            #expect(cases.count > 50 && cases.count == signatures.count && Set(cases).count == cases.count)
            for signature in signatures {
                let output = folder.appending(path: "cases/\(signature.case ?? "")/test_data_set_0/output_0.pb")
                #expect(try readTensor(path: output.path).tensor.shape == signature.outputs[0]?.shape)
            }
            let conform = try southbridge("conform", "cpu", "--corpus", "cases", "--suite", "corpus", "--output", "run", in: folder)
            #expect(
                conform.status == 0 && conform.output.contains("\(cases.count) passed of \(cases.count)"),
                "\(conform.output)\(conform.error)")
        }
    }

    /// Without models it looks at the suite's networks, and at the profiles that demand them.
    @Test func profilesAreLookedAt() throws {
        let result = try southbridge("plan", "cpu", "--json")
        let report = try JSONDecoder().decode(PlanReport.self, from: Data(result.output.utf8))
        #expect(report.profiles.map(\.name) == ["endpoint/1", "edge/1", "cloud/1"] && report.now.level == "models")
        for profile in report.profiles {
            #expect(profile.reached == (profile.kernels.isEmpty && profile.networks.isEmpty) && profile.networks.isEmpty, "\(profile)")
        }
        let named = try southbridge("plan", "cpu", Self.network("squeezenet"), "--json")
        #expect(try JSONDecoder().decode(PlanReport.self, from: Data(named.output.utf8)).profiles.isEmpty)
    }

    @Test func theTextNamesTheFirstKernelsAndWhatEachModelLacks() throws {
        let result = try southbridge("plan", minimalPlugin().path, Self.network("squeezenet"), "--limit", "2")
        #expect(result.status == 0 && result.error.isEmpty)
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines[0].hasPrefix("minimal:0 runs 26 of 65 nodes of 1 model"))
        #expect(lines.contains { $0.hasPrefix("1  Conv float32") && $0.contains("+26") })
        #expect(lines.contains { $0.contains("lacks 5 kernels, the fewest that do: ") })
        #expect(lines.contains { $0.hasSuffix("more: --limit 0 shows all") })
    }

    /// The suite's networks, found as `conform` finds them.
    @Test func withoutModelsTheSuitesNetworksCount() throws {
        let result = try southbridge("plan", "cpu", "--json")
        try #require(result.status == 0, "\(result.error)")
        let report = try JSONDecoder().decode(PlanReport.self, from: Data(result.output.utf8))
        #expect(report.models.count == 15 && report.models.allSatisfy(\.native) && report.suggestions.isEmpty)
        #expect(report.now.level == "models" && report.plugin.name == "cpu")
    }

    @Test func aDeniedKernelIsLackingAndItsAnswerIsShown() throws {
        let result = try southbridge("plan", "cpu", Self.network("squeezenet"), "--deny", "*MaxPool*")
        #expect(result.status == 0)
        #expect(result.output.contains("MaxPool float32") && result.output.contains("denied by the user"))
    }
}

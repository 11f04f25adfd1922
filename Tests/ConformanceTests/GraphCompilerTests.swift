// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Southbound
import Tensors
import TestSupport
import Testing

/// The level `graphs` on a plugin with a real compiler of its own, right and with one fault each.
@Suite struct GraphCompilerTests {
    private func conform(_ flags: [String], _ more: [String] = []) throws -> (report: Report, status: Int32) {
        try withTemporaryFolder { folder in
            let plugin = try buildPlugin("Tests/Plugins/graph_compiler.c", flags: flags)
            let output = folder.appending(path: "run").path
            let result = try runCommand(
                products.appending(path: "southbridge").path,
                ["conform", plugin.path, "--suite", "graphs", "--level", "graphs", "--seed", "7", "--jobs", "1", "--output", output] + more)
            let data = try? Data(contentsOf: URL(filePath: "\(output)/report.json"))
            return (try Report(decoding: try #require(data, "\(result.error)")), result.status)
        }
    }

    @Test(arguments: [[], ["-DGRAPHS_ALONE"]]) func aRightCompilerPasses(_ flags: [String]) throws {
        let (report, status) = try conform(flags)
        let attention = report.cases.filter { $0.status.needsAttention }
        #expect(status == 0 && attention.isEmpty, "\(attention.prefix(3))")
        let passed = Dictionary(grouping: report.cases.filter { $0.status == .passed }) {
            $0.id.split(separator: "-").last.map(String.init) ?? ""
        }
        for aspect in GraphCase.Aspect.allCases {
            // Without kernels nothing can be chained, and a graph with any other operator has nobody to run it.
            let least = flags.isEmpty || aspect != .chained ? 5 : 0
            #expect(passed[aspect.rawValue, default: []].count >= least, "\(aspect): \(passed[aspect.rawValue, default: []].count)")
        }
        #expect(report.cases.filter { $0.dataType == "float16" }.allSatisfy { $0.status == .unsupported })
        #expect(report.cases.filter { $0.status == .passed && $0.id.hasSuffix("-run") }.allSatisfy { $0.placement?.keys.first != "host" })
    }

    /// By fault: the aspects that find it.
    private static let faults: [(fault: String, aspects: [GraphCase.Aspect])] = [
        ("drops_residual", [.run, .chained]), ("ignores_second_use", [.run]), ("reads_constants_late", [.freed]),
        ("forgets_inner_output", [.run]), ("narrow_inner_values", [.run]), ("one_scratch_for_all", [.together]),
        ("carries_over", [.run]), ("claims_by_turns", [.claim]), ("accepts_damage", [.damage]), ("trusts_length", [.damage]),
        ("saves_without_weights", [.artefact]), ("writes_input", [.run]), ("refuses_its_claim", [.artefact]),
        ("overruns_save", [.artefact]),
    ]

    @Test(arguments: faults) func aFaultIsFound(fault: String, aspects: [GraphCase.Aspect]) throws {
        let (report, status) = try conform(["-DFAULT=\(fault)"], ["--filter", "graphs/*/float32*"])
        #expect(status == 1)
        for aspect in aspects {
            let failed = report.cases.filter { $0.id.hasSuffix("-\(aspect.rawValue)") && $0.status.needsAttention }
            #expect(!failed.isEmpty, "\(aspect) does not find \(fault)")
        }
        #expect(!report.cases.contains { $0.status == .infrastructure || $0.status == .notRun })
    }

    /// Inner values of 16 bits are none where the program says so (SB-NUM-004); other faults still are.
    @Test func aDeclaredValueTypeIsAllowed() throws {
        let (report, status) = try conform(["-DFAULT=narrow_inner_values", "-DDESCRIBES"], ["--filter", "graphs/*/float32*"])
        let attention = report.cases.filter { $0.status.needsAttention }
        #expect(status == 0 && attention.isEmpty, "\(attention.prefix(3))")
        #expect(report.plugin.declaredFacts["valueType bfloat16"] != nil, "\(report.plugin.declaredFacts)")
    }

    @Test func everyFaultIsTried() throws {
        let source = try String(contentsOf: repository.appending(path: "Tests/Plugins/graph_compiler.h"), encoding: .utf8)
        let names = source.components(separatedBy: "enum fault {")[1].components(separatedBy: "};")[0].split(separator: "\n").compactMap {
            $0.split(separator: ",").first.map { $0.trimmingCharacters(in: .whitespaces) }
        }
        #expect(names.filter { !$0.isEmpty && $0 != "none" }.sorted() == (Self.faults.map(\.fault) + ["loads_other_profile"]).sorted())
    }

    /// The part that is wrong is named.
    @Test func aFailureIsReducedToItsPart() throws {
        let (report, _) = try conform(["-DFAULT=narrow_inner_values"], ["--filter", "graphs/*/float32-signed-run"])
        #expect(report.cases.contains { $0.message?.contains("smallest failing part: ") == true })
    }

    /// An artefact of another kind of device.
    @Test func artefactsOfOtherProfilesAreRefused() throws {
        func device(_ fault: String, profile: String) throws -> Device {
            let library = try buildPlugin("Tests/Plugins/graph_compiler.c", flags: ["-DFAULT=\(fault)"])
            return try Plugin.load(PluginReference(path: library.path), options: ["profile": profile]).openDevice(0)
        }
        func artefact(_ device: Device) throws -> [UInt8] {
            let compiler = try #require(device.plugin.compiler)
            let node = GraphDescriptor.Node(domain: "", operatorName: "Relu", version: 14, attributes: [:], inputs: [0], outputs: [1])
            let type = TensorDescriptor(.float32, [2, 3])
            let graph = try GraphDescriptor(plugin: "test", nodes: [node], values: [type, type], inputs: [0], outputs: [1]) { _ in Data() }
            #expect(try compiler.claim(graph, on: device) == [1])
            return try compiler.compile(graph, on: device).save()
        }
        let (one, two) = (try device("none", profile: "1"), try device("none", profile: "2"))
        let saved = try artefact(one)
        let compiler = try #require(two.plugin.compiler)
        #expect(try one.plugin.compiler?.verdict(saved, on: one) == .compatible)
        #expect(try compiler.verdict(saved, on: two) == .otherDevice)
        let error = try #require(throws: PluginError.self) { _ = try compiler.load(saved, on: two) }
        #expect(error.code == .unsupported)
        let careless = try device("loads_other_profile", profile: "2")
        #expect(throws: Never.self) { _ = try careless.plugin.compiler?.load(saved, on: careless) }
    }

    /// The simulated NPU: an artefact runs on its own profile alone, loaded it computes the same, and no byte of it can be changed.
    @Test func simulatedArtefactsBelongToTheirProfile() throws {
        func device(_ profile: String) throws -> Device {
            try Plugin.load(PluginReference(path: products.appending(path: "libsouthbridge_npu.so").path), options: ["profile": profile])
                .openDevice(0)
        }
        let (edge, cloud) = (try device("edge"), try device("cloud"))
        let compiler = try #require(edge.plugin.compiler)
        let type = TensorDescriptor(.float32, [64, 3])
        let nodes = [("Abs", UInt32(13)), ("Relu", 14)].enumerated().map { index, node in
            GraphDescriptor.Node(
                domain: "", operatorName: node.0, version: Int(node.1), attributes: [:], inputs: [index], outputs: [index + 1])
        }
        let graph = try GraphDescriptor(plugin: "test", nodes: nodes, values: [type, type, type], inputs: [0], outputs: [2]) { _ in Data() }
        #expect(try compiler.claim(graph, on: edge) == [1, 1])
        let saved = try compiler.compile(graph, on: edge).save()
        #expect(try compiler.verdict(saved, on: edge) == .compatible)
        #expect(try compiler.load(saved, on: edge).save() == saved)
        let other = try #require(cloud.plugin.compiler)
        #expect(try other.verdict(saved, on: cloud) == .otherDevice)
        #expect(try #require(throws: PluginError.self) { _ = try other.load(saved, on: cloud) }.code == .unsupported)
        for place in stride(from: 0, to: saved.count, by: 7) {
            var changed = saved
            changed[place] ^= 0x10
            #expect(try compiler.verdict(changed, on: edge) == .damaged)
        }
    }

    @Test func aPluginWithoutCompilerIsNotAsked() throws {
        try withTemporaryFolder { folder in
            let output = folder.appending(path: "run").path
            let plugin = try minimalPlugin().path
            let result = try southbridge("conform", plugin, "--suite", "graphs", "--level", "graphs", "--output", output)
            #expect(result.status == 2 && result.error.contains("no group"))
        }
    }
}

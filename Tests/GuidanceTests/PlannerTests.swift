// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Guidance
import HardwareModel
import ONNX
import Operators
import Southbound
import Tensors
import TestSupport
import Testing

/// A device set with rules as `run --device PLUGIN` has them.
private struct Chip {
    let set: DeviceSet
    var rules = PlacementRules()

    init(_ plugin: String) throws {
        set = try DeviceSet(plugin, installation: .locate())
        (rules.strategy, rules.lastResort) = (.cost, set.fallback)
    }

    static func fewKernels() throws -> Chip { try Chip(buildPlugin("Tests/Plugins/few_kernels.c").path) }

    func session(_ graph: Graph, with wishes: [KernelWish] = []) throws -> Session {
        let assumed = wishes.isEmpty ? [] : [try OperatorLibrary.assuming(wishes, of: set.devices[0].plugin)]
        return Session(graph, devices: set.devices, libraries: assumed, rules: rules)
    }

    func report(_ subjects: [Subject]) throws -> PlanReport {
        var planner = Planner(set, rules: rules, offersModels: false)
        for subject in subjects { try planner.add(subject.name, subject.graph, subject.inputs) }
        return planner.plan(limit: .max).report
    }

    /// Kernels that make a model of the wishes come true: all that the plugin has for them.
    func names(of kernels: [PlanReport.Kernel]) -> [String] {
        set.devices[0].plugin.library!.kernels.filter { kernel in
            kernels.contains { wish in
                wish.operator == kernel.operatorName && wish.domain == kernel.domain
                    && kernel.dataTypes.contains(DataType.allCases.first { $0.name == wish.dataType }!)
            }
        }.map(\.name)
    }
}

private struct Subject {
    let name: String
    let graph: Graph
    let inputs: [String: HostTensor]

    init(network: String) throws {
        name = network
        graph = try readModel(path: repository.appending(path: "build/networks/\(network)/model.onnx").path).graph
        inputs = try Dictionary(uniqueKeysWithValues: graph.inputs.map { [graph] in (graph[$0].name, try randomInput(graph[$0], seed: 1)) })
    }

    /// A chain of operators that keep the shape, each with what it needs beside the value.
    init(chain: [String]) throws {
        var graph = Graph(name: "chain")
        var value = graph.addValue("x", type: TensorType(.float32, known: [2, 3, 4, 5]))
        graph.inputs = [value]
        for (index, name) in chain.enumerated() {
            let next = graph.addValue("v\(index)")
            var inputs: [ValueID?] = [value]
            if ["LayerNormalization", "InstanceNormalization"].contains(name) {
                for word in ["scale", "bias"] {
                    let constant = graph.addValue("\(word)\(index)")
                    let size = name == "LayerNormalization" ? 5 : 3
                    graph.constants[constant] = try HostTensor(.float32, [size], doubles: [Double](repeating: 0.5, count: size))
                    inputs.append(constant)
                }
            }
            graph.addNode(Node(name: "n\(index)", operatorName: name, opset: 20, inputs: inputs, outputs: [next]))
            value = next
        }
        graph.outputs = [value]
        (name, self.graph) = (chain.joined(separator: " "), graph)
        inputs = ["x": try randomInput(graph[graph.inputs[0]], seed: 1)]
    }
}

@Suite struct PlannerTests {
    /// On small graphs, against all sets of kernels that any way of any node has, each tried by a placement.
    @Test(arguments: [
        ["Softmax", "LayerNormalization"], ["Softmax", "LogSoftmax", "Gelu"], ["Softplus", "Mish", "Celu"], ["HardSwish", "Hardmax"],
        ["InstanceNormalization", "LpNormalization"],
    ]) func theSmallestSetIsTheSmallest(chain: [String]) throws {
        var chip = try Chip.fewKernels()
        chip.rules.denied = ["few-kernels/reduce_*", "few-kernels/exp", "few-kernels/sub", "few-kernels/mul"]
        let subject = try Subject(chain: chain)
        let wishes = Set(try chip.session(subject.graph).needs(subject.inputs).flatMap(\.calls).map(\.wish)).sorted()
        let model = try chip.report([subject]).models[0]
        try #require(!model.native && model.lacks.exact && !model.lacks.kernels.isEmpty)
        let found = wishes.filter { model.lacks.kernels.contains(.init($0)) }
        #expect(found.count == model.lacks.kernels.count)
        #expect(try chip.session(subject.graph, with: found).runsOnFirstDevice(subject.inputs))
        for set in subsets(of: wishes, smallerThan: found.count) {
            #expect(try !chip.session(subject.graph, with: set).runsOnFirstDevice(subject.inputs), "\(set) suffices")
        }
    }

    private func subsets(of wishes: [KernelWish], smallerThan count: Int) -> [[KernelWish]] {
        var sets: [[KernelWish]] = [[]]
        for wish in wishes { sets += sets.filter { $0.count + 1 < count }.map { $0 + [wish] } }
        return sets
    }

    /// The reference CPU plugin with all kernels but a few denied: once the kernels of the set are allowed again, the model runs on it; without any one of them it does not.
    @Test(arguments: ["squeezenet", "gpt2_small", "llama_small", "unet_small"]) func whatIsImplementedRuns(network: String) throws {
        var chip = try Chip("cpu")
        let subject = try Subject(network: network)
        let all = chip.set.devices[0].plugin.library!.kernels.map(\.name)
        let kept = Set(all.filter { ["Relu", "Add", "Mul", "ReduceSum"].contains(where: $0.hasPrefix) })
        func allow(_ kernels: [PlanReport.Kernel]) {
            let allowed = kept.union(chip.names(of: kernels))
            chip.rules.denied = all.filter { !allowed.contains($0) }.map { "cpu/\($0)" }
        }
        allow([])
        #expect(try !chip.session(subject.graph).runsOnFirstDevice(subject.inputs))
        let lacks = try chip.report([subject]).models[0].lacks
        #expect(lacks.exact && !lacks.kernels.isEmpty)
        allow(lacks.kernels)
        let session = try chip.session(subject.graph)
        #expect(try session.runsOnFirstDevice(subject.inputs))
        #expect(try !session.run(subject.inputs).isEmpty)
        for index in lacks.kernels.indices {
            allow(lacks.kernels.enumerated().filter { $0.offset != index }.map(\.element))
            #expect(try !chip.session(subject.graph).runsOnFirstDevice(subject.inputs), "\(lacks.kernels[index].text) is not needed")
        }
    }

    /// What counts as the chip's is what a placement gives it, node by node.
    @Test(arguments: ["few_kernels", "npu", "minimal"]) func nodesThatCountAreThosePlaced(plugin: String) throws {
        let path =
            plugin == "npu" ? "npu" : plugin == "minimal" ? try minimalPlugin().path : try buildPlugin("Tests/Plugins/\(plugin).c").path
        let chip = try Chip(path)
        for network in ["squeezenet", "gpt2_small", "llama_small", "unet_small"] {
            let subject = try Subject(network: network)
            let placement = try chip.session(subject.graph).placement(subject.inputs)
            var native: Set<String> = []
            var others: Set<String> = []
            for step in placement.steps {
                switch step {
                case .view: continue
                case .program(let program): for id in program.nodes { native.insert(placement.graph[id].name) }
                case .node(let placed):
                    if placement.graph[placed.node].operatorName == "ConvertLayout" { continue }
                    let name = placement.graph[placed.source].name
                    if placed.device == 0 { native.insert(name) } else { others.insert(name) }
                }
            }
            let needs = try chip.session(subject.graph).needs(subject.inputs)
            #expect(Set(needs.filter(\.isNative).map(\.name)) == native.subtracting(others), "\(network)")
            #expect(Set(needs.filter { !$0.isNative }.map(\.name)) == others, "\(network)")
        }
    }

    /// Each suggestion adds to those before it, and all of them are all that is lacking.
    @Test func suggestionsAddUp() throws {
        let chip = try Chip.fewKernels()
        let report = try chip.report(["gpt2_small", "unet_small", "squeezenet"].map { try Subject(network: $0) })
        #expect(report.now.nativeModels == 0 && report.now.nodes > report.now.nativeNodes)
        var state = report.now
        for step in report.suggestions {
            #expect(step.after.nativeNodes == state.nativeNodes + step.unlocks.nodes)
            #expect(abs(step.after.timeShare - state.timeShare - step.unlocks.timeShare) < 1e-12)
            #expect(step.after.nativeModels == state.nativeModels + step.unlocks.models.count)
            #expect(step.unlocks.nodes > 0 || !step.together.isEmpty)
            #expect(!step.signatures.isEmpty && step.signatures.allSatisfy { !$0.nodes.isEmpty })
            state = step.after
        }
        #expect(state.nativeNodes == state.nodes && state.nativeModels == 3)
        #expect(report.suggestions.count >= report.allModels.kernels.count)
        let gpt2 = report.models[0].lacks.kernels.map(\.text)
        #expect(gpt2 == ["Gather float32", "Gelu float32", "MatMul float32", "Split float32", "Transpose float32", "Where float32"])
    }

    @Test func theReferencePluginLacksNothing() throws {
        let report = try Chip("cpu").report(["squeezenet", "gpt2_small", "llama_small", "unet_small"].map { try Subject(network: $0) })
        #expect(report.suggestions.isEmpty && report.allModels.kernels.isEmpty)
        #expect(report.models.allSatisfy { $0.native && $0.nativeNodes == $0.nodes })
    }

    @Test func theSimulatedNPULacksTwoKernels() throws {
        let report = try Chip("npu").report(["squeezenet", "unet_small"].map { try Subject(network: $0) })
        #expect(report.models[0].native)
        #expect(report.models[1].lacks.kernels.map(\.text) == ["ConvTranspose float32", "Resize float32"])
    }

    /// What no kernel can help keeps its model from being native, and is said.
    @Test func aNodeThatIsTooLargeIsAnObstacle() throws {
        try withTemporaryFolder { folder in
            let profile = try String(contentsOf: repository.appending(path: "Conformance/profiles/npu/endpoint.yaml"), encoding: .utf8)
            let small = folder.appending(path: "small.yaml")
            try Data(profile.replacingOccurrences(of: "capacityBytes: 2 GiB", with: "capacityBytes: 16 MiB").utf8).write(to: small)
            let set = try DeviceSet("npu", options: NamedOptions(["npu.profile=\(small.path)"]), installation: .locate())
            try #require(set.devices[0].model.spaces[0].capacityBytes == 16 << 20)
            var graph = Graph(name: "large")
            let (x, y) = (graph.addValue("x", type: TensorType(.float32, known: [4096, 1024])), graph.addValue("y"))
            (graph.inputs, graph.outputs) = ([x], [y])
            graph.addNode(Node(name: "node", operatorName: "Sinh", opset: 20, inputs: [x], outputs: [y]))
            var rules = PlacementRules()
            (rules.strategy, rules.lastResort) = (.cost, set.fallback)
            let needs = try Session(graph, devices: set.devices, rules: rules).needs(["x": try HostTensor(.float32, [4096, 1024])])
            #expect(needs.count == 1 && !needs[0].isNative && needs[0].obstacle?.contains("of memory") == true)
        }
    }
}

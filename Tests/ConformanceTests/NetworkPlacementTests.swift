// SPDX-License-Identifier: Apache-2.0
import Compiler
import Conformance
import Execution
import Foundation
import Graph
import ONNX
import Southbound
import Tensors
import TestSupport
import Testing

/// Networks split in many ways over two simulated NPUs and the CPU, one of the NPUs in adversarial order: equal to the golden outputs, within the tolerance of each.
/// All networks with SOUTHBRIDGE_FULL=1, else the small ones and one of the nine topologies.
@Suite struct NetworkPlacementTests {
    enum Split: CustomTestStringConvertible, Sendable {
        case list(String)
        /// Node by node in turn, or in runs of so many, over the devices that have kernels for it.
        case striped(Int)
        case random(UInt64)

        var testDescription: String {
            switch self {
            case .list(let devices): devices
            case .striped(let length): "stripes of \(length)"
            case .random(let seed): "random, seed \(seed)"
            }
        }
    }

    static let isFull = ProcessInfo.processInfo.environment["SOUTHBRIDGE_FULL"] != nil
    static let small = ["gpt2_small", "llama_small", "unet_small", "squeezenet"]
    static let large = [
        "gpt2", "llama", "unet", "bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "vgg19",
        "zfnet512",
    ]
    static let splits: [Split] = [.list("cpu"), .list("a,cpu"), .list("b,a,cpu"), .striped(1), .striped(5), .random(1)]
    static let fullSplits: [Split] = [.random(2), .random(3)]

    /// Two chips of one plugin, loaded once for all cases.
    private static let devices = Result { () throws in
        let npu = products.appending(path: "libsouthbridge_npu.so").path
        return try DeviceSet(
            "a=\(npu),b=\(npu),cpu", options: NamedOptions(["b.ordering=adversarial", "b.seed=7"]), installation: .locate())
    }

    @Test(arguments: isFull ? small + large : small, isFull ? splits + fullSplits : splits) func agrees(_ network: String, _ split: Split)
        throws
    {
        let model = try ModelCase(folder: repository.appending(path: "build/networks/\(network)"), folding: true)
        let graph = try readModel(path: model.model.path).graph
        let set = try #require(model.dataSets.first)
        let tensors = try set.inputs.map { try readTensor(path: $0.path).tensor }
        let inputs = Dictionary(uniqueKeysWithValues: zip(graph.inputs.map { graph[$0].name }, tensors))
        let expected = try readTensor(path: try #require(set.outputs.first).path).tensor

        let all = try Self.devices.get().devices
        let (devices, pins) = try place(graph, inputs, split, all)
        var rules = PlacementRules()
        rules.pins = pins
        let session = Session(graph, devices: devices, rules: rules)
        for repetition in 0..<2 {
            let outputs = try session.run(inputs)
            let mismatch = model.tolerance.mismatch(outputs[0].tensor, expected, output: 0)
            #expect(mismatch == nil, "run \(repetition): \(mismatch?.message ?? "")")
        }
        guard case .list = split else {
            let used = try #require(session.summary).placement.filter { $0.value > 0 }.keys
            #expect(Set(["a:0", "b:0"]).isSubset(of: Set(used)), "\(used)")
            return
        }
    }

    /// The devices of a split, in order of preference, and which node is pinned where.
    private func place(
        _ graph: Graph, _ inputs: [String: HostTensor], _ split: Split, _ all: [Device]
    ) throws -> (devices: [Device], pins: [(pattern: String, device: String)]) {
        if case .list(let names) = split {
            return (try names.split(separator: ",").map { name in try #require(all.first { $0.name == "\(name):0" }) }, [])
        }
        // What one chip has kernels for the other has, too.
        var kernels = PlacementRules()
        (kernels.compiling, kernels.optimizing) = (false, false)
        let placement = try Session(graph, devices: all, rules: kernels).placement(inputs)
        var able: Set<String> = []
        for case .node(let placed) in placement.steps where all[placed.device].name == "a:0" { able.insert(graph[placed.source].name) }
        for case .node(let placed) in placement.steps where all[placed.device].name == "cpu:0" { able.remove(graph[placed.source].name) }
        let choices = ["a:0", "b:0", "cpu:0"]
        let pins = graph.nodes.enumerated().filter { able.contains($1.name) }.map { index, node in
            let choice =
                switch split {
                case .striped(let length): index / length % 3
                case .random(let seed): Int(CounterRandom(seed: seed, case: "placement", tensor: node.name).integer(0, below: 3))
                case .list: 0
                }
            return (pattern: node.name, device: choices[choice])
        }
        return (all, pins)
    }
}

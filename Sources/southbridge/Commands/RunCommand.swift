// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Compiler
import Execution
import Foundation
import Graph
import ONNX
import Southbound
import Tensors

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a model.",
        discussion: """
            Inputs are .npy files or ONNX tensors (.pb). An input that is left out is random, its unknown dimensions are 1, and the seed is printed.
            What a device does not offer runs on the next one of the list, at last on the CPU.

            EXAMPLES
              southbridge run model.onnx --device cpu
              southbridge run model.onnx --device ./libchip.so,cpu --input image=cat.npy --output results
              southbridge run model.onnx --device cpu --place 'conv1*=cpu:0' --repeat 20 --json
            """)

    @Argument(help: "The model.", completion: .file(extensions: ["onnx"]))
    var model: String

    @Option(help: ArgumentHelp("Devices in order of preference.", valueName: "list"))
    var device: String

    @Option(name: .customLong("input"), help: ArgumentHelp("Take an input from a file (repeatable).", valueName: "name=file"))
    var inputs: [String] = []

    @Option(help: ArgumentHelp("Seed of the inputs that are left out.", valueName: "n"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("Write each output to DIR/NAME.npy.", valueName: "dir"), completion: .directory)
    var output: String?

    @Option(
        help: ArgumentHelp("Nodes that match (by name or operator) run on that device alone (repeatable).", valueName: "pattern=device"))
    var place: [String] = []

    @Option(help: ArgumentHelp("Kernels of that library first (repeatable).", valueName: "library"))
    var prefer: [String] = []

    @Option(help: ArgumentHelp("Do not use kernels that match (repeatable).", valueName: "kernel"))
    var deny: [String] = []

    @Option(
        name: .customLong("disable-pass"),
        help: ArgumentHelp("Do not rewrite the graph with that pass, or with 'all' (repeatable).", valueName: "pass"))
    var disabledPasses: [String] = []

    @Flag(help: "Compare what the graph computes before and after each pass, on random inputs; takes long.")
    var verifyPasses = false

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Run N times and give latencies.", valueName: "n"))
    var repeats: Int = 1

    @Option(
        help: ArgumentHelp(
            "Write a trace that opens in Perfetto: launches in the host's time, activities in the device's.", valueName: "file"),
        completion: .file())
    var trace: String?

    @Flag(help: "Say what each pass did, and for every node where it ran.")
    var verbose = false

    @OptionGroup var flags: PluginFlags

    func validate() throws {
        guard repeats >= 1 else { throw ValidationError("--repeat must be at least 1") }
    }

    func run() throws {
        let graph = try readModel(path: model).graph
        let seed = seed ?? UInt64.random(in: 0..<(1 << 53))
        let tensors = try readInputs(graph, seed: seed)
        let installation = try Installation.locate()
        let set = try DeviceSet(device, libraries: flags.libraries, options: flags.named, installation: installation)
        let session = Session(graph, devices: set.devices, libraries: set.libraries, rules: try rules(set.devices))

        var milliseconds: [Double] = []
        var results: [(name: String, tensor: HostTensor)] = []
        let clock = ContinuousClock()
        var before: [[Counter]] = []
        for repetition in 0..<repeats {
            if repetition == repeats - 1 { before = try set.devices.map { try $0.counters() } }
            let start = clock.now
            results = try session.run(tensors)
            milliseconds.append((clock.now - start) / .milliseconds(1))
        }
        let counters = try zip(set.devices, before).map { device, before in
            RunResult.Counters(device: device.name, before, try device.counters())
        }.filter { !$0.values.isEmpty }
        if let trace { try session.writeTrace(to: URL(filePath: trace), inputs: tensors) }
        let files = try output.map { try write(results, to: $0) }
        guard let summary = session.summary else { return }
        for remark in summary.remarks { standardError("note: \(remark)") }
        let result = RunResult(
            device: device, seed: seed, placement: summary.placement,
            outputs: results.enumerated().map { index, output in
                .init(name: output.name, shape: output.tensor.shape, dataType: output.tensor.dataType.name, file: files?[index])
            },
            latency: RunResult.Latency(milliseconds), peakMemoryBytes: summary.byteCount, counters: counters.isEmpty ? nil : counters)
        if flags.json { return try printJSON(result) }
        if verbose {
            for pass in summary.passes.entries {
                print(
                    "pass \(pass.name)\t\(pass.rewrites) rewrites, \(pass.nodesBefore) → \(pass.nodesAfter) nodes, \(thousandths(pass.seconds * 1000)) ms"
                )
            }
            for node in summary.nodes { print("\(node.device)\t\(node.kernel)\t\(node.operatorName)\t\(node.name)") }
        }
        result.print(randomInputs: graph.inputs.count > inputs.count)
    }

    private func rules(_ devices: [Device]) throws -> PlacementRules {
        var rules = PlacementRules()
        rules.pins = try place.map {
            let (pattern, device) = try keyAndValue($0, flag: "--place")
            guard devices.contains(where: { $0.name == device || $0.plugin.name == device }) else {
                throw CommandFailure(
                    code: 2, "--place '\($0)': no device '\(device)' in this run; there are \(devices.map(\.name).joined(separator: ", "))")
            }
            return (pattern, device)
        }
        rules.preferred = prefer
        rules.denied = deny
        rules.disabledPasses = Set(disabledPasses)
        rules.optimizing = !disabledPasses.contains("all")
        rules.verifyingPasses = verifyPasses
        return rules
    }

    private func readInputs(_ graph: Graph, seed: UInt64) throws -> [String: HostTensor] {
        var tensors: [String: HostTensor] = [:]
        for input in inputs {
            let (name, file) = try keyAndValue(input, flag: "--input")
            guard tensors[name] == nil else { throw CommandFailure(code: 2, "--input \(name) is given twice") }
            tensors[name] = file.hasSuffix(".npy") ? try readNumpy(path: file) : try readTensor(path: file).tensor
        }
        for input in graph.inputs where tensors[graph[input].name] == nil {
            tensors[graph[input].name] = try randomInput(graph[input], seed: seed)
        }
        return tensors
    }

    private func write(_ results: [(name: String, tensor: HostTensor)], to folder: String) throws -> [String] {
        let folder = URL(filePath: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return try results.map { output in
            let file = folder.appending(path: fileName(output.name) + ".npy")
            try writeNumpy(output.tensor, path: file.path)
            return file.path
        }
    }

    /// Percent-encoded (RFC 3986) so that any name is one file name.
    private func fileName(_ name: String) -> String {
        let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
            .union(CharacterSet(charactersIn: name.hasPrefix(".") ? "~" : ".~"))
        return name.addingPercentEncoding(withAllowedCharacters: plain) ?? "output"
    }
}

/// What `run` says, in the keys of its JSON.
private struct RunResult: Encodable {
    struct Output: Encodable {
        let name: String
        let shape: [Int]
        let dataType: String
        let file: String?
    }

    /// Milliseconds; the first run plans and prepares, the percentiles are over the others (over the first if there is no other).
    struct Latency: Encodable {
        let first: Double
        let median: Double
        let p10: Double
        let p90: Double
        let repeats: Int

        enum CodingKeys: String, CodingKey {
            case first = "first_ms"
            case median = "median_ms"
            case p10 = "p10_ms"
            case p90 = "p90_ms"
            case repeats
        }

        init(_ milliseconds: [Double]) {
            let rest = (milliseconds.count > 1 ? Array(milliseconds.dropFirst()) : milliseconds).sorted()
            first = milliseconds.first ?? 0
            func quantile(_ share: Double) -> Double { rest[Int((Double(rest.count - 1) * share).rounded())] }
            median = quantile(0.5)
            p10 = quantile(0.1)
            p90 = quantile(0.9)
            repeats = milliseconds.count
        }
    }

    /// What a device that counts has counted in the last run, and its gauges after it.
    struct Counters: Encodable {
        struct Value: Encodable {
            let name: String
            let unit: String
            let value: Double
        }

        let device: String
        let values: [Value]

        init(device: String, _ before: [Counter], _ after: [Counter]) {
            self.device = device
            values = zip(before, after).compactMap { before, after in
                switch (before.value, after.value) {
                case (.cumulative(let first), .cumulative(let last)): Value(name: after.name, unit: after.unit, value: Double(last - first))
                case (_, .gauge(let value)) where value.isFinite: Value(name: after.name, unit: after.unit, value: value)
                default: nil
                }
            }
        }
    }

    let device: String
    let seed: UInt64
    let placement: [String: Int]
    let outputs: [Output]
    let latency: Latency
    let peakMemoryBytes: Int
    let counters: [Counters]?

    enum CodingKeys: String, CodingKey {
        case device, seed, placement, outputs, latency, counters
        case peakMemoryBytes = "peak_memory_bytes"
    }

    func print(randomInputs: Bool) {
        let places = placement.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        Swift.print("nodes by device: \(places)")
        for output in outputs {
            Swift.print("output \(output.name): \(output.dataType) \(output.shape)\(output.file.map { " → \($0)" } ?? "")")
        }
        let first = "first run \(tenths(latency.first)) ms"
        Swift.print(
            latency.repeats > 1
                ? "\(first), then median \(thousandths(latency.median)) ms (p10 \(thousandths(latency.p10)), p90 \(thousandths(latency.p90))) of \(latency.repeats - 1)"
                : first)
        Swift.print("memory: \(byteText(peakMemoryBytes))")
        for counters in counters ?? [] {
            Swift.print("\(counters.device) counted in the last run:")
            for counter in counters.values { Swift.print("  \(counter.name): \(text(counter))") }
        }
        if randomInputs { Swift.print("random inputs: --seed \(seed)") }
    }

    private func text(_ counter: Counters.Value) -> String {
        let number =
            counter.value == counter.value.rounded() && abs(counter.value) < 1e15 ? String(Int(counter.value)) : thousandths(counter.value)
        return counter.unit.isEmpty ? number : "\(number) \(counter.unit)"
    }

}

private func thousandths(_ value: Double) -> String { String((value * 1000).rounded() / 1000) }

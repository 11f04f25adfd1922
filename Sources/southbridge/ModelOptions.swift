// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Compiler
import Execution
import Foundation
import Graph
import ONNX
import Southbound
import Tensors

/// Where the inputs of a model come from.
struct InputOptions: ParsableArguments {
    @Option(name: .customLong("input"), help: ArgumentHelp("Take an input from a file (repeatable).", valueName: "name=file"))
    var files: [String] = []

    @Option(help: ArgumentHelp("Shape of an input that is left out (repeatable).", valueName: "name=1,3,224,224"))
    var shape: [String] = []

    @Option(help: ArgumentHelp("Seed of the inputs that are left out.", valueName: "n"))
    var seed: UInt64?

    func tensors(of graph: Graph, seed: UInt64) throws -> [String: HostTensor] {
        var tensors: [String: HostTensor] = [:]
        for input in files {
            let (name, file) = try keyAndValue(input, flag: "--input")
            guard tensors[name] == nil else { throw CommandFailure(code: 2, "--input \(name) is given twice") }
            tensors[name] = file.hasSuffix(".npy") ? try readNumpy(path: file) : try readTensor(path: file).tensor
        }
        let shapes = try self.shapes(of: graph)
        for input in graph.inputs where tensors[graph[input].name] == nil {
            var value = graph[input]
            if let shape = shapes[value.name], let type = value.type { value.type = TensorType(type.dataType, known: shape) }
            tensors[value.name] = try randomInput(value, seed: seed)
        }
        return tensors
    }

    private func shapes(of graph: Graph) throws -> [String: [Int]] {
        let shapes = try southbridge.shapes(in: shape)
        for name in shapes.keys.sorted() where !graph.inputs.contains(where: { graph[$0].name == name }) {
            let known = graph.inputs.map { graph[$0].name }.joined(separator: ", ")
            throw CommandFailure(code: 2, "--shape \(name): the model has no input '\(name)'; it has \(known)")
        }
        return shapes
    }
}

/// Of `NAME=1,3,224,224`, by name.
func shapes(in texts: [String]) throws -> [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    for text in texts {
        let (name, sizes) = try keyAndValue(text, flag: "--shape")
        shapes[name] = try sizes.split(separator: ",").map { size in
            guard let number = Int(size), number >= 0 else {
                throw CommandFailure(code: 2, "--shape '\(text)': '\(size)' is no size; give them as 1,3,224,224")
            }
            return number
        }
    }
    return shapes
}

/// Where the nodes of a model run.
struct PlacementOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Nodes that match run on that device alone (repeatable): a shell pattern for name or operator, or name:, op: or type: before it; @FILE has a rule a line.",
            valueName: "pattern=device"))
    var place: [String] = []

    @Option(help: ArgumentHelp("Kernels of that library first (repeatable).", valueName: "library"))
    var prefer: [String] = []

    @Option(help: ArgumentHelp("Do not use kernels that match (repeatable).", valueName: "kernel"))
    var deny: [String] = []

    @Option(
        help: ArgumentHelp(
            "Who gets what several devices run: the one where all together takes least, or the first of the list.",
            valueName: "cost|preference"))
    var strategy: PlacementRules.Strategy = .cost

    @Option(
        name: .customLong("disable-pass"),
        help: ArgumentHelp("Do not rewrite the graph with that pass, or with 'all' (repeatable).", valueName: "pass"))
    var disabledPasses: [String] = []

    @Flag(help: "Compare what the graph computes before and after each pass, on random inputs; takes long.")
    var verifyPasses = false

    @Flag(help: "Time the kernels that could run the nodes, and keep the times for this and later runs.")
    var measure = false

    /// What was measured before, and now if the user says so.
    func measuredCosts(_ graph: Graph, _ inputs: [String: HostTensor], _ set: DeviceSet, _ rules: PlacementRules) throws -> CostCache {
        let cache = CostCache(folder: CostCache.standardFolder())
        if measure {
            let measurement = KernelMeasurement(graph, devices: set.devices, libraries: set.libraries, rules: rules)
            let (count, remarks) = try measurement.run(inputs, into: cache)
            try cache.save()
            for remark in remarks { standardError("note: \(remark)") }
            standardError("\(count) kernels timed")
        }
        return cache
    }

    func rules(_ set: DeviceSet) throws -> PlacementRules {
        var rules = PlacementRules()
        rules.strategy = strategy
        rules.disabledPasses = try checkedPasses(set)
        rules.optimizing = !disabledPasses.contains("all")
        rules.verifyingPasses = verifyPasses
        rules.lastResort = set.fallback
        let lines = try place.flatMap { $0.hasPrefix("@") ? try Pin.rules(in: text(of: String($0.dropFirst()))) : [$0] }
        rules.pins = try lines.map { try pin($0, set.devices) }
        rules.preferred = prefer
        rules.denied = deny
        return rules
    }

    private func checkedPasses(_ set: DeviceSet) throws -> Set<String> {
        let plugins = set.devices.map(\.plugin) + set.libraries.map(\.plugin)
        let known = Set(["all"] + Pass.builtIn.map(\.name) + plugins.flatMap { $0.passLibrary?.passes.map(\.name) ?? [] })
        for name in disabledPasses where !known.contains(name) {
            throw CommandFailure(
                code: 2, "--disable-pass '\(name)': there is no such pass; there are \(known.sorted().joined(separator: ", "))")
        }
        return Set(disabledPasses)
    }

    private func text(of path: String) throws -> String {
        do {
            return try String(contentsOf: URL(filePath: path), encoding: .utf8)
        } catch {
            throw CommandFailure(code: 2, "--place @\(path): the file cannot be read as text; give one PATTERN=DEVICE a line")
        }
    }

    /// Split at the last equals sign: names of nodes may have one, those of devices do not.
    private func pin(_ rule: String, _ devices: [Device]) throws -> (pattern: String, device: String) {
        guard let split = rule.lastIndex(of: "="), split > rule.startIndex else {
            throw CommandFailure(code: 2, "--place takes PATTERN=DEVICE, not '\(rule)'")
        }
        let device = String(rule[rule.index(after: split)...])
        guard devices.contains(where: { $0.name == device || $0.plugin.name == device }) else {
            throw CommandFailure(
                code: 2, "--place '\(rule)': no device '\(device)' in this run; there are \(devices.map(\.name).joined(separator: ", "))")
        }
        return (String(rule[..<split]), device)
    }
}

extension PlacementRules.Strategy: ExpressibleByArgument {}

/// In what type products are computed.
struct PrecisionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Compute products of float32 in that type where the device has kernels for it, and what is sensitive in float32. Results change by the type's roundings.",
            valueName: "float16|bfloat16"))
    var mixed: String?

    /// Nil: their own.
    func type() throws -> DataType? {
        try mixed.map { name in
            guard let type = MixedPrecision.types.first(where: { $0.name == name }) else {
                throw CommandFailure(code: 2, "--mixed '\(name)' is none of \(MixedPrecision.types.map(\.name).joined(separator: ", "))")
            }
            return type
        }
    }
}

/// Writes each tensor to `folder/NAME.npy`; returns the paths.
func writeNumpy(_ tensors: [(name: String, tensor: HostTensor)], to folder: URL) throws -> [String] {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return try tensors.map { name, tensor in
        let file = folder.appending(path: fileName(name) + ".npy")
        try writeNumpy(tensor, path: file.path)
        return file.path
    }
}

/// Percent-encoded (RFC 3986) so that any name is one file name.
private func fileName(_ name: String) -> String {
    let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        .union(CharacterSet(charactersIn: name.hasPrefix(".") ? "~" : ".~"))
    return name.addingPercentEncoding(withAllowedCharacters: plain) ?? "output"
}

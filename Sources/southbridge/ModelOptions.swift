// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Compiler
import Execution
import Foundation
import Graph
import ONNX
import Southbound
import Tensors

/// What is given to a model, and where its nodes go: options that commands which run models share.
struct ModelOptions: ParsableArguments {
    @Option(name: .customLong("input"), help: ArgumentHelp("Take an input from a file (repeatable).", valueName: "name=file"))
    var inputs: [String] = []

    @Option(help: ArgumentHelp("Seed of the inputs that are left out.", valueName: "n"))
    var seed: UInt64?

    @Option(
        help: ArgumentHelp("Nodes that match (by name or operator) run on that device alone (repeatable).", valueName: "pattern=device"))
    var place: [String] = []

    @Option(help: ArgumentHelp("Kernels of that library first (repeatable).", valueName: "library"))
    var prefer: [String] = []

    @Option(help: ArgumentHelp("Do not use kernels that match (repeatable).", valueName: "kernel"))
    var deny: [String] = []

    func rules(_ devices: [Device]) throws -> PlacementRules {
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
        return rules
    }

    /// The inputs that are given, and random ones drawn from `seed` for the others.
    func tensors(for graph: Graph, seed: UInt64) throws -> [String: HostTensor] {
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

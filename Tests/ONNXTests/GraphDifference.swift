// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import Tensors

/// The first thing in which two graphs differ; nil if they say the same. Values are known by name, captured ones by their name in the graph around;
/// their order does not matter.
func difference(_ first: Graph, _ second: Graph, _ place: String = "graph") -> String? {
    for (what, a, b) in [
        ("name", first.name.isEmpty ? "graph" : first.name, second.name),
        ("inputs", "\(declared(first, first.inputs))", "\(declared(second, second.inputs))"),
        ("outputs", "\(declared(first, first.outputs))", "\(declared(second, second.outputs))"),
        ("captures", "\(first.captures.values.sorted())", "\(second.captures.values.sorted())"),
        ("nodes", "\(first.nodes.count)", "\(second.nodes.count)"),
    ] where a != b { return "\(place): \(what) \(a), \(b)" }
    let constants = [first, second].map { graph in
        Dictionary(uniqueKeysWithValues: graph.constants.map { (graph[$0.key].name, $0.value) })
    }
    if constants[0].count != constants[1].count { return "\(place): \(constants[0].count) constants, \(constants[1].count)" }
    for (name, tensor) in constants[0] where !same(tensor, constants[1][name]) { return "\(place): constant '\(name)'" }
    for (a, b) in zip(first.nodes, second.nodes) {
        let here = "\(place), node '\(a.name)'"
        if (a.name, a.domain, a.operatorName, a.opset) != (b.name, b.domain, b.operatorName, b.opset) { return "\(here): \(a), \(b)" }
        for (x, y) in [(a.inputs, b.inputs), (a.outputs, b.outputs)] where "\(declared(first, x))" != "\(declared(second, y))" {
            return "\(here): \(declared(first, x)), \(declared(second, y))"
        }
        if Set(a.attributes.keys) != Set(b.attributes.keys) { return "\(here): attributes \(a.attributes.keys), \(b.attributes.keys)" }
        for (name, value) in a.attributes {
            if let reason = difference(value, b.attributes[name]!, "\(here), attribute '\(name)'") { return reason }
        }
    }
    return nil
}

private func difference(_ first: Attribute, _ second: Attribute, _ place: String) -> String? {
    switch (first, second) {
    case (.graph(let a), .graph(let b)): difference(a, b, place)
    case (.tensor(let a), .tensor(let b)): same(a, b) ? nil : place
    case (.graph, _), (.tensor, _), (_, .graph), (_, .tensor): place
    default: "\(first)" == "\(second)" ? nil : "\(place): \(first), \(second)"
    }
}

private func declared(_ graph: Graph, _ values: [ValueID?]) -> [String] {
    values.map { value in
        guard let value else { return "-" }
        return "\(graph.captures[value] ?? graph[value].name): \(graph[value].type.map { "\($0)" } ?? "?")"
    }
}

private func same(_ a: HostTensor, _ b: HostTensor?) -> Bool {
    guard let b else { return false }
    return a.dataType == b.dataType && a.shape == b.shape && a.strings == b.strings && a.bytes.elementsEqual(b.bytes)
}

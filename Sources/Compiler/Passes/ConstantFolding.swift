// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

extension Pass {
    /// What is small is folded whatever it was made of.
    private static let smallResult = 1 << 12

    static let constantFolding = Pass(
        "constant-folding", help: "compute what depends on constants alone, unless the result is much larger than they are",
        stage: .simplify
    ) { graph in
        for id in graph.nodes {
            guard let node = graph.node(id), let definition = graph.catalog.definition(of: node), isFoldable(node, definition) else {
                continue
            }
            let inputs = node.inputs.map { graph.constant($0) }
            guard zip(node.inputs, inputs).allSatisfy({ $0 == nil || $1 != nil }) else { continue }
            let read = inputs.reduce(0) { $0 + ($1?.byteCount ?? 0) }
            let written = node.outputs.reduce(0) { $0 + (graph.type($1).flatMap { InferredOutput.known($0).byteCount } ?? 0) }
            guard written <= max(4 * read, smallResult) || definition.isHostOperator,
                node.outputs.allSatisfy({ $0 == nil || graph.type($0) != nil })
            else { continue }
            // What the reference does not cover stays for the device.
            let results = try? definition.evaluate(
                opset: node.opset, attributes: node.attributes, inputs: inputs, wanted: node.outputs.map { $0 != nil })
            if let results { graph.fold(id, to: results) }
        }
    }

    private static func isFoldable(_ node: Node, _ definition: OperatorDefinition) -> Bool {
        guard definition.reference != nil, definition.numericClass != .random, !node.attributes.values.contains(where: \.isGraph) else {
            return false
        }
        return !definition.isHostOperator || node.isStandard("Constant")
    }

    static let shapeFolding = Pass(
        "shape-folding", help: "compute what depends on shapes alone: Shape, Size", stage: .simplify
    ) { graph in
        for id in graph.nodes {
            guard let node = graph.node(id), let definition = graph.catalog.definition(of: node), let value = definition.valueFromTypes,
                let version = definition.version(atOpset: node.opset), node.inputs.allSatisfy({ $0 == nil || graph.type($0) != nil })
            else { continue }
            let context = InferenceContext(
                attributes: NodeAttributes(version: version, given: node.attributes, rules: definition.attributes),
                inputs: node.inputs.map { graph.type($0) }, wanted: [true], values: { _ in nil })
            if let folded = try? value(context).hostTensor() { graph.fold(id, to: [folded]) }
        }
    }

    static let deadCode = Pass("dead-code", help: "leave out what leads to no output", stage: .simplify) { graph in graph.removeUnwanted() }
}

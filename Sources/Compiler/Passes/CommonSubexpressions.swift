// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import Operators
import Tensors

extension Pass {
    /// Constants up to this many bytes are compared by their contents.
    private static let smallConstant = 1 << 10

    static let commonSubexpressions = Pass(
        "common-subexpressions", help: "compute once what several nodes compute alike, and keep small constants once", stage: .simplify
    ) { graph in
        var constants: [ConstantKey: ValueID] = [:]
        for (value, tensor) in graph.graph.constants.sorted(by: { $0.key.index < $1.key.index })
        where tensor.byteCount <= smallConstant && tensor.dataType != .string {
            let key = ConstantKey(dataType: tensor.dataType, shape: tensor.shape, bytes: Data(tensor.bytes))
            if let first = constants[key] { try graph.replace(value, by: first) } else { constants[key] = value }
        }
        var seen: [ExpressionKey: [ValueID?]] = [:]
        for id in graph.nodes {
            // Replacing has brought the node's inputs up to date.
            guard let node = graph.node(id), let key = ExpressionKey(node, graph) else { continue }
            guard let first = seen[key] else {
                seen[key] = node.outputs
                continue
            }
            for (output, other) in zip(node.outputs, first) { if let output, let other { try graph.replace(output, by: other) } }
        }
    }
}

private struct ConstantKey: Hashable {
    let dataType: DataType
    let shape: [Int]
    let bytes: Data
}

/// What nodes that compute the same have alike.
private struct ExpressionKey: Hashable {
    let operatorName: String
    let domain: String
    let opset: Int
    let inputs: [ValueID?]
    let wanted: [Bool]
    let attributes: [String]

    /// Nil for nodes that are not compared: random ones, and those with tensors or graphs as attributes.
    init?(_ node: Node, _ graph: PassGraph) {
        guard let definition = graph.catalog.definition(of: node), definition.numericClass != .random, !definition.isHostOperator,
            !graph.target.isPinned(node)
        else { return nil }
        var attributes: [String] = []
        for (name, value) in node.attributes.sorted(by: { $0.key < $1.key }) {
            switch value {
            case .tensor, .graph: return nil
            // The bits, for 0 and -0 are not alike.
            case .float(let number): attributes.append("\(name)=\(number.bitPattern)")
            case .floats(let numbers): attributes.append("\(name)=\(numbers.map(\.bitPattern))")
            default: attributes.append("\(name)=\(value)")
            }
        }
        operatorName = node.operatorName
        domain = node.domain
        opset = node.opset
        inputs = node.inputs
        wanted = node.outputs.map { $0 != nil }
        self.attributes = attributes
    }
}

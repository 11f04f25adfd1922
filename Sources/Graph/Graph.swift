// SPDX-License-Identifier: Apache-2.0
package import Tensors

/// The unified IR: nodes over values in single-assignment form. It knows no operator by name.
///
/// A value is written once: by a node, as a graph input, or as a constant. Node order in `nodes` is a valid execution order once `sortTopologically` has run
/// (the ONNX reader does it).
package struct Graph: Sendable {
    package var name: String
    package var values: [Value] = []
    package var nodes: [Node] = []
    /// Inputs that a caller gives; constants are not among them.
    package var inputs: [ValueID] = []
    package var outputs: [ValueID] = []
    /// Values that are known: initialisers and folded nodes.
    package var constants: [ValueID: HostTensor] = [:]
    /// Values of the enclosing graph that a subgraph (of If, Loop, Scan) reads, by their name there.
    package var captures: [ValueID: String] = [:]
    /// How many nodes the model had before passes rewrote it; nil: these are the model's own.
    package var modelNodeCount: Int?

    package init(name: String) { self.name = name }

    @discardableResult
    package mutating func addValue(_ name: String, type: TensorType? = nil) -> ValueID {
        values.append(Value(name: name, type: type))
        return ValueID(values.count - 1)
    }

    @discardableResult
    package mutating func addNode(_ node: Node) -> NodeID {
        nodes.append(node)
        return NodeID(nodes.count - 1)
    }

    /// The model's nodes that a node of this graph stands for.
    package func origins(of node: NodeID) -> [NodeID] { modelNodeCount == nil ? [node] : self[node].origins }

    package subscript(value: ValueID) -> Value {
        get { values[value.index] }
        set { values[value.index] = newValue }
    }

    package subscript(node: NodeID) -> Node {
        get { nodes[node.index] }
        set { nodes[node.index] = newValue }
    }
}

package struct ValueID: Sendable, Hashable {
    package let index: Int
    package init(_ index: Int) { self.index = index }
}

package struct NodeID: Sendable, Hashable {
    package let index: Int
    package init(_ index: Int) { self.index = index }
}

package struct Value: Sendable {
    package var name: String
    /// What is known before shapes are inferred: from the model's own declarations.
    package var type: TensorType?
}

/// One operator applied to values. A nil input or output is an optional one left out.
package struct Node: Sendable {
    package var name: String
    /// Empty for ONNX's default domain (`ai.onnx` is written as empty).
    package var domain: String
    package var operatorName: String
    /// The operator-set version of `domain` that the model imports, by which the operator's meaning is chosen.
    package var opset: Int
    package var inputs: [ValueID?]
    package var outputs: [ValueID?]
    package var attributes: [String: Attribute]
    /// The model's nodes, by their numbers there, that this one stands for. Empty in a graph that no pass has seen: the node is the model's own.
    package var origins: [NodeID] = []

    package init(
        name: String, domain: String = "", operatorName: String, opset: Int, inputs: [ValueID?], outputs: [ValueID?],
        attributes: [String: Attribute] = [:]
    ) {
        self.name = name
        self.domain = domain
        self.operatorName = operatorName
        self.opset = opset
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
    }
}

package enum Attribute: Sendable {
    case int(Int64)
    case float(Float)
    case string(String)
    case tensor(HostTensor)
    case graph(Graph)
    case ints([Int64])
    case floats([Float])
    case strings([String])

    package var isGraph: Bool {
        if case .graph = self { true } else { false }
    }
}

package struct TensorType: Sendable, Hashable {
    package var dataType: DataType
    /// Nil where not even the rank is known.
    package var shape: [Dimension]?

    package init(_ dataType: DataType, _ shape: [Dimension]?) {
        self.dataType = dataType
        self.shape = shape
    }

    package init(_ dataType: DataType, known shape: [Int]) {
        self.init(dataType, shape.map(Dimension.known))
    }

    /// The shape if every dimension is known.
    package var knownShape: [Int]? {
        guard let shape else { return nil }
        var known: [Int] = []
        for case .known(let size) in shape { known.append(size) }
        return known.count == shape.count ? known : nil
    }
}

package enum Dimension: Sendable, Hashable {
    case known(Int)
    case symbol(String)
    case unknown
}

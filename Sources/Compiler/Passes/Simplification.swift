// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

extension Pass {
    static let algebra = Pass(
        "algebra",
        help:
            "leave out what gives its input back, and join pairs that undo or repeat each other; only where every bit stays, NaN and -0 included",
        stage: .simplify
    ) { graph in
        for id in graph.nodes {
            guard let node = graph.node(id), node.domain.isEmpty, let output = node.outputs.first ?? nil, !graph.target.isPinned(node)
            else { continue }
            if let source = identity(of: node, graph), graph.types[source.index] == graph.types[output.index],
                node.outputs.dropFirst().allSatisfy({ $0 == nil || graph.editor.useCount(of: $0!) == 0 })
            {
                try graph.replace(output, by: source)
                continue
            }
            if let join = joins[node.operatorName] { join(id, node, &graph) }
            if graph.catalog.definition(of: node)?.isView == true { joinViews(id, node, &graph) }
        }
    }

    // MARK: What gives an input back

    /// The input that the node's first output equals bit by bit, where it has its type and shape.
    private static func identity(of node: Node, _ graph: PassGraph) -> ValueID? {
        guard let rule = identities[node.operatorName] else { return nil }
        return rule(node, graph)
    }

    private typealias IdentityRule = @Sendable (Node, PassGraph) -> ValueID?

    private static let identities: [String: IdentityRule] = {
        func input(_ index: Int = 0, _ holds: @escaping @Sendable (Node, PassGraph) -> Bool = { _, _ in true }) -> IdentityRule {
            { node, graph in index < node.inputs.count && holds(node, graph) ? node.inputs[index] : nil }
        }
        /// The other operand, if one is the number.
        func neutral(_ number: Double, bothSides: Bool) -> IdentityRule {
            { node, graph in
                guard node.inputs.count == 2 else { return nil }
                let isInteger = graph.type(node.inputs[0])?.dataType.isInteger ?? false
                func matches(_ value: ValueID?) -> Bool {
                    guard let given = graph.number(value) else { return false }
                    return isInteger ? given == number : given.bitPattern == number.bitPattern
                }
                if matches(node.inputs[1]) { return node.inputs[0] }
                return bothSides && matches(node.inputs[0]) ? node.inputs[1] : nil
            }
        }
        /// With as many elements as before nothing was repeated; without any, nothing matters.
        let same = input()
        let alone = input { node, _ in node.inputs.count == 1 }
        return [
            "Identity": same, "Expand": same, "Reshape": same, "Squeeze": same, "Unsqueeze": same, "Flatten": same, "Cast": same,
            "Tile": input { node, graph in graph.type(node.inputs.first ?? nil).flatMap { elementCount($0.shape) } != 0 },
            // x + -0 is x, x + 0 is not where x is -0.
            "Add": neutral(-0.0, bothSides: true), "Sub": neutral(0, bothSides: false), "Mul": neutral(1, bothSides: true),
            "Div": neutral(1, bothSides: false), "Pow": neutral(1, bothSides: false), "Sum": alone, "Max": alone, "Min": alone,
            "Mean": alone, "Concat": alone,
            // Not training, it does nothing.
            "Dropout": input { node, graph in
                if node.opset < 7 { return node.int("is_test") == 1 }
                return node.inputs.count < 3 || node.inputs[2] == nil || graph.number(node.inputs[2]) == 0
            },
            "Transpose": input { node, graph in
                let rank = graph.type(node.inputs.first ?? nil)?.shape.count ?? 0
                return node.ints("perm") == Array(0..<rank) || rank < 2
            },
            "Slice": input { node, graph in
                node.inputs.count < 5 || node.inputs[4] == nil
                    || graph.constant(node.inputs[4])?.decodedIntegers().allSatisfy { $0 > 0 } == true
            },
            // Of the same shape nothing is padded, unless one side is cut and the other padded.
            "Pad": input { node, graph in
                let pads = node.inputs.count > 1 ? graph.constant(node.inputs[1])?.decodedIntegers() : node.ints("pads")?.map(Int64.init)
                return pads?.allSatisfy { $0 == 0 } == true
            },
        ]
    }()

    // MARK: Pairs

    private typealias Join = @Sendable (NodeID, Node, inout PassGraph) -> Void

    private static let joins: [String: Join] = [
        "Transpose": { id, node, graph in
            guard let inner = graph.node(writing: node.inputs[0], "Transpose"), let rank = graph.type(node.outputs[0])?.shape.count else {
                return
            }
            let reversed = Array((0..<rank).reversed())
            let (first, second) = (inner.node.ints("perm") ?? reversed, node.ints("perm") ?? reversed)
            guard first.count == rank, second.count == rank, (first + second).allSatisfy({ (0..<rank).contains($0) }) else { return }
            graph.substitute(id, by: "Transpose", [inner.node.inputs[0]], ["perm": .ints(second.map { Int64(first[$0]) })])
        },
        "Cast": { id, node, graph in
            guard let inner = graph.node(writing: node.inputs[0], "Cast"), let source = inner.node.inputs[0],
                let from = graph.type(source)?.dataType, let middle = graph.type(node.inputs[0])?.dataType, middle.holds(from)
            else { return }
            if from == graph.type(node.outputs[0])?.dataType, let output = node.outputs[0] {
                try? graph.replace(output, by: source)
            } else {
                graph.substitute(id, by: "Cast", [source], node.attributes)
            }
        },
        // A step that products can end with, which a Sum is not.
        "Sum": { id, node, graph in
            guard node.inputs.count == 2, let type = graph.type(node.outputs[0])?.dataType,
                let version = graph.catalog["", "Add"]?.version(atOpset: node.opset), version >= 7,
                graph.target.offers("", "Add", version, type)
            else { return }
            graph.substitute(id, by: "Add", node.inputs)
        },
        "Neg": { id, node, graph in cancel("Neg", node, &graph) },
        "Not": { id, node, graph in cancel("Not", node, &graph) },
        "Relu": { id, node, graph in repeats("Relu", node, &graph) },
        "Abs": { id, node, graph in
            repeats("Abs", node, &graph)
            if let inner = graph.node(writing: node.inputs[0], "Neg") { graph.substitute(id, by: "Abs", [inner.node.inputs[0]]) }
        },
        "Floor": { id, node, graph in repeats("Floor", node, &graph) },
        "Ceil": { id, node, graph in repeats("Ceil", node, &graph) },
        "Round": { id, node, graph in repeats("Round", node, &graph) },
        "Sign": { id, node, graph in repeats("Sign", node, &graph) },
    ]

    /// f(f(x)) is x.
    private static func cancel(_ name: String, _ node: Node, _ graph: inout PassGraph) {
        guard let inner = graph.node(writing: node.inputs[0], name), let source = inner.node.inputs[0], let output = node.outputs[0] else {
            return
        }
        try? graph.replace(output, by: source)
    }

    /// f(f(x)) is f(x).
    private static func repeats(_ name: String, _ node: Node, _ graph: inout PassGraph) {
        guard graph.node(writing: node.inputs[0], name) != nil, let source = node.inputs[0], let output = node.outputs[0] else { return }
        try? graph.replace(output, by: source)
    }

    /// A view of a view is one.
    private static func joinViews(_ id: NodeID, _ node: Node, _ graph: inout PassGraph) {
        guard node.opset >= 5, let input = node.inputs[0], let producer = graph.editor.producer(of: input),
            let inner = graph.node(producer),
            inner.domain.isEmpty, graph.catalog.definition(of: inner)?.isView == true, let output = node.outputs[0],
            let shape = graph.type(output)?.shape, !shape.contains(0), let source = inner.inputs[0]
        else { return }
        if graph.types[source.index] == graph.types[output.index] {
            try? graph.replace(output, by: source)
            return
        }
        guard let tensor = try? HostTensor(.int64, [shape.count], integers: shape.map(Int64.init)) else { return }
        let constant = graph.addConstant(tensor, name: "\(node.name)/shape")
        graph.substitute(id, by: "Reshape", [source, constant])
    }
}

extension DataType {
    /// Whether every number of the other type is one of this, so that a cast there and back changes nothing. Types of 8 bits and less are left out.
    fileprivate func holds(_ other: DataType) -> Bool {
        if self == other { return true }
        switch (other, self) {
        case (.float16, .float32), (.float16, .float64), (.bfloat16, .float32), (.bfloat16, .float64), (.float32, .float64): return true
        default: break
        }
        guard other.isInteger, other.bits >= 8 else { return false }
        let digits = other.kind == .signedInteger ? other.bits - 1 : other.bits
        switch self {
        case .float32: return digits <= 24
        case .float64: return digits <= 53
        case .float16: return digits <= 11
        default:
            guard isInteger, bits > other.bits else { return false }
            return kind == .signedInteger || other.kind == .unsignedInteger
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
package import Tensors

extension Pass {
    static let mixedPrecision = Pass(
        "mixed-precision",
        help: "compute products in the type that --mixed names, and what is sensitive in float32, with as few bytes cast as possible",
        stage: .fuse, narrows: true
    ) { graph in
        guard let type = graph.target.mixed else { return }
        var rewriting = MixedPrecision(graph, type)
        try rewriting.run()
        graph = rewriting.graph
    }
}

/// Moves part of a float32 graph to a narrower type. Which part: see `PrecisionClass` and `CastProblem`.
package struct MixedPrecision {
    /// The types that may be mixed with float32.
    package static let types: [DataType] = [.float16, .bfloat16]

    fileprivate private(set) var graph: PassGraph
    private let narrow: DataType
    private let nodes: [NodeID]
    /// By position in `nodes`: the inputs that are float32 and would be of the narrow type.
    private var positions: [[Int]] = []
    private var narrowNodes = Set<NodeID>()
    /// Of float32 values, what holds the same in the narrow type.
    private var narrowValues: [ValueID: ValueID] = [:]
    private var (castCount, castBytes) = (0, 0)

    init(_ graph: PassGraph, _ narrow: DataType) {
        self.graph = graph
        self.narrow = narrow
        nodes = graph.nodes
    }

    mutating func run() throws {
        let problem = problem()
        let isNarrow = problem.solution()
        guard isNarrow.contains(true) else { return }
        narrowNodes = Set(nodes.indices.filter { isNarrow[$0] }.map { nodes[$0] })
        for (index, id) in nodes.enumerated() where isNarrow[index] { try rewrite(id, positions[index]) }
        graph.removeUnwanted()
        graph.figures = [
            "casts": castCount, "bytes cast": castBytes, "\(narrow.name) nodes": narrowNodes.count,
            "float32 nodes": graph.nodes.count { id in
                graph.node(id)?.outputs.contains { graph.type($0)?.dataType == .float32 } == true
                    && graph.node(id)?.isStandard("Cast") == false
            },
        ]
    }

    // MARK: Which

    private mutating func problem() -> CastProblem {
        var problem = CastProblem()
        var captured = Set<ValueID>()
        for id in nodes {
            if let node = graph.node(id), node.attributes.values.contains(where: \.isGraph) {
                captured.formUnion(graph.graph.captured(by: node))
            }
        }
        var readers: [ValueID: [Int]] = [:]
        var readWide = Set<ValueID>()
        for (index, id) in nodes.enumerated() {
            guard let node = graph.node(id) else { continue }
            let inputs = narrowable(node)
            positions.append(inputs)
            problem.sides.append(node.outputs.contains { $0.map(captured.contains) ?? false } ? .wide : side(node, inputs))
            for (position, input) in node.inputs.enumerated() {
                guard let input, graph.type(input)?.dataType == .float32, graph.constant(input) == nil else { continue }
                if inputs.contains(position) { readers[input, default: []].append(index) } else { readWide.insert(input) }
            }
        }
        // Each byte that a cast reads or writes.
        let width = (DataType.float32.bits + narrow.bits) / 8
        func add(_ value: ValueID, maker: Int?) {
            guard let type = graph.type(value), type.dataType == .float32, let count = elementCount(type.shape) else { return }
            problem.values.append(
                .init(
                    maker: maker, readers: readers[value] ?? [], isReadWide: graph.editor.isOutput(value) || readWide.contains(value),
                    bytes: width * count))
        }
        for input in graph.graph.inputs { add(input, maker: nil) }
        for value in graph.graph.captures.keys { add(value, maker: nil) }
        for (index, id) in nodes.enumerated() { for case let output? in graph.node(id)?.outputs ?? [] { add(output, maker: index) } }
        return problem
    }

    /// The positions of float32 inputs whose type the operator leaves open.
    private func narrowable(_ node: Node) -> [Int] {
        guard let parameters = graph.catalog.definition(of: node)?.inputs, !parameters.isEmpty else { return [] }
        return node.inputs.indices.filter { position in
            let parameter = parameters[min(position, parameters.count - 1)]
            return graph.type(node.inputs[position])?.dataType == .float32 && parameter.typeVariable != nil
                && parameter.types.contains(narrow)
        }
    }

    private func side(_ node: Node, _ positions: [Int]) -> CastProblem.Side {
        guard let definition = graph.catalog.definition(of: node), !positions.isEmpty, !graph.target.isPinned(node),
            let version = definition.version(atOpset: node.opset)
        else { return .wide }
        let kind = PrecisionClass(node, definition)
        guard kind != .sensitive, keepsItsShape(node, positions),
            positions.allSatisfy({ graph.constant(node.inputs[$0])?.fits(narrow) ?? true })
        else { return .wide }
        let typing = definition.typingInput ?? 0
        guard node.inputs.indices.contains(typing), let key = graph.type(node.inputs[typing])?.dataType else { return .wide }
        let isOffered = graph.target.narrows(node.domain, node.operatorName, version, key, positions.contains(typing) ? narrow : key)
        guard isOffered || definition.isView else { return .wide }
        return kind == .product ? .narrow : .either
    }

    /// Whether the operator's rules take the narrow type there, and make of it what they made of float32. Comparisons, which give no float, do not.
    private func keepsItsShape(_ node: Node, _ positions: [Int]) -> Bool {
        var inputs = node.inputs.map { graph.type($0) }
        for position in positions { inputs[position]?.dataType = narrow }
        guard let outputs = try? graph.inferred(node, inputs: inputs), outputs.count >= node.outputs.count else { return false }
        for (index, output) in node.outputs.enumerated() {
            guard let output, let before = graph.type(output) else { continue }
            var wanted = before
            if before.dataType == .float32 { wanted.dataType = narrow } else if index == 0 { return false }
            guard case .known(let type) = outputs[index], type == wanted else { return false }
        }
        return node.outputs.allSatisfy { $0 == nil || graph.type($0) != nil }
    }

    // MARK: How

    private mutating func rewrite(_ id: NodeID, _ positions: [Int]) throws {
        guard let old = graph.node(id) else { return }
        var node = old
        for position in positions { node.inputs[position] = try narrowed(node.inputs[position]!) }
        let outputs = try graph.addNode(node, wanted: old.outputs.map { $0 != nil }, behind: id)
        for (before, after) in zip(old.outputs, outputs) {
            guard let before, let after else { continue }
            guard graph.type(before)?.dataType == .float32 else {
                try graph.replace(before, by: after)
                continue
            }
            narrowValues[before] = after
            guard graph.editor.isOutput(before) || graph.readers(of: before).contains(where: { readsWide($0, before) }) else { continue }
            let wide = try cast(after, to: .float32, behind: nil)
            narrowValues[wide] = after
            try graph.replace(before, by: wide)
        }
    }

    private func readsWide(_ reader: NodeID, _ value: ValueID) -> Bool {
        guard narrowNodes.contains(reader), let node = graph.node(reader) else { return true }
        let inputs = narrowable(node)
        return node.inputs.indices.contains { node.inputs[$0] == value && !inputs.contains($0) }
    }

    private mutating func narrowed(_ value: ValueID) throws -> ValueID {
        if let known = narrowValues[value] { return known }
        if let constant = graph.constant(value) {
            let made = graph.addConstant(try constant.narrowed(to: narrow), name: "\(graph.graph[value].name)/\(narrow.name)")
            narrowValues[value] = made
            return made
        }
        let made = try cast(value, to: narrow, behind: graph.editor.producer(of: value))
        narrowValues[value] = made
        return made
    }

    private mutating func cast(_ value: ValueID, to type: DataType, behind place: NodeID?) throws -> ValueID {
        castCount += 1
        castBytes += (graph.type(value).flatMap { elementCount($0.shape) } ?? 0) * (DataType.float32.bits + narrow.bits) / 8
        let node = Node(
            name: "\(graph.graph[value].name)/\(type.name)", operatorName: "Cast", opset: 13, inputs: [value], outputs: [],
            attributes: ["to": .int(Int64(type.rawValue))])
        guard let made = try graph.addNode(node, behind: place).first ?? nil else {
            throw GraphError("a cast of '\(graph.graph[value].name)' gives nothing")
        }
        return made
    }
}

extension HostTensor {
    /// Whether no number of a float32 constant becomes an infinity, and a single one not zero.
    fileprivate func fits(_ type: DataType) -> Bool {
        let least: Float = type == .float16 ? 0x1p-25 : 0x1p-134
        // Half a step above the largest number.
        let limit: Float = type == .float16 ? 65520 : Float(bitPattern: 0x7F7F_8000)
        return withExtendedLifetime(self) {
            let numbers = bytes.assumingMemoryBound(to: Float.self)
            return numbers.allSatisfy { abs($0) < limit || !$0.isFinite }
                && (numbers.count != 1 || numbers[0] == 0 || abs(numbers[0]) > least)
        }
    }

    /// A float32 constant, rounded to nearest, ties to even.
    fileprivate func narrowed(to type: DataType) throws -> HostTensor {
        let source = self
        return try HostTensor(type, shape) { target in
            let (numbers, results) = (source.bytes.assumingMemoryBound(to: UInt32.self), target.assumingMemoryBound(to: UInt16.self))
            for (index, bits) in numbers.enumerated() {
                if type == .float16 {
                    results[index] = Float16(Float(bitPattern: bits)).bitPattern
                } else if Float(bitPattern: bits).isNaN {
                    results[index] = UInt16(bits >> 16) | 0x40
                } else {
                    results[index] = UInt16((bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
                }
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Tensors

/// A graph under rewriting: who writes and who reads each value is known at all times.
///
/// Numbers of values stay for good. Numbers of nodes stay until `compact`; what is added gets new ones. A value that a subgraph of a node captures counts as
/// read by that node, but is never exchanged there: subgraphs name it.
package struct GraphEditor: Sendable {
    /// With removed nodes among `nodes` until `compact`.
    package private(set) var graph: Graph
    /// How many rewrites were made so far: values replaced, nodes substituted or folded.
    package private(set) var rewriteCount = 0
    /// How many nodes are there.
    package private(set) var liveCount: Int

    private var isLive: [Bool]
    /// Nodes in the order of their keys, and of their numbers where these are equal, read what was written before, while `isOrdered`.
    private var keys: [Int]
    private var isOrdered = true
    private var writers: [Int32]
    /// May list nodes that read the value no more.
    private var listed: [[Int32]]
    private var useCounts: [Int32]
    private var outputs: Set<ValueID>
    private let inputs: Set<ValueID>
    private var hasChanged = false

    private static let nobody: Int32 = -1

    /// - Parameter graph: its nodes in order. O(nodes + edges), as is `compact`.
    package init(_ graph: Graph) {
        self.graph = graph
        liveCount = graph.nodes.count
        isLive = [Bool](repeating: true, count: graph.nodes.count)
        keys = Array(graph.nodes.indices)
        writers = [Int32](repeating: Self.nobody, count: graph.values.count)
        listed = [[Int32]](repeating: [], count: graph.values.count)
        useCounts = [Int32](repeating: 0, count: graph.values.count)
        outputs = Set(graph.outputs)
        inputs = Set(graph.inputs)
        for index in graph.nodes.indices { link(index) }
    }

    // MARK: Reading

    /// Numbers given so far.
    package var nodeCount: Int { graph.nodes.count }

    /// Nil for a node that was removed or never there.
    package func node(_ id: NodeID) -> Node? {
        graph.nodes.indices.contains(id.index) && isLive[id.index] ? graph.nodes[id.index] : nil
    }

    package func producer(of value: ValueID) -> NodeID? {
        guard writers.indices.contains(value.index), writers[value.index] != Self.nobody else { return nil }
        return NodeID(Int(writers[value.index]))
    }

    package func constant(_ value: ValueID) -> HostTensor? { graph.constants[value] }

    package func isOutput(_ value: ValueID) -> Bool { outputs.contains(value) }

    /// Whether something gives the value: a node, the caller, or the model.
    package func isWritten(_ value: ValueID) -> Bool {
        graph.values.indices.contains(value.index)
            && (writers[value.index] != Self.nobody || graph.constants[value] != nil || inputs.contains(value)
                || graph.captures[value] != nil)
    }

    /// How many inputs of nodes, captures and outputs of the graph have the value; an output that the graph names twice counts once. O(1).
    package func useCount(of value: ValueID) -> Int {
        guard useCounts.indices.contains(value.index) else { return 0 }
        return Int(useCounts[value.index]) + (outputs.contains(value) ? 1 : 0)
    }

    /// The nodes that read or capture the value, each once, by number.
    package mutating func readers(of value: ValueID) -> [NodeID] {
        guard listed.indices.contains(value.index) else { return [] }
        var seen = Set<Int32>()
        let readers = listed[value.index].filter { isLive[Int($0)] && reads(Int($0), value) && seen.insert($0).inserted }.sorted()
        listed[value.index] = readers
        return readers.map { NodeID(Int($0)) }
    }

    // MARK: Writing

    @discardableResult
    package mutating func addValue(_ name: String) -> ValueID {
        writers.append(Self.nobody)
        listed.append([])
        useCounts.append(0)
        return graph.addValue(name)
    }

    package mutating func addConstant(_ tensor: HostTensor, name: String) -> ValueID {
        let value = addValue(name)
        graph[value].type = TensorType(tensor.dataType, known: tensor.shape)
        graph.constants[value] = tensor
        return value
    }

    /// Adds a node whose inputs are written and whose outputs are not yet, behind its inputs in order.
    ///
    /// - Parameter place: it goes behind this node, too.
    @discardableResult
    package mutating func addNode(_ node: Node, behind place: NodeID? = nil) -> NodeID {
        let sources = node.inputs.compactMap { $0.flatMap { producer(of: $0) }?.index } + (place.map { [$0.index] } ?? [])
        keys.append(sources.map { keys[$0] }.max() ?? -1)
        let id = graph.addNode(node)
        isLive.append(true)
        liveCount += 1
        link(id.index)
        hasChanged = true
        return id
    }

    /// Lets all readers of a value, and the graph's outputs, have another one instead. `by` must not depend on `value`: see `depends`.
    package mutating func replace(_ value: ValueID, by other: ValueID) {
        guard value != other else { return }
        rewriteCount += 1
        hasChanged = true
        let source = producer(of: other)
        for reader in readers(of: value) {
            let uses = graph.nodes[reader.index].inputs.count { $0 == value }
            guard uses > 0 else { continue }
            graph.nodes[reader.index].inputs = graph.nodes[reader.index].inputs.map { $0 == value ? other : $0 }
            useCounts[value.index] -= Int32(uses)
            useCounts[other.index] += Int32(uses)
            listed[other.index].append(Int32(reader.index))
            if let source, (keys[source.index], source.index) > (keys[reader.index], reader.index) { isOrdered = false }
        }
        if outputs.remove(value) != nil {
            outputs.insert(other)
            graph.outputs = graph.outputs.map { $0 == value ? other : $0 }
        }
    }

    /// Puts another node in the place of one. It writes the same values, or those of them that are wanted, and reads nothing that depends on them.
    package mutating func substitute(_ id: NodeID, by node: Node) {
        unlink(id.index)
        for case let output? in graph.nodes[id.index].outputs { writers[output.index] = Self.nobody }
        graph.nodes[id.index] = node
        link(id.index)
        for case let input? in node.inputs {
            if let source = producer(of: input), (keys[source.index], source.index) > (keys[id.index], id.index) { isOrdered = false }
        }
        (rewriteCount, hasChanged) = (rewriteCount + 1, true)
    }

    /// - Parameter name: nil: as it is.
    package mutating func rename(_ id: NodeID, _ name: String?, origins: [NodeID]) {
        if let name { graph.nodes[id.index].name = name }
        graph.nodes[id.index].origins = origins
    }

    /// Makes constants of what a node writes. One value for each output that is wanted.
    package mutating func fold(_ id: NodeID, to values: [HostTensor?]) {
        guard let node = node(id) else { return }
        for (output, value) in zip(node.outputs, values) {
            guard let output, let value else { continue }
            graph.constants[output] = value
            writers[output.index] = Self.nobody
        }
        unlink(id.index)
        (isLive[id.index], liveCount) = (false, liveCount - 1)
        (rewriteCount, hasChanged) = (rewriteCount + 1, true)
    }

    /// Whether `value` is computed from `other`, or is it. O(1) to O(edges): only nodes that may lie between are visited.
    package func depends(_ value: ValueID, on other: ValueID) -> Bool {
        if value == other { return true }
        let least = producer(of: other).map { keys[$0.index] } ?? -1
        var open = [value]
        var seen = Set<Int>()
        while let next = open.popLast() {
            guard let source = producer(of: next)?.index, seen.insert(source).inserted else { continue }
            if isOrdered && keys[source] < least { continue }
            for input in inputsAndCaptures(source) {
                if input == other { return true }
                open.append(input)
            }
        }
        return false
    }

    /// Takes out a node whose values nobody wants. False, and nothing has changed, if somebody does.
    @discardableResult
    package mutating func remove(_ id: NodeID) -> Bool {
        guard let node = node(id), node.outputs.allSatisfy({ $0 == nil || useCount(of: $0!) == 0 }) else { return false }
        isLive[id.index] = false
        liveCount -= 1
        hasChanged = true
        unlink(id.index)
        for case let output? in node.outputs { writers[output.index] = Self.nobody }
        return true
    }

    /// Takes out all nodes that lead to no output, and the constants that nobody reads. O(nodes + edges).
    package mutating func removeUnwanted() {
        var open = (0..<nodeCount).filter { isLive[$0] }
        while let index = open.popLast() {
            guard isLive[index] else { continue }
            let sources = inputsAndCaptures(index).compactMap { producer(of: $0)?.index }
            if remove(NodeID(index)) { open += sources }
        }
        for value in graph.constants.keys where useCount(of: value) == 0 { graph.constants[value] = nil }
    }

    /// Leaves removed nodes out and numbers the others anew, in an order in which every value is written before it is read.
    /// Throws if there is none, or if the graph breaks its rules otherwise.
    package mutating func compact() throws(GraphError) {
        guard hasChanged else { return }
        let order = (0..<nodeCount).filter { isLive[$0] }.sorted { (keys[$0], $0) < (keys[$1], $1) }
        var compacted = graph
        compacted.nodes = order.map { graph.nodes[$0] }
        if !isOrdered { try compacted.orderByNeed() }
        try compacted.checkOrder()
        let count = rewriteCount
        self = GraphEditor(compacted)
        rewriteCount = count
    }

    private mutating func link(_ index: Int) {
        for input in inputsAndCaptures(index) {
            useCounts[input.index] += 1
            if listed[input.index].last != Int32(index) { listed[input.index].append(Int32(index)) }
        }
        for case let output? in graph.nodes[index].outputs { writers[output.index] = Int32(index) }
    }

    private mutating func unlink(_ index: Int) {
        for input in inputsAndCaptures(index) { useCounts[input.index] -= 1 }
    }

    private func inputsAndCaptures(_ index: Int) -> [ValueID] {
        let node = graph.nodes[index]
        let inputs = node.inputs.compactMap { $0 }
        return node.attributes.isEmpty ? inputs : inputs + graph.captured(by: node)
    }

    private func reads(_ index: Int, _ value: ValueID) -> Bool { inputsAndCaptures(index).contains(value) }
}

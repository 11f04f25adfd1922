// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

/// A small tree of operators, as data: what a fusion looks for above a value.
indirect enum Pattern: Sendable {
    /// Any value; the same value wherever the name stands again.
    case value(String)
    /// A constant whose elements are all this number, to a relative 1e-3 (exporters write 0.7071 and sqrt(2) with few digits).
    case number(Double)
    /// A constant whose elements are all one number, which gets a name.
    case scalar(String)
    /// An operator of the default domain with these inputs; of Add and Mul in any order. `named` names the value that it writes.
    case node(String, [Pattern], named: String? = nil)
    case either([Pattern])

    static func add(_ left: Pattern, _ right: Pattern) -> Pattern { .node("Add", [left, right]) }
    static func mul(_ left: Pattern, _ right: Pattern) -> Pattern { .node("Mul", [left, right]) }
}

/// Where a pattern was found.
struct Match {
    private(set) var values: [String: ValueID] = [:]
    private(set) var numbers: [String: Double] = [:]
    /// The root first.
    private(set) var members: [NodeID] = []

    /// Nil unless the pattern is there. No value between its nodes is wanted by others.
    init?(_ pattern: Pattern, at root: NodeID, _ graph: inout PassGraph) {
        guard let output = graph.node(root)?.outputs.first ?? nil,
            let found = Self.matches(pattern, output, graph, Match()).first(where: { $0.isClosed(&graph) })
        else { return nil }
        self = found
    }

    private init() {}

    /// Every way in which the pattern matches. Patterns are small, and few alternatives survive their first nodes.
    private static func matches(_ pattern: Pattern, _ value: ValueID, _ graph: PassGraph, _ match: Match) -> [Match] {
        switch pattern {
        case .value(let name):
            if let known = match.values[name] { return known == value ? [match] : [] }
            var match = match
            match.values[name] = value
            return [match]
        case .number(let wanted):
            guard let number = graph.number(value) else { return [] }
            return abs(number - wanted) <= 1e-3 * abs(wanted) ? [match] : []
        case .scalar(let name):
            guard let number = graph.number(value) else { return [] }
            var match = match
            match.numbers[name] = number
            return [match]
        case .either(let patterns): return patterns.flatMap { matches($0, value, graph, match) }
        case .node(let operatorName, let inputs, let name):
            guard let (id, node) = graph.node(writing: value, operatorName), node.inputs.count >= inputs.count, node.outputs.first == value,
                !graph.target.isPinned(node)
            else { return [] }
            var match = match
            match.members.append(id)
            if let name { match.values[name] = value }
            let orders = inputs.count == 2 && ["Add", "Mul"].contains(operatorName) ? [inputs, inputs.reversed()] : [inputs]
            return orders.flatMap { order in
                zip(order, node.inputs).reduce([match]) { found, pair in
                    guard let input = pair.1 else { return [] }
                    return found.flatMap { matches(pair.0, input, graph, $0) }
                }
            }
        }
    }

    private func isClosed(_ graph: inout PassGraph) -> Bool {
        let inside = Set(members)
        for id in members.dropFirst() {
            for case let output? in graph.node(id)?.outputs ?? [] {
                if graph.editor.isOutput(output) || !graph.readers(of: output).allSatisfy(inside.contains) { return false }
            }
        }
        return true
    }
}

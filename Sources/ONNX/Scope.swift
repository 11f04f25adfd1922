// SPDX-License-Identifier: Apache-2.0
import Graph

/// A graph under construction. Value names are unique in it: subgraphs find what they capture by name.
final class GraphBuilder {
    var graph: Graph
    private var names: Set<String> = []

    init(name: String) { graph = Graph(name: name) }

    /// A new value, named `name` or, if that is taken, with a number behind it.
    func addValue(_ name: String) -> ValueID {
        var unique = name
        var suffix = 1
        while !names.insert(unique).inserted {
            unique = "\(name)_\(suffix)"
            suffix += 1
        }
        return graph.addValue(unique)
    }
}

/// Which value each name means in one graph or inlined function body.
final class Scope {
    enum Binding {
        case value(ValueID)
        /// A function's optional input that the call left out.
        case absent
        /// A sequence of tensors, taken apart while the model is read.
        case sequence([ValueID])
    }

    /// Where the values live; a function's body shares the builder of the graph that it is inlined into.
    let builder: GraphBuilder
    /// The scope around a subgraph; nil for the model's graph and for functions, which see nothing of their caller.
    private let parent: Scope?
    private var bindings: [String: Binding] = [:]

    init(builder: GraphBuilder, parent: Scope?) {
        self.builder = builder
        self.parent = parent
    }

    /// What `name` means in this scope alone.
    func binding(of name: String) -> Binding? { bindings[name] }

    func bind(_ name: String, to binding: Binding) { bindings[name] = binding }

    /// The value written as `name` here: the one already bound, else a new one named with `prefix`.
    @discardableResult
    func declare(_ name: String, prefix: String = "") -> ValueID {
        if case .value(let value)? = bindings[name] { return value }
        let value = builder.addValue(prefix + name)
        bindings[name] = .value(value)
        return value
    }

    /// What `name` means here; a value of an enclosing graph becomes a capture of every graph on the way. Nil if nothing has that name.
    func resolve(_ name: String) -> Binding? {
        if let binding = bindings[name] { return binding }
        guard let parent, let outer = parent.resolve(name) else { return nil }
        switch outer {
        case .absent: return outer
        case .value(let value): bindings[name] = .value(capture(value, of: parent, as: name))
        case .sequence(let values): bindings[name] = .sequence(values.map { capture($0, of: parent, as: parent.builder.graph[$0].name) })
        }
        return bindings[name]
    }

    private func capture(_ outer: ValueID, of parent: Scope, as name: String) -> ValueID {
        let source = parent.builder.graph[outer]
        let value = builder.addValue(name)
        builder.graph[value].type = source.type
        builder.graph.captures[value] = source.name
        return value
    }
}

/// Under which rules nodes are read: those of the model's graph, or those of the function whose body is being inlined.
struct Frame {
    /// Functions called inside functions and subgraphs inside subgraphs, together.
    static let depthLimit = 64

    var opsets: [String: Int]
    /// The values of the attributes of the function being inlined; nil outside functions.
    var attributes: [String: Attribute]?
    /// Before the names of nodes and values: `call/` for each call on the way.
    var prefix = ""
    /// The functions being inlined, outermost first.
    var calls: [FunctionID] = []
    var depth = 0
}

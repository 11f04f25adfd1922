// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Graph
import HardwareModel
import Operators
import Southbound
import Tensors

/// Some nodes of a larger graph as a model of their own.
struct Piece {
    let graph: Graph
    /// In the larger graph, in the order of `graph.inputs` and `graph.outputs`.
    let inputs: [ValueID]
    let outputs: [ValueID]

    /// - Parameters:
    ///   - nodes: in order.
    ///   - outputs: values of `nodes` that are wanted.
    ///   - known: constants stay constants, as in the larger graph.
    ///   - type: of an input, or nil where only a run tells.
    init(_ nodes: [NodeID], of source: Graph, outputs: [ValueID], known: [ValueID: HostTensor], type: (ValueID) -> ConcreteType?) {
        var part = Graph(name: source.name)
        var places: [ValueID: ValueID] = [:]
        var inputs: [ValueID] = []
        let made = Set(nodes.flatMap { source[$0].outputs.compactMap { $0 } })
        func place(_ value: ValueID) -> ValueID {
            if let place = places[value] { return place }
            let place = part.addValue(source[value].name)
            places[value] = place
            if made.contains(value) { return place }
            if let tensor = known[value] {
                part.constants[place] = tensor
            } else {
                part.values[place.index].type = type(value).map { TensorType($0.dataType, known: $0.shape) }
                part.inputs.append(place)
                inputs.append(value)
            }
            return place
        }
        for id in nodes {
            var node = source[id]
            // Subgraphs find what they read by its name.
            for captured in source.captured(by: node) { _ = place(captured) }
            node.inputs = node.inputs.map { $0.map(place) }
            node.outputs = node.outputs.map { $0.map(place) }
            part.addNode(node)
        }
        part.outputs = outputs.map(place)
        graph = part
        self.inputs = inputs
        self.outputs = outputs
    }

    init(graph: Graph, inputs: [ValueID], outputs: [ValueID]) {
        self.graph = graph
        self.inputs = inputs
        self.outputs = outputs
    }

    /// A way to run the piece, again and again.
    func runner(on devices: [Device], _ libraries: [OperatorLibrary], _ rules: PlacementRules) -> Runner {
        Runner(piece: self, session: Session(graph, devices: devices, libraries: libraries, rules: rules))
    }

    struct Runner {
        let piece: Piece
        fileprivate let session: Session

        /// What the kernel of a piece of one node declares about its arithmetic; the strict defaults before the first run.
        var facts: NumericFacts { session.summary?.nodes.first?.facts ?? .strict }

        /// - Parameter value: of an input, by its place in the larger graph.
        func run(_ value: (ValueID) throws -> HostTensor) throws -> [HostTensor] {
            var inputs: [String: HostTensor] = [:]
            for (place, source) in zip(piece.graph.inputs, piece.inputs) { inputs[piece.graph[place].name] = try value(source) }
            return try session.run(inputs).map(\.tensor)
        }
    }
}

extension PlacementRules {
    /// One node, by a kernel, exactly as it stands.
    static func alone(on device: Device?, like rules: PlacementRules = PlacementRules()) -> PlacementRules {
        var alone = rules
        alone.pins = device.map { [("*", $0.name)] } ?? []
        alone.folding = false
        alone.compiling = false
        alone.optimizing = false
        return alone
    }
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Lowers a graph that is one group to one program. Slots name the graph's inputs and outputs; its constants are copied.
final class FusedLowering {
    private let fusion: FusionGraph
    private let order: [Int]
    private var terms: [ValueID: Term] = [:]
    private var sources: [ValueID: Int] = [:]
    private var constants: [TensorView] = []

    static func lower(_ fusion: FusionGraph) throws(Refusal) -> Lowering {
        try FusedLowering(fusion).lower()
    }

    private init(_ fusion: FusionGraph) {
        self.fusion = fusion
        order = Array(fusion.parts.indices)
        for (index, input) in fusion.graph.inputs.enumerated() where sources[input.raw] == nil { sources[input.raw] = index }
    }

    private func lower() throws(Refusal) -> Lowering {
        guard let first = fusion.parts.first, first != nil, !fusion.graph.outputs.isEmpty else {
            throw Refusal(.other, "a graph that is no group")
        }
        let made: Lowering
        if case .product(let problem)? = fusion.parts[0] {
            made = try product(problem)
        } else {
            made = try elementwise()
        }
        let (inputCount, held) = (fusion.graph.inputs.count, constants)
        return Lowering(
            program: made.program,
            sources: made.sources.map { source in
                guard case .input(let index) = source, index >= inputCount else { return source }
                let constant = held[index - inputCount]
                nonisolated(unsafe) let address = constant.host
                let bytes = constant.count * (DataType(rawValue: constant.dataType)?.bits ?? 0) / 8
                return .constant { target in if let address, bytes > 0 { target.copyMemory(from: address, byteCount: bytes) } }
            }, slotBytes: made.slotBytes, workspace: made.workspace)
    }

    /// The number by which slots know a value from outside.
    private func source(of tensor: TensorView) throws(Refusal) -> Int {
        if let known = sources[tensor.raw] { return known }
        try require(tensor.host != nil, .other, "a value that is neither made nor given")
        constants.append(tensor)
        sources[tensor.raw] = fusion.graph.inputs.count + constants.count - 1
        return sources[tensor.raw]!
    }

    // MARK: Elementwise

    private func elementwise() throws(Refusal) -> Lowering {
        var lowering = VectorLowering()
        var accesses: [Access] = []
        var inputs: [ValueID: Term] = [:]
        let shape = fusion.shape(of: 0).map { Int($0) }
        for node in order {
            let view = fusion.graph.nodes[node]
            try extend(node, shape) { (index, operand) throws(Refusal) in
                let value = view.input(index)!
                if let known = inputs[value.raw] { return known }
                accesses.append(
                    try lowering.input(try self.source(of: value), operand, strides: broadcastStrides(operand.shape, to: shape)))
                let term = Term.input(accesses.count - 1, accesses.last!.type)
                inputs[value.raw] = term
                return term
            }
        }
        var outputs: [(Term, Access)] = []
        for (index, tensor) in fusion.graph.outputs.enumerated() {
            guard let term = terms[tensor.raw], let producer = fusion.producers[tensor.raw] else {
                throw Refusal(.other, "an output that no node makes")
            }
            outputs.append((term, try lowering.output(index, try fusion.graph.nodes[producer].operand(output: 0))))
        }
        lowering.add(VectorPhase(shape, inputs: accesses, outputs: outputs.map { ($0.0, $0.1) }))
        return try lowering.build(fusion.profile)
    }

    /// Adds a node's value to the terms. `outside` gives the term of an input that the group does not make.
    private func extend(
        _ node: Int, _ shape: [Int], outside: (Int, Operand) throws(Refusal) -> Term
    ) throws(Refusal) {
        guard case .elementwise(let count, let expression)? = fusion.parts[node] else {
            throw Refusal(.other, "two products in one program")
        }
        let view = fusion.graph.nodes[node]
        let y = try view.operand(output: 0)
        try require(y.shape == shape, .shape, "shapes that differ")
        var operands: [Term] = []
        for index in 0..<count {
            let x = try view.operand(input: index)
            if let inner = terms[x.view.raw] {
                operands.append(inner)
            } else {
                operands.append(try outside(index, x))
            }
        }
        var term = try expression(view, operands)
        guard let type = y.type.vectorType else { throw Refusal(.dataType, "a type that the vector unit does not take") }
        // Floats keep their precision on the way, unless the node is there to take it.
        let isConversion = ["Cast", "CastLike"].contains(view.operatorName)
        if (isConversion || !(term.isFloat && y.type.isFloat)) && term.type != type { term = term.converted(to: type) }
        terms[fusion.output(of: node)] = term
    }

    // MARK: A product and its epilogue

    private func product(_ make: (NodeView, Profile) throws(Refusal) -> ProductProblem) throws(Refusal) -> Lowering {
        let root = fusion.graph.nodes[0]
        var problem = try make(root, fusion.profile)
        func renamed(_ index: Int) throws(Refusal) -> Int { try source(of: root.input(index)!) }
        problem.a.input = try renamed(problem.a.input)
        problem.b.input = try renamed(problem.b.input)
        for index in problem.epilogue.inputs.indices {
            problem.epilogue.inputs[index].input = try renamed(problem.epilogue.inputs[index].input)
        }
        terms[fusion.output(of: 0)] = problem.epilogue.term
        let shape = fusion.shape(of: 0).map { Int($0) }
        var inputs: [ValueID: Term] = [:]
        for node in order.dropFirst() {
            let view = fusion.graph.nodes[node]
            try extend(node, shape) { (index, operand) throws(Refusal) in
                let value = view.input(index)!
                if let known = inputs[value.raw] { return known }
                guard let type = operand.type.vectorType else { throw Refusal(.dataType, "a type that the vector unit does not take") }
                problem.epilogue.inputs.append(
                    try problem.argument(
                        operand, strides: broadcastStrides(operand.shape, to: shape), of: shape, source: try self.source(of: value)))
                let term = Term.input(problem.epilogue.inputs.count, type)
                inputs[value.raw] = term
                return term
            }
        }
        guard fusion.graph.outputs.count == 1, let producer = fusion.producers[fusion.graph.outputs[0].raw],
            let term = terms[fusion.graph.outputs[0].raw]
        else { throw Refusal(.other, "more than one output of a product") }
        let y = try fusion.graph.nodes[producer].operand(output: 0)
        problem.epilogue.term = term
        problem.output.index = 0
        problem.output.bytes = y.bytes
        problem.output.type = y.type
        return try problem.lower(fusion.profile)
    }
}

extension ProductProblem {
    /// A tensor that broadcasts to the result, as an operand of the epilogue. `strides`: in elements, by axis of the result's `shape`.
    fileprivate func argument(_ operand: Operand, strides: [Int], of shape: [Int], source: Int) throws(Refusal) -> Epilogue.Input {
        let dense = denseStrides(shape)
        func place(_ element: Int) -> Int {
            zip(zip(shape, dense), strides).reduce(0) { $0 + element / $1.0.1 % $1.0.0 * $1.1 }
        }
        let offsets = output.offsets.map(place)
        let origin = output.offsets[0]
        let row = m > 1 ? place(origin + output.rowStride) - offsets[0] : 0
        let column = n > 1 ? place(origin + 1) - offsets[0] : 0
        for i in 0..<m {
            try require(place(origin + i * output.rowStride) == offsets[0] + i * row, .shape, "an operand that is not even along the rows")
        }
        for j in 0..<n {
            try require(place(origin + j) == offsets[0] + j * column, .shape, "an operand that is not even along the columns")
        }
        return Epilogue.Input(input: source, bytes: operand.bytes, type: operand.type, row: row, column: column, offsets: offsets)
    }
}

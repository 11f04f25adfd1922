// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Tensors

/// Compares what a graph computes before and after a pass, by the operators' references on random inputs.
///
/// The model is computed twice, with each value rounded to its type and without any rounding. An element of a float output may be off, from the run without
/// rounding, by 32 times the largest difference of the two runs, or 32 roundings of the output's largest element if that is more: rewriting moves roundings
/// and adds a few, but makes none larger. Other outputs must be equal, unless rounding alone already changes them.
package struct PassVerifier: Sendable {
    /// Runs a node of an operator that the stack has no reference for: its inputs, and the types of its outputs.
    package typealias Runner = @Sendable (Node, [HostTensor?], [InferredOutput?]) throws -> [HostTensor?]

    private let seed: UInt64
    private let runner: Runner?

    package init(seed: UInt64 = 1, runner: Runner? = nil) {
        self.seed = seed
        self.runner = runner
    }

    /// What one model computes.
    package struct Checker: Sendable {
        fileprivate let inputs: [ValueID: HostTensor]
        fileprivate let expected: [ReferenceTensor]
        /// By output: the largest error that is right; nil: nothing can be told.
        fileprivate private(set) var tolerances: [Double?]
        fileprivate let runner: Runner?

        /// From here on nodes may compute in a type narrower than float32. To first order the effect of roundings grows as they do: by the ratio of the
        /// types' units. Of outputs that are no floats nothing can be told.
        mutating func allow(_ narrow: DataType) {
            let growth = narrow.roundingUnit / DataType.float32.roundingUnit
            tolerances = zip(tolerances, expected).map { $1.dataType.isFloat ? $0.map { $0 * growth } : nil }
        }

        /// Throws if the rewritten graph computes something else.
        package func check(_ graph: PassGraph) throws {
            let results = try run(graph.graph, inputs, catalog: graph.catalog, rounds: true, types: graph.types, runner)
            for (index, (result, expected)) in zip(results, expected).enumerated() {
                let name = graph.graph[graph.graph.outputs[index]].name
                guard result.dataType == expected.dataType, result.shape == expected.shape else {
                    throw GraphError(
                        "output \(index) ('\(name)') is \(result.dataType.name) \(result.shape), before it was \(expected.dataType.name) \(expected.shape)"
                    )
                }
                guard let tolerance = tolerances[index] else { continue }
                guard case .strings(let before) = expected.elements, case .strings(let after) = result.elements else {
                    try compare(result.floats, expected.floats, tolerance, "output \(index) ('\(name)')")
                    continue
                }
                if before != after { throw GraphError("output \(index) ('\(name)') holds other texts than before") }
            }
        }

        private func compare(_ values: [Double], _ expected: [Double], _ tolerance: Double, _ name: String) throws(GraphError) {
            var wrong = 0
            var first: Int?
            for (index, (value, right)) in zip(values, expected).enumerated() {
                if value == right || value.isNaN && right.isNaN || abs(value - right) <= tolerance { continue }
                wrong += 1
                first = first ?? index
            }
            guard let first else { return }
            throw GraphError(
                "\(name) has other numbers than before in \(wrong) of \(values.count) elements on random inputs: element \(first) is \(values[first]), "
                    + "before it was \(expected[first]), and \(tolerance) apart is allowed")
        }
    }

    /// - Parameters:
    ///   - inputs: types of the graph's inputs.
    ///   - values: of inputs that are no floats: indices, shapes.
    package func checker(
        _ graph: Graph, inputs: [ValueID: ConcreteType], values: [ValueID: HostTensor], catalog: OperatorCatalog = .standard
    ) throws -> Checker {
        var tensors: [ValueID: HostTensor] = [:]
        for input in graph.inputs {
            guard let type = inputs[input] else { throw GraphError("input '\(graph[input].name)' is missing") }
            if let given = values[input], type.dataType.kind != .float {
                tensors[input] = given
                continue
            }
            let random = CounterRandom(seed: seed, case: "passes", tensor: graph[input].name)
            let count = elementCount(type.shape) ?? 0
            switch type.dataType.kind {
            case .string: tensors[input] = try HostTensor(strings: [String](repeating: "", count: count), shape: type.shape)
            case .float: tensors[input] = try HostTensor(type.dataType, type.shape, doubles: (0..<count).map { random.normal(UInt64($0)) })
            case .complex:
                tensors[input] = try HostTensor(type.dataType, type.shape, doubles: (0..<2 * count).map { random.normal(UInt64($0)) })
            default:
                tensors[input] = try HostTensor(
                    type.dataType, type.shape, integers: (0..<count).map { Int64(random.integer(UInt64($0), below: 2)) })
            }
        }
        let types = try GraphInference(graph, catalog: catalog, inputs: inputs, values: values).types
        let exact = try run(graph, tensors, catalog: catalog, rounds: false, types: types, runner)
        let rounded = try run(graph, tensors, catalog: catalog, rounds: true, types: types, runner)
        let tolerances = zip(exact, rounded).map { exact, rounded -> Double? in
            if case .strings = exact.elements { return 0 }
            let (values, others) = (exact.floats, rounded.floats)
            guard exact.dataType.isFloat || exact.dataType.kind == .complex else { return values == others ? 0 : nil }
            let noise = zip(values, others).map { abs($0 - $1) }.filter(\.isFinite).max() ?? 0
            let largest = values.map(abs).filter(\.isFinite).max() ?? 0
            return 32 * max(noise, largest * exact.dataType.roundingUnit)
        }
        return Checker(inputs: tensors, expected: exact, tolerances: tolerances, runner: runner)
    }
}

extension PassVerifier {
    /// What a graph computes by the references, each node's results rounded to their types.
    ///
    /// - Parameter types: by value.
    package static func evaluate(
        _ graph: Graph, _ inputs: [ValueID: HostTensor], catalog: OperatorCatalog, types: [InferredOutput?], runner: @escaping Runner
    ) throws -> [HostTensor] {
        try run(graph, inputs, catalog: catalog, rounds: true, types: types, runner).map { try $0.hostTensor() }
    }
}

/// Runs a graph on the references, each node's result rounded to its type or not.
private func run(
    _ graph: Graph, _ inputs: [ValueID: HostTensor], catalog: OperatorCatalog, rounds: Bool, types: [InferredOutput?],
    _ runner: PassVerifier.Runner?
) throws -> [ReferenceTensor] {
    var hosts = graph.constants.merging(inputs) { first, _ in first }
    var values = hosts.mapValues { ReferenceTensor($0) }
    for node in graph.nodes {
        guard let definition = catalog.definition(of: node) else {
            throw GraphError("operator '\(node.qualifiedName)' is not in the catalogue")
        }
        let given = node.inputs.map { $0.flatMap { hosts[$0] } }
        var results: [ReferenceTensor?]
        if definition.reference == nil, let runner {
            results = try runner(node, given, node.outputs.map { $0.flatMap { types[$0.index] } }).map { $0.map { ReferenceTensor($0) } }
        } else {
            let captured = graph.captured(by: node)
            let context = try definition.context(
                opset: node.opset, attributes: node.attributes, inputs: given, wanted: node.outputs.map { $0 != nil },
                captures: captured.compactMap { hosts[$0] })
            let operands = (node.inputs + captured).map { $0.flatMap { values[$0] } }
            results = try definition.results(
                ReferenceContext(attributes: context.attributes, inputs: operands, outputs: context.outputs))
        }
        for (index, output) in node.outputs.enumerated() {
            guard let output, index < results.count, let result = results[index] else { continue }
            let host = try result.hostTensor()
            hosts[output] = host
            values[output] = rounds ? ReferenceTensor(host) : result
        }
    }
    return try graph.outputs.map { output in
        guard let value = values[output] else { throw GraphError("output '\(graph[output].name)' has no value") }
        return value
    }
}

extension DataType {
    /// Half the distance from 1 to the next number.
    package var roundingUnit: Double {
        switch self {
        case .float64, .complex128: 0x1p-53
        case .float32, .complex64: 0x1p-24
        case .float16: 0x1p-11
        case .bfloat16: 0x1p-8
        default: 0x1p-3
        }
    }
}

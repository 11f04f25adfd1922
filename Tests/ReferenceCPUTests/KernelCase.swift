// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Operators
import Southbound
import Tensors
import Testing

/// One node, run by a tuned kernel and by the catalogue's float64 reference.
struct KernelCase: Sendable, CustomTestStringConvertible {
    /// How far a float32 result may be from the reference.
    enum Rule: Sendable {
        /// The same bits.
        case exact
        /// Units in the last place of the type, relative to the result.
        case ulp(Double)
        /// A sum of `terms` products: (terms + 3) · 2^-24 · Σ|a||b| (Jeannerod and Rump), the sum by the reference on absolute values.
        case dot(terms: Int)
        /// Integers that were rounded: off by one at most.
        case step
        /// Multiples of 2^-24 of the largest magnitude among result and inputs: normalisations of well-scaled data.
        case scaled(Double)
    }

    let operatorName: String
    let opset: Int
    let attributes: [String: Attribute]
    let shapes: [[Int]]
    let rule: Rule
    var type = DataType.float32
    /// Integer inputs that follow, known before the run.
    var constants: [[Int64]] = []
    /// Inputs made positive: variances, arguments of logarithms.
    var positive: Set<Int> = []
    /// Types of inputs, by position, that are not `type`.
    var types: [Int: DataType] = [:]

    init(
        _ operatorName: String, _ opset: Int, _ shapes: [[Int]], _ rule: Rule, _ attributes: [String: Attribute] = [:],
        type: DataType = .float32,
        constants: [[Int64]] = [], positive: Set<Int> = [], types: [Int: DataType] = [:]
    ) {
        self.operatorName = operatorName
        self.opset = opset
        self.shapes = shapes
        self.rule = rule
        self.attributes = attributes
        self.type = type
        self.constants = constants
        self.positive = positive
        self.types = types
    }

    var testDescription: String { "\(operatorName)-\(opset) \(type.name) \(shapes) \(constants)" }

    private func inputs() throws -> [HostTensor] {
        let random = CounterRandom(seed: 5, case: testDescription, tensor: "data")
        var index: UInt64 = 0
        return try shapes.enumerated().map { position, shape in
            let count = shape.reduce(1, *)
            let values = (0..<count).map { _ -> Double in
                index += 1
                let raw = Double(Int64(random.integer(index, below: 4_000_001)) - 2_000_000) / 1_000_000
                return positive.contains(position) ? abs(raw) + 0.25 : raw
            }
            let type = types[position] ?? type
            switch type.kind {
            case .signedInteger: return try HostTensor(type, shape, integers: values.map { Int64(($0 * 10).rounded()) })
            case .unsignedInteger: return try HostTensor(type, shape, integers: values.map { Int64(abs($0 * 10).rounded()) })
            case .bool: return try HostTensor(type, shape, integers: values.map { $0 > 0 ? 1 : 0 })
            default: return try HostTensor(type, shape, doubles: values)
            }
        }
    }

    /// Runs both and compares; also holds that no generic kernel did it.
    func check(_ devices: [Device]) throws {
        let definition = try #require(OperatorCatalog.standard["", operatorName])
        let tensors = try inputs()
        let constants = try constants.map { try HostTensor(.int64, [$0.count], integers: $0) }
        let all: [HostTensor?] = tensors + constants
        let expected = try #require(try definition.evaluate(opset: opset, attributes: attributes, inputs: all, wanted: [true])[0])

        var graph = Graph(name: "node")
        for (index, tensor) in tensors.enumerated() {
            graph.inputs.append(graph.addValue("x\(index)", type: TensorType(tensor.dataType, known: tensor.shape)))
        }
        let known = constants.enumerated().map { index, tensor in
            let value = graph.addValue("c\(index)", type: TensorType(.int64, known: tensor.shape))
            graph.constants[value] = tensor
            return value
        }
        let output = graph.addValue("y")
        graph.outputs = [output]
        graph.addNode(
            Node(
                name: "n", operatorName: operatorName, opset: opset, inputs: graph.inputs + known, outputs: [output], attributes: attributes
            ))
        var rules = PlacementRules()
        rules.optimizing = false
        let session = Session(graph, devices: devices, rules: rules)
        let named = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ("x\($0)", $1) })
        _ = try session.run(named)
        let actual = try session.run(named)[0].tensor
        #expect(session.summary?.nodes.map(\.kernel) == ["cpu/\(operatorName)"])
        #expect(actual.shape == expected.shape && actual.dataType == expected.dataType)

        let bounds = try self.bounds(definition, all, expected)
        let (a, e) = (actual.decodedDoubles(), expected.decodedDoubles())
        let wrong = a.indices.filter { !(a[$0] == e[$0] || a[$0].isNaN && e[$0].isNaN || abs(a[$0] - e[$0]) <= bounds[$0]) }
        #expect(
            wrong.isEmpty,
            "\(wrong.count) of \(a.count) elements differ, the first, \(wrong.first ?? 0): \(wrong.first.map { (a[$0], e[$0], bounds[$0]) } ?? (0, 0, 0))"
        )
    }

    private func bounds(_ definition: OperatorDefinition, _ inputs: [HostTensor?], _ expected: HostTensor) throws -> [Double] {
        let results = expected.decodedDoubles()
        // Sums of the 16-bit floats are kept in float32, and rounded once more when they are stored.
        let unit = type == .float64 ? 0x1p-53 : 0x1p-24
        let stored = type == .float16 ? 0x1p-11 : type == .bfloat16 ? 0x1p-8 : 0
        switch rule {
        case .exact: return results.map { _ in 0 }
        case .step: return results.map { _ in 1 }
        case .ulp(let count): return results.map { abs($0) * 2 * max(unit, stored) * count + Double(Float.leastNonzeroMagnitude) }
        case .dot(let terms):
            let absolute = try inputs.map { input in
                guard let input, input.dataType.isFloat else { return input }
                return try HostTensor(input.dataType, input.shape, doubles: input.decodedDoubles().map(abs))
            }
            let sums = try #require(try definition.evaluate(opset: opset, attributes: attributes, inputs: absolute, wanted: [true])[0])
            return zip(sums.decodedDoubles(), results).map { Double(terms + 3) * unit * abs($0) + stored * abs($1) }
        case .scaled(let count):
            let largest = inputs.compactMap { $0?.decodedDoubles().map(abs).max() }.max() ?? 1
            return results.map { count * unit * max(abs($0), largest) + stored * abs($0) }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// One way to call an operator that the suite tries: attributes, and the types, shapes and kinds of values of the inputs. The values themselves are
/// drawn per case.
package struct Sample: Sendable {
    /// What an input is filled with.
    package enum Values: Sendable {
        /// What the case's family of data draws; where the operator has a domain or wants small numbers, inside the range.
        case data(ClosedRange<Double>? = nil)
        /// Drawn evenly, both ends included: indices, counts, exponents.
        case integers(ClosedRange<Int64>)
        /// As given: shapes, axes, splits, scales. As many as the tensor has elements.
        case exactly([Double])
        /// A random order of 0, 1 ... count - 1: indices that may not repeat.
        case permutation
    }

    package struct Tensor: Sendable {
        package let dataType: DataType
        package let shape: [Int]
        package let values: Values

        package init(_ dataType: DataType, _ shape: [Int], _ values: Values = .data()) {
            self.dataType = dataType
            self.shape = shape
            self.values = values
        }

        /// A vector of int64: a shape, axes, pads.
        package static func vector(_ values: [Int]) -> Tensor { Tensor(.int64, [values.count], .exactly(values.map(Double.init))) }
        package static func scalar(_ dataType: DataType, _ value: Double) -> Tensor { Tensor(dataType, [], .exactly([value])) }
    }

    /// Unique among the samples of one operator, type and version, the same whatever was drawn: `broadcast-row`, `stride-2`.
    package let name: String
    package let attributes: [String: Attribute]
    /// Nil: an optional input left out.
    package let inputs: [Tensor?]
    /// One entry per output that the node names; false is one left out.
    package let wanted: [Bool]
    /// The sample that is run just before this one, in the same process: what a kernel keeps of one call must not harm the next.
    package let after: String?

    package init(
        _ name: String, _ inputs: [Tensor?], _ attributes: [String: Attribute] = [:], wanted: [Bool] = [true], after: String? = nil
    ) {
        self.name = name
        self.attributes = attributes
        self.inputs = inputs
        self.wanted = wanted
        self.after = after
    }
}

/// Gives the samples of an operator for one data type and version. Names depend on type and version alone; sizes may be drawn.
package typealias SampleGenerator = @Sendable (inout SampleContext) -> [Sample]

/// What a sample generator reads, and the random choices that it makes: functions of (seed, operator, type, version) and of how many were made before.
package struct SampleContext: Sendable {
    /// Of the node (SB-OPS-002).
    package let type: DataType
    /// The operator's own version in force (an entry of `OperatorDefinition.since`).
    package let version: Int
    private let random: CounterRandom
    private var drawn: UInt64 = 0

    package init(type: DataType, version: Int, operatorName: String, seed: UInt64) {
        self.type = type
        self.version = version
        random = CounterRandom(seed: seed, case: "samples/\(operatorName)/\(type.name)/\(version)", tensor: "choices")
    }

    /// A size in the range, evenly.
    package mutating func size(_ range: ClosedRange<Int>) -> Int {
        drawn += 1
        return range.lowerBound + Int(random.integer(drawn, below: UInt64(range.count)))
    }

    package mutating func choice<Element>(_ elements: [Element]) -> Element { elements[size(0...elements.count - 1)] }

    /// The shapes that every elementwise operator is tried on.
    package mutating func elementwiseShapes() -> [(name: String, shape: [Int])] {
        [
            ("scalar", []), ("one", [1]), ("empty", [0]), ("empty-middle", [3, 0, 2]),
            ("prime", [choice([13, 17, 31, 61, 127])]), ("odd-matrix", [size(3...9), 2 * size(2...8) + 1]),
            ("row", [1, size(65...300)]), ("column", [size(65...300), 1]), ("rank-6", [2, 1, 3, size(1...3), 1, 2]),
            ("large", [size(2...5), size(301...700)]),
        ]
    }
}

extension OperatorDefinition {
    /// Adds the sample generator.
    package func sampled(_ generator: @escaping SampleGenerator) -> OperatorDefinition {
        var copy = self
        copy.samples = generator
        return copy
    }

    /// Adds how many products or terms make up one output element at most: n of the bound of class `dot`, `sum` and `product`.
    package func summing(
        _ terms: @escaping @Sendable (ReferenceContext) throws(OperatorError) -> Int
    ) -> OperatorDefinition {
        var copy = self
        copy.terms = terms
        return copy
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// A type and a shape with every dimension known: what inference works on. (Symbolic dimensions are bound before a plan is made.)
package struct ConcreteType: Sendable, Hashable {
    package var dataType: DataType
    package var shape: [Int]
    package init(_ dataType: DataType, _ shape: [Int]) {
        self.dataType = dataType
        self.shape = shape
    }
}

/// What inference says about one output.
package enum InferredOutput: Sendable, Hashable {
    case known(ConcreteType)
    /// The shape depends on data: only the kernel knows it, within these bounds.
    case bounded(DataType, [Int])

    var largestShape: [Int] {
        switch self {
        case .known(let type): type.shape
        case .bounded(_, let shape): shape
        }
    }

    package static func tensor(_ dataType: DataType, _ shape: [Int]) -> InferredOutput {
        .known(ConcreteType(dataType, shape))
    }
}

/// What inference and reference both read: the operator's version and attributes.
package struct NodeAttributes: Sendable {
    /// The operator's own version in force (an entry of `OperatorDefinition.since`).
    package let version: Int
    private let given: [String: Attribute]
    private let rules: [String: AttributeRule]

    package init(version: Int, given: [String: Attribute], rules: [String: AttributeRule]) {
        self.version = version
        self.given = given
        self.rules = rules
    }

    /// Those that the node names, without defaults.
    package var all: [String: Attribute] { given }

    /// Values of the enclosing graph that the node's subgraphs read, as they stand behind its inputs.
    var capturedNames: [String] { given.capturedNames }

    package subscript(_ name: String) -> Attribute? { given[name] ?? rules[name]?.defaultValue }

    package func int(_ name: String) -> Int? {
        if case .int(let value)? = self[name] { return Int(value) }
        return nil
    }
    package func flag(_ name: String) -> Bool { int(name) ?? 0 != 0 }
    package func float(_ name: String) -> Double? {
        if case .float(let value)? = self[name] { return Double(value) }
        return nil
    }
    package func string(_ name: String) -> String? {
        if case .string(let value)? = self[name] { return value }
        return nil
    }
    package func ints(_ name: String) -> [Int]? {
        if case .ints(let values)? = self[name] { return values.map(Int.init) }
        return nil
    }
    package func floats(_ name: String) -> [Double]? {
        if case .floats(let values)? = self[name] { return values.map(Double.init) }
        return nil
    }
    package func strings(_ name: String) -> [String]? {
        if case .strings(let values)? = self[name] { return values }
        return nil
    }
    package func tensor(_ name: String) -> HostTensor? {
        if case .tensor(let value)? = self[name] { return value }
        return nil
    }
}

/// What shape inference may look at. Inputs have been checked against the signature (count, types) before.
package struct InferenceContext: Sendable {
    package let attributes: NodeAttributes
    /// Nil for an optional input left out.
    package let inputs: [ConcreteType?]
    /// How many outputs the node names; a nil entry of `wanted` is one left out.
    package let wanted: [Bool]
    private let values: @Sendable (Int) -> ReferenceTensor?

    package init(
        attributes: NodeAttributes, inputs: [ConcreteType?], wanted: [Bool],
        values: @escaping @Sendable (Int) -> ReferenceTensor?
    ) {
        self.attributes = attributes
        self.inputs = inputs
        self.wanted = wanted
        self.values = values
    }

    package var version: Int { attributes.version }
    package func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

    package func input(_ index: Int) throws(OperatorError) -> ConcreteType {
        guard index < inputs.count, let input = inputs[index] else { throw .invalid("input \(index) is missing") }
        return input
    }

    /// The value of an input. Throws `needsValue` if it is not known yet (the planner then finds it, or says that it can't).
    package func value(_ index: Int) throws(OperatorError) -> ReferenceTensor {
        guard let value = values(index) else { throw .needsValue(input: index) }
        return value
    }

    /// The value of an integer input, flattened.
    package func integers(_ index: Int) throws(OperatorError) -> [Int] {
        let tensor = try value(index)
        guard case .integers(let elements) = tensor.elements else {
            throw .invalid("input \(index) must hold integers, not \(tensor.dataType.name)")
        }
        return elements.map(Int.init)
    }

    /// `axis` counted from the end if negative. Throws if it is outside `-rank ..< rank` (`-rank ... rank` with `inclusive`).
    package func axis(_ axis: Int, rank: Int, inclusive: Bool = false) throws(OperatorError) -> Int {
        try normalizedAxis(axis, rank: rank, inclusive: inclusive)
    }
}

package func normalizedAxis(_ axis: Int, rank: Int, inclusive: Bool = false) throws(OperatorError) -> Int {
    let result = axis < 0 ? axis + rank : axis
    guard result >= 0, result < rank + (inclusive ? 1 : 0) else {
        throw .invalid("axis \(axis) is outside a tensor of rank \(rank)")
    }
    return result
}

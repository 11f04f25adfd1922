// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// A small graph that stands for a node: its inputs are those of the node that are given, in order; its outputs those that are wanted.
package struct Fragment: Sendable {
    package fileprivate(set) var graph: Graph
    /// By value of `graph`.
    package fileprivate(set) var types: [ConcreteType]

    /// The operators of its nodes, each once, in their order.
    package var operatorNames: [String] {
        var names: [String] = []
        for node in graph.nodes where !names.contains(node.operatorName) { names.append(node.operatorName) }
        return names
    }
}

/// Builds the nodes of a decomposition or a gradient for one concrete node: types and shapes are known, and each node that is added is checked and inferred.
///
/// An error `unsupported` (or `needsValue`, if the value is not to be had) says that this node has no decomposition; `invalid` is a fault of whoever wrote it.
package final class FragmentBuilder {
    /// The operator-set version of the node, which all parts have, too.
    package let opset: Int
    package let attributes: NodeAttributes
    /// One entry per output that the node names.
    package let wanted: [Bool]
    private var fragment: Fragment
    private var inputs: [ValueID?] = []
    private let outputs: [InferredOutput]
    private let values: [Int: HostTensor]
    private let catalog: OperatorCatalog

    init(
        opset: Int, attributes: NodeAttributes, inputs types: [ConcreteType?], outputs: [InferredOutput], wanted: [Bool],
        values: [Int: HostTensor],
        catalog: OperatorCatalog
    ) throws(OperatorError) {
        // Before, two shapes were broadcast only where an attribute said so.
        guard opset >= 8 else { throw .unsupported("nothing is decomposed before operator set 8") }
        self.opset = opset
        self.attributes = attributes
        self.wanted = wanted
        self.outputs = outputs
        self.values = values
        self.catalog = catalog
        fragment = Fragment(graph: Graph(name: "fragment"), types: [])
        for (index, type) in types.enumerated() {
            guard let type else {
                inputs.append(nil)
                continue
            }
            let value = add("input_\(index)", type)
            fragment.graph.inputs.append(value)
            inputs.append(value)
        }
    }

    package var version: Int { attributes.version }
    package var inputCount: Int { inputs.count }
    package func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }
    package func wants(_ index: Int) -> Bool { index < wanted.count && wanted[index] }

    package func input(_ index: Int) throws(OperatorError) -> Term {
        guard has(index), let value = inputs[index] else { throw .invalid("input \(index) is missing") }
        return term(value)
    }

    /// The type that inference tells of an output of the node.
    package func output(_ index: Int = 0) throws(OperatorError) -> ConcreteType {
        guard index < outputs.count, case .known(let type) = outputs[index] else {
            throw .unsupported("the shape of output \(index) depends on data")
        }
        return type
    }

    /// An input in a type in which it is worth computing: float32 instead of a smaller float, whose roundings and overflows in between the whole operator
    /// would not have. The outputs are cast back at the end.
    package func wide(_ index: Int) throws(OperatorError) -> Term {
        let input = try input(index)
        return try input.cast(to: input.type.dataType.wide)
    }

    /// The node as inference sees it, so that both read its arguments with the same code.
    var inference: InferenceContext {
        let values = values
        return InferenceContext(
            attributes: attributes, inputs: inputs.map { $0.map { fragment.types[$0.index] } }, wanted: wanted
        ) { values[$0].map { ReferenceTensor($0) } }
    }

    package func float(_ attribute: String) throws(OperatorError) -> Double {
        guard let value = attributes.float(attribute) else { throw .invalid("attribute '\(attribute)' is missing") }
        return value
    }

    package func int(_ attribute: String) throws(OperatorError) -> Int {
        guard let value = attributes.int(attribute) else { throw .invalid("attribute '\(attribute)' is missing") }
        return value
    }

    /// A scalar of any numeric type. Throws where an integer type does not hold the value.
    package func constant(_ value: Double, _ type: DataType) throws(OperatorError) -> Term {
        if type.isFloat { return try constant([value], type, shape: []) }
        guard let number = Int64(exactly: value), type.integer(truncating: value) == number else {
            throw .unsupported("\(value) is no number of type \(type.name)")
        }
        return add(constant: integerTensor(type, [Int(number)], []))
    }

    /// int64: a shape or axes, or of another shape than a vector.
    package func constant(_ values: [Int], shape: [Int]? = nil) -> Term {
        add(constant: integerTensor(.int64, values, shape ?? [values.count]))
    }

    package func constant(bools values: [Bool], shape: [Int]) -> Term {
        add(constant: integerTensor(.bool, values.map { $0 ? 1 : 0 }, shape))
    }

    package func constant(_ values: [Double], _ type: DataType, shape: [Int]) throws(OperatorError) -> Term {
        do { return add(constant: try HostTensor(type, shape, doubles: values)) } catch { throw .unsupported("\(error)") }
    }

    /// Adds a node with one output. Throws `unsupported` if the node's operator set has no such operator, or not for these types.
    package func callAsFunction(_ operatorName: String, _ arguments: Term?..., attributes: [String: Attribute] = [:]) throws(OperatorError)
        -> Term
    {
        try add(operatorName, arguments, attributes)
    }

    package func add(_ operatorName: String, _ arguments: [Term?], _ given: [String: Attribute] = [:]) throws(OperatorError) -> Term {
        guard let definition = catalog["", operatorName] else { throw .invalid("there is no operator '\(operatorName)'") }
        let version: Int
        do throws(OperatorError) {
            version = try definition.check(opset: opset, attributes: given, inputTypes: arguments.map { $0?.type.dataType }, outputCount: 1)
        } catch { throw .unsupported(error.description) }
        // What the shape depends on is a constant, or an input whose value is known.
        var known = fragment.graph.constants
        for (index, input) in inputs.enumerated() { if let input, let value = values[index] { known[input] = value } }
        let tensors = arguments.map { argument in argument.flatMap { known[$0.value] } }
        let context = InferenceContext(
            attributes: NodeAttributes(version: version, given: given, rules: definition.attributes), inputs: arguments.map { $0?.type },
            wanted: [true]
        ) { index in
            tensors[index].map { ReferenceTensor($0) }
        }
        guard case .known(let type)? = try definition.infer(context).first else {
            throw .invalid("the shape of \(operatorName) depends on data")
        }
        let number = fragment.graph.nodes.count { $0.operatorName == operatorName } + 1
        let name = number == 1 ? operatorName : "\(operatorName)_\(number)"
        let output = add(name, type)
        fragment.graph.addNode(
            Node(
                name: name, operatorName: operatorName, opset: opset, inputs: arguments.map { $0?.value }, outputs: [output],
                attributes: given))
        return term(output)
    }

    /// The fragment with `results` as its outputs, cast to `types`. Shapes must agree.
    func finish(_ results: [Term], as types: [ConcreteType]) throws(OperatorError) -> Fragment {
        var written = Set<ValueID>()
        for (index, (result, type)) in zip(results, types).enumerated() {
            guard result.shape == type.shape else {
                throw .invalid("output \(index) has shape \(result.shape) in parts, but \(type.shape) as a whole")
            }
            var output = try result.cast(to: type.dataType)
            let isNode = fragment.graph.nodes.contains { $0.outputs.contains(output.value) }
            if !isNode || !written.insert(output.value).inserted { output = try self("Identity", output) }
            fragment.graph.outputs.append(output.value)
        }
        return fragment
    }

    func add(_ name: String, _ type: ConcreteType) -> ValueID {
        fragment.types.append(type)
        return fragment.graph.addValue(name, type: TensorType(type.dataType, known: type.shape))
    }

    /// Adds a further input of the fragment: an output of the node or its gradient.
    func addInput(_ name: String, _ type: ConcreteType) -> Term {
        let value = add(name, type)
        fragment.graph.inputs.append(value)
        return term(value)
    }

    private func term(_ value: ValueID) -> Term { Term(value: value, type: fragment.types[value.index], builder: self) }

    private func add(constant: HostTensor) -> Term {
        let value = add("constant_\(fragment.graph.constants.count)", ConcreteType(constant.dataType, constant.shape))
        fragment.graph.constants[value] = constant
        return term(value)
    }

    private func integerTensor(_ type: DataType, _ values: [Int], _ shape: [Int]) -> HostTensor {
        do { return try HostTensor(type, shape, integers: values.map(Int64.init)) } catch {
            preconditionFailure("\(values.count) values for a constant of shape \(shape): \(error)")
        }
    }
}

extension DataType {
    /// Where composites of this type are computed.
    var wide: DataType { isFloat && bits < 32 ? .float32 : self }
}

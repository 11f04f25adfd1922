// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// Writes an operator as simpler ones: the results by output, nil for outputs that are not wanted. See `decomposing`.
package typealias Decomposer = @Sendable (FragmentBuilder) throws(OperatorError) -> [Term?]

/// Writes the vector-Jacobian product of an operator: one gradient per input, nil where there is none. See `differentiated`.
package typealias Differentiator = @Sendable (FragmentBuilder, Gradients) throws(OperatorError) -> [Term?]

/// What a gradient is computed from, beside the inputs.
package struct Gradients {
    /// The outputs of the node.
    package let outputs: [Term?]
    /// The gradients of the outputs, of the same types.
    package let gradients: [Term?]

    package func output(_ index: Int = 0) throws(OperatorError) -> Term { try given(outputs, index) }
    package func gradient(_ index: Int = 0) throws(OperatorError) -> Term { try given(gradients, index) }

    private func given(_ terms: [Term?], _ index: Int) throws(OperatorError) -> Term {
        guard index < terms.count, let term = terms[index] else { throw .unsupported("output \(index) is not there") }
        return term
    }
}

extension OperatorDefinition {
    /// Adds the decomposition: the same function in simpler operators.
    ///
    /// What moves, compares or counts gives the same bits. The others give what their parts' roundings make of it: a few more than the whole operator has,
    /// of values in float32 at least. That can exceed the bound of the operator's class (a softmax of an `Exp` within 4 ULP), and squares may overflow where
    /// the whole does not. A decomposition throws `unsupported` for nodes that it would get wrong.
    package func decomposing(_ parts: @escaping Decomposer) -> OperatorDefinition {
        var copy = self
        copy.decomposer = parts
        return copy
    }

    /// Says that output 0 is input 0 with another shape.
    package func viewing() -> OperatorDefinition {
        var copy = self
        copy.isView = true
        return copy
    }

    /// Adds the gradient.
    package func differentiated(_ gradient: @escaping Differentiator) -> OperatorDefinition {
        var copy = self
        copy.differentiator = gradient
        return copy
    }

    /// The node in simpler operators; nil if the operator has no decomposition.
    ///
    /// - Parameters:
    ///   - inputs: one entry per input that the node names; nil is an optional one left out.
    ///   - values: those of inputs, by position, as far as they are known. Where another one is needed, throws `needsValue`.
    package func decomposition(
        opset: Int, attributes given: [String: Attribute], inputs: [ConcreteType?], wanted: [Bool], values: [Int: HostTensor] = [:],
        catalog: OperatorCatalog = .standard
    ) throws(OperatorError) -> Fragment? {
        guard let decomposer else { return nil }
        let (attributes, outputs) = try inferred(opset, given, inputs, wanted, values)
        let builder = try FragmentBuilder(
            opset: opset, attributes: attributes, inputs: inputs, outputs: outputs, wanted: wanted, values: values, catalog: catalog)
        let results = try decomposer(builder)
        var (given, types) = ([Term](), [ConcreteType]())
        for (index, isWanted) in wanted.enumerated() where isWanted {
            guard index < results.count, let result = results[index] else { throw .unsupported("output \(index) is not decomposed") }
            given.append(result)
            types.append(try builder.output(index))
        }
        return try builder.finish(given, as: types)
    }

    /// The gradient of the node in operators; nil if the operator has none. Parameters as for `decomposition`.
    ///
    /// The fragment's inputs are those of the node, its wanted outputs, and their gradients; its outputs the gradients of the inputs `of` (by position).
    package func gradient(
        opset: Int, attributes given: [String: Attribute], inputs: [ConcreteType?], wanted: [Bool], values: [Int: HostTensor] = [:],
        catalog: OperatorCatalog = .standard
    ) throws(OperatorError) -> (fragment: Fragment, of: [Int])? {
        guard let differentiator else { return nil }
        let (attributes, outputs) = try inferred(opset, given, inputs, wanted, values)
        let builder = try FragmentBuilder(
            opset: opset, attributes: attributes, inputs: inputs, outputs: outputs, wanted: wanted, values: values, catalog: catalog)
        func terms(_ word: String) throws(OperatorError) -> [Term?] {
            var terms: [Term?] = []
            for (index, isWanted) in wanted.enumerated() {
                terms.append(isWanted ? builder.addInput("\(word)_\(index)", try builder.output(index)) : nil)
            }
            return terms
        }
        let results = try differentiator(builder, Gradients(outputs: try terms("output"), gradients: try terms("gradient")))
        let positions = results.indices.filter { results[$0] != nil && inputs[$0] != nil }
        return (try builder.finish(positions.map { results[$0]! }, as: positions.map { inputs[$0]! }), positions)
    }

    private func inferred(
        _ opset: Int, _ given: [String: Attribute], _ inputs: [ConcreteType?], _ wanted: [Bool], _ values: [Int: HostTensor]
    ) throws(OperatorError) -> (NodeAttributes, [InferredOutput]) {
        let version = try check(opset: opset, attributes: given, inputTypes: inputs.map { $0?.dataType }, outputCount: wanted.count)
        let attributes = NodeAttributes(version: version, given: given, rules: attributes)
        let outputs = try infer(
            InferenceContext(attributes: attributes, inputs: inputs, wanted: wanted) { values[$0].map { ReferenceTensor($0) } })
        return (attributes, outputs)
    }
}

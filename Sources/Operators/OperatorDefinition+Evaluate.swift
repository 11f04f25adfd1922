// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

extension OperatorDefinition {
    /// More elements than this in one tensor are refused: a reference holds eight bytes and more for each.
    package static let referenceElementLimit = 1 << 28

    /// Runs the reference on whole tensors: checks the node, infers, computes in float64 and encodes.
    ///
    /// - Parameters:
    ///   - inputs: one entry per input that the node names; nil is an optional one left out.
    ///   - wanted: one entry per output that the node names; false is one left out.
    ///   - captures: the values of `capturedNames(attributes)`; inference and reference get them behind the inputs.
    /// - Returns: one entry per entry of `wanted`, nil where not wanted.
    package func evaluate(
        opset: Int, attributes given: [String: Attribute], inputs: [HostTensor?], wanted: [Bool],
        captures: [HostTensor] = []
    ) throws(OperatorError) -> [HostTensor?] {
        let context = try context(opset: opset, attributes: given, inputs: inputs, wanted: wanted, captures: captures)
        let results = try results(context)
        var outputs: [HostTensor?] = []
        for (index, isWanted) in wanted.enumerated() {
            guard isWanted else {
                outputs.append(nil)
                continue
            }
            guard let result = results[index] else { throw .unsupported("the reference of \(name) gives no output \(index)") }
            do { outputs.append(try result.hostTensor()) } catch {
                throw .unsupported("\(name), output \(index): \(error)")
            }
        }
        return outputs
    }

    /// What the reference computes from, checked and inferred. Parameters as for `evaluate`.
    package func context(
        opset: Int, attributes given: [String: Attribute], inputs: [HostTensor?], wanted: [Bool], captures: [HostTensor] = []
    ) throws(OperatorError) -> ReferenceContext {
        let version = try check(
            opset: opset, attributes: given, inputTypes: inputs.map { $0?.dataType }, outputCount: wanted.count)
        for case let input? in inputs { try Self.checkSize(input.shape, of: "an input", in: name) }
        let attributes = NodeAttributes(version: version, given: given, rules: attributes)
        let inputs = inputs + captures
        let decoded = inputs.map { $0.map { ReferenceTensor($0) } }
        let types = inputs.map { $0.map { ConcreteType($0.dataType, $0.shape) } }
        let inferred = try infer(
            InferenceContext(attributes: attributes, inputs: types, wanted: wanted) {
                $0 < decoded.count ? decoded[$0] : nil
            })
        for output in inferred {
            switch output {
            case .known(let type): try Self.checkSize(type.shape, of: "the output", in: name)
            case .bounded(_, let shape): try Self.checkSize(shape, of: "the output", in: name)
            }
        }
        return ReferenceContext(attributes: attributes, inputs: decoded, outputs: inferred)
    }

    /// The reference's results before they are rounded to the outputs' types, one entry per output that the context tells of. Throws where one is not of
    /// the type and shape that inference said.
    package func results(_ context: ReferenceContext) throws(OperatorError) -> [ReferenceTensor?] {
        guard let reference else { throw .unsupported("\(name) has no reference") }
        let results = try reference(context)
        return try context.outputs.enumerated().map { index, inferred throws(OperatorError) in
            guard index < results.count, let result = results[index] else { return nil }
            guard inferred.admits(result) else {
                throw .unsupported(
                    "the reference of \(name) gave \(result.dataType.name) \(result.shape) for output \(index), but inference says \(inferred)"
                )
            }
            return result
        }
    }

    private static func checkSize(_ shape: [Int], of what: String, in name: String) throws(OperatorError) {
        guard let count = elementCount(shape), count <= referenceElementLimit else {
            throw .unsupported(
                "\(what) of \(name) has shape \(shape), more than the \(referenceElementLimit) elements a reference computes"
            )
        }
    }
}

extension InferredOutput {
    /// Whether a result has the type and the shape (within the bounds) that inference said.
    func admits(_ tensor: ReferenceTensor) -> Bool {
        switch self {
        case .known(let type): type.dataType == tensor.dataType && type.shape == tensor.shape
        case .bounded(let dataType, let shape):
            dataType == tensor.dataType && shape.count == tensor.shape.count
                && zip(tensor.shape, shape).allSatisfy { $0 <= $1 }
        }
    }
}

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
        let version = try check(
            opset: opset, attributes: given, inputTypes: inputs.map { $0?.dataType }, outputCount: wanted.count)
        guard let reference else { throw .unsupported("\(name) has no reference") }
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
        let results = try reference(ReferenceContext(attributes: attributes, inputs: decoded, outputs: inferred))
        var outputs: [HostTensor?] = []
        for (index, isWanted) in wanted.enumerated() {
            guard isWanted else {
                outputs.append(nil)
                continue
            }
            guard index < results.count, let result = results[index], index < inferred.count else {
                throw .unsupported("the reference of \(name) gives no output \(index)")
            }
            guard inferred[index].admits(result) else {
                throw .unsupported(
                    "the reference of \(name) gave \(result.dataType.name) \(result.shape) for output \(index), but inference says \(inferred[index])"
                )
            }
            do { outputs.append(try result.hostTensor()) } catch {
                throw .unsupported("\(name), output \(index): \(error)")
            }
        }
        return outputs
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

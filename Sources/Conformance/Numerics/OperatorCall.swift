// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Tensors

/// One operator applied to given tensors.
package struct OperatorCall: Sendable {
    package var definition: OperatorDefinition
    /// Operator-set version that the model imports.
    package var opset: Int
    package var attributes: [String: Attribute]
    /// One entry per input that the node names; nil is an optional one left out.
    package var inputs: [HostTensor?]
    /// One entry per output that the node names; false is one left out.
    package var wanted: [Bool]

    package init(
        _ definition: OperatorDefinition, opset: Int, attributes: [String: Attribute] = [:], inputs: [HostTensor?], wanted: [Bool] = [true]
    ) {
        self.definition = definition
        self.opset = opset
        self.attributes = attributes
        self.inputs = inputs
        self.wanted = wanted
    }

    /// Of its node (SB-OPS-002); nil where the outputs tell.
    package var dataType: DataType? { definition.dataType(inputs: inputs.map { $0?.dataType }, outputs: []) }
}

/// What a judge found.
package struct Finding: Sendable {
    /// Nil: right.
    package var failure: FailureKind?
    /// Of a right result: A shows no lost bit, B keeps the worst-case bound; nil where the class has no grades.
    package var grade: Grade?
    /// The worst element: its error beside its bound.
    package var deviation: CaseResult.Deviation?
    /// For a person: what differs, where, by how much, and what that pattern usually means.
    package var message: String?

    package init(failure: FailureKind? = nil, grade: Grade? = nil, deviation: CaseResult.Deviation? = nil, message: String? = nil) {
        self.failure = failure
        self.grade = grade
        self.deviation = deviation
        self.message = message
    }
}

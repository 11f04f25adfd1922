// SPDX-License-Identifier: Apache-2.0

/// Why a model or tensor cannot be read. Messages are for a person and name the node, value or tensor.
package enum ONNXError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file cannot be opened, is cut short, or is not what it should be. The message begins with the file's path.
    case unreadable(String)
    /// The model breaks a rule of ONNX.
    case invalid(String)
    /// The model may be right, but this stack does not cover what it uses.
    case unsupported(String)
    /// The first operator that the catalogue does not have; `Model.unknownOperators` has all of them if the reader was told to go on.
    case unknownOperator(node: String, domain: String, name: String, opset: Int)

    package var description: String {
        switch self {
        case .unreadable(let reason), .invalid(let reason), .unsupported(let reason): reason
        case .unknownOperator(let node, let domain, let name, let opset):
            "node '\(node)' uses operator '\(domain.isEmpty ? "" : domain + "::")\(name)' (opset \(opset)), which is not known here"
        }
    }
}

extension ONNXError {
    /// The stack does not cover the model, which may well be right.
    package var isNotCovered: Bool {
        switch self {
        case .unsupported, .unknownOperator: true
        case .unreadable, .invalid: false
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import ONNX
import Southbound

/// What went wrong, in a sentence that says what to do.
public struct RuntimeError: Error, Sendable, CustomStringConvertible {
    /// What kind of error it is, for a program to tell apart.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// Its name.
        public let description: String

        /// An argument: a device that is not there, an input that is missing or has the wrong type or shape.
        public static let usage = Code(description: "usage")
        /// The model cannot be read, or breaks a rule.
        public static let model = Code(description: "model")
        /// A plugin cannot be loaded.
        public static let plugin = Code(description: "plugin")
        /// No device of the list runs one of the model's nodes.
        public static let noKernel = Code(description: "noKernel")
        /// A device failed during a run.
        public static let device = Code(description: "device")
        /// The run was cancelled.
        public static let cancelled = Code(description: "cancelled")
        /// The run was not done in time.
        public static let deadline = Code(description: "deadline")
        /// The stack's own files cannot be found.
        public static let installation = Code(description: "installation")
    }

    /// What kind of error it is.
    public let code: Code
    /// For a person.
    public let description: String
    /// The node that it happened at, where one is known.
    public let node: String?

    init(_ code: Code, _ description: String, node: String? = nil) {
        self.code = code
        self.description = description
        self.node = node
    }

    init(_ error: any Error) {
        switch error {
        case let error as RuntimeError: self = error
        case let error as PluginError:
            self.init(error.isUsageFailure ? .usage : error.isNegotiationFailure ? .plugin : .device, error.description)
        case let error as ExecutionError:
            switch error {
            case .input: self.init(.usage, error.description)
            case .model: self.init(.model, error.description)
            case .noKernel(let refusal): self.init(.noKernel, error.description, node: refusal.node)
            case .device(_, let node): self.init(.device, error.description, node: node)
            case .cancelled: self.init(.cancelled, error.description)
            case .deadline(let node): self.init(.deadline, error.description, node: node)
            }
        case let error as ONNXError: self.init(.model, error.description)
        case let error as InstallationError: self.init(.installation, error.description)
        default: self.init(.model, "\(error)")
        }
    }
}

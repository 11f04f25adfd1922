// SPDX-License-Identifier: Apache-2.0
package import Compiler
package import Southbound

/// Why a model did not run.
package enum ExecutionError: Error, Sendable, CustomStringConvertible {
    /// An input is missing, unknown, or has the wrong type or shape.
    case input(String)
    /// The model breaks a rule, or cannot be planned.
    case model(String)
    /// A node that nobody runs.
    case noKernel(NoKernelError)
    /// The device or its plugin failed; `node` names the node that it happened at, where one is known.
    case device(PluginError, node: String?)
    /// The run was stopped on request.
    case cancelled
    /// The run was not done in time; `node` names the node that it was at, where one is known.
    case deadline(node: String?)

    package var description: String {
        switch self {
        case .input(let reason), .model(let reason): reason
        case .noKernel(let error): error.description
        case .device(let error, let node?): "node '\(node)': \(error)"
        case .device(let error, nil): error.description
        case .cancelled: "the run was cancelled"
        case .deadline(let node?): "the run was not done in time; it was at node '\(node)'"
        case .deadline(nil): "the run was not done in time"
        }
    }
}

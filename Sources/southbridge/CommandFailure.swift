// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Conformance
import Execution
import Foundation
import Graph
import Guidance
import HardwareModel
import ONNX
import Scaffold
import Southbound
import Tensors

/// An error in words, with its exit code.
struct CommandFailure: Error {
    static let usage: Int32 = 2

    let code: Int32
    let message: String

    init(code: Int32, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The verdict is negative: everything was said already.
    static let negative = CommandFailure(code: 1, "")

    /// Nil for errors that the argument parser explains itself.
    init?(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as PluginError: self.init(error)
        case let error as ExecutionError:
            switch error {
            case .device(let error, let node):
                let failure = CommandFailure(error)
                self.init(code: failure.code, node.map { "node '\($0)': \(failure.message)" } ?? failure.message)
            case .deadline: self.init(code: 5, error.description)
            case .cancelled: self.init(code: 130, error.description)
            case .input, .model, .noKernel: self.init(code: 2, error.description)
            }
        case let error as ConformanceError:
            switch error {
            case .usage(let reason): self.init(code: 2, reason)
            case .internal(let reason): self.init(code: 4, reason)
            case .interrupted(let reason): self.init(code: 130, reason)
            }
        case let error as ONNXError: self.init(code: 2, error.description)
        case let error as DescriptionError: self.init(code: 2, error.description)
        case let error as TensorError: self.init(code: 2, error.description)
        case let error as GraphError: self.init(code: 2, error.description)
        case let error as GuidanceError: self.init(code: 2, error.description)
        case let error as ReportReadError: self.init(code: 2, error.description)
        case let error as InstallationError: self.init(code: 4, error.description)
        case let error as ScaffoldError: self.init(code: 2, error.description)
        case let error as CocoaError: self.init(code: 2, error.localizedDescription)
        default: return nil
        }
    }

    private init(_ error: PluginError) {
        let code: Int32 = error.isUsageFailure ? 2 : error.isNegotiationFailure ? 3 : 5
        self.init(code: code, error.description)
    }
}

/// One line to standard error.
func standardError(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}

/// A value as pretty JSON on standard output.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

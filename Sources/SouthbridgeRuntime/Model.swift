// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX

/// A model, read and checked; it runs in a `Session`.
public struct Model: Sendable {
    /// An input or output.
    public struct Port: Sendable, Hashable {
        /// As the model calls it.
        public let name: String
        /// Nil where the model does not say.
        public let elementType: ElementType?
        /// By axis: how many; nil where that is open. Nil as a whole where not even the number of axes is known.
        public let shape: [Int?]?
    }

    let graph: Graph

    /// Reads an ONNX file. Weights in files beside it are found.
    public init(path: String) throws(RuntimeError) {
        do { graph = try readModel(path: path).graph } catch { throw RuntimeError(error) }
    }

    /// Reads an ONNX model from memory; it has to hold its weights itself.
    public init(bytes: [UInt8]) throws(RuntimeError) {
        do { graph = try readModel(data: Data(bytes)).graph } catch { throw RuntimeError(error) }
    }

    /// In the model's order.
    public var inputs: [Port] { graph.inputs.map { Port(graph[$0]) } }
    /// In the model's order.
    public var outputs: [Port] { graph.outputs.map { Port(graph[$0]) } }
}

extension Model.Port {
    fileprivate init(_ value: Value) {
        name = value.name
        elementType = value.type.map { ElementType($0.dataType) }
        shape = value.type?.shape?.map { if case .known(let size) = $0 { size } else { nil } }
    }
}

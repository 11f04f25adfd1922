// SPDX-License-Identifier: Apache-2.0
package import Foundation
import SwiftProtobuf
package import Tensors

/// Reads a file that holds one `TensorProto` (`input_0.pb` of the ONNX test data). The elements are mapped where they can be.
package func readTensor(path: String) throws(ONNXError) -> (name: String, tensor: HostTensor) {
    try readTensor(ModelSource(path: path))
}

/// Reads a serialised `TensorProto`; `source` names it in messages.
package func readTensor(data: Data, source: String = "tensor") throws(ONNXError) -> (name: String, tensor: HostTensor) {
    try readTensor(ModelSource(data: data, name: source, folder: nil))
}

private func readTensor(_ source: ModelSource) throws(ONNXError) -> (name: String, tensor: HostTensor) {
    let proto = try source.parse(Onnx_TensorProto.self, as: .tensor, what: "an ONNX tensor")
    return (proto.name, try TensorReader(source: source).tensor(proto, "\(source.name): tensor '\(proto.name)'"))
}

/// A serialised `TensorProto`: `raw_data` for every type but strings.
package func tensorProtoData(name: String, _ tensor: HostTensor) throws(ONNXError) -> Data {
    do {
        return try Onnx_TensorProto(name: name, tensor).serializedData()
    } catch { throw .unsupported("tensor '\(name)' is too large for a protobuf message") }
}

// SPDX-License-Identifier: Apache-2.0
import Graph

/// The declared type of a value; nil if the model leaves it open.
func valueType(_ info: Onnx_ValueInfoProto) throws(ONNXError) -> TensorType? {
    guard info.hasType else { return nil }
    switch info.type.value {
    case nil: return nil
    case .tensorType(let tensor):
        do {
            guard let type = try dataType(number: tensor.elemType) else { return nil }
            return TensorType(type, tensor.hasShape ? try tensor.shape.dim.map { dim throws(ONNXError) in try dimension(dim) } : nil)
        } catch {
            switch error {
            case .unsupported(let reason): throw .unsupported("value '\(info.name)': \(reason)")
            default: throw .invalid("value '\(info.name)': \(error)")
            }
        }
    case .sequenceType: throw .unsupported("value '\(info.name)' is a sequence; only tensors are supported")
    case .optionalType: throw .unsupported("value '\(info.name)' is an optional; only tensors are supported")
    case .mapType: throw .unsupported("value '\(info.name)' is a map; only tensors are supported")
    case .sparseTensorType: throw .unsupported("value '\(info.name)' is a sparse tensor; only dense ones are supported")
    case .opaqueType: throw .unsupported("value '\(info.name)' is of an opaque type; only tensors are supported")
    }
}

private func dimension(_ proto: Onnx_TensorShapeProto.Dimension) throws(ONNXError) -> Dimension {
    switch proto.value {
    case .dimValue(let size):
        guard size >= 0 else { throw .invalid("its shape has the negative dimension \(size)") }
        return .known(Int(size))
    case .dimParam(let symbol): return symbol.isEmpty ? .unknown : .symbol(symbol)
    case nil: return .unknown
    }
}

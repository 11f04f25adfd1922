// SPDX-License-Identifier: Apache-2.0
import Tensors

/// Largest dense form of a sparse tensor, in bytes: a few bytes of a file must not fill the memory.
private let largestDenseForm = 1 << 30

/// Spreads the values of a sparse tensor over zeros.
///
/// - Parameter indices: int64, either `[values]` (flat, row-major) or `[values, rank]`; ascending.
func densified(values: HostTensor, indices: HostTensor, shape: [Int]) throws -> HostTensor {
    guard let count = elementCount(shape), let size = values.dataType.byteCount(of: count) else {
        throw ONNXError.invalid("its shape \(shape) has more elements than can be counted")
    }
    guard values.dataType.bits >= 8 else { throw ONNXError.unsupported("sparse tensors of type \(values.dataType.name) are not supported") }
    guard size <= largestDenseForm else {
        throw ONNXError.unsupported("its dense form would take \(size) bytes, more than \(largestDenseForm)")
    }
    guard values.shape.count == 1, indices.dataType == .int64 else {
        throw ONNXError.invalid("its values must have rank 1 and its indices type int64")
    }
    let flat = try flatIndices(indices, values: values.count, shape: shape)
    for (index, next) in zip(flat, flat.dropFirst()) where next <= index {
        throw ONNXError.invalid("its indices are not in ascending order")
    }
    if let last = flat.last, last >= count { throw ONNXError.invalid("its index \(last) is outside the shape \(shape)") }
    let width = values.dataType.bits / 8
    return try HostTensor(values.dataType, shape) { target in
        for (position, index) in flat.enumerated() {
            let element = UnsafeRawBufferPointer(rebasing: values.bytes[position * width..<(position + 1) * width])
            UnsafeMutableRawBufferPointer(rebasing: target[index * width..<(index + 1) * width]).copyMemory(from: element)
        }
    }
}

private func flatIndices(_ indices: HostTensor, values: Int, shape: [Int]) throws -> [Int] {
    let numbers = indices.elements(as: Int64.self).map(Int.init)
    if let negative = numbers.first(where: { $0 < 0 }) { throw ONNXError.invalid("its index \(negative) is negative") }
    if indices.shape == [values] { return numbers }
    guard indices.shape == [values, shape.count] else {
        throw ONNXError.invalid("its indices have shape \(indices.shape), which fits neither [\(values)] nor [\(values), \(shape.count)]")
    }
    let strides = denseStrides(shape)
    return try (0..<values).map { row in
        var flat = 0
        for (axis, size) in shape.enumerated() {
            let index = numbers[row * shape.count + axis]
            guard index < size else { throw ONNXError.invalid("its index \(index) is outside dimension \(axis) of size \(size)") }
            flat += index * strides[axis]
        }
        return flat
    }
}

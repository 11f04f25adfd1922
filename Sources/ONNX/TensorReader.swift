// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tensors

/// Makes host tensors of the tensor messages of one file. Elements that lie in the file as they are needed are viewed, not copied.
final class TensorReader {
    private let source: ModelSource
    private let external: ExternalData

    init(source: ModelSource) {
        self.source = source
        external = ExternalData(folder: source.folder)
    }

    /// - Parameter what: The tensor's place in the model, for messages: `initialiser 'w'`.
    func tensor(_ proto: Onnx_TensorProto, _ what: @autoclosure () -> String) throws(ONNXError) -> HostTensor {
        do {
            return try tensor(proto)
        } catch {
            switch error {
            case .invalid(let reason): throw .invalid("\(what()): \(reason)")
            case .unsupported(let reason): throw .unsupported("\(what()): \(reason)")
            default: throw error
            }
        }
    }

    /// The dense form of a sparse tensor.
    func tensor(_ proto: Onnx_SparseTensorProto, _ what: @autoclosure () -> String) throws(ONNXError) -> HostTensor {
        let place = what()
        let values = try tensor(proto.values, "the values of \(place)")
        let indices = try tensor(proto.indices, "the indices of \(place)")
        do {
            return try densified(values: values, indices: indices, shape: checkedShape(proto.dims))
        } catch let error as ONNXError {
            if case .unsupported(let reason) = error { throw .unsupported("\(place): \(reason)") }
            throw .invalid("\(place): \(error)")
        } catch { throw .invalid("\(place): \(error)") }
    }

    private func tensor(_ proto: Onnx_TensorProto) throws(ONNXError) -> HostTensor {
        guard let type = try dataType(number: proto.dataType) else { throw .invalid("it has no data type") }
        guard !proto.hasSegment else { throw .unsupported("it is stored in segments") }
        let shape = try checkedShape(proto.dims)
        guard let count = elementCount(shape) else { throw .invalid("its shape \(shape) has more elements than can be counted") }
        do {
            if proto.dataLocation == .external {
                guard type != .string else { throw ONNXError.invalid("strings cannot be external data") }
                guard let size = type.byteCount(of: count) else {
                    throw ONNXError.invalid("its shape \(shape) has more bytes than can be counted")
                }
                let (bytes, owner) = try external.bytes(entries: proto.externalData, expected: size)
                return try HostTensor(type, shape, viewing: bytes, owner: owner)
            }
            return try elements(of: proto, type: type, shape: shape, count: count)
        } catch let error as ONNXError {
            throw error
        } catch { throw .invalid("\(error)") }
    }

    private func elements(of proto: Onnx_TensorProto, type: DataType, shape: [Int], count: Int) throws -> HostTensor {
        var fields: Set<ElementField> = []
        var payload: PayloadReference?
        if proto.hasRawData {
            guard let reference = PayloadReference(proto.rawData), reference.range.upperBound <= source.bytes.count else {
                throw ONNXError.invalid("its raw data cannot be found")
            }
            payload = reference
            switch reference.field {
            case .raw: fields.insert(.raw)
            case .floats: fields.insert(.floats)
            case .doubles: fields.insert(.doubles)
            case .several: throw ONNXError.invalid("it has more than one data field")
            }
        }
        if !proto.floatData.isEmpty { fields.insert(.floats) }
        if !proto.int32Data.isEmpty { fields.insert(.int32s) }
        if !proto.int64Data.isEmpty { fields.insert(.int64s) }
        if !proto.uint64Data.isEmpty { fields.insert(.uint64s) }
        if !proto.doubleData.isEmpty { fields.insert(.doubles) }
        if !proto.stringData.isEmpty { fields.insert(.strings) }
        guard fields.count <= 1, payload == nil || proto.floatData.isEmpty && proto.doubleData.isEmpty else {
            throw ONNXError.invalid("it has more than one data field")
        }
        guard let field = fields.first else {
            guard count == 0 else { throw ONNXError.invalid("its shape \(shape) asks for \(count) elements, but it has no data") }
            return type == .string ? try HostTensor(strings: [], shape: shape) : try HostTensor(type, shape)
        }
        guard field == ElementField(for: type) || field == .raw && type != .string else {
            throw ONNXError.invalid("elements of type \(type.name) cannot stand in \(field.rawValue)")
        }
        if let payload {
            return try HostTensor(type, shape, viewing: UnsafeRawBufferPointer(rebasing: source.bytes[payload.range]), owner: source.owner)
        }
        switch field {
        case .floats: return try made(proto.floatData, type, shape)
        case .doubles: return try made(proto.doubleData, type, shape)
        case .int64s: return try made(proto.int64Data, type, shape)
        case .uint64s:
            return type == .uint64 ? try made(proto.uint64Data, type, shape) : try narrowed(proto.uint64Data, UInt32.self, type, shape)
        case .strings: return try HostTensor(strings: proto.stringData.map { try text($0) }, shape: shape)
        case .int32s, .raw:
            switch type.bits {
            case 32: return try made(proto.int32Data, type, shape)
            case 16: return try narrowed(proto.int32Data, UInt16.self, type, shape)
            default: return try narrowed(proto.int32Data, UInt8.self, type, shape)
            }
        }
    }

    /// Counts before it allocates: a shape is a few bytes of a file and may ask for anything.
    private func made<Element: BitwiseCopyable>(_ elements: [Element], _ type: DataType, _ shape: [Int]) throws -> HostTensor {
        let size = elements.count * MemoryLayout<Element>.stride
        guard let expected = elementCount(shape).flatMap(type.byteCount), size == expected else {
            throw ONNXError.invalid("its shape \(shape) does not fit the \(elements.count) numbers of its data")
        }
        return try HostTensor(type, shape, elements)
    }

    /// Elements kept in a wider field; both signed and unsigned readings of the narrow type are taken.
    private func narrowed<Wide: FixedWidthInteger, Narrow: FixedWidthInteger & BitwiseCopyable>(
        _ values: [Wide], _: Narrow.Type, _ type: DataType, _ shape: [Int]
    ) throws -> HostTensor {
        let lowest = Wide.isSigned ? -(1 << (Wide(Narrow.bitWidth) - 1)) : 0
        let highest = Wide(Narrow.max)
        let elements = try values.map { value in
            guard value >= lowest, value <= highest else { throw ONNXError.invalid("\(value) is no element of type \(type.name)") }
            return Narrow(truncatingIfNeeded: value)
        }
        return try made(elements, type, shape)
    }
}

/// The fields of `TensorProto` that may hold the elements.
private enum ElementField: String {
    case raw = "raw_data"
    case floats = "float_data"
    case int32s = "int32_data"
    case int64s = "int64_data"
    case uint64s = "uint64_data"
    case doubles = "double_data"
    case strings = "string_data"

    /// The typed field that ONNX has for a type.
    init(for type: DataType) {
        switch type {
        case .float32, .complex64: self = .floats
        case .float64, .complex128: self = .doubles
        case .int64: self = .int64s
        case .uint32, .uint64: self = .uint64s
        case .string: self = .strings
        default: self = .int32s
        }
    }
}

/// The data type that ONNX numbers so; nil for "undefined".
func dataType(number: Int32) throws(ONNXError) -> DataType? {
    if number == 0 { return nil }
    guard number > 0, let type = DataType(rawValue: UInt32(number)) else {
        throw .unsupported("data type number \(number) is not known here")
    }
    return type
}

/// Text of a byte field.
func text(_ data: Data) throws(ONNXError) -> String {
    guard let string = String(validating: data, as: UTF8.self) else { throw .invalid("a string is not UTF-8") }
    return string
}

func checkedShape(_ dimensions: [Int64]) throws(ONNXError) -> [Int] {
    if let negative = dimensions.first(where: { $0 < 0 }) { throw .invalid("its shape has the negative dimension \(negative)") }
    return dimensions.map(Int.init)
}

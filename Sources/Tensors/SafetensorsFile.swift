// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// A file of named tensors in the safetensors format: eight bytes with the header's length, a JSON header, the elements. Read whole and checked before
/// anything is handed out: nothing in a damaged or hostile file can lead outside it.
package struct SafetensorsFile: Sendable {
    package struct Entry: Sendable {
        /// As the format writes it: `F32`, `BF16`, `I64`.
        package let elementType: String
        package let shape: [Int]
        fileprivate let range: Range<Int>
    }

    package let entries: [String: Entry]
    private let data: Data

    /// Headers longer than this are refused, as the format's own library does.
    private static let longestHeader = 100 << 20

    package init(path: String) throws(TensorError) {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) } catch {
            throw TensorError("\(path) cannot be read: \(error.localizedDescription)")
        }
        try self.init(data: data, source: path)
    }

    /// - Parameter source: named in errors.
    package init(data: Data, source: String) throws(TensorError) {
        func damaged(_ reason: String) -> TensorError { TensorError("\(source) is not a safetensors file, or damaged: \(reason)") }
        guard data.count >= 8 else { throw damaged("it has \(data.count) bytes") }
        let length = data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(Self.longestHeader), Int(length) <= data.count - 8 else {
            throw damaged("its header would be \(length) bytes long")
        }
        struct Fields: Decodable {
            var dtype: String?
            var shape: [Int]?
            var dataOffsets: [Int]?
            enum CodingKeys: String, CodingKey {
                case dtype, shape
                case dataOffsets = "data_offsets"
            }
        }
        let start = 8 + Int(length)
        guard let header = try? JSONDecoder().decode([String: Fields].self, from: data.dropFirst(8).prefix(Int(length))) else {
            throw damaged("its header is not a JSON object of tensors")
        }
        var entries: [String: Entry] = [:]
        for (name, fields) in header where name != "__metadata__" {
            guard let elementType = fields.dtype, let shape = fields.shape, let offsets = fields.dataOffsets, offsets.count == 2 else {
                throw damaged("tensor '\(name)' lacks dtype, shape or data_offsets")
            }
            guard offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= data.count - start else {
                throw damaged("tensor '\(name)' lies at \(offsets), outside the file")
            }
            guard let type = DataType(safetensors: elementType) else {
                throw damaged("tensor '\(name)' has the unknown type '\(elementType)'")
            }
            guard let count = elementCount(shape), type.byteCount(of: count) == offsets[1] - offsets[0] else {
                throw damaged("tensor '\(name)' of type \(elementType) and shape \(shape) cannot have \(offsets[1] - offsets[0]) bytes")
            }
            entries[name] = Entry(elementType: elementType, shape: shape, range: start + offsets[0]..<start + offsets[1])
        }
        var end = start
        for entry in entries.values.sorted(by: { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) })
        {
            guard entry.range.lowerBound == end else { throw damaged("its tensors overlap or leave a gap") }
            end = entry.range.upperBound
        }
        guard end == data.count else { throw damaged("\(data.count - end) bytes belong to no tensor") }
        self.entries = entries
        self.data = data
    }

    /// A tensor by its name.
    /// - Parameters:
    ///   - dataType: for types that the format lacks: the bytes of a `U8` tensor are taken as such elements.
    ///   - shape: the real shape then.
    package func tensor(_ name: String, as dataType: DataType? = nil, shape: [Int]? = nil) throws(TensorError) -> HostTensor {
        guard let entry = entries[name] else { throw TensorError("there is no tensor '\(name)'") }
        let stored = DataType(safetensors: entry.elementType)!
        let type = dataType ?? stored
        guard type == stored || stored == .uint8 else { throw TensorError("tensor '\(name)' is \(stored.name), not \(type.name)") }
        do {
            return try HostTensor(
                type, shape ?? entry.shape,
                bytes: data[data.startIndex..<data.endIndex].dropFirst(entry.range.lowerBound).prefix(entry.range.count))
        } catch {
            throw error as? TensorError ?? TensorError("tensor '\(name)': \(error)")
        }
    }
}

extension DataType {
    private static let safetensors: [String: DataType] = [
        "F64": .float64, "F32": .float32, "F16": .float16, "BF16": .bfloat16, "F8_E4M3": .float8e4m3fn, "F8_E5M2": .float8e5m2,
        "I64": .int64,
        "I32": .int32, "I16": .int16, "I8": .int8, "U64": .uint64, "U32": .uint32, "U16": .uint16, "U8": .uint8, "BOOL": .bool,
    ]

    fileprivate init?(safetensors name: String) {
        guard let type = Self.safetensors[name] else { return nil }
        self = type
    }
}

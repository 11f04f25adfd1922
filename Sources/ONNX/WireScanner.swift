// SPDX-License-Identifier: Apache-2.0

/// Walks serialised messages and leaves the elements of tensors where they are.
///
/// The result is a *skeleton*: the same message, a few kilobytes long however large the weights are, in which the `raw_data` of every
/// tensor is a `PayloadReference` into the original bytes. Packed `float_data` and `double_data` are little-endian elements as they
/// stand, so they are treated likewise.
struct WireScanner {
    /// The messages on the way from a model to its tensors.
    enum Message { case model, graph, node, attribute, tensor, sparseTensor, function }

    /// How deep messages may nest; swift-protobuf has the same limit.
    private static let depthLimit = 100

    let bytes: UnsafeRawBufferPointer

    /// The skeleton of `bytes`. Throws a sentence without a path.
    func skeleton(of message: Message) throws(MalformedMessage) -> [UInt8] {
        try skeleton(of: message, in: 0..<bytes.count, depth: 0)
    }

    private func skeleton(of message: Message, in range: Range<Int>, depth: Int) throws(MalformedMessage) -> [UInt8] {
        guard depth < Self.depthLimit else { throw MalformedMessage("messages nest deeper than \(Self.depthLimit) levels") }
        var output: [UInt8] = []
        var payload: PayloadReference?
        var position = range.lowerBound
        while position < range.upperBound {
            let start = position
            let key = try varint(at: &position, end: range.upperBound)
            let number = key >> 3
            guard number > 0 else { throw MalformedMessage("byte \(start) begins no field") }
            switch key & 7 {
            case 0: _ = try varint(at: &position, end: range.upperBound)
            case 1: try skip(8, at: &position, end: range.upperBound)
            case 5: try skip(4, at: &position, end: range.upperBound)
            case 2:
                let length = try varint(at: &position, end: range.upperBound)
                let content = position
                try skip(length, at: &position, end: range.upperBound)
                if let child = message.child(inField: number) {
                    let nested = try skeleton(of: child, in: content..<position, depth: depth + 1)
                    appendVarint(key, to: &output)
                    appendVarint(UInt64(nested.count), to: &output)
                    output += nested
                    continue
                }
                if message == .tensor, let field = PayloadReference.Field(number: number) {
                    if content == position { continue }
                    payload = PayloadReference(field: payload == nil ? field : .several, range: content..<position)
                    continue
                }
            default: throw MalformedMessage("the field at byte \(start) has wire type \(key & 7), which ONNX does not use")
            }
            output += bytes[start..<position]
        }
        if let payload {
            appendVarint(PayloadReference.key, to: &output)
            appendVarint(UInt64(PayloadReference.size), to: &output)
            payload.append(to: &output)
        }
        return output
    }

    private func varint(at position: inout Int, end: Int) throws(MalformedMessage) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: 0 as UInt64, to: 70, by: 7) {
            guard position < end else { throw MalformedMessage("it is cut short at byte \(position)") }
            let byte = bytes[position]
            position += 1
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
        }
        throw MalformedMessage("the number before byte \(position) has no end")
    }

    private func skip(_ length: UInt64, at position: inout Int, end: Int) throws(MalformedMessage) {
        guard length <= UInt64(end - position) else {
            throw MalformedMessage("the field before byte \(position) wants \(length) bytes where only \(end - position) are left")
        }
        position += Int(length)
    }
}

/// Bytes that are no message of ONNX.
struct MalformedMessage: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// Where the elements of a tensor lie, as it stands in the `raw_data` of a skeleton's tensor.
struct PayloadReference {
    /// The field of `TensorProto` that held them; raw values are its field numbers.
    enum Field: UInt8 {
        case floats = 4
        case raw = 9
        case doubles = 10
        /// More than one of them, or one in pieces: nothing to rely on.
        case several = 255

        fileprivate init?(number: UInt64) {
            switch number {
            case 4: self = .floats
            case 9: self = .raw
            case 10: self = .doubles
            default: return nil
            }
        }
    }

    /// Key of `raw_data`: field 9, length-delimited.
    static let key: UInt64 = 9 << 3 | 2
    static let size = 17

    let field: Field
    let range: Range<Int>

    init(field: Field, range: Range<Int>) {
        self.field = field
        self.range = range
    }

    /// Reads back what `append` wrote; nil for anything else.
    init?(_ encoded: some Collection<UInt8>) {
        let bytes = Array(encoded)
        guard bytes.count == Self.size, let field = Field(rawValue: bytes[0]) else { return nil }
        let numbers = bytes.withUnsafeBytes {
            ($0.loadUnaligned(fromByteOffset: 1, as: Int.self), $0.loadUnaligned(fromByteOffset: 9, as: Int.self))
        }
        guard numbers.0 <= numbers.1 else { return nil }
        self.init(field: field, range: numbers.0..<numbers.1)
    }

    func append(to output: inout [UInt8]) {
        output.append(field.rawValue)
        withUnsafeBytes(of: range.lowerBound) { output += $0 }
        withUnsafeBytes(of: range.upperBound) { output += $0 }
    }
}

extension WireScanner.Message {
    /// The message in a field of this one, if tensors may be below it. Numbers are those of the schema.
    fileprivate func child(inField number: UInt64) -> Self? {
        switch (self, number) {
        case (.model, 7): .graph
        case (.model, 25): .function
        case (.graph, 1), (.function, 7): .node
        case (.graph, 5), (.attribute, 5), (.attribute, 10), (.sparseTensor, 1), (.sparseTensor, 2): .tensor
        case (.graph, 15), (.attribute, 22), (.attribute, 23): .sparseTensor
        case (.node, 5), (.function, 11): .attribute
        case (.attribute, 6), (.attribute, 11): .graph
        default: nil
        }
    }
}

private func appendVarint(_ value: UInt64, to output: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
        output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
    }
    output.append(UInt8(rest))
}

// SPDX-License-Identifier: Apache-2.0

/// The head of a `.npy` file: a Python dictionary with the keys `descr`, `fortran_order` and `shape`.
struct NumpyHeader {
    /// NumPy's name of the element type with its byte order: `<f4`.
    var descriptor: String
    var isFortranOrder = false
    var shape: [Int]
    /// The type that the numbers really stand for, where NumPy has none for it.
    var standsFor: DataType?
    /// Where the elements begin, in bytes.
    var dataOffset = 0

    private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
    private static let note = "# southbridge: "

    init(descriptor: String, shape: [Int], standsFor: DataType?) {
        self.descriptor = descriptor
        self.shape = shape
        self.standsFor = standsFor
    }

    init(parsing bytes: UnsafeRawBufferPointer) throws(TensorError) {
        guard bytes.count >= 10, bytes[0..<6].elementsEqual(Self.magic) else { throw TensorError("not an .npy file") }
        guard (1...3).contains(bytes[6]) else { throw TensorError("version \(bytes[6]).\(bytes[7]) of the .npy format is not known here") }
        let start = bytes[6] == 1 ? 10 : 12
        guard bytes.count >= start else { throw TensorError("cut short within its header") }
        let length = bytes[8..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= bytes.count - start else { throw TensorError("cut short within its header") }
        dataOffset = start + length
        var parser = LiteralParser(text: String(decoding: bytes[start..<dataOffset], as: UTF8.self))
        guard let fields = parser.dictionary(), case .string(let descriptor)? = fields["descr"],
            case .bool(let order)? = fields["fortran_order"],
            case .integers(let shape)? = fields["shape"]
        else { throw TensorError("its header is not one of plain elements (structured and object arrays cannot be read)") }
        guard shape.count <= 64, elementCount(shape) != nil else { throw TensorError("its shape \(shape) has no number of elements") }
        self.descriptor = descriptor
        isFortranOrder = order
        self.shape = shape
        let rest = parser.rest
        if let marked = rest.firstRange(of: Self.note) {
            let name = rest[marked.upperBound...].prefix { !$0.isWhitespace }
            standsFor = DataType.allCases.first { $0.name == name }
        }
    }

    /// The head as bytes: version 1, padded so that the elements begin at a multiple of 64. Nil if it is too long for that version.
    var encoded: [UInt8]? {
        let dimensions = shape.map { "\($0), " }.joined()
        let order = isFortranOrder ? "True" : "False"
        var text = Array("{'descr': '\(descriptor)', 'fortran_order': \(order), 'shape': (\(dimensions)), }".utf8)
        if let standsFor { text += Array("  \(Self.note)\(standsFor.name)".utf8) }
        let padding = (64 - (10 + text.count + 1) % 64) % 64
        text += [UInt8](repeating: UInt8(ascii: " "), count: padding) + [UInt8(ascii: "\n")]
        guard let length = UInt16(exactly: text.count) else { return nil }
        return Self.magic + [1, 0, UInt8(length & 0xff), UInt8(length >> 8)] + text
    }
}

/// As much of Python's literals as the header of a plain array has.
private struct LiteralParser {
    enum Literal {
        case string(String)
        case bool(Bool)
        case integers([Int])
    }

    private var remaining: Substring
    var rest: Substring { remaining }

    init(text: String) { remaining = text[...] }

    mutating func dictionary() -> [String: Literal]? {
        guard take("{") else { return nil }
        var fields: [String: Literal] = [:]
        while !take("}") {
            guard let key = string(), take(":"), let value = literal() else { return nil }
            fields[key] = value
            if !take(",") {
                guard take("}") else { return nil }
                break
            }
        }
        return fields
    }

    private mutating func literal() -> Literal? {
        if let string = string() { return .string(string) }
        if take("True") { return .bool(true) }
        if take("False") { return .bool(false) }
        guard take("(") else { return nil }
        var integers: [Int] = []
        while !take(")") {
            skipSpaces()
            let digits = remaining.prefix { $0.isASCII && $0.isNumber }
            guard let integer = Int(digits) else { return nil }
            remaining = remaining[digits.endIndex...]
            // Python 2 wrote long integers as 3L.
            _ = take("L")
            integers.append(integer)
            if !take(",") {
                guard take(")") else { return nil }
                break
            }
        }
        return .integers(integers)
    }

    private mutating func string() -> String? {
        skipSpaces()
        guard let quote = remaining.first, quote == "'" || quote == "\"" else { return nil }
        let content = remaining.dropFirst().prefix { $0 != quote }
        guard content.endIndex < remaining.endIndex else { return nil }
        remaining = remaining[remaining.index(after: content.endIndex)...]
        return String(content)
    }

    private mutating func take(_ token: String) -> Bool {
        skipSpaces()
        guard remaining.hasPrefix(token) else { return false }
        remaining = remaining.dropFirst(token.count)
        return true
    }

    private mutating func skipSpaces() { remaining = remaining.drop { $0 == " " || $0 == "\n" || $0 == "\t" } }
}

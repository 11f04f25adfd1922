// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// A report or a log that cannot be read: what is wrong and where, in a sentence for a person.
package struct ReportReadError: Error, Equatable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// JSON as this project writes it: keys sorted, so that equal values give equal bytes; numbers that are
/// not finite as the strings `NaN`, `Infinity` and `-Infinity`.
package enum ReportJSON {
    /// On one line.
    package static func encode(_ value: some Encodable) throws -> Data {
        try encode(value, formatting: [.sortedKeys, .withoutEscapingSlashes])
    }

    /// Indented, with a line end after the last line: for files that people open.
    package static func encodeIndented(_ value: some Encodable) throws -> Data {
        var data = try encode(value, formatting: [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
        data.append(UInt8(ascii: "\n"))
        return data
    }

    /// - Parameter source: what is being read, for the error: a file name, `line 12`.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, from data: Data, source: String
    ) throws(ReportReadError) -> Value {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        do {
            return try decoder.decode(type, from: data)
        } catch let error as DecodingError {
            throw ReportReadError("\(source): \(sentence(error))")
        } catch {
            throw ReportReadError("\(source): \(error)")
        }
    }

    private static func encode(
        _ value: some Encodable, formatting: JSONEncoder.OutputFormatting
    ) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        return try encoder.encode(value)
    }

    private static func sentence(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context):
            "\(place(context.codingPath + [key])) is missing"
        case .valueNotFound(_, let context):
            "\(place(context.codingPath)) is null"
        case .typeMismatch(let type, let context):
            "\(place(context.codingPath)) is not of type \(type)"
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            "is not JSON"
        case .dataCorrupted(let context):
            "\(place(context.codingPath)): \(context.debugDescription)"
        @unknown default:
            "\(error)"
        }
    }

    /// `cases[3].status`
    private static func place(_ path: [any CodingKey]) -> String {
        var place = ""
        for key in path {
            if let index = key.intValue {
                place += "[\(index)]"
            } else {
                place += (place.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return place.isEmpty ? "the top level" : place
    }
}

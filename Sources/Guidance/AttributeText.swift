// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// An attribute as JSON has it: a number, a text or a list of these; a tensor or a graph as a word for it.
package enum AttributeText: Codable, Sendable {
    case int(Int64)
    case float(Float)
    case string(String)
    case ints([Int64])
    case floats([Float])
    case strings([String])

    init(_ attribute: Attribute) {
        switch attribute {
        case .int(let value): self = .int(value)
        case .float(let value): self = .float(value)
        case .string(let value): self = .string(value)
        case .ints(let values): self = .ints(values)
        case .floats(let values): self = .floats(values)
        case .strings(let values): self = .strings(values)
        case .tensor(let tensor): self = .string("tensor(\(tensor.dataType.name) \(tensor.shape))")
        case .graph: self = .string("graph")
        }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Int64.self) {
            self = .int(value)
        } else if let value = try? container.decode(Float.self) {
            self = .float(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let values = try? container.decode([Int64].self) {
            self = .ints(values)
        } else if let values = try? container.decode([Float].self) {
            self = .floats(values)
        } else {
            self = .strings(try container.decode([String].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .int(let value): try container.encode(value)
        case .float(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .ints(let values): try container.encode(values)
        case .floats(let values): try container.encode(values)
        case .strings(let values): try container.encode(values)
        }
    }

    package var text: String {
        switch self {
        case .int(let value): "\(value)"
        case .float(let value): "\(value)"
        case .string(let value): value
        case .ints(let values): "\(values)"
        case .floats(let values): "\(values)"
        case .strings(let values): "\(values)"
        }
    }
}

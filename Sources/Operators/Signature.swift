// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

extension Parameter {
    /// Reads `"(X: T, min?: T, rest: T...) -> (Y: T)"`. Signatures are constants of this module, so a malformed one is a programming error and traps.
    static func parse(signature: String, types: [String: TypeSet]) -> (inputs: [Parameter], outputs: [Parameter]) {
        let sides = signature.split(separator: "->").map { side in
            side.drop { " (".contains($0) }.prefix { $0 != ")" }.split(separator: ",").map { parse(parameter: $0, types: types) }
        }
        precondition(sides.count == 2, "signature '\(signature)' needs exactly one arrow")
        return (sides[0], sides[1])
    }

    private static func parse(parameter: Substring, types: [String: TypeSet]) -> Parameter {
        let parts = parameter.split(separator: ":").map { $0.filter { $0 != " " } }
        precondition(parts.count == 2, "parameter '\(parameter)' needs a name and a type")
        var (name, type) = (parts[0], parts[1])
        var arity = Arity.required
        if name.hasSuffix("?") {
            name.removeLast()
            arity = .optional
        }
        if type.hasSuffix("*"), let set = types[String(type.dropLast())] {
            return Parameter(name: name, arity: .variadic, typeVariable: nil, types: set)
        }
        if type.hasSuffix("...") {
            type.removeLast(3)
            arity = .variadic
        }
        if let set = types[type] { return Parameter(name: name, arity: arity, typeVariable: type, types: set) }
        guard let single = DataType.allCases.first(where: { $0.name == type }) else {
            preconditionFailure("type '\(type)' is neither a variable of the signature nor a data type")
        }
        return Parameter(name: name, arity: arity, typeVariable: nil, types: TypeSet(single))
    }
}

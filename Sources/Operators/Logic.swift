// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Comparisons, logical and bitwise operators of two inputs, and Where.
let logicOperators: [OperatorDefinition] = [
    comparison(
        "Equal", since: [1, 7, 11, 13, 19], types: [.numeric, .bool, TypeSet(.string)], { $0 == $1 }, { $0 == $1 }, strings: { $0 == $1 }),
    comparison("Greater", since: [1, 7, 9, 13], { $0 > $1 }, { $0 > $1 })
        .decomposing { g throws(OperatorError) in [try g.input(1).isLess(than: g.input(0))] },
    comparison("Less", since: [1, 7, 9, 13], { $0 < $1 }, { $0 < $1 }),
    comparison("GreaterOrEqual", since: [12, 16], { $0 >= $1 }, { $0 >= $1 })
        .decomposing { g throws(OperatorError) in
            let (a, b) = (try g.input(0), try g.input(1))
            return [try g("Or", b.isLess(than: a), g("Equal", a, b))]
        },
    comparison("LessOrEqual", since: [12, 16], { $0 <= $1 }, { $0 <= $1 })
        .decomposing { g throws(OperatorError) in
            let (a, b) = (try g.input(0), try g.input(1))
            return [try g("Or", a.isLess(than: b), g("Equal", a, b))]
        },
    binary("And", since: [1, 7], types: .bool, numericClass: .movement) { _ in PairFunction(integer: { $0 & $1 }) },
    binary("Or", since: [1, 7], types: .bool, numericClass: .movement) { _ in PairFunction(integer: { $0 | $1 }) },
    binary("Xor", since: [1, 7], types: .bool, numericClass: .movement) { _ in PairFunction(integer: { $0 ^ $1 }) }
        .decomposing { g throws(OperatorError) in [try g("Not", g("Equal", g.input(0), g.input(1)))] },
    binary("BitwiseAnd", since: [18], types: .integers, numericClass: .movement) { _ in PairFunction(integer: { $0 & $1 }) },
    binary("BitwiseOr", since: [18], types: .integers, numericClass: .movement) { _ in PairFunction(integer: { $0 | $1 }) },
    binary("BitwiseXor", since: [18], types: .integers, numericClass: .movement) { _ in PairFunction(integer: { $0 ^ $1 }) },
    bitShift,
    OperatorDefinition(
        "Where", since: [9, 16], "(condition: bool, X: T, Y: T) -> (output: T)", types: ["T": .any], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (x, y) = (try context.input(1), try context.input(2))
            return [.tensor(x.dataType, try broadcastOutput([try context.input(0).shape, x.shape, y.shape]))]
        },
        reference: { context throws(OperatorError) in
            let shape = context.output(0).shape
            let condition = try context.input(0).broadcast(to: shape).integers
            let (x, y) = (try context.input(1).broadcast(to: shape), try context.input(2).broadcast(to: shape))
            let elements: ReferenceTensor.Elements =
                switch (x.elements, y.elements) {
                case (.floats(let x), .floats(let y)): .floats(condition.indices.map { condition[$0] != 0 ? x[$0] : y[$0] })
                case (.integers(let x), .integers(let y)): .integers(condition.indices.map { condition[$0] != 0 ? x[$0] : y[$0] })
                case (.strings(let x), .strings(let y)): .strings(condition.indices.map { condition[$0] != 0 ? x[$0] : y[$0] })
                case (.complex(let x), .complex(let y)): .complex(x.indices.map { condition[$0 / 2] != 0 ? x[$0] : y[$0] })
                default: throw .invalid("X and Y must have the same type")
                }
            return [ReferenceTensor(x.dataType, shape, elements)]
        }
    ).sampled { context in
        let type = context.type
        return broadcastShapes(&context).map { Sample($0.name, [.init(.bool, $0.b), .init(type, $0.a), .init(type, $0.b)]) } + [
            Sample("condition-row", [.init(.bool, [31]), .init(type, [7, 31]), .init(type, [7, 1])])
        ]
    },
]

private func comparison(
    _ name: String, since: [Int], types: TypeSet = .numeric, _ floats: @escaping @Sendable (Double, Double) -> Bool,
    _ integers: @escaping @Sendable (Int64, Int64) -> Bool, strings: (@Sendable (String, String) -> Bool)? = nil
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: since, "(A: T, B: T) -> (C: bool)", types: ["T": types], attributes: legacyBroadcast, numericClass: .movement,
        infer: { context throws(OperatorError) in
            [.tensor(.bool, try pairShapes(try context.input(0).shape, try context.input(1).shape, context.attributes).output)]
        },
        reference: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            let shapes = try pairShapes(a.shape, b.shape, context.attributes)
            let values: [Int64]
            switch (a.elements, b.elements) {
            case (.floats(let left), .floats(let right)):
                values = broadcastMap(left, a.shape, right, shapes.b, shape: shapes.output) { floats($0, $1) ? 1 : 0 }
            case (.integers(let left), .integers(let right)):
                // With its highest bit turned, an unsigned number compares like a signed one.
                let turn: Int64 = a.dataType == .uint64 ? .min : 0
                values = broadcastMap(left, a.shape, right, shapes.b, shape: shapes.output) { integers($0 ^ turn, $1 ^ turn) ? 1 : 0 }
            case (.strings(let left), .strings(let right)):
                guard let strings else { throw .unsupported("\(name) is not defined for strings") }
                values = broadcastMap(left, a.shape, right, shapes.b, shape: shapes.output) { strings($0, $1) ? 1 : 0 }
            default: throw .unsupported("\(name) is not defined for \(a.dataType.name)")
            }
            return [ReferenceTensor(.bool, shapes.output, .integers(values))]
        }
    ).sampled(binarySamples)
}

/// Right shifts of signed types extend the sign; a negative amount, or one of the type's width and more, shifts everything out.
private let bitShift = OperatorDefinition(
    "BitShift", since: [11, 28], "(X: T, Y: T) -> (Z: T)", types: ["T": .integers], attributes: ["direction": .required(.string)],
    numericClass: .movement,
    infer: { context throws(OperatorError) in
        guard let direction = context.attributes.string("direction"), direction == "LEFT" || direction == "RIGHT" else {
            throw .invalid("attribute 'direction' must be 'LEFT' or 'RIGHT'")
        }
        let (x, y) = (try context.input(0), try context.input(1))
        return [.tensor(x.dataType, try broadcastOutput([x.shape, y.shape]))]
    },
    reference: { context throws(OperatorError) in
        let (x, y) = (try context.input(0), try context.input(1))
        let width = UInt64(x.dataType.bits)
        let function =
            context.attributes.string("direction") == "LEFT"
            ? PairFunction(integer: { UInt64(bitPattern: $1) < width ? $0 << $1 : 0 })
            : PairFunction(
                integer: { $0 >> (UInt64(bitPattern: $1) < width ? $1 : 63) }, unsigned: { $1 < width ? $0 >> $1 : 0 })
        return [try function.apply(x, y, shape: context.output(0).shape)]
    }
).sampled { context in
    let type = context.type
    let most = Double(type.bits)
    return broadcastShapes(&context).flatMap { name, a, b, _ in
        ["LEFT", "RIGHT"].map {
            Sample("\($0.lowercased())-\(name)", [.init(type, a), .init(type, b, .data(0...most))], ["direction": .string($0)])
        }
    }
}

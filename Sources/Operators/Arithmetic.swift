import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Arithmetic on two or more tensors with broadcasting.
let arithmeticOperators: [OperatorDefinition] = [
    binary("Add", since: [1, 6, 7, 13, 14], types: .numeric, numericClass: .arithmetic) { _ in
        PairFunction(float: { $0 + $1 }, integer: { $0 &+ $1 })
    }
    .differentiated { g, given throws(OperatorError) in
        let dy = try given.gradient()
        return [try dy.summed(to: g.input(0).shape), try dy.summed(to: g.input(1).shape)]
    },
    binary("Sub", since: [1, 6, 7, 13, 14], types: .numeric, numericClass: .arithmetic) { _ in
        PairFunction(float: { $0 - $1 }, integer: { $0 &- $1 })
    }
    .decomposing { g throws(OperatorError) in [try g.input(0) + -g.input(1)] }
    .differentiated { g, given throws(OperatorError) in
        let dy = try given.gradient()
        return [try dy.summed(to: g.input(0).shape), try -dy.summed(to: g.input(1).shape)]
    },
    binary("Mul", since: [1, 6, 7, 13, 14], types: .numeric, numericClass: .arithmetic) { _ in
        PairFunction(float: { $0 * $1 }, integer: { $0 &* $1 })
    }
    .differentiated { g, given throws(OperatorError) in
        let (a, b, dy) = (try g.input(0), try g.input(1), try given.gradient())
        return [try (dy * b).summed(to: a.shape), try (dy * a).summed(to: b.shape)]
    },
    // Integers truncate; division by zero gives 0, minimum / −1 wraps.
    binary("Div", since: [1, 6, 7, 13, 14], types: .numeric, numericClass: .division) { _ in
        PairFunction(
            float: { $0 / $1 }, integer: { $1 == 0 ? 0 : $0.dividedReportingOverflow(by: $1).partialValue },
            unsigned: { $1 == 0 ? 0 : $0 / $1 })
    }
    .differentiated { g, given throws(OperatorError) in
        let (a, b) = (try g.input(0), try g.input(1))
        let share = try given.gradient() / b
        return [try share.summed(to: a.shape), try -(share * given.output()).summed(to: b.shape)]
    },
    binary("Mod", since: [10, 13, 28], types: .numeric, attributes: ["fmod": .int(0)], numericClass: .arithmetic) { attributes in
        attributes.flag("fmod")
            ? PairFunction(float: { fmod($0, $1) }, integer: truncatingRemainder, unsigned: { $1 == 0 ? 0 : $0 % $1 })
            : PairFunction(float: flooringRemainder, integer: flooringRemainder, unsigned: { $1 == 0 ? 0 : $0 % $1 })
    }
    .sampled { context in
        // Only integers may leave fmod at 0.
        let (type, mode) = (context.type, context.type.isFloat ? Int64(1) : 0)
        return broadcastShapes(&context).flatMap { name, a, b, _ in
            (mode == 1 ? [Int64(1)] : [0, 1]).map { fmod in
                Sample("\(fmod == 1 ? "truncating" : "flooring")-\(name)", [.init(type, a), .init(type, b)], ["fmod": .int(fmod)])
            }
        }
    },
    power,
    variadic("Max", since: [1, 6, 8, 12, 13], types: .numeric, numericClass: .movement) {
        PairFunction(float: propagatingMaximum, integer: { max($0, $1) }, unsigned: { max($0, $1) })
    }
    .decomposing { g throws(OperatorError) in [try extremes(g, "Max", "GreaterOrEqual")] },
    variadic("Min", since: [1, 6, 8, 12, 13], types: .numeric, numericClass: .movement) {
        PairFunction(float: propagatingMinimum, integer: { min($0, $1) }, unsigned: { min($0, $1) })
    }
    .decomposing { g throws(OperatorError) in [try extremes(g, "Min", "LessOrEqual")] },
    variadic("Sum", since: [1, 6, 8, 13], types: .floats, numericClass: .sum) { PairFunction(float: { $0 + $1 }) }
        .decomposing { g throws(OperatorError) in [try total(g)] },
    variadic("Mean", since: [1, 6, 8, 13], types: .floats, numericClass: .sum, finish: { $0 / Double($1) }) {
        PairFunction(float: { $0 + $1 })
    }
    .decomposing { g throws(OperatorError) in [try total(g) / Double(g.inputCount)] },
]

// MARK: Parts of decompositions

private func total(_ g: FragmentBuilder) throws(OperatorError) -> Term {
    var sum = try g.wide(0)
    for index in 1..<max(g.inputCount, 1) { sum = try sum + g.wide(index) }
    return sum
}

/// Pair by pair; a pair by comparison. NaN stays on either side: on the left it is asked for, on the right it loses no comparison.
private func extremes(_ g: FragmentBuilder, _ name: String, _ comparison: String) throws(OperatorError) -> Term {
    var result = try g.input(0)
    if g.inputCount == 2 {
        let other = try g.input(1)
        var takesLeft = try g(comparison, result, other)
        if result.type.dataType.isFloat { takesLeft = try g("Or", takesLeft, g("IsNaN", result)) }
        return try takesLeft.choose(result, other)
    }
    for index in 1..<max(g.inputCount, 1) { result = try g(name, result, g.input(index)) }
    return result
}

/// What a binary operator does to one pair of elements, by kind of type. `unsigned` sees uint64, where `integer` would misread the sign.
struct PairFunction {
    var float: ((Double, Double) -> Double)?
    var integer: ((Int64, Int64) -> Int64)?
    var unsigned: ((UInt64, UInt64) -> UInt64)?

    /// The result has the first operand's type; both are broadcast to `shape`.
    func apply(_ a: ReferenceTensor, _ b: ReferenceTensor, shape: [Int]) throws(OperatorError) -> ReferenceTensor {
        switch (a.elements, b.elements, float, integer) {
        case (.floats(let left), .floats(let right), let float?, _):
            return ReferenceTensor(a.dataType, shape, .floats(broadcastMap(left, a.shape, right, b.shape, shape: shape, float)))
        case (.integers(let left), .integers(let right), _, let integer?):
            guard a.dataType == .uint64, let unsigned else {
                return ReferenceTensor(a.dataType, shape, .integers(broadcastMap(left, a.shape, right, b.shape, shape: shape, integer)))
            }
            let values = broadcastMap(left, a.shape, right, b.shape, shape: shape) {
                Int64(bitPattern: unsigned(UInt64(bitPattern: $0), UInt64(bitPattern: $1)))
            }
            return ReferenceTensor(a.dataType, shape, .integers(values))
        default: throw .unsupported("the operator is not defined for \(a.dataType.name) and \(b.dataType.name)")
        }
    }
}

/// An operator of two inputs of one type, which the output has too, with broadcasting.
func binary(
    _ name: String, since: [Int], types: TypeSet, attributes: [String: AttributeRule] = [:], numericClass: NumericClass,
    _ function: @escaping @Sendable (NodeAttributes) throws(OperatorError) -> PairFunction
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: since, "(A: T, B: T) -> (C: T)", types: ["T": types],
        attributes: attributes.merging(legacyBroadcast) { own, _ in own },
        numericClass: numericClass,
        infer: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            return [.tensor(a.dataType, try pairShapes(a.shape, b.shape, context.attributes).output)]
        },
        reference: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            let shapes = try pairShapes(a.shape, b.shape, context.attributes)
            return [try function(context.attributes).apply(a, b.reshaped(shapes.b), shape: shapes.output)]
        }
    ).sampled(binarySamples)
}

/// Attributes of binary operators before version 7.
let legacyBroadcast: [String: AttributeRule] = ["axis": .optional(.int), "broadcast": .int(0)]

/// The output's shape, and B's shape as it is to be broadcast: before version 7 B is placed into A at `axis` (by default at the end), and
/// only if `broadcast` says so.
func pairShapes(_ a: [Int], _ b: [Int], _ attributes: NodeAttributes) throws(OperatorError) -> (b: [Int], output: [Int]) {
    guard attributes.version < 7 else { return (b, try broadcastOutput([a, b])) }
    if a == b { return (b, a) }
    guard attributes.flag("broadcast") else { throw .invalid("shapes \(a) and \(b) differ, and attribute 'broadcast' is not set") }
    let axis = try attributes.int("axis").map { axis throws(OperatorError) in try normalizedAxis(axis, rank: a.count) } ?? a.count - b.count
    guard axis >= 0, axis + b.count <= a.count else { throw .invalid("B of shape \(b) does not fit into A of shape \(a) at axis \(axis)") }
    let placed = b + [Int](repeating: 1, count: a.count - axis - b.count)
    guard broadcastShape([a, placed]) == a else { throw .invalid("B of shape \(b) cannot be broadcast to A of shape \(a) at axis \(axis)") }
    return (placed, a)
}

/// An operator of one or more inputs of one type, folded from the left with broadcasting.
private func variadic(
    _ name: String, since: [Int], types: TypeSet, numericClass: NumericClass,
    finish: (@Sendable (Double, Int) -> Double)? = nil, _ function: @escaping @Sendable () -> PairFunction
) -> OperatorDefinition {
    OperatorDefinition(
        name, since: since, "(data: T...) -> (result: T)", types: ["T": types], numericClass: numericClass,
        infer: { context throws(OperatorError) in
            let first = try context.input(0)
            let shapes = context.inputs.compactMap { $0?.shape }
            if context.version < 8, let other = shapes.first(where: { $0 != first.shape }) {
                throw .invalid("before version 8 all inputs must have the same shape, not \(first.shape) and \(other)")
            }
            return [.tensor(first.dataType, try broadcastOutput(shapes))]
        },
        reference: { context throws(OperatorError) in
            let shape = context.output(0).shape
            var result = try context.input(0).broadcast(to: shape)
            let pair = function()
            for case let other? in context.inputs.dropFirst() { result = try pair.apply(result, other, shape: shape) }
            if let finish {
                let count = context.inputs.count
                result.elements = .floats(result.floats.map { finish($0, count) })
            }
            return [result]
        }
    ).sampled(variadicSamples).summing { $0.inputs.count }
}

@Sendable private func truncatingRemainder(_ a: Int64, _ b: Int64) -> Int64 {
    b == 0 ? 0 : a.remainderReportingOverflow(dividingBy: b).partialValue
}

@Sendable private func flooringRemainder(_ a: Int64, _ b: Int64) -> Int64 {
    let remainder = truncatingRemainder(a, b)
    return remainder != 0 && (remainder < 0) != (b < 0) ? remainder &+ b : remainder
}

@Sendable private func flooringRemainder(_ a: Double, _ b: Double) -> Double {
    let remainder = fmod(a, b)
    if remainder == 0 { return Double(signOf: b, magnitudeOf: 0) }
    return (remainder < 0) != (b < 0) ? remainder + b : remainder
}

/// Base and exponent may have different types from version 12 on; the output has the base's.
private let power = OperatorDefinition(
    "Pow", since: [1, 7, 12, 13, 15], "(X: T, Y: T1) -> (Z: T)", types: ["T": [.floats, .indices], "T1": .numeric],
    attributes: legacyBroadcast, numericClass: .transcendental,
    infer: { context throws(OperatorError) in
        let (x, y) = (try context.input(0), try context.input(1))
        return [.tensor(x.dataType, try pairShapes(x.shape, y.shape, context.attributes).output)]
    },
    reference: { context throws(OperatorError) in
        let (x, y) = (try context.input(0), try context.input(1))
        let shapes = try pairShapes(x.shape, y.shape, context.attributes)
        if case .integers(let bases) = x.elements, case .integers(let exponents) = y.elements {
            let isUnsigned = y.dataType == .uint64
            let values = broadcastMap(bases, x.shape, exponents, shapes.b, shape: shapes.output) { base, exponent in
                exponent < 0 && !isUnsigned ? reciprocalPower(base, exponent) : wrappingPower(base, UInt64(bitPattern: exponent))
            }
            return [ReferenceTensor(x.dataType, shapes.output, .integers(values))]
        }
        let values = broadcastMap(x.floats, x.shape, y.floats, shapes.b, shape: shapes.output) { pow($0, $1) }
        if x.dataType.isFloat { return [ReferenceTensor(x.dataType, shapes.output, .floats(values))] }
        return [ReferenceTensor(x.dataType, shapes.output, .integers(values.map(x.dataType.integer(truncating:))))]
    }
).sampled { context in
    let type = context.type
    let shapes = broadcastShapes(&context)
    let base: Sample.Values = type.isFloat ? .data(0.05...20) : .data(-5...5)
    let exponent: Sample.Values = type.isFloat ? .data(-3...3) : .data(0...6)
    var samples = shapes.map { Sample($0.name, [.init(type, $0.a, base), .init(type, $0.b, exponent)], $0.attributes) }
    samples.append(Sample("any", [.init(type, [33, 31]), .init(type, [33, 31])]))
    for exponent in [0.0, 1, 2, 3, -1, 0.5] where type.isFloat || exponent >= 0 && exponent == exponent.rounded() {
        samples.append(
            Sample(
                "power-\(exponent)", [.init(type, [5, 33], base), .init(type, [], .exactly([exponent]))],
                context.version < 7 ? ["broadcast": .int(1)] : [:]))
    }
    if context.version >= 12 {
        let other: DataType = type == .float32 ? .int64 : .float32
        samples.append(Sample("mixed-types", [.init(type, [5, 33], base), .init(other, [5, 33], .integers(0...4))]))
    }
    return samples
}

private func wrappingPower(_ base: Int64, _ exponent: UInt64) -> Int64 {
    var (result, square, rest) = (Int64(1), base, exponent)
    while rest > 0 {
        if rest & 1 == 1 { result = result &* square }
        square = square &* square
        rest >>= 1
    }
    return result
}

/// An integer to a negative power, truncated: only ±1 gives something else than 0.
private func reciprocalPower(_ base: Int64, _ exponent: Int64) -> Int64 {
    base == 1 ? 1 : base == -1 ? (exponent & 1 == 0 ? 1 : -1) : 0
}

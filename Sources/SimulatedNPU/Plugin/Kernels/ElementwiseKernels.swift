// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Tensors

let floatTypes: [DataType] = [.float32, .float16, .bfloat16]
let signedTypes: [DataType] = [.int8, .int16, .int32, .int64]
let unsignedTypes: [DataType] = [.uint8, .uint16, .uint32, .uint64]
let integerTypes = signedTypes + unsignedTypes
let numberTypes = floatTypes + integerTypes
let vectorTypes = numberTypes + [.bool]

/// What kernels declare that use the vector unit's functions.
let approximateFunctions: sb_numerics = {
    var facts = sb_numerics()
    facts.size = MemoryLayout<sb_numerics>.size
    facts.function_error = NPU_VECTOR_FUNCTION_ERROR
    return facts
}()

/// A kernel of the vector unit: one function from a node to its phases.
func vectorKernel(
    _ operatorName: String, since: Int, until: Int = 0, types: [DataType], flags: KernelFlags = .deterministic, hostInputs: Set<Int> = [],
    numerics: sb_numerics? = nil, fusion: LoweredKernel.Fusion? = nil,
    _ lower: @escaping @Sendable (NodeView, inout VectorLowering) throws(Refusal) -> Void
) -> LoweredKernel {
    LoweredKernel(
        operatorName, since: since, until: until, types: types, flags: flags, hostInputs: hostInputs, numerics: numerics, fusion: fusion
    ) {
        node, profile throws(Refusal) in
        var lowering = VectorLowering()
        try lower(node, &lowering)
        return try lowering.build(profile)
    }
}

/// A kernel whose result is an expression of its inputs, element by element, broadcast to the output's shape.
func elementwiseKernel(
    _ operatorName: String, since: Int, until: Int = 0, types: [DataType], flags: KernelFlags = [.deterministic, .inPlace],
    numerics: sb_numerics? = nil,
    inputs count: Int? = nil, _ expression: @escaping @Sendable (NodeView, [Term]) throws(Refusal) -> Term
) -> LoweredKernel {
    LoweredKernel(
        operatorName, since: since, until: until, types: types, flags: flags.union(.layouts), numerics: numerics,
        fusion: .elementwise(inputs: count, expression), prefer: { node, profile in node.elementwiseLayouts(inputs: count, profile) }
    ) { node, profile throws(Refusal) in
        var lowering = VectorLowering()
        let y = try node.packed(output: 0, profile)
        var (accesses, terms): ([Access], [Term]) = ([], [])
        for index in 0..<(count ?? node.inputCount) {
            let x = try node.packed(input: index, profile)
            accesses.append(try lowering.input(index, x, strides: x.strides(in: y)))
            terms.append(.input(index, accesses[index].type))
        }
        let result = try expression(node, terms)
        let sizes = y.fractal?.sizes ?? y.shape
        lowering.add(VectorPhase(sizes, inputs: accesses, outputs: [(result, try lowering.output(0, y, strides: denseStrides(sizes)))]))
        return try lowering.build(profile)
    }
}

extension Operand {
    /// Strides by which an elementwise operation reads this operand while it goes through `result` as that lies in memory. In the chip's layout an operand is one value,
    /// one line of whole panels, or like the result.
    fileprivate func strides(in result: Operand) throws(Refusal) -> [Int] {
        guard let form = result.fractal else {
            try require(fractal == nil, .layout, "a packed operand of a row-major result")
            return try broadcastStrides(shape, to: result.shape)
        }
        if fractal == form && shape == result.shape { return denseStrides(form.sizes) }
        try require(fractal == nil && isLine(of: form, result.shape), .layout, "an operand that is not packed as the result is")
        return count == 1 ? [0, 0, 0, 0] : [0, form.width, 0, 1]
    }

    /// Whether it is the same for all rows, and can be read so beside a packed result.
    fileprivate func isLine(of form: Fractal, _ result: [Int]) -> Bool {
        guard shape.count <= result.count else { return false }
        return count == 1 || (count == form.columns && shape.last == form.columns && form.columns % form.width == 0)
    }
}

extension NodeView {
    /// All that has the result's shape in the chip's layout. Nil for a result that is no matrix, and where an operand could not stay as it is.
    fileprivate func elementwiseLayouts(inputs count: Int?, _ profile: Profile) -> LoweredKernel.Layouts? {
        guard let layout = profile.productLayout, let y = try? operand(output: 0), y.shape.count >= 2, y.count > 0,
            let form = profile.fractal(y.shape, layout)
        else { return nil }
        var inputs = [UInt32](repeating: 0, count: inputCount)
        for index in 0..<(count ?? inputCount) {
            guard let x = try? operand(input: index) else { return nil }
            if x.shape == y.shape && x.view.host == nil {
                inputs[index] = layout
            } else if !x.isLine(of: form, y.shape) {
                return nil
            }
        }
        guard inputs.contains(layout) else { return nil }
        return (inputs, [layout] + [UInt32](repeating: 0, count: outputCount - 1))
    }
}

// MARK: One input

private struct Function {
    let name: String
    let operation: npu_vector_operation
    let since: Int
    let types: [DataType]
    var isApproximate = false
}

private let functions: [Function] = [
    Function(name: "Abs", operation: NPU_V_ABSOLUTE, since: 6, types: numberTypes),
    Function(name: "Neg", operation: NPU_V_NEGATE, since: 6, types: floatTypes + signedTypes),
    Function(name: "Sign", operation: NPU_V_SIGN, since: 9, types: numberTypes),
    Function(name: "Floor", operation: NPU_V_FLOOR, since: 6, types: floatTypes),
    Function(name: "Ceil", operation: NPU_V_CEILING, since: 6, types: floatTypes),
    Function(name: "Round", operation: NPU_V_ROUND, since: 11, types: floatTypes),
    Function(name: "Not", operation: NPU_V_LOGICAL_NOT, since: 1, types: [.bool]),
    Function(name: "BitwiseNot", operation: NPU_V_BITWISE_NOT, since: 18, types: integerTypes),
    Function(name: "IsNaN", operation: NPU_V_IS_NAN, since: 9, types: floatTypes),
    Function(name: "Sqrt", operation: NPU_V_SQUARE_ROOT, since: 6, types: floatTypes),
    Function(name: "Exp", operation: NPU_V_EXP, since: 6, types: floatTypes, isApproximate: true),
    Function(name: "Log", operation: NPU_V_LOG, since: 6, types: floatTypes, isApproximate: true),
    Function(name: "Sin", operation: NPU_V_SIN, since: 7, types: floatTypes, isApproximate: true),
    Function(name: "Cos", operation: NPU_V_COS, since: 7, types: floatTypes, isApproximate: true),
    Function(name: "Tan", operation: NPU_V_TAN, since: 7, types: floatTypes, isApproximate: true),
    Function(name: "Asin", operation: NPU_V_ASIN, since: 7, types: floatTypes, isApproximate: true),
    Function(name: "Acos", operation: NPU_V_ACOS, since: 7, types: floatTypes, isApproximate: true),
    Function(name: "Atan", operation: NPU_V_ATAN, since: 7, types: floatTypes, isApproximate: true),
    Function(name: "Sinh", operation: NPU_V_SINH, since: 9, types: floatTypes, isApproximate: true),
    Function(name: "Cosh", operation: NPU_V_COSH, since: 9, types: floatTypes, isApproximate: true),
    Function(name: "Tanh", operation: NPU_V_TANH, since: 6, types: floatTypes, isApproximate: true),
    Function(name: "Asinh", operation: NPU_V_ASINH, since: 9, types: floatTypes, isApproximate: true),
    Function(name: "Acosh", operation: NPU_V_ACOSH, since: 9, types: floatTypes, isApproximate: true),
    Function(name: "Atanh", operation: NPU_V_ATANH, since: 9, types: floatTypes, isApproximate: true),
    Function(name: "Erf", operation: NPU_V_ERF, since: 9, types: floatTypes, isApproximate: true),
    Function(name: "Sigmoid", operation: NPU_V_SIGMOID, since: 6, types: floatTypes, isApproximate: true),
    Function(name: "Softplus", operation: NPU_V_SOFTPLUS, since: 1, types: floatTypes, isApproximate: true),
]

/// Results of another width than the input's cannot take its place.
private let predicates: Set = ["IsNaN"]

private let functionKernels = functions.map { function in
    elementwiseKernel(
        function.name, since: function.since, types: function.types,
        flags: predicates.contains(function.name) ? .deterministic : [.deterministic, .inPlace],
        numerics: function.isApproximate ? approximateFunctions : nil
    ) { _, x in .operation(function.operation, x[0]) }
}

// MARK: Two inputs

private let pairs: [(name: String, operation: npu_vector_operation, since: Int, types: [DataType], swaps: Bool)] = [
    ("Add", NPU_V_ADD, 7, numberTypes, false), ("Sub", NPU_V_SUBTRACT, 7, numberTypes, false),
    ("Mul", NPU_V_MULTIPLY, 7, numberTypes, false),
    ("Div", NPU_V_DIVIDE, 7, numberTypes, false), ("Equal", NPU_V_EQUAL, 7, vectorTypes, false),
    ("Less", NPU_V_LESS, 7, numberTypes, false),
    ("LessOrEqual", NPU_V_LESS_OR_EQUAL, 12, numberTypes, false), ("Greater", NPU_V_LESS, 7, numberTypes, true),
    ("GreaterOrEqual", NPU_V_LESS_OR_EQUAL, 12, numberTypes, true), ("And", NPU_V_AND, 7, [.bool], false),
    ("Or", NPU_V_OR, 7, [.bool], false),
    ("Xor", NPU_V_XOR, 7, [.bool], false), ("BitwiseAnd", NPU_V_AND, 18, integerTypes, false),
    ("BitwiseOr", NPU_V_OR, 18, integerTypes, false),
    ("BitwiseXor", NPU_V_XOR, 18, integerTypes, false),
]

private let comparisons: Set = ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]

private let pairKernels = pairs.map { pair in
    elementwiseKernel(
        pair.name, since: pair.since, types: pair.types,
        flags: comparisons.contains(pair.name) ? .deterministic : [.deterministic, .inPlace]
    ) { _, x in pair.swaps ? .operation(pair.operation, x[1], x[0]) : .operation(pair.operation, x[0], x[1]) }
}

private let otherKernels = [
    elementwiseKernel("Mod", since: 10, types: numberTypes) { node, x in
        .operation(node.int("fmod") ?? 0 != 0 ? NPU_V_REMAINDER : NPU_V_MODULO, x[0], x[1])
    },
    elementwiseKernel("Pow", since: 7, types: floatTypes + [.int32, .int64], numerics: approximateFunctions) { node, x throws(Refusal) in
        // A whole base with a fractional exponent would have to be exact beyond float32.
        try require(x[0].isFloat || !x[1].isFloat, .dataType, "an integer to the power of a float")
        return .operation(NPU_V_POWER, x[0], x[1])
    },
    elementwiseKernel("BitShift", since: 11, types: unsignedTypes) { node, x in
        .operation(node.string("direction") == "LEFT" ? NPU_V_SHIFT_LEFT : NPU_V_SHIFT_RIGHT, x[0], x[1])
    },
    elementwiseKernel("IsInf", since: 10, types: floatTypes, flags: .deterministic) { node, x throws(Refusal) in
        let (positive, negative) = (node.int("detect_positive") ?? 1 != 0, node.int("detect_negative") ?? 1 != 0)
        try require(positive || negative, .attribute, "neither infinity is looked for")
        return .operation(NPU_V_IS_INFINITE, x[0], parameter: positive && negative ? 0 : positive ? 1 : -1)
    },
    elementwiseKernel("Where", since: 9, types: vectorTypes, flags: .deterministic) { _, x in .select(x[0], x[1], x[2]) },
    elementwiseKernel("Reciprocal", since: 6, types: floatTypes) { _, x in 1 / x[0] },
    elementwiseKernel("Max", since: 8, types: numberTypes) { _, x in x.dropFirst().reduce(x[0]) { .max($0, $1) } },
    elementwiseKernel("Min", since: 8, types: numberTypes) { _, x in x.dropFirst().reduce(x[0]) { .min($0, $1) } },
    elementwiseKernel("Sum", since: 8, types: floatTypes) { _, x in x.dropFirst().reduce(x[0]) { $0 + $1 } },
    elementwiseKernel("Mean", since: 8, types: floatTypes) { _, x in x.dropFirst().reduce(x[0]) { $0 + $1 } / .constant(Double(x.count)) },
    elementwiseKernel("Cast", since: 6, types: vectorTypes, flags: .deterministic) { _, x in x[0] },
    elementwiseKernel("CastLike", since: 15, types: vectorTypes, flags: .deterministic, inputs: 1) { _, x in x[0] },
    vectorKernel("Clip", since: 6, types: numberTypes, flags: [.deterministic, .inPlace]) { node, lowering throws(Refusal) in
        let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
        var accesses = [try lowering.input(0, x)]
        var term = Term.input(0, accesses[0].type)
        // Limits are attributes first, then inputs.
        for (index, name) in [(1, "min"), (2, "max")] {
            let limit: Term
            if node.version < 11 {
                guard let value = node.float(name) else { continue }
                limit = .constant(Double(value))
            } else {
                guard node.input(index) != nil else { continue }
                let operand = try node.operand(input: index)
                accesses.append(try lowering.input(index, operand, strides: x.shape.map { _ in 0 }))
                limit = .input(accesses.count - 1, accesses[0].type)
            }
            term = index == 1 ? .max(term, limit) : .min(term, limit)
        }
        lowering.add(VectorPhase(x.shape, inputs: accesses, outputs: [(term, try lowering.output(0, y))]))
    },
]

let elementwiseKernels = functionKernels + pairKernels + otherKernels

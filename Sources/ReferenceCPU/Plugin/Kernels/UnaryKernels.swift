// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private struct UnaryOperator {
    let name: String
    let code: cpu_unary
    let since: Int
    let types: TypeSet
    /// Attributes that are the loop's parameters.
    var parameters: [String] = []
}

private let short = TypeSet(.float32, .float16, .bfloat16)
private let signed: TypeSet = [floats, signedIntegers]
private let all: TypeSet = [floats, integers]

private let unaryOperators = [
    UnaryOperator(name: "Abs", code: CPU_UNARY_ABS, since: 6, types: all),
    UnaryOperator(name: "Acos", code: CPU_UNARY_ACOS, since: 7, types: floats),
    UnaryOperator(name: "Acosh", code: CPU_UNARY_ACOSH, since: 9, types: floats),
    UnaryOperator(name: "Asin", code: CPU_UNARY_ASIN, since: 7, types: floats),
    UnaryOperator(name: "Asinh", code: CPU_UNARY_ASINH, since: 9, types: floats),
    UnaryOperator(name: "Atan", code: CPU_UNARY_ATAN, since: 7, types: floats),
    UnaryOperator(name: "Atanh", code: CPU_UNARY_ATANH, since: 9, types: floats),
    UnaryOperator(name: "BitwiseNot", code: CPU_UNARY_BITWISE_NOT, since: 18, types: integers),
    UnaryOperator(name: "Ceil", code: CPU_UNARY_CEIL, since: 6, types: floats),
    UnaryOperator(name: "Celu", code: CPU_UNARY_CELU, since: 12, types: floats, parameters: ["alpha"]),
    UnaryOperator(name: "Cos", code: CPU_UNARY_COS, since: 7, types: floats),
    UnaryOperator(name: "Cosh", code: CPU_UNARY_COSH, since: 9, types: floats),
    UnaryOperator(name: "Elu", code: CPU_UNARY_ELU, since: 6, types: floats, parameters: ["alpha"]),
    UnaryOperator(name: "Erf", code: CPU_UNARY_ERF, since: 9, types: floats),
    UnaryOperator(name: "Exp", code: CPU_UNARY_EXP, since: 6, types: floats),
    UnaryOperator(name: "Floor", code: CPU_UNARY_FLOOR, since: 6, types: floats),
    UnaryOperator(name: "HardSigmoid", code: CPU_UNARY_HARD_SIGMOID, since: 6, types: short, parameters: ["alpha", "beta"]),
    UnaryOperator(name: "HardSwish", code: CPU_UNARY_HARD_SWISH, since: 14, types: short),
    UnaryOperator(name: "LeakyRelu", code: CPU_UNARY_LEAKY_RELU, since: 6, types: floats, parameters: ["alpha"]),
    UnaryOperator(name: "Log", code: CPU_UNARY_LOG, since: 6, types: floats),
    UnaryOperator(name: "Mish", code: CPU_UNARY_MISH, since: 18, types: short),
    UnaryOperator(name: "Neg", code: CPU_UNARY_NEG, since: 6, types: signed),
    UnaryOperator(name: "Reciprocal", code: CPU_UNARY_RECIPROCAL, since: 6, types: floats),
    UnaryOperator(name: "Relu", code: CPU_UNARY_RELU, since: 6, types: signed),
    UnaryOperator(name: "Round", code: CPU_UNARY_ROUND, since: 11, types: floats),
    UnaryOperator(name: "Selu", code: CPU_UNARY_SELU, since: 6, types: floats, parameters: ["alpha", "gamma"]),
    UnaryOperator(name: "Shrink", code: CPU_UNARY_SHRINK, since: 9, types: floats, parameters: ["bias", "lambd"]),
    UnaryOperator(name: "Sigmoid", code: CPU_UNARY_SIGMOID, since: 6, types: floats),
    UnaryOperator(name: "Sign", code: CPU_UNARY_SIGN, since: 9, types: all),
    UnaryOperator(name: "Sin", code: CPU_UNARY_SIN, since: 7, types: floats),
    UnaryOperator(name: "Sinh", code: CPU_UNARY_SINH, since: 9, types: floats),
    UnaryOperator(name: "Softplus", code: CPU_UNARY_SOFTPLUS, since: 1, types: floats),
    UnaryOperator(name: "Softsign", code: CPU_UNARY_SOFTSIGN, since: 1, types: short),
    UnaryOperator(name: "Sqrt", code: CPU_UNARY_SQRT, since: 6, types: floats),
    UnaryOperator(name: "Swish", code: CPU_UNARY_SWISH, since: 24, types: short, parameters: ["alpha"]),
    UnaryOperator(name: "Tan", code: CPU_UNARY_TAN, since: 7, types: floats),
    UnaryOperator(name: "Tanh", code: CPU_UNARY_TANH, since: 6, types: floats),
    UnaryOperator(name: "ThresholdedRelu", code: CPU_UNARY_THRESHOLDED_RELU, since: 10, types: floats, parameters: ["alpha"]),
]

let unaryKernels: [TunedKernel] =
    unaryOperators.map { entry in
        TunedKernel(entry.name, since: entry.since, types: entry.types, flags: .elementwise) { node, device throws(Refusal) in
            let given = entry.parameters.map { Double(node.float($0) ?? 0) } + [0, 0]
            return try unary(entry.code, Limits(floats: (given[0], given[1])), node, device)
        }
    } + [
        TunedKernel("Gelu", since: 20, types: short, flags: .elementwise) { node, device throws(Refusal) in
            let form = node.string("approximate") ?? "none"
            try require(form == "none" || form == "tanh", .attribute, "approximate '\(form)'")
            return try unary(form == "none" ? CPU_UNARY_GELU : CPU_UNARY_GELU_TANH, Limits(), node, device)
        },
        TunedKernel("Clip", since: 6, types: all, flags: .elementwise) { node, device throws(Refusal) in
            var limits = Limits(floats: (-.infinity, .infinity), integers: try node.present(input: 0).type.clipLimits)
            if let low = node.float("min") { limits.floats.0 = Double(low) }
            if let high = node.float("max") { limits.floats.1 = Double(high) }
            limits.areInputs = true
            return try unary(CPU_UNARY_CLIP, limits, node, device)
        },
        TunedKernel("Not", since: 1, types: .bool, flags: .elementwise) { node, device throws(Refusal) in
            TunedKernel.Plan(kernel: PreparedQuestion(.not, count: try node.present(input: 0).view.count, device))
        },
        TunedKernel("IsNaN", since: 9, types: floats) { node, device throws(Refusal) in
            let x = try node.present(input: 0)
            return TunedKernel.Plan(kernel: PreparedQuestion(.isNaN(x.type.loopType!), count: x.view.count, device))
        },
        TunedKernel("IsInf", since: 10, types: floats) { node, device throws(Refusal) in
            let x = try node.present(input: 0)
            let (positive, negative) = (node.int("detect_positive") ?? 1 != 0, node.int("detect_negative") ?? 1 != 0)
            let question = PreparedQuestion.Question.isInfinite(x.type.loopType!, positive: positive, negative: negative)
            return TunedKernel.Plan(kernel: PreparedQuestion(question, count: x.view.count, device))
        },
    ]

/// The loop of an operator that can be a step of a fused one.
func elementwiseCode(unary name: String) -> cpu_unary? {
    name == "Clip" ? CPU_UNARY_CLIP : unaryOperators.first { $0.name == name }?.code
}

/// What the loop is told beside the data: attributes, or for Clip inputs 1 and 2 of the launch.
private struct Limits {
    var floats = (0.0, 0.0)
    var integers = (Int64(0), Int64(0))
    var areInputs = false
}

extension DataType {
    /// The smallest and the largest integer of the type, as the loops take them.
    fileprivate var clipLimits: (Int64, Int64) {
        switch kind {
        case .signedInteger: (-1 << Int64(bits - 1), (1 << Int64(bits - 1)) &- 1)
        case .unsignedInteger: (0, Int64(bitPattern: UInt64.max >> UInt64(64 - bits)))
        default: (0, 0)
        }
    }
}

private func unary(_ code: cpu_unary, _ limits: Limits, _ node: NodeView, _ device: CPUDevice) throws(Refusal) -> TunedKernel.Plan {
    let (view, type, shape) = try node.present(input: 0)
    let output = try node.present(output: 0)
    try require(output.shape == shape && output.type == type, .shape, "input and output differ")
    guard let loopType = type.loopType else { throw Refusal(.dataType, "no loop for \(type.name)") }
    let kernel = PreparedUnary(code, limits, loopType, count: view.count, device)
    try require(kernel.isKnown, .dataType, "no loop for \(type.name)")
    return TunedKernel.Plan(kernel: kernel)
}

private final class PreparedUnary: PreparedKernel {
    private struct Task {
        let code: cpu_unary
        let type: cpu_type
        let parameters: cpu_parameters
        let x, y: UnsafeMutableRawPointer

        @discardableResult
        func run(_ begin: Int, _ end: Int) -> Bool { cpu_elementwise(code, type, parameters, x, y, Int64(begin), Int64(end)) }
    }

    private let code: cpu_unary
    private let type: cpu_type
    private let limits: Limits
    private let count: Int
    private let pool: ThreadPool

    init(_ code: cpu_unary, _ limits: Limits, _ type: cpu_type, count: Int, _ device: CPUDevice) {
        self.code = code
        self.type = type
        self.limits = limits
        self.count = count
        pool = device.pool
    }

    private var isFloat: Bool { type.rawValue <= CPU_TYPE_BFLOAT16.rawValue }

    /// Whether there is a loop for the type: run on nothing, it says.
    var isKnown: Bool {
        let nowhere = UnsafeMutableRawPointer(bitPattern: 64)!
        return Task(code: code, type: type, parameters: parameters(limits), x: nowhere, y: nowhere).run(0, 0)
    }

    private func parameters(_ limits: Limits) -> cpu_parameters {
        var parameters = cpu_parameters()
        if isFloat { parameters.floats = limits.floats } else { parameters.integers = limits.integers }
        return parameters
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        var limits = limits
        if limits.areInputs && launch.hasInput(1) { read(try launch.input(1).hostElements(), &limits.floats.0, &limits.integers.0) }
        if limits.areInputs && launch.hasInput(2) { read(try launch.input(2).hostElements(), &limits.floats.1, &limits.integers.1) }
        let task = Task(
            code: code, type: type, parameters: parameters(limits), x: try launch.input(0).hostElements(),
            y: try launch.output(0).hostElements())
        pool.parallel(count, grain: elementGrain, with: task) { task, begin, end in
            task!.assumingMemoryBound(to: Task.self).pointee.run(begin, end)
        }
    }

    private func read(_ address: UnsafeMutableRawPointer, _ float: inout Double, _ integer: inout Int64) {
        if isFloat {
            cpu_cast(type, CPU_TYPE_FLOAT64, address, &float, 0, 1)
        } else {
            cpu_cast(type, CPU_TYPE_INT64, address, &integer, 0, 1)
        }
    }
}

/// A question about every element, answered in booleans.
private final class PreparedQuestion: PreparedKernel {
    enum Question {
        case not
        case isNaN(cpu_type)
        case isInfinite(cpu_type, positive: Bool, negative: Bool)
    }

    private struct Task {
        let question: Question
        let x, y: UnsafeMutableRawPointer
    }

    private let question: Question
    private let count: Int
    private let pool: ThreadPool

    init(_ question: Question, count: Int, _ device: CPUDevice) {
        self.question = question
        self.count = count
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(question: question, x: try launch.input(0).hostElements(), y: try launch.output(0).hostElements())
        pool.parallel(count, grain: elementGrain, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            switch task.question {
            case .not: cpu_not(task.x, task.y, Int64(begin), Int64(end))
            case .isNaN(let type): cpu_is_nan(type, task.x, task.y, Int64(begin), Int64(end))
            case .isInfinite(let type, let positive, let negative):
                cpu_is_infinite(type, positive, negative, task.x, task.y, Int64(begin), Int64(end))
            }
        }
    }
}

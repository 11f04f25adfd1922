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
    var first: String?
    var second: String?
}

private let real = TypeSet(.float32, .float64)
private let signed = TypeSet(.float32, .float64, .int32, .int64)

private let unaryOperators = [
    UnaryOperator(name: "Abs", code: CPU_UNARY_ABS, since: 6, types: signed),
    UnaryOperator(name: "Ceil", code: CPU_UNARY_CEIL, since: 6, types: real),
    UnaryOperator(name: "Erf", code: CPU_UNARY_ERF, since: 9, types: TypeSet(.float32)),
    UnaryOperator(name: "Exp", code: CPU_UNARY_EXP, since: 6, types: TypeSet(.float32)),
    UnaryOperator(name: "Floor", code: CPU_UNARY_FLOOR, since: 6, types: real),
    UnaryOperator(name: "HardSigmoid", code: CPU_UNARY_HARD_SIGMOID, since: 6, types: TypeSet(.float32), first: "alpha", second: "beta"),
    UnaryOperator(name: "HardSwish", code: CPU_UNARY_HARD_SWISH, since: 14, types: TypeSet(.float32)),
    UnaryOperator(name: "LeakyRelu", code: CPU_UNARY_LEAKY_RELU, since: 6, types: TypeSet(.float32), first: "alpha"),
    UnaryOperator(name: "Log", code: CPU_UNARY_LOG, since: 6, types: TypeSet(.float32)),
    UnaryOperator(name: "Neg", code: CPU_UNARY_NEG, since: 6, types: signed),
    UnaryOperator(name: "Reciprocal", code: CPU_UNARY_RECIPROCAL, since: 6, types: real),
    UnaryOperator(name: "Relu", code: CPU_UNARY_RELU, since: 6, types: signed),
    UnaryOperator(name: "Round", code: CPU_UNARY_ROUND, since: 11, types: real),
    UnaryOperator(name: "Sigmoid", code: CPU_UNARY_SIGMOID, since: 6, types: TypeSet(.float32)),
    UnaryOperator(name: "Sign", code: CPU_UNARY_SIGN, since: 9, types: signed),
    UnaryOperator(name: "Softsign", code: CPU_UNARY_SOFTSIGN, since: 1, types: TypeSet(.float32)),
    UnaryOperator(name: "Sqrt", code: CPU_UNARY_SQRT, since: 6, types: real),
    UnaryOperator(name: "Tanh", code: CPU_UNARY_TANH, since: 6, types: TypeSet(.float32)),
    UnaryOperator(name: "ThresholdedRelu", code: CPU_UNARY_THRESHOLDED_RELU, since: 10, types: TypeSet(.float32), first: "alpha"),
]

let unaryKernels: [TunedKernel] =
    unaryOperators.map { entry in
        TunedKernel(entry.name, since: entry.since, types: entry.types, flags: .elementwise) { node, device throws(Refusal) in
            let parameters = [entry.first, entry.second].map { name in name.flatMap { node.float($0) }.map(Double.init) ?? 0 }
            return try unary(entry.code, parameters, node, device)
        }
    } + [
        TunedKernel("Clip", since: 6, types: signed, flags: .elementwise) { node, device throws(Refusal) in
            try unary(
                CPU_UNARY_CLIP, [try bound(node, "min", input: 1, -.infinity), try bound(node, "max", input: 2, .infinity)], node, device)
        },
        TunedKernel("Not", since: 1, types: .bool, flags: .elementwise) { node, device throws(Refusal) in
            TunedKernel.Plan(kernel: PreparedNot(count: try node.present(input: 0).view.count, device))
        },
    ]

/// A limit of Clip: an attribute before opset 11, then an input, which must be known before the run.
private func bound(_ node: NodeView, _ name: String, input: Int, _ standard: Double) throws(Refusal) -> Double {
    if let value = node.float(name) { return Double(value) }
    guard let tensor = node.input(input) else { return standard }
    guard let address = tensor.host, tensor.count == 1 else { throw Refusal(.other, "input \(input) is not known before the run") }
    switch tensor.type {
    case .float32: return Double(address.loadUnaligned(as: Float.self))
    case .float64: return address.loadUnaligned(as: Double.self)
    case .int32: return Double(address.loadUnaligned(as: Int32.self))
    case .int64:
        let value = address.loadUnaligned(as: Int64.self)
        try require(Int64(exactly: Double(value)) == value, .other, "a limit that float64 does not hold")
        return Double(value)
    default: throw Refusal(.dataType, "a limit of another type")
    }
}

private func unary(_ code: cpu_unary, _ parameters: [Double], _ node: NodeView, _ device: CPUDevice) throws(Refusal) -> TunedKernel.Plan {
    let (view, type, shape) = try node.present(input: 0)
    let output = try node.present(output: 0)
    try require(output.shape == shape && output.type == type, .shape, "input and output differ")
    let kernel = PreparedUnary(code, parameters, type, count: view.count, device)
    try require(kernel.isKnown, .dataType, "no loop for \(type.name)")
    return TunedKernel.Plan(kernel: kernel)
}

private final class PreparedUnary: PreparedKernel {
    private struct Task {
        let code: cpu_unary
        let type: DataType
        let parameters: (Double, Double)
        let x: UnsafeMutableRawPointer
        let y: UnsafeMutableRawPointer

        @discardableResult
        func run(_ begin: Int, _ end: Int) -> Bool {
            let (p, q) = parameters
            switch type {
            case .float32:
                withUnsafePointer(to: (Float(p), Float(q))) { pair in
                    pair.withMemoryRebound(to: Float.self, capacity: 2) { cpu_unary_float32(code, $0, x, y, Int64(begin), Int64(end)) }
                }
                return true
            case .float64:
                return withUnsafePointer(to: (p, q)) { pair in
                    pair.withMemoryRebound(to: Double.self, capacity: 2) { cpu_unary_float64(code, $0, x, y, Int64(begin), Int64(end)) }
                }
            case .int32:
                return withUnsafePointer(to: (limit(p, Int32.self), limit(q, Int32.self))) { pair in
                    pair.withMemoryRebound(to: Int32.self, capacity: 2) { cpu_unary_int32(code, $0, x, y, Int64(begin), Int64(end)) }
                }
            case .int64:
                return withUnsafePointer(to: (limit(p, Int64.self), limit(q, Int64.self))) { pair in
                    pair.withMemoryRebound(to: Int64.self, capacity: 2) { cpu_unary_int64(code, $0, x, y, Int64(begin), Int64(end)) }
                }
            default: return false
            }
        }

        private func limit<Integer: FixedWidthInteger>(_ value: Double, _: Integer.Type) -> Integer {
            Integer(exactly: value) ?? (value < 0 ? .min : .max)
        }
    }

    private let code: cpu_unary
    private let type: DataType
    private let parameters: (Double, Double)
    private let count: Int
    private let pool: ThreadPool

    init(_ code: cpu_unary, _ parameters: [Double], _ type: DataType, count: Int, _ device: CPUDevice) {
        self.code = code
        self.type = type
        self.parameters = (parameters[0], parameters[1])
        self.count = count
        pool = device.pool
    }

    /// Whether there is a loop for the type: run on nothing, it says.
    var isKnown: Bool {
        let nowhere = UnsafeMutableRawPointer(bitPattern: 64)!
        return Task(code: code, type: type, parameters: parameters, x: nowhere, y: nowhere).run(0, 0)
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            code: code, type: type, parameters: parameters, x: try launch.input(0).hostElements(), y: try launch.output(0).hostElements())
        pool.parallel(count, grain: elementGrain, with: task) { task, begin, end in
            task!.assumingMemoryBound(to: Task.self).pointee.run(begin, end)
        }
    }
}

private final class PreparedNot: PreparedKernel {
    private let count: Int
    private let pool: ThreadPool

    init(count: Int, _ device: CPUDevice) {
        self.count = count
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let addresses = (try launch.input(0).hostElements(), try launch.output(0).hostElements())
        pool.parallel(count, grain: elementGrain, with: addresses) { context, begin, end in
            let (x, y) = context!.assumingMemoryBound(to: (UnsafeMutableRawPointer, UnsafeMutableRawPointer).self).pointee
            cpu_not(x, y, Int64(begin), Int64(end))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let numbers = TypeSet(.float32, .float64, .int32, .int64)
private let boolean = TypeSet.bool

/// Operator, loop, first version that broadcasts as NumPy does, types.
private let binaryOperators: [(name: String, code: cpu_binary, since: Int, types: TypeSet)] = [
    ("Add", CPU_BINARY_ADD, 7, numbers), ("Sub", CPU_BINARY_SUB, 7, numbers), ("Mul", CPU_BINARY_MUL, 7, numbers),
    ("Div", CPU_BINARY_DIV, 7, numbers), ("Max", CPU_BINARY_MAX, 8, numbers), ("Min", CPU_BINARY_MIN, 8, numbers),
    ("Sum", CPU_BINARY_ADD, 8, TypeSet(.float32, .float64)), ("PRelu", CPU_BINARY_PRELU, 7, numbers),
    ("Pow", CPU_BINARY_POW, 7, TypeSet(.float32, .float64)), ("Equal", CPU_BINARY_EQUAL, 7, [numbers, boolean]),
    ("Less", CPU_BINARY_LESS, 7, numbers), ("LessOrEqual", CPU_BINARY_LESS_OR_EQUAL, 12, numbers),
    ("Greater", CPU_BINARY_GREATER, 7, numbers),
    ("GreaterOrEqual", CPU_BINARY_GREATER_OR_EQUAL, 12, numbers), ("And", CPU_BINARY_AND, 7, boolean), ("Or", CPU_BINARY_OR, 7, boolean),
    ("Xor", CPU_BINARY_XOR, 7, boolean),
]

let binaryKernels: [TunedKernel] =
    binaryOperators.map { entry in
        // Comparisons change the width of an element, so that they cannot work in place.
        let isComparison = entry.code.rawValue >= CPU_BINARY_EQUAL.rawValue && entry.code.rawValue < CPU_BINARY_AND.rawValue
        return TunedKernel(entry.name, since: entry.since, types: entry.types, flags: isComparison ? .deterministic : .elementwise) {
            node, device throws(Refusal) in
            try require(node.inputCount == 2, .other, "not two inputs")
            let (a, b, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
            try require(a.type == b.type, .dataType, "inputs of two types")
            try require(y.view.count > 0, .shape, "no element")
            let walk = try Walk(y.shape, [try broadcast(a.shape, to: y.shape), try broadcast(b.shape, to: y.shape)])
            let kernel = PreparedBinary(entry.code, a.type, walk, count: y.view.count, device)
            try require(kernel.isKnown, .dataType, "no loop for \(a.type.name)")
            return TunedKernel.Plan(kernel: kernel)
        }
    } + [
        TunedKernel("Where", since: 9, types: .bool) { node, device throws(Refusal) in
            let (condition, a, b, y) = (
                try node.present(input: 0), try node.present(input: 1), try node.present(input: 2), try node.present(output: 0)
            )
            guard let width = width(of: a.type), [1, 2, 4, 8].contains(width) else { throw Refusal(.dataType, "elements of no such width") }
            try require(y.view.count > 0, .shape, "no element")
            var strides: [[Int]] = []
            for shape in [condition.shape, a.shape, b.shape] { strides.append(try broadcast(shape, to: y.shape)) }
            return TunedKernel.Plan(kernel: PreparedWhere(width, try Walk(y.shape, strides), count: y.view.count, device))
        }
    ]

private final class PreparedBinary: PreparedKernel {
    private struct Task {
        let code: cpu_binary
        let type: DataType
        let walk: UnsafePointer<cpu_walk>
        let a, b, y: UnsafeMutableRawPointer

        @discardableResult
        func run(_ begin: Int, _ end: Int) -> Bool {
            let (begin, end) = (Int64(begin), Int64(end))
            return switch type {
            case .float32: cpu_binary_float32(code, walk, a, b, y, begin, end)
            case .float64: cpu_binary_float64(code, walk, a, b, y, begin, end)
            case .int32: cpu_binary_int32(code, walk, a, b, y, begin, end)
            case .int64: cpu_binary_int64(code, walk, a, b, y, begin, end)
            case .bool: cpu_binary_bool(code, walk, a, b, y, begin, end)
            default: false
            }
        }
    }

    private let code: cpu_binary
    private let type: DataType
    private let walk: Walk
    private let count: Int
    private let pool: ThreadPool

    init(_ code: cpu_binary, _ type: DataType, _ walk: Walk, count: Int, _ device: CPUDevice) {
        self.code = code
        self.type = type
        self.walk = walk
        self.count = count
        pool = device.pool
    }

    var isKnown: Bool {
        let nowhere = UnsafeMutableRawPointer(bitPattern: 64)!
        return Task(code: code, type: type, walk: walk.address, a: nowhere, b: nowhere, y: nowhere).run(0, 0)
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            code: code, type: type, walk: walk.address, a: try launch.input(0).hostElements(), b: try launch.input(1).hostElements(),
            y: try launch.output(0).hostElements())
        pool.parallel(count, grain: elementGrain, with: task) { task, begin, end in
            task!.assumingMemoryBound(to: Task.self).pointee.run(begin, end)
        }
    }
}

private final class PreparedWhere: PreparedKernel {
    private struct Task {
        let width: Int32
        let walk: UnsafePointer<cpu_walk>
        let condition, a, b, y: UnsafeMutableRawPointer
    }

    private let width: Int32
    private let walk: Walk
    private let count: Int
    private let pool: ThreadPool

    init(_ width: Int32, _ walk: Walk, count: Int, _ device: CPUDevice) {
        self.width = width
        self.walk = walk
        self.count = count
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            width: width, walk: walk.address, condition: try launch.input(0).hostElements(), a: try launch.input(1).hostElements(),
            b: try launch.input(2).hostElements(), y: try launch.output(0).hostElements())
        pool.parallel(count, grain: elementGrain, with: task) { task, begin, end in
            let task = task!.assumingMemoryBound(to: Task.self).pointee
            cpu_where(task.width, task.walk, task.condition, task.a, task.b, task.y, Int64(begin), Int64(end))
        }
    }
}

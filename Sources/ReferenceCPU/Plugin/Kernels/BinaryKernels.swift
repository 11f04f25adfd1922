// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let numbers: TypeSet = [floats, integers]
private let boolean = TypeSet.bool

/// Operator, loop, first version that broadcasts as NumPy does, types.
private let binaryOperators: [(name: String, code: cpu_binary, since: Int, types: TypeSet)] = [
    ("Add", CPU_BINARY_ADD, 7, numbers), ("Sub", CPU_BINARY_SUB, 7, numbers), ("Mul", CPU_BINARY_MUL, 7, numbers),
    ("Div", CPU_BINARY_DIV, 7, numbers), ("PRelu", CPU_BINARY_PRELU, 7, [floats, TypeSet(.int32, .int64, .uint32, .uint64)]),
    ("Pow", CPU_BINARY_POW, 7, floats), ("Equal", CPU_BINARY_EQUAL, 7, [numbers, boolean]), ("Less", CPU_BINARY_LESS, 7, numbers),
    ("LessOrEqual", CPU_BINARY_LESS_OR_EQUAL, 12, numbers), ("Greater", CPU_BINARY_GREATER, 7, numbers),
    ("GreaterOrEqual", CPU_BINARY_GREATER_OR_EQUAL, 12, numbers), ("And", CPU_BINARY_AND, 7, boolean), ("Or", CPU_BINARY_OR, 7, boolean),
    ("Xor", CPU_BINARY_XOR, 7, boolean), ("BitwiseAnd", CPU_BINARY_BITWISE_AND, 18, integers),
    ("BitwiseOr", CPU_BINARY_BITWISE_OR, 18, integers), ("BitwiseXor", CPU_BINARY_BITWISE_XOR, 18, integers),
]

let binaryKernels: [TunedKernel] =
    binaryOperators.map { entry in
        // Comparisons change the width of an element, so that they cannot work in place.
        let isComparison = entry.code.rawValue >= CPU_BINARY_EQUAL.rawValue && entry.code.rawValue < CPU_BINARY_AND.rawValue
        return TunedKernel(entry.name, since: entry.since, types: entry.types, flags: isComparison ? .deterministic : .elementwise) {
            node, device throws(Refusal) in try binary(entry.code, node, device)
        }
    } + [
        TunedKernel("Mod", since: 10, types: numbers, flags: .elementwise) { node, device throws(Refusal) in
            try binary(node.int("fmod") ?? 0 == 0 ? CPU_BINARY_MOD : CPU_BINARY_REMAINDER, node, device)
        },
        TunedKernel("BitShift", since: 11, types: unsignedIntegers, flags: .elementwise) { node, device throws(Refusal) in
            let direction = node.string("direction") ?? ""
            try require(direction == "LEFT" || direction == "RIGHT", .attribute, "direction '\(direction)'")
            return try binary(direction == "LEFT" ? CPU_BINARY_SHIFT_LEFT : CPU_BINARY_SHIFT_RIGHT, node, device)
        },
        TunedKernel("Where", since: 9, types: TypeSet(DataType.allCases.filter { [1, 2, 4, 8].contains(width(of: $0)) })) {
            node, device throws(Refusal) in
            let (condition, a, b, y) = (
                try node.present(input: 0), try node.present(input: 1), try node.present(input: 2), try node.present(output: 0)
            )
            guard let width = width(of: a.type), [1, 2, 4, 8].contains(width) else { throw Refusal(.dataType, "elements of no such width") }
            try require(y.view.count > 0, .shape, "no element")
            var strides: [[Int]] = []
            for shape in [condition.shape, a.shape, b.shape] { strides.append(try broadcast(shape, to: y.shape)) }
            return TunedKernel.Plan(kernel: PreparedWhere(width, try Walk(y.shape, strides), count: y.view.count, device))
        },
    ]

/// The loop of an operator that can be a step of a fused one.
func elementwiseCode(binary name: String) -> cpu_binary? { binaryOperators.first { $0.name == name }?.code }

private func binary(_ code: cpu_binary, _ node: NodeView, _ device: CPUDevice) throws(Refusal) -> TunedKernel.Plan {
    try require(node.inputCount == 2, .other, "not two inputs")
    let (a, b, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
    try require(a.type == b.type, .dataType, "inputs of two types")
    try require(y.view.count > 0, .shape, "no element")
    guard let type = a.type.loopType else { throw Refusal(.dataType, "no loop for \(a.type.name)") }
    let walk = try Walk(y.shape, [try broadcast(a.shape, to: y.shape), try broadcast(b.shape, to: y.shape)])
    let kernel = PreparedBinary(code, type, walk, count: y.view.count, device)
    try require(kernel.isKnown, .dataType, "no loop for \(a.type.name)")
    return TunedKernel.Plan(kernel: kernel)
}

private final class PreparedBinary: PreparedKernel {
    private struct Task {
        let code: cpu_binary
        let type: cpu_type
        let walk: UnsafePointer<cpu_walk>
        let a, b, y: UnsafeMutableRawPointer

        @discardableResult
        func run(_ begin: Int, _ end: Int) -> Bool { cpu_pairwise(code, type, walk, a, b, y, Int64(begin), Int64(end)) }
    }

    private let code: cpu_binary
    private let type: cpu_type
    private let walk: Walk
    private let count: Int
    private let pool: ThreadPool

    init(_ code: cpu_binary, _ type: cpu_type, _ walk: Walk, count: Int, _ device: CPUDevice) {
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

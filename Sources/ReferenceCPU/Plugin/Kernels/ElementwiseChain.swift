// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

/// The steps of a fused operator, run over a block of elements at a time, so that what is between them stays in the nearest cache.
final class ElementwiseChain: @unchecked Sendable {
    /// Operands beside the value that is worked on.
    private static let mostOperands = 8

    fileprivate struct Step {
        enum Function {
            case unary(cpu_unary)
            /// The other operand, by position.
            case binary(cpu_binary, operand: Int, isReversed: Bool, walk: UnsafePointer<cpu_walk>)
        }
        let function: Function
        let parameters: cpu_parameters
    }

    /// One run: everything that the loops read.
    struct Task {
        private static let block = 4096
        fileprivate let steps: UnsafePointer<Step>
        fileprivate let count: Int
        let type: cpu_type
        /// Of the operands, as bits.
        let operands: SIMD8<UInt>
        let x, y: UnsafeMutableRawPointer

        /// Elements of the output, by position.
        func run(_ begin: Int, _ end: Int) {
            for start in stride(from: begin, to: end, by: Self.block) {
                let stop = min(start + Self.block, end)
                for index in 0..<count {
                    let from = index == 0 ? x : y
                    switch steps[index].function {
                    case .unary(let code): _ = cpu_elementwise(code, type, steps[index].parameters, from, y, Int64(start), Int64(stop))
                    case .binary(let code, let operand, let isReversed, let walk):
                        let other = UnsafeRawPointer(bitPattern: operands[operand])
                        _ =
                            isReversed
                            ? cpu_pairwise(code, type, walk, other, from, y, Int64(start), Int64(stop))
                            : cpu_pairwise(code, type, walk, from, other, y, Int64(start), Int64(stop))
                    }
                }
            }
        }
    }

    private let steps: UnsafeMutablePointer<Step>
    private let count: Int
    private let type: cpu_type
    private let operandCount: Int
    private let walks: [Walk]

    /// - Parameters:
    ///   - shape: of the value that is worked on.
    ///   - first: position of the first operand among the node's inputs.
    init(_ node: NodeView, _ dataType: DataType, shape: [Int], operandsFrom first: Int) throws(Refusal) {
        guard let type = dataType.loopType, dataType == .float32 || dataType == .float64 else {
            throw Refusal(.dataType, "no loop for \(dataType.name)")
        }
        let names = node.attribute("steps")?.strings ?? []
        let operands = node.ints("operands").map { $0.map { Int($0) } } ?? []
        let reversed = node.ints("reversed").map { $0.map { Int($0) } } ?? []
        let numbers = node.floats("parameters").map { $0.map { Double($0) } } ?? []
        let list: [FusedStep]
        do throws(OperatorError) {
            list = try FusedStep.steps(names: names, operands: operands, reversed: reversed, parameters: numbers)
        } catch { throw Refusal(.attribute, error.description) }
        operandCount = max(node.inputCount - first, 0)
        try require(operandCount <= Self.mostOperands, .other, "more than \(Self.mostOperands) operands")
        try require(!list.isEmpty, .attribute, "no steps")
        var (made, walks) = ([Step](), [Walk]())
        for step in list {
            var parameters = cpu_parameters()
            let given = step.parameters.map { Double($0) } + [0, 0]
            parameters.floats = (given[0], given[1])
            if let operand = step.operand {
                let (_, operandType, operandShape) = try node.present(input: first + operand)
                try require(operandType == dataType, .dataType, "mixed data types")
                guard let code = elementwiseCode(binary: step.operatorName) else {
                    throw Refusal(.attribute, "no loop for \(step.operatorName)")
                }
                let (own, other) = (dense(shape), try broadcast(operandShape, to: shape))
                let walk = try Walk(shape, step.isReversed ? [other, own] : [own, other])
                walks.append(walk)
                made.append(
                    Step(function: .binary(code, operand: operand, isReversed: step.isReversed, walk: walk.address), parameters: parameters)
                )
            } else {
                guard let code = elementwiseCode(unary: step.operatorName) else {
                    throw Refusal(.attribute, "no loop for \(step.operatorName)")
                }
                let nowhere = UnsafeMutableRawPointer(bitPattern: 64)!
                try require(cpu_elementwise(code, type, parameters, nowhere, nowhere, 0, 0), .dataType, "no loop for \(step.operatorName)")
                made.append(Step(function: .unary(code), parameters: parameters))
            }
        }
        steps = .allocate(capacity: made.count)
        steps.initialize(from: made, count: made.count)
        count = made.count
        self.type = type
        self.walks = walks
    }

    deinit { steps.deallocate() }

    /// - Parameters:
    ///   - x: the value before the steps; may be `y`.
    ///   - first: position of the first operand among the launch's inputs.
    func task(_ launch: LaunchView, from x: UnsafeMutableRawPointer, to y: UnsafeMutableRawPointer, operandsFrom first: Int)
        throws(PluginFailure) -> Task
    {
        var operands = SIMD8<UInt>()
        for index in 0..<operandCount where launch.hasInput(first + index) {
            operands[index] = UInt(bitPattern: try launch.input(first + index).hostElements())
        }
        return Task(steps: UnsafePointer(steps), count: count, type: type, operands: operands, x: x, y: y)
    }
}

/// The whole of `FusedElementwise`.
final class PreparedChain: PreparedKernel {
    private let chain: ElementwiseChain
    private let count: Int
    private let pool: ThreadPool

    init(_ chain: ElementwiseChain, count: Int, _ device: CPUDevice) {
        self.chain = chain
        self.count = count
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = try chain.task(
            launch, from: try launch.input(0).hostElements(), to: try launch.output(0).hostElements(), operandsFrom: 1)
        pool.run(task, 0, count)
    }
}

extension ThreadPool {
    /// Runs a chain over the elements `begin ..< end`.
    func run(_ task: ElementwiseChain.Task, _ begin: Int, _ end: Int) {
        parallel(end - begin, grain: elementGrain, with: (task, begin)) { context, from, to in
            let (task, begin) = context!.assumingMemoryBound(to: (ElementwiseChain.Task, Int).self).pointee
            task.run(begin + from, begin + to)
        }
    }
}

let fusedKernels = [
    TunedKernel("FusedElementwise", domain: FusedStep.domain, since: 1, types: TypeSet(.float32, .float64), flags: .elementwise) {
        node, device throws(Refusal) in
        let (x, y) = (try node.present(input: 0), try node.present(output: 0))
        try require(x.shape == y.shape && x.type == y.type, .shape, "input and output differ")
        try require(y.view.count > 0, .shape, "no element")
        return TunedKernel.Plan(
            kernel: PreparedChain(try ElementwiseChain(node, x.type, shape: x.shape, operandsFrom: 1), count: x.view.count, device))
    }
]

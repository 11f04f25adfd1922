// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import ReferenceCPUKernels
import Tensors

/// A node with 16-bit floats as a kernel for float32 sees it: the same node with float32 in their place. A launch widens the inputs into its workspace, runs the
/// kernel there and narrows the outputs, so that sums are kept in float32.
final class Widening {
    let node: NodeView
    private var inputs: [Argument] = []
    private var outputs: [Argument] = []
    private var allocations: [UnsafeMutableRawPointer] = []

    /// An argument of the node; `type` is that of a 16-bit float, nil for everything that stays as it is.
    fileprivate struct Argument {
        var type: cpu_type?
        var count = 0
        /// Bytes into the workspace at which its float32 elements lie.
        var offset = 0
    }

    /// Nil if the node has no 16-bit float.
    init?(_ original: NodeView) {
        let tensors = (0..<original.inputCount).map { original.input($0) } + (0..<original.outputCount).map { original.output($0) }
        guard tensors.contains(where: { $0?.type?.isShortFloat ?? false }) else { return nil }
        var allocations: [UnsafeMutableRawPointer] = []
        func allocate<Value>(_: Value.Type, _ count: Int) -> UnsafeMutablePointer<Value> {
            let memory = UnsafeMutablePointer<Value>.allocate(capacity: max(count, 1))
            allocations.append(UnsafeMutableRawPointer(memory))
            return memory
        }
        let structs = allocate(sb_tensor.self, tensors.count)
        let pointers = allocate(UnsafePointer<sb_tensor>?.self, tensors.count)
        var arguments: [Argument] = []
        for (index, tensor) in tensors.enumerated() {
            pointers.advanced(by: index).initialize(to: tensor?.raw)
            var argument = Argument()
            if let tensor, let type = tensor.type, type.isShortFloat {
                argument = Argument(type: type.loopType, count: tensor.count)
                var wide = sb_tensor(copying: tensor)
                // Only small inputs are read in preparation: limits, scales and the like.
                if let host = wide.host {
                    let isSmall = tensor.count <= 1 << 12
                    let copy = isSmall ? allocate(Float.self, tensor.count) : nil
                    if let copy { cpu_widen(type.loopType!, host, copy, 0, Int64(tensor.count)) }
                    wide.host = copy.map { UnsafeMutableRawPointer($0) }
                }
                structs.advanced(by: index).initialize(to: wide)
                pointers[index] = UnsafePointer(structs + index)
            }
            arguments.append(argument)
        }
        let shadow = allocate(sb_node.self, 1)
        shadow.initialize(to: original.raw.pointee)
        shadow.pointee.size = min(original.raw.pointee.size, MemoryLayout<sb_node>.size)
        shadow.pointee.inputs = UnsafePointer(pointers)
        shadow.pointee.outputs = UnsafePointer(pointers + original.inputCount)
        node = NodeView(trusting: UnsafePointer(shadow))
        inputs = Array(arguments.prefix(original.inputCount))
        outputs = Array(arguments.dropFirst(original.inputCount))
        self.allocations = allocations
    }

    deinit { for allocation in allocations { allocation.deallocate() } }

    /// What launches the original node if `plan` launches the shadow.
    func around(_ plan: TunedKernel.Plan, _ device: CPUDevice) -> TunedKernel.Plan {
        let kernel = PreparedWidened(plan, inputs, outputs, device)
        return TunedKernel.Plan(kernel: kernel, workspace: kernel.workspace)
    }
}

extension sb_tensor {
    /// The same tensor as one of float32, whatever the size of the struct it comes from.
    fileprivate init(copying tensor: TensorView) {
        self = tensor.raw.pointee
        size = MemoryLayout<sb_tensor>.size
        data_type = DataType.float32.rawValue
    }
}

/// In the workspace lie one after the other: the shadow launch with its tensors, the float32 elements, and the workspace of the kernel inside.
private final class PreparedWidened: PreparedKernel {
    private struct Task {
        let type: cpu_type
        let short: UnsafeMutableRawPointer
        let wide: UnsafeMutablePointer<Float>
    }

    private let kernel: any PreparedKernel
    private let inputs, outputs: [Widening.Argument]
    private let tensorOffset, pointerOffset, innerOffset, innerBytes: Int
    let workspace: Int
    private let pool: ThreadPool

    init(_ plan: TunedKernel.Plan, _ inputs: [Widening.Argument], _ outputs: [Widening.Argument], _ device: CPUDevice) {
        kernel = plan.kernel
        var end = 0
        func place(_ bytes: Int) -> Int {
            defer { end += (bytes + 63) / 64 * 64 }
            return end
        }
        _ = place(MemoryLayout<sb_launch>.size)
        let count = inputs.count + outputs.count
        tensorOffset = place(count * MemoryLayout<sb_tensor>.stride)
        pointerOffset = place(count * MemoryLayout<UnsafeRawPointer>.stride)
        func placed(_ arguments: [Widening.Argument]) -> [Widening.Argument] {
            arguments.map { argument in
                var argument = argument
                if argument.type != nil { argument.offset = place(argument.count * MemoryLayout<Float>.stride) }
                return argument
            }
        }
        self.inputs = placed(inputs)
        self.outputs = placed(outputs)
        innerBytes = plan.workspace
        innerOffset = place(innerBytes)
        workspace = end
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let memory = try launch.hostWorkspace(atLeast: workspace)
        let tensors = (memory + tensorOffset).bindMemory(to: sb_tensor.self, capacity: inputs.count + outputs.count)
        let pointers = (memory + pointerOffset).bindMemory(to: UnsafePointer<sb_tensor>?.self, capacity: inputs.count + outputs.count)
        for index in 0..<inputs.count {
            let argument = inputs[index]
            pointers[index] = launch.hasInput(index) ? launch.raw.pointee.inputs[index] : nil
            guard let type = argument.type, launch.hasInput(index) else { continue }
            let input = try launch.input(index)
            let wide = memory + argument.offset
            widen(argument.count, Task(type: type, short: try input.hostElements(), wide: wide.assumingMemoryBound(to: Float.self)))
            tensors[index] = sb_tensor(copying: input)
            tensors[index].host = wide
            pointers[index] = UnsafePointer(tensors + index)
        }
        for index in 0..<outputs.count {
            let place = inputs.count + index
            pointers[place] = launch.hasOutput(index) ? launch.raw.pointee.outputs[index] : nil
            guard outputs[index].type != nil, launch.hasOutput(index) else { continue }
            tensors[place] = sb_tensor(copying: try launch.output(index))
            tensors[place].host = memory + outputs[index].offset
            pointers[place] = UnsafePointer(tensors + place)
        }
        let shadow = memory.bindMemory(to: sb_launch.self, capacity: 1)
        shadow.initialize(to: launch.raw.pointee)
        shadow.pointee.size = MemoryLayout<sb_launch>.size
        shadow.pointee.inputs = UnsafePointer(pointers)
        shadow.pointee.input_count = inputs.count
        shadow.pointee.outputs = UnsafePointer(pointers + inputs.count)
        shadow.pointee.output_count = outputs.count
        shadow.pointee.workspace_host = memory + innerOffset
        shadow.pointee.workspace_bytes = UInt64(innerBytes)
        try kernel.launch(LaunchView(trusting: UnsafePointer(shadow)))
        for index in 0..<outputs.count {
            guard let type = outputs[index].type, launch.hasOutput(index) else { continue }
            let wide = (memory + outputs[index].offset).assumingMemoryBound(to: Float.self)
            narrow(outputs[index].count, Task(type: type, short: try launch.output(index).hostElements(), wide: wide))
        }
    }

    private func widen(_ count: Int, _ task: Task) {
        pool.parallel(count, grain: elementGrain, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            cpu_widen(task.type, task.short, task.wide, Int64(begin), Int64(end))
        }
    }

    private func narrow(_ count: Int, _ task: Task) {
        pool.parallel(count, grain: elementGrain, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            cpu_narrow(task.type, task.wide, task.short, Int64(begin), Int64(end))
        }
    }
}

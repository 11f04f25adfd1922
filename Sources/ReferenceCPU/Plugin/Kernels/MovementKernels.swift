// SPDX-License-Identifier: Apache-2.0
import Glibc
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

let movable = TypeSet(DataType.allCases.filter { width(of: $0) != nil })

/// Operators whose output is their first input under another shape.
private let reshapes: [TunedKernel] = ["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"].map { name in
    TunedKernel(name, since: 1, types: movable, flags: .elementwise) { node, device throws(Refusal) in try sameElements(node, device) }
}

let movementKernels: [TunedKernel] =
    reshapes + [
        TunedKernel("Dropout", since: 7, types: movable, flags: .elementwise) { node, device throws(Refusal) in
            try node.requireOutputs(1)
            if let training = node.input(2) {
                guard let address = training.host else { throw Refusal(.other, "whether it trains is not known before the run") }
                try require(address.load(as: UInt8.self) == 0, .other, "it trains")
            }
            return try sameElements(node, device)
        },
        TunedKernel("Transpose", since: 1, types: movable) { node, device throws(Refusal) in
            let (x, y) = (try node.present(input: 0), try node.present(output: 0))
            let order = node.ints("perm").map { $0.map { Int($0) } } ?? Array(x.shape.indices.reversed())
            try require(order.sorted() == Array(x.shape.indices), .attribute, "no permutation")
            let strides = dense(x.shape)
            return try strided(x.type, x.shape.isEmpty ? [] : order.map { strides[$0] }, offset: 0, to: y.shape, device)
        },
        TunedKernel("Expand", since: 8, types: movable) { node, device throws(Refusal) in
            let (x, y) = (try node.present(input: 0), try node.present(output: 0))
            return try strided(x.type, try broadcast(x.shape, to: y.shape), offset: 0, to: y.shape, device)
        },
        TunedKernel("Slice", since: 1, types: movable) { node, device throws(Refusal) in
            let (x, y) = (try node.present(input: 0), try node.present(output: 0))
            guard let starts = try node.integers(attribute: "starts", input: 1) else { throw Refusal(.other, "no starts") }
            let axes = try node.integers(attribute: "axes", input: 3) ?? Array(starts.indices)
            let steps = try node.integers(attribute: "steps", input: 4) ?? starts.map { _ in 1 }
            try require(axes.count == starts.count && steps.count == starts.count, .other, "lists of different length")
            var strides = dense(x.shape)
            var offset = 0
            for ((axis, start), step) in zip(zip(axes, starts), steps) {
                let axis = try node.axis(axis, rank: x.shape.count)
                let size = x.shape[axis]
                try require(step != 0 && step > -(1 << 40) && step < 1 << 40, .other, "a step that cannot be")
                if y.shape[axis] > 0 {
                    let from = start < 0 ? max(start, -size) + size : start
                    offset += min(max(from, 0), size - 1) * strides[axis]
                }
                strides[axis] *= step
            }
            return try strided(x.type, strides, offset: offset, to: y.shape, device)
        },
        TunedKernel("Concat", since: 4, types: movable) { node, device throws(Refusal) in
            let y = try node.present(output: 0)
            guard let axis = node.int("axis") else { throw Refusal(.attribute, "no axis") }
            return try rows(
                node, try node.axis(Int(axis), rank: y.shape.count), count: node.inputCount, of: { node.input($0) }, whole: y,
                gathers: true, device)
        },
        TunedKernel("Split", since: 2, types: movable) { node, device throws(Refusal) in
            let x = try node.present(input: 0)
            return try rows(
                node, try node.axis(Int(node.int("axis") ?? 0), rank: x.shape.count), count: node.outputCount, of: { node.output($0) },
                whole: x,
                gathers: false, device)
        },
        TunedKernel("Gather", since: 1, types: movable) { node, device throws(Refusal) in
            let (x, indices) = (try node.present(input: 0), try node.present(input: 1))
            guard let bytesOfElement = width(of: x.type), let indexWidth = width(of: indices.type) else {
                throw Refusal(.dataType, "narrow elements")
            }
            let axis = try node.axis(Int(node.int("axis") ?? 0), rank: x.shape.count)
            let bytes = product(x.shape[(axis + 1)...]) * Int(bytesOfElement)
            try require(bytes > 0, .shape, "no element")
            return TunedKernel.Plan(
                kernel: PreparedGather(
                    bytes: bytes, axis: x.shape[axis], indexWidth: indexWidth, count: indices.view.count,
                    items: product(x.shape[..<axis]) * indices.view.count))
        },
        TunedKernel("Cast", since: 6, types: [floats, integers, TypeSet.bool]) {
            node, device throws(Refusal) in
            let (x, y) = (try node.present(input: 0), try node.present(output: 0))
            guard let from = x.type.loopType, let to = y.type.loopType else {
                throw Refusal(.dataType, "no loop from \(x.type.name) to \(y.type.name)")
            }
            return TunedKernel.Plan(kernel: PreparedCast(from, to, count: x.view.count, device))
        },
    ]

private func sameElements(_ node: NodeView, _ device: CPUDevice) throws(Refusal) -> TunedKernel.Plan {
    let (x, y) = (try node.present(input: 0), try node.present(output: 0))
    guard let width = width(of: x.type), x.type == y.type, x.view.count == y.view.count else {
        throw Refusal(.shape, "input and output differ")
    }
    return TunedKernel.Plan(kernel: PreparedRows(outer: 1, parts: [x.view.count * Int(width)], gathers: true, device))
}

func strided(_ type: DataType, _ strides: [Int], offset: Int, to shape: [Int], _ device: CPUDevice) throws(Refusal)
    -> TunedKernel.Plan
{
    guard let width = width(of: type) else { throw Refusal(.dataType, "elements narrower than a byte") }
    return TunedKernel.Plan(
        kernel: PreparedStridedCopy(
            width, try Walk(shape, [dense(shape), strides]), offset: offset * Int(width), count: product(shape), device))
}

/// Concat and Split: for every index before the axis, a run of bytes of each part.
private func rows(
    _ node: NodeView, _ axis: Int, count: Int, of part: (Int) -> TensorView?, whole: (view: TensorView, type: DataType, shape: [Int]),
    gathers: Bool,
    _ device: CPUDevice
) throws(Refusal) -> TunedKernel.Plan {
    guard let width = width(of: whole.type) else { throw Refusal(.dataType, "elements narrower than a byte") }
    var parts: [Int] = []
    for index in 0..<count {
        guard let tensor = part(index), tensor.type == whole.type, tensor.rank == whole.shape.count, tensor.strides == nil else {
            throw Refusal(.shape, "a part is missing or differs")
        }
        parts.append(product(tensor.dimensions[axis...]) * Int(width))
    }
    try require(parts.reduce(0, +) == product(whole.shape[axis...]) * Int(width), .shape, "parts that do not make the whole")
    return TunedKernel.Plan(kernel: PreparedRows(outer: product(whole.shape[..<axis]), parts: parts, gathers: gathers, device))
}

/// Rows of a whole, each made of one run of every part: gathered from the inputs, or scattered to the outputs.
private final class PreparedRows: PreparedKernel {
    private struct Task {
        let from: UnsafeRawPointer
        let to: UnsafeMutableRawPointer
        let fromStride, toStride, bytes: Int
    }

    private let outer: Int
    private let parts: [Int]
    private let whole: Int
    private let gathers: Bool
    private let pool: ThreadPool

    init(outer: Int, parts: [Int], gathers: Bool, _ device: CPUDevice) {
        self.outer = outer
        self.parts = parts
        whole = parts.reduce(0, +)
        self.gathers = gathers
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        var offset = 0
        for index in 0..<parts.count {
            let bytes = parts[index]
            let from = try launch.input(gathers ? index : 0).hostElements() + (gathers ? 0 : offset)
            let to = try launch.output(gathers ? 0 : index).hostElements() + (gathers ? offset : 0)
            offset += bytes
            if bytes == 0 || from == to { continue }
            let task = Task(from: from, to: to, fromStride: gathers ? bytes : whole, toStride: gathers ? whole : bytes, bytes: bytes)
            if outer == 1 {
                pool.parallel(bytes, grain: 1 << 18, with: task) { context, begin, end in
                    let task = context!.assumingMemoryBound(to: Task.self).pointee
                    memcpy(task.to + begin, task.from + begin, end - begin)
                }
            } else {
                pool.parallel(outer, grain: max((1 << 18) / bytes, 1), with: task) { context, begin, end in
                    let task = context!.assumingMemoryBound(to: Task.self).pointee
                    for row in begin..<end { memcpy(task.to + row * task.toStride, task.from + row * task.fromStride, task.bytes) }
                }
            }
        }
    }
}

private final class PreparedStridedCopy: PreparedKernel {
    private struct Task {
        let width: Int32
        let walk: UnsafePointer<cpu_walk>
        let x, y: UnsafeMutableRawPointer
    }

    private let width: Int32
    private let walk: Walk
    private let offset, count: Int
    private let pool: ThreadPool

    init(_ width: Int32, _ walk: Walk, offset: Int, count: Int, _ device: CPUDevice) {
        self.width = width
        self.walk = walk
        (self.offset, self.count) = (offset, count)
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            width: width, walk: walk.address, x: try launch.input(0).hostElements() + offset, y: try launch.output(0).hostElements())
        pool.parallel(count, grain: elementGrain, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            cpu_copy(task.width, task.walk, task.x, task.y, Int64(begin), Int64(end))
        }
    }
}

private final class PreparedGather: PreparedKernel {
    private let bytes, axis, count, items: Int
    private let indexWidth: Int32

    init(bytes: Int, axis: Int, indexWidth: Int32, count: Int, items: Int) {
        (self.bytes, self.axis, self.count, self.items) = (bytes, axis, count, items)
        self.indexWidth = indexWidth
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let wrong = cpu_gather(
            Int64(bytes), Int64(axis), indexWidth, Int64(count), try launch.input(0).hostElements(), try launch.input(1).hostElements(),
            try launch.output(0).hostElements(), 0, Int64(items))
        if wrong >= 0 { throw .invalid("Gather: index \(count > 0 ? Int(wrong) % count : 0) of the indices is outside an axis of \(axis)") }
    }
}

private final class PreparedCast: PreparedKernel {
    private struct Task {
        let from, to: cpu_type
        let x, y: UnsafeMutableRawPointer
    }

    private let from, to: cpu_type
    private let count: Int
    private let pool: ThreadPool

    init(_ from: cpu_type, _ to: cpu_type, count: Int, _ device: CPUDevice) {
        (self.from, self.to, self.count) = (from, to, count)
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(from: from, to: to, x: try launch.input(0).hostElements(), y: try launch.output(0).hostElements())
        pool.parallel(count, grain: elementGrain, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            cpu_cast(task.from, task.to, task.x, task.y, Int64(begin), Int64(end))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Glibc
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let indexTypes = TypeSet(.int32, .int64)

/// Operators that read or write at places that an input names.
let indexingKernels = [
    TunedKernel("GatherElements", since: 11, types: movable) { node, device throws(Refusal) in
        let (x, indices) = (try node.present(input: 0), try node.present(input: 1))
        let places = try ElementPlaces(node, x, indices)
        return TunedKernel.Plan(kernel: PreparedElements(places, reduction: nil, type: nil, dataBytes: 0, device))
    },
    TunedKernel("ScatterElements", since: 11, types: movable, widens: true) { node, device throws(Refusal) in
        let (x, indices) = (try node.present(input: 0), try node.present(input: 1))
        let places = try ElementPlaces(node, x, indices)
        let reduction = try scatterReduction(node, x.type)
        return TunedKernel.Plan(
            kernel: PreparedElements(
                places, reduction: reduction, type: x.type.loopType, dataBytes: x.view.count * Int(places.width), device))
    },
    TunedKernel("GatherND", since: 11, types: movable) { node, device throws(Refusal) in
        let (x, indices, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
        let tuples = try Tuples(x.type, x.shape, indices.shape, batch: Int(node.int("batch_dims") ?? 0))
        try require(y.view.count > 0, .shape, "no element")
        return TunedKernel.Plan(kernel: PreparedTuples(tuples, reduction: nil, type: nil, dataBytes: 0, device))
    },
    TunedKernel("ScatterND", since: 11, types: movable, widens: true) { node, device throws(Refusal) in
        let (x, indices) = (try node.present(input: 0), try node.present(input: 1))
        let tuples = try Tuples(x.type, x.shape, indices.shape, batch: 0)
        return TunedKernel.Plan(
            kernel: PreparedTuples(
                tuples, reduction: try scatterReduction(node, x.type), type: x.type.loopType, dataBytes: x.view.count * Int(tuples.width),
                device))
    },
    TunedKernel("OneHot", since: 9, types: indexTypes) { node, device throws(Refusal) in
        let (indices, y) = (try node.present(input: 0), try node.present(output: 0))
        guard let width = ReferenceCPU.width(of: y.type), let indexWidth = ReferenceCPU.width(of: indices.type) else {
            throw Refusal(.dataType, "narrow elements")
        }
        let axis = try node.axis(Int(node.int("axis") ?? -1), rank: y.shape.count)
        try require(y.view.count > 0, .shape, "no element")
        return TunedKernel.Plan(
            kernel: PreparedOneHot(
                width: width, indexWidth: indexWidth, depth: y.shape[axis], inner: product(y.shape[(axis + 1)...]),
                count: indices.view.count,
                device))
    },
]

private func scatterReduction(_ node: NodeView, _ type: DataType) throws(Refusal) -> cpu_binary? {
    let reductions = ["add": CPU_BINARY_ADD, "mul": CPU_BINARY_MUL, "max": CPU_BINARY_MAX, "min": CPU_BINARY_MIN]
    let name = node.string("reduction") ?? "none"
    if name == "none" { return nil }
    guard let code = reductions[name], type.loopType != nil, type != .bool else { throw Refusal(.attribute, "reduction '\(name)'") }
    return code
}

/// Where GatherElements reads and ScatterElements writes.
struct ElementPlaces {
    let width, indexWidth: Int32
    let walk: Walk
    /// Of the axis that the indices count.
    let size, stride: Int
    let count: Int

    init(
        _ node: NodeView, _ x: (view: TensorView, type: DataType, shape: [Int]), _ indices: (view: TensorView, type: DataType, shape: [Int])
    ) throws(Refusal) {
        guard let width = ReferenceCPU.width(of: x.type), indexTypes.contains(indices.type) else {
            throw Refusal(.dataType, "narrow elements")
        }
        let axis = try node.axis(Int(node.int("axis") ?? 0), rank: x.shape.count)
        try require(indices.view.count > 0 && indices.shape.count == x.shape.count, .shape, "no index")
        for other in x.shape.indices where other != axis {
            try require(indices.shape[other] <= x.shape[other], .shape, "more indices than elements")
        }
        var strides = dense(x.shape)
        (size, stride) = (x.shape[axis], strides[axis])
        strides[axis] = 0
        walk = try Walk(indices.shape, [strides])
        count = indices.view.count
        (self.width, indexWidth) = (width, indices.type == .int64 ? 8 : 4)
    }
}

private final class PreparedElements: PreparedKernel, @unchecked Sendable {
    private struct Task {
        let places: ElementPlaces
        let walk: UnsafePointer<cpu_walk>
        let x, indices, y: UnsafeMutableRawPointer
    }

    private let places: ElementPlaces
    private let reduction: cpu_binary?
    private let type: cpu_type?
    /// Bytes of the tensor that is scattered into; 0: it is gathered from.
    private let dataBytes: Int
    private let pool: ThreadPool

    init(_ places: ElementPlaces, reduction: cpu_binary?, type: cpu_type?, dataBytes: Int, _ device: CPUDevice) {
        self.places = places
        (self.reduction, self.type, self.dataBytes) = (reduction, type, dataBytes)
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let (x, indices, y) = (
            try launch.input(0).hostElements(), try launch.input(1).hostElements(), try launch.output(0).hostElements()
        )
        let (size, stride, width) = (Int64(places.size), Int64(places.stride), Int(places.width))
        let wrong = cpu_check_indices(places.indexWidth, Int64(places.count), size, indices)
        if wrong >= 0 { throw .invalid("index \(wrong) of the indices is outside an axis of \(size)") }
        if dataBytes == 0 {
            pool.parallel(
                places.count, grain: elementGrain, with: Task(places: places, walk: places.walk.address, x: x, indices: indices, y: y)
            ) {
                context, begin, end in
                let task = context!.assumingMemoryBound(to: Task.self).pointee
                cpu_gather_elements(
                    task.places.width, task.walk, Int64(task.places.size), Int64(task.places.stride), task.places.indexWidth, task.indices,
                    task.x, task.y, Int64(begin), Int64(end))
            }
            return
        }
        // One thread: of several updates of one element the last one counts.
        let updates = try launch.input(2).hostElements()
        memcpy(y, x, dataBytes)
        guard let reduction, let type else {
            cpu_scatter_elements(
                places.width, places.walk.address, size, stride, places.indexWidth, indices, updates, y, 0, Int64(places.count))
            return
        }
        var one = cpu_walk.line(of: 1)
        for index in 0..<places.count {
            let target = y + Int(cpu_element_place(places.walk.address, size, stride, places.indexWidth, indices, Int64(index))) * width
            _ = cpu_pairwise(reduction, type, &one, target, updates + index * width, target, 0, 1)
        }
    }
}

extension cpu_walk {
    /// Two rows of `count` neighbours.
    static func line(of count: Int) -> cpu_walk {
        var walk = cpu_walk()
        (walk.rank, walk.operands) = (1, 2)
        walk.shape.0 = Int64(count)
        (walk.strides.0.0, walk.strides.1.0) = (1, 1)
        return walk
    }
}

/// Where GatherND reads and ScatterND writes.
struct Tuples: @unchecked Sendable {
    let width: Int32
    let tuples: cpu_tuples
    let count: Int
    /// Elements of one run.
    let run: Int

    init(_ type: DataType, _ shape: [Int], _ indices: [Int], batch: Int) throws(Refusal) {
        guard let width = ReferenceCPU.width(of: type), let depth = indices.last else { throw Refusal(.dataType, "narrow elements") }
        try require(
            depth >= 1 && batch >= 0 && batch + depth <= shape.count && batch < indices.count && depth <= Int(CPU_WALK_RANK), .shape,
            "tuples that do not fit")
        let strides = dense(shape)
        var tuples = cpu_tuples()
        tuples.depth = Int64(depth)
        tuples.per_batch = Int64(product(indices.dropLast()) / max(product(indices[..<batch]), 1))
        tuples.batch_stride = Int64(product(shape[batch...]))
        withUnsafeMutableBytes(of: &tuples.sizes) { sizes in
            for index in 0..<depth { sizes.storeBytes(of: Int64(shape[batch + index]), toByteOffset: 8 * index, as: Int64.self) }
        }
        withUnsafeMutableBytes(of: &tuples.strides) { memory in
            for index in 0..<depth { memory.storeBytes(of: Int64(strides[batch + index]), toByteOffset: 8 * index, as: Int64.self) }
        }
        self.width = width
        self.tuples = tuples
        count = product(indices.dropLast())
        run = product(shape[(batch + depth)...])
        try require(count > 0 && run > 0, .shape, "no element")
    }
}

private final class PreparedTuples: PreparedKernel {
    private let tuples: Tuples
    private let reduction: cpu_binary?
    private let type: cpu_type?
    /// Bytes of the tensor that is scattered into; 0: it is gathered from.
    private let dataBytes: Int

    init(_ tuples: Tuples, reduction: cpu_binary?, type: cpu_type?, dataBytes: Int, _ device: CPUDevice) {
        self.tuples = tuples
        (self.reduction, self.type, self.dataBytes) = (reduction, type, dataBytes)
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let (x, indices, y) = (
            try launch.input(0).hostElements(), try launch.input(1).hostElements(), try launch.output(0).hostElements()
        )
        var layout = tuples.tuples
        let (width, bytes) = (Int(tuples.width), tuples.run * Int(tuples.width))
        // Before anything is written, so that an error leaves nothing half done.
        for index in 0..<tuples.count where cpu_tuple_place(&layout, indices, Int64(index)) < 0 {
            throw .invalid("tuple \(index) of the indices is out of range")
        }
        if dataBytes == 0 {
            _ = cpu_gather_tuples(&layout, tuples.width, Int64(bytes), indices, x, y, 0, Int64(tuples.count))
            return
        }
        let updates = try launch.input(2).hostElements()
        memcpy(y, x, dataBytes)
        var line = cpu_walk.line(of: tuples.run)
        for index in 0..<tuples.count {
            let target = y + Int(cpu_tuple_place(&layout, indices, Int64(index))) * width
            if let reduction, let type {
                _ = cpu_pairwise(reduction, type, &line, target, updates + index * bytes, target, 0, Int64(tuples.run))
            } else {
                memcpy(target, updates + index * bytes, bytes)
            }
        }
    }
}

private final class PreparedOneHot: PreparedKernel {
    private struct Task {
        let width, indexWidth: Int32
        let depth, inner: Int
        let indices, values, y: UnsafeMutableRawPointer
    }

    private let width, indexWidth: Int32
    private let depth, inner, count: Int
    private let pool: ThreadPool

    init(width: Int32, indexWidth: Int32, depth: Int, inner: Int, count: Int, _ device: CPUDevice) {
        (self.width, self.indexWidth) = (width, indexWidth)
        (self.depth, self.inner, self.count) = (depth, inner, count)
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            width: width, indexWidth: indexWidth, depth: depth, inner: inner, indices: try launch.input(0).hostElements(),
            values: try launch.input(2).hostElements(), y: try launch.output(0).hostElements())
        pool.parallel(count, grain: max(elementGrain / max(depth, 1), 1), with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            cpu_one_hot(
                task.width, Int64(task.depth), Int64(task.inner), task.indexWidth, task.indices, task.values, task.y, Int64(begin),
                Int64(end))
        }
    }
}

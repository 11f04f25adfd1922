// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let targets = TypeSet(.int8, .uint8, .int16, .uint16)
private let sources: TypeSet = [targets, TypeSet(.int32)]

let quantizationKernels = [
    TunedKernel("QuantizeLinear", since: 10, types: TypeSet(.float32), widens: true) { node, device throws(Refusal) in
        let (x, scale, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
        try require(x.type == .float32 && scale.type == .float32 && targets.contains(y.type), .dataType, "no such loop")
        try require([0, Int64(DataType.float32.rawValue)].contains(node.int("precision") ?? 0), .attribute, "another precision")
        return try scaling(.quantize(y.type.loopType!), node, x.shape, device)
    },
    TunedKernel("DequantizeLinear", since: 10, types: sources, widens: true) { node, device throws(Refusal) in
        let (x, scale, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
        try require(scale.type == .float32 && y.type == .float32, .dataType, "no such loop")
        return try scaling(.dequantize(x.type.loopType!), node, x.shape, device)
    },
    TunedKernel("DynamicQuantizeLinear", since: 11, types: TypeSet(.float32)) { node, device throws(Refusal) in
        for index in 0..<3 { _ = try node.present(output: index) }
        return TunedKernel.Plan(kernel: PreparedDynamicQuantization(count: try node.present(input: 0).view.count, device))
    },
]

private func scaling(_ direction: PreparedScaling.Direction, _ node: NodeView, _ shape: [Int], _ device: CPUDevice) throws(Refusal)
    -> TunedKernel.Plan
{
    let (scale, count) = (try node.present(input: 1), product(shape))
    let block = Int(node.int("block_size") ?? 0)
    try require(count > 0 && block >= 0, .shape, "no element")
    if let zeros = node.input(2) { try require(zeros.count == scale.view.count, .shape, "zero points that do not fit") }
    if block == 0 && scale.view.count == 1 && scale.shape.count <= 1 {
        // One scale for all: runs of a length that threads can share.
        return TunedKernel.Plan(
            kernel: PreparedScaling(direction, cpu_scale_map(inner: 1, size: 1, block: 0), items: count, isSingle: true, device))
    }
    let axis = try node.axis(shape.count == 1 ? 0 : Int(node.int("axis") ?? 1), rank: shape.count)
    let inner = product(shape[(axis + 1)...])
    let places = block == 0 ? shape[axis] : (shape[axis] + block - 1) / block * product(shape[..<axis]) * inner
    try require(scale.view.count == places, .shape, "scales that do not fit")
    let map = cpu_scale_map(inner: Int64(inner), size: Int64(shape[axis]), block: Int64(block))
    return TunedKernel.Plan(kernel: PreparedScaling(direction, map, items: count / inner, isSingle: false, device))
}

private final class PreparedScaling: PreparedKernel {
    enum Direction {
        case quantize(cpu_type)
        case dequantize(cpu_type)
    }

    private struct Task {
        let direction: Direction
        let map: cpu_scale_map
        let isSingle: Bool
        let x, scales, y: UnsafeMutableRawPointer
        let zeros: UnsafeMutableRawPointer?

        func run(_ begin: Int, _ end: Int) {
            var (map, x, y, begin, end) = (map, x, y, Int64(begin), Int64(end))
            if isSingle {
                // The range is one run.
                x += Int(begin) * width(of: direction, input: true)
                y += Int(begin) * width(of: direction, input: false)
                map.inner = end - begin
                (begin, end) = (0, 1)
            }
            withUnsafePointer(to: map) {
                switch direction {
                case .quantize(let type): _ = cpu_quantize($0, type, x, scales, zeros, y, begin, end)
                case .dequantize(let type): _ = cpu_dequantize($0, type, x, scales, zeros, y, begin, end)
                }
            }
        }

        private func width(of direction: Direction, input: Bool) -> Int {
            switch direction {
            case .quantize(let type): input ? 4 : Int(cpu_type_width(type))
            case .dequantize(let type): input ? Int(cpu_type_width(type)) : 4
            }
        }
    }

    private let direction: Direction
    private let map: cpu_scale_map
    private let items, grain: Int
    private let isSingle: Bool
    private let pool: ThreadPool

    init(_ direction: Direction, _ map: cpu_scale_map, items: Int, isSingle: Bool, _ device: CPUDevice) {
        self.direction = direction
        self.map = map
        self.items = items
        self.isSingle = isSingle
        grain = max(elementGrain / max(Int(map.inner), 1), 1)
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            direction: direction, map: map, isSingle: isSingle, x: try launch.input(0).hostElements(),
            scales: try launch.input(1).hostElements(), y: try launch.output(0).hostElements(),
            zeros: launch.hasInput(2) ? try launch.input(2).hostElements() : nil)
        pool.parallel(items, grain: grain, with: task) { context, begin, end in
            context!.assumingMemoryBound(to: Task.self).pointee.run(begin, end)
        }
    }
}

/// Scale and zero point from the range of the data, and then the same as QuantizeLinear.
private final class PreparedDynamicQuantization: PreparedKernel {
    private struct Task {
        let x, y: UnsafeMutableRawPointer
        let scale, zero: UnsafeMutableRawPointer
    }

    private let count: Int
    private let pool: ThreadPool

    init(count: Int, _ device: CPUDevice) {
        self.count = count
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let task = Task(
            x: try launch.input(0).hostElements(), y: try launch.output(0).hostElements(), scale: try launch.output(1).hostElements(),
            zero: try launch.output(2).hostElements())
        var range: (Float, Float) = (0, 0)
        withUnsafeMutablePointer(to: &range) { pointer in
            pointer.withMemoryRebound(to: Float.self, capacity: 2) { cpu_range_float32(task.x, 0, Int64(count), $0) }
        }
        // The range of two float32 in float64, rounded once.
        let span = Double(range.1) - Double(range.0)
        let scale = span == 0 ? 1 : Float(span / 255)
        let zero = Float(-Double(range.0) / Double(scale)).rounded(.toNearestOrEven)
        task.scale.storeBytes(of: scale, as: Float.self)
        task.zero.storeBytes(of: UInt8(zero.isNaN ? 0 : min(max(zero, 0), 255)), as: UInt8.self)
        pool.parallel(count, grain: elementGrain, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            let map = cpu_scale_map(inner: Int64(end - begin), size: 1, block: 0)
            withUnsafePointer(to: map) {
                _ = cpu_quantize($0, CPU_TYPE_UINT8, task.x + begin * 4, task.scale, task.zero, task.y + begin, 0, 1)
            }
        }
    }
}

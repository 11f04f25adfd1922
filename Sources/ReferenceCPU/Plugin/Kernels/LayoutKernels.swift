// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

/// An exponent alone has no zero to fill with.
private let fillable = movable.subtracting(TypeSet(.float8e8m0))

/// Movement whose places are known from shapes and attributes alone.
let layoutKernels = [
    TunedKernel("Tile", since: 6, types: movable) { node, device throws(Refusal) in
        let (x, y) = (try node.present(input: 0), try node.present(output: 0))
        try require(x.view.count > 0 && x.shape.count == y.shape.count, .shape, "no element")
        // Every axis is one that is repeated, and the axis itself.
        var (shape, strides): ([Int], [Int]) = ([], [])
        for ((size, stride), result) in zip(zip(x.shape, dense(x.shape)), y.shape) {
            shape += [result / size, size]
            strides += [0, stride]
        }
        return try strided(x.type, strides, offset: 0, to: shape, device)
    },
    TunedKernel("DepthToSpace", since: 1, types: movable) { node, device throws(Refusal) in
        let (x, y) = (try node.present(input: 0), try node.present(output: 0))
        let block = Int(node.int("blocksize") ?? 1)
        try require(x.shape.count == 4 && block > 0, .shape, "no image")
        let (n, depth, height, width) = (x.shape[0], y.shape[1], x.shape[2], x.shape[3])
        let isDCR = node.string("mode") ?? "DCR" == "DCR"
        return try permuted(
            x.type, isDCR ? [n, block, block, depth, height, width] : [n, depth, block, block, height, width],
            isDCR ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3], device)
    },
    TunedKernel("SpaceToDepth", since: 1, types: movable) { node, device throws(Refusal) in
        let (x, y) = (try node.present(input: 0), try node.present(output: 0))
        let block = Int(node.int("blocksize") ?? 1)
        try require(x.shape.count == 4 && block > 0, .shape, "no image")
        let isDCR = node.string("mode") ?? "DCR" == "DCR"
        return try permuted(
            x.type, [x.shape[0], x.shape[1], y.shape[2], block, y.shape[3], block], isDCR ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4], device)
    },
    TunedKernel("Pad", since: 11, types: fillable) { node, device throws(Refusal) in
        let (x, y) = (try node.present(input: 0), try node.present(output: 0))
        guard let width = width(of: x.type), let pads = try node.integers(attribute: "pads", input: 1) else {
            throw Refusal(.other, "no pads")
        }
        try require(node.input(2)?.count ?? 1 == 1, .other, "more than one value to pad with")
        let mode = node.string("mode") ?? "constant"
        var axes = Array(x.shape.indices)
        if let named = try node.integers(attribute: "", input: 3) {
            axes = []
            for axis in named { axes.append(try node.axis(axis, rank: x.shape.count)) }
        }
        try require(pads.count == 2 * axes.count, .other, "pads that do not fit")
        var borders = Array(repeating: (begin: 0, end: 0), count: x.shape.count)
        for (index, axis) in axes.enumerated() { borders[axis] = (pads[index], pads[index + axes.count]) }
        var tables: [[Int]] = []
        for (axis, stride) in dense(x.shape).enumerated() {
            let (begin, end) = borders[axis]
            // A negative border cuts first; what is left is then padded.
            let first = max(-begin, 0)
            let length = x.shape[axis] - first - max(-end, 0)
            try require(length > 0 || mode == "constant", .shape, "nothing to repeat")
            tables.append(
                try (0..<y.shape[axis]).map { position throws(Refusal) in
                    guard let source = try source(of: position - max(begin, 0), length: length, mode: mode) else { return -1 }
                    return (first + source) * stride
                })
        }
        return TunedKernel.Plan(kernel: PreparedTableCopy(width, tables: tables, fillInput: 2, device))
    },
    TunedKernel("Trilu", since: 14, types: fillable) { node, device throws(Refusal) in
        let x = try node.present(input: 0)
        guard let width = width(of: x.type), x.shape.count >= 2 else { throw Refusal(.shape, "no matrix") }
        return TunedKernel.Plan(
            kernel: PreparedTriangle(
                width, rows: x.shape[x.shape.count - 2], columns: x.shape[x.shape.count - 1], isUpper: node.int("upper") ?? 1 != 0,
                items: product(x.shape.dropLast()), device))
    },
]

private func permuted(_ type: DataType, _ shape: [Int], _ order: [Int], _ device: CPUDevice) throws(Refusal) -> TunedKernel.Plan {
    let strides = dense(shape)
    return try strided(type, order.map { strides[$0] }, offset: 0, to: order.map { shape[$0] }, device)
}

/// The element of an axis that stands at `position`, which may lie before or behind it; nil: the padding value.
private func source(of position: Int, length: Int, mode: String) throws(Refusal) -> Int? {
    if position >= 0 && position < length { return position }
    switch mode {
    case "constant": return nil
    case "edge": return position < 0 ? 0 : length - 1
    case "wrap":
        let place = position % length
        return place < 0 ? place + length : place
    case "reflect":
        if length == 1 { return 0 }
        let period = 2 * (length - 1)
        let place = ((position % period) + period) % period
        return place < length ? place : period - place
    default: throw Refusal(.attribute, "mode '\(mode)'")
    }
}

private final class PreparedTriangle: PreparedKernel {
    private struct Task {
        let width: Int32
        let rows, columns: Int
        let isUpper: Bool
        let diagonal: Int64
        let x, y: UnsafeMutableRawPointer
    }

    private let width: Int32
    private let rows, columns, items: Int
    private let isUpper: Bool
    private let pool: ThreadPool

    init(_ width: Int32, rows: Int, columns: Int, isUpper: Bool, items: Int, _ device: CPUDevice) {
        self.width = width
        (self.rows, self.columns, self.items) = (rows, columns, items)
        self.isUpper = isUpper
        pool = device.pool
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let diagonal = launch.hasInput(1) ? try launch.input(1).hostElements().loadUnaligned(as: Int64.self) : 0
        let task = Task(
            width: width, rows: rows, columns: columns, isUpper: isUpper, diagonal: diagonal, x: try launch.input(0).hostElements(),
            y: try launch.output(0).hostElements())
        pool.parallel(columns == 0 ? 0 : items, grain: max(elementGrain / max(columns, 1), 1), with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            cpu_triangle(
                task.width, Int64(task.rows), Int64(task.columns), task.isUpper, task.diagonal, task.x, task.y, Int64(begin), Int64(end))
        }
    }
}

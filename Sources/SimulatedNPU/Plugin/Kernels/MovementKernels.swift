// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Types whose elements are whole bytes.
let movableTypes = DataType.allCases.filter { $0.movedType != nil && $0 != .string }

extension VectorLowering {
    /// Copies a block of `sizes` between two tensors of one type; strides and offsets in elements.
    mutating func addMove(
        _ sizes: [Int], from x: Operand, input: Int, strides from: [Int], offset fromOffset: Int = 0, to y: Operand, output: Int = 0,
        strides to: [Int], at toOffset: Int = 0
    ) throws(Refusal) {
        try require(x.type == y.type, .dataType, "input and output differ")
        guard let type = x.type.movedType else { throw Refusal(.dataType, "elements of \(x.type.name) are no whole bytes") }
        if sizes.contains(0) { return }
        add(
            VectorPhase(
                sizes, inputs: [try self.input(input, x, strides: from, offset: fromOffset, as: type)],
                outputs: [(.input(0, type), try self.output(output, y, strides: to, offset: toOffset, as: type))]))
    }

    /// Output 0 is input 0 read with strides.
    mutating func addMove(_ node: NodeView, _ sizes: [Int], strides: [Int], offset: Int = 0) throws(Refusal) {
        let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
        try addMove(sizes, from: x, input: 0, strides: strides, offset: offset, to: y, strides: denseStrides(sizes))
    }
}

private func move(
    _ name: String, since: Int, flags: KernelFlags = .deterministic, hostInputs: Set<Int> = [],
    _ lower: @escaping @Sendable (NodeView, inout VectorLowering) throws(Refusal) -> Void
) -> LoweredKernel {
    vectorKernel(name, since: since, types: movableTypes, flags: flags, hostInputs: hostInputs, lower)
}

/// Operators whose output is their first input under another shape.
private let reshapes = ["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"].map { name in
    move(name, since: 1, flags: [.deterministic, .inPlace]) { node, lowering throws(Refusal) in
        let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
        try require(x.count == y.count, .shape, "input and output differ")
        try lowering.addMove(node, [x.count], strides: [1])
    }
}

/// A view of the data with more axes, in another order.
private func permuted(_ node: NodeView, _ lowering: inout VectorLowering, _ shape: [Int], _ order: [Int]) throws(Refusal) {
    let strides = denseStrides(shape)
    try lowering.addMove(node, order.map { shape[$0] }, strides: order.map { strides[$0] })
}

let movementKernels: [LoweredKernel] =
    reshapes + [
        move("Dropout", since: 7, flags: [.deterministic, .inPlace], hostInputs: [2]) { node, lowering throws(Refusal) in
            try node.requireOutputs(2)
            if let training = node.input(2) {
                guard let address = training.host else { throw Refusal(.other, "whether it trains is not known before the run") }
                try require(address.load(as: UInt8.self) == 0, .other, "it trains")
            }
            try lowering.addMove(node, [node.operand(input: 0).count], strides: [1])
            // Everything is kept.
            if node.output(1) != nil { try lowering.addConstant(1, to: node.operand(output: 1), output: 1) }
        },
        move("Transpose", since: 1) { node, lowering throws(Refusal) in
            let x = try node.operand(input: 0)
            let order = node.ints("perm").map { $0.map { Int($0) } } ?? Array(x.shape.indices.reversed())
            try require(order.sorted() == Array(x.shape.indices), .attribute, "no permutation")
            try permuted(node, &lowering, x.shape, order)
        },
        move("Expand", since: 8) { node, lowering throws(Refusal) in
            let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
            try lowering.addMove(node, y.shape, strides: broadcastStrides(x.shape, to: y.shape))
        },
        move("Slice", since: 1, hostInputs: [1, 2, 3, 4]) { node, lowering throws(Refusal) in
            let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
            guard let starts = try node.integers(attribute: "starts", input: 1) else { throw Refusal(.other, "no starts") }
            let axes = try node.integers(attribute: "axes", input: 3) ?? Array(starts.indices)
            let steps = try node.integers(attribute: "steps", input: 4) ?? starts.map { _ in 1 }
            try require(axes.count == starts.count && steps.count == starts.count, .other, "lists of different length")
            var (strides, offset) = (denseStrides(x.shape), 0)
            for ((axis, start), step) in zip(zip(axes, starts), steps) {
                let axis = try node.axis(axis, rank: x.shape.count)
                let size = x.shape[axis]
                if y.shape[axis] > 0 {
                    let from = start < 0 ? max(start, -size) + size : start
                    offset += min(max(from, 0), size - 1) * strides[axis]
                }
                // A step beyond the axis takes one element, whatever it is.
                strides[axis] = y.shape[axis] > 1 ? strides[axis] * step : 0
            }
            try lowering.addMove(node, y.shape, strides: strides, offset: offset)
        },
        move("Concat", since: 4) { node, lowering throws(Refusal) in
            let y = try node.operand(output: 0)
            let axis = try node.axis(default: 0, rank: y.shape.count)
            let strides = denseStrides(y.shape)
            var place = 0
            for index in 0..<node.inputCount {
                let x = try node.operand(input: index)
                try require(x.shape.count == y.shape.count, .shape, "a part of another rank")
                try lowering.addMove(
                    x.shape, from: x, input: index, strides: denseStrides(x.shape), to: y, strides: strides, at: place * strides[axis])
                place += x.shape[axis]
            }
        },
        move("Split", since: 2) { node, lowering throws(Refusal) in
            let x = try node.operand(input: 0)
            let axis = try node.axis(default: 0, rank: x.shape.count)
            let strides = denseStrides(x.shape)
            var place = 0
            for index in 0..<node.outputCount {
                let y = try node.operand(output: index)
                try lowering.addMove(
                    y.shape, from: x, input: 0, strides: strides, offset: place * strides[axis], to: y, output: index,
                    strides: denseStrides(y.shape))
                place += y.shape[axis]
            }
        },
        move("Tile", since: 6) { node, lowering throws(Refusal) in
            let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
            if y.count == 0 { return }
            // Every axis is one that is repeated, and the axis itself.
            var (sizes, strides): ([Int], [Int]) = ([], [])
            for ((size, stride), result) in zip(zip(x.shape, denseStrides(x.shape)), y.shape) {
                sizes += [result / size, size]
                strides += [0, stride]
            }
            try lowering.addMove(node, sizes, strides: strides)
        },
        move("DepthToSpace", since: 1) { node, lowering throws(Refusal) in
            let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
            let block = Int(node.int("blocksize") ?? 1)
            try require(x.shape.count == 4 && block > 0, .shape, "no image")
            let (n, depth, height, width) = (x.shape[0], y.shape[1], x.shape[2], x.shape[3])
            if node.string("mode") ?? "DCR" == "DCR" {
                try permuted(node, &lowering, [n, block, block, depth, height, width], [0, 3, 4, 1, 5, 2])
            } else {
                try permuted(node, &lowering, [n, depth, block, block, height, width], [0, 1, 4, 2, 5, 3])
            }
        },
        move("SpaceToDepth", since: 1) { node, lowering throws(Refusal) in
            let (x, y) = (try node.operand(input: 0), try node.operand(output: 0))
            let block = Int(node.int("blocksize") ?? 1)
            try require(x.shape.count == 4 && block > 0, .shape, "no image")
            let isDCR = node.string("mode") ?? "DCR" == "DCR"
            try permuted(
                node, &lowering, [x.shape[0], x.shape[1], y.shape[2], block, y.shape[3], block],
                isDCR ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4])
        },
        move("Gather", since: 1) { node, lowering throws(Refusal) in
            let (x, indices, y) = (try node.operand(input: 0), try node.operand(input: 1), try node.operand(output: 0))
            guard let type = x.type.movedType, let indexType = indices.type.vectorType else { throw Refusal(.dataType, "no such elements") }
            let axis = try node.axis(default: 0, rank: x.shape.count)
            lowering.add(
                GatherPhase(
                    source: try lowering.input(0, x, as: type).address, indices: try lowering.input(1, indices).address,
                    destination: try lowering.output(0, y, as: type).address, indexType: indexType, outer: x.shape[..<axis].reduce(1, *),
                    count: indices.count, axis: x.shape[axis], run: x.shape[(axis + 1)...].reduce(1, *) * x.width))
        },
    ] + paddingKernels + placeKernels

// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Turns accumulators into results: the epilogue's expression on the vector unit, some rows of a block at a time, and the stores. Holds the zero points, too.
final class EpilogueEmitter {
    private let problem: ProductProblem
    private let builder: ProgramBuilder
    private let tile: (m: Int, n: Int, k: Int)
    private let output: npu_address
    private let inputs: [npu_address]
    private let plan: VectorPlan
    /// Nothing to compute: the accumulators are stored as they are.
    private let isPlain: Bool
    /// Rows that are worked on at a time, and two sets of places for them.
    private var rows = 0
    private var sets: [Places] = []
    private var turn = 0
    private var core = 0
    private var zeroPlaceA, zeroPlaceB: npu_address?
    private let zeroSlotA, zeroSlotB: npu_address?
    private var zeroBytes: npu_address?
    private let blockRows, blockColumns: Int

    private struct Places {
        var inputs: [npu_address] = []
        var registers: [npu_address] = []
        var output = npu_address()
    }

    init(_ problem: ProductProblem, _ blocking: ProductBlocking, _ builder: ProgramBuilder) throws(Refusal) {
        self.problem = problem
        self.builder = builder
        let config = builder.config
        tile = (Int(config.tile_m), Int(config.tile_n), Int(config.tile_k))
        (blockRows, blockColumns) = (blocking.m, blocking.n)
        output = builder.output(problem.output.index, bytes: problem.output.bytes)
        inputs = problem.epilogue.inputs.map { builder.input($0.input, bytes: $0.bytes) }
        let extents: [Extent] = [.all] + problem.epilogue.inputs.map(\.extent)
        let type = npu_type(problem.output.type.rawValue)
        plan = VectorPlan(
            outputs: [VectorPlan.Output(index: 0, term: problem.epilogue.term, type: type, extent: .all, forwardable: [])], extents: extents
        )
        isPlain = problem.storesAccumulators

        zeroSlotA = problem.a.zeroPoint.map { builder.input($0.input, bytes: $0.count * $0.type.bits / 8) }
        zeroSlotB = problem.b.zeroPoint.map { builder.input($0.input, bytes: $0.count * $0.type.bits / 8) }
        if let zero = problem.a.zeroPoint {
            zeroPlaceA = try builder.allocate((zero.count == 1 ? blocking.m : zero.count) * 4, in: NPU_VECTORS)
        }
        if let zero = problem.b.zeroPoint {
            zeroPlaceB = try builder.allocate((zero.count == 1 ? blocking.n : zero.count) * 4, in: NPU_VECTORS)
        }
        let longest = max(problem.a.zeroPoint?.count ?? 0, problem.b.zeroPoint?.count ?? 0)
        if longest > 0 { zeroBytes = try builder.allocate(longest, in: NPU_VECTORS) }
        if isPlain { return }

        func bytes(_ rows: Int, _ extent: Extent, _ width: Int) -> Int {
            roundUp((extent.contains(.rows) ? rows : 1) * (extent.contains(.columns) ? blocking.n : 1) * width, to: 64)
        }
        func needed(_ rows: Int) -> Int {
            let arguments = zip(problem.epilogue.inputs, extents.dropFirst()).reduce(0) { $0 + bytes(rows, $1.1, $1.0.type.bits / 8) }
            let registers = plan.registers.reduce(0) { $0 + bytes(rows, $1.extent, $1.type.width) }
            return arguments + registers + bytes(rows, .all, problem.output.type.bits / 8)
        }
        rows = blocking.m
        let room = builder.free(in: NPU_VECTORS)
        while rows > 1 && 2 * needed(rows) > room { rows = divideUp(rows, by: 2) }
        for _ in 0..<2 {
            var places = Places()
            for (input, extent) in zip(problem.epilogue.inputs, extents.dropFirst()) {
                places.inputs.append(try builder.allocate(bytes(rows, extent, input.type.bits / 8), in: NPU_VECTORS))
            }
            for register in plan.registers {
                places.registers.append(try builder.allocate(bytes(rows, register.extent, register.type.width), in: NPU_VECTORS))
            }
            places.output = try builder.allocate(bytes(rows, .all, problem.output.type.bits / 8), in: NPU_VECTORS)
            sets.append(places)
        }
    }

    /// What a core does once: zero points as INT32, one per row of a block or of all of a, and likewise for b.
    func begin(_ core: Int) {
        self.core = core
        load(problem.a.zeroPoint, zeroSlotA, to: zeroPlaceA, atMost: blockRows)
        load(problem.b.zeroPoint, zeroSlotB, to: zeroPlaceB, atMost: blockColumns)
    }

    private func load(_ zero: ProductOperand.ZeroPoint?, _ slot: npu_address?, to place: npu_address?, atMost block: Int) {
        guard let zero, let slot, let place, let zeroBytes else { return }
        builder.copy(core: core, to: zeroBytes, from: slot, run: zero.count * zero.type.bits / 8)
        let (isOne, count) = (zero.count == 1, zero.count == 1 ? block : zero.count)
        builder.vector(core: core, NPU_V_COPY, to: place.operand(.int32), zeroBytes.operand(zero.type, stride: isOne ? 0 : 1), count: count)
    }

    /// The zero point of b, if it is one for all, as it lies in the vector unit's memory for as long as the core runs.
    var paddingB: npu_operand? {
        guard let zero = problem.b.zeroPoint, zero.count == 1 else { return nil }
        return zeroBytes?.operand(zero.type, stride: 0)
    }

    func zeroA(_ item: ProductEmitter.Item) -> npu_address? { zeroPlaceA.map { $0 + (problem.a.zeroPoint!.count == 1 ? 0 : item.m * 4) } }
    func zeroB(_ item: ProductEmitter.Item) -> npu_address? { zeroPlaceB.map { $0 + (problem.b.zeroPoint!.count == 1 ? 0 : item.n * 4) } }

    func emit(_ item: ProductEmitter.Item, from accumulators: npu_address) {
        if isPlain { return storePlain(item, accumulators) }
        for first in stride(from: 0, to: item.rows, by: rows) {
            let count = min(rows, item.rows - first)
            let places = sets[turn]
            turn = 1 - turn
            for index in inputs.indices where plan.inputs.contains(index + 1) { load(index, item, first, count, to: places.inputs[index]) }
            for step in plan.steps { execute(step, item, first, count, places, accumulators) }
            let width = problem.output.type.bits / 8
            if let height = problem.output.panelHeight {
                let panel = count * tile.n * width
                builder.copy(
                    core: core, to: target(item, row: first), from: places.output, run: panel,
                    [CopyDimension(count: divideUp(item.columns, by: tile.n), to: height * tile.n * width, from: panel)])
                continue
            }
            builder.copy(
                core: core, to: target(item, row: first), from: places.output, run: item.columns * width,
                [CopyDimension(count: count, to: problem.output.rowStride * width, from: item.columns * width)])
        }
    }

    private func target(_ item: ProductEmitter.Item, row: Int) -> npu_address {
        if let height = problem.output.panelHeight {
            return output + (problem.output.offsets[item.batch] + item.n * height + (item.m + row) * tile.n)
                * (problem.output.type.bits / 8)
        }
        return output + (problem.output.offsets[item.batch] + (item.m + row) * problem.output.rowStride + item.n)
            * (problem.output.type.bits / 8)
    }

    private func storePlain(_ item: ProductEmitter.Item, _ accumulators: npu_address) {
        let height = roundUp(item.rows, to: tile.m)
        if let panelHeight = problem.output.panelHeight {
            builder.copy(
                core: core, to: target(item, row: 0), from: accumulators, run: item.rows * tile.n * 4,
                [CopyDimension(count: divideUp(item.columns, by: tile.n), to: panelHeight * tile.n * 4, from: height * tile.n * 4)])
            return
        }
        let whole = item.columns / tile.n
        func move(_ first: Int, tiles: Int, columns: Int) {
            builder.copy(
                core: core, to: target(item, row: 0) + first * tile.n * 4, from: accumulators + first * height * tile.n * 4,
                run: columns * 4,
                [
                    CopyDimension(count: tiles, to: tile.n * 4, from: height * tile.n * 4),
                    CopyDimension(count: item.rows, to: problem.output.rowStride * 4, from: tile.n * 4),
                ])
        }
        if whole > 0 { move(0, tiles: whole, columns: tile.n) }
        if item.columns % tile.n > 0 { move(whole, tiles: 1, columns: item.columns % tile.n) }
    }

    private func load(_ index: Int, _ item: ProductEmitter.Item, _ first: Int, _ count: Int, to place: npu_address) {
        let input = problem.epilogue.inputs[index]
        let width = input.type.bits / 8
        let from = inputs[index] + (input.offsets[item.batch] + (item.m + first) * input.row + item.n * input.column) * width
        let (rows, columns) = (input.row == 0 ? 1 : count, input.column == 0 ? 1 : item.columns)
        let dimensions = [CopyDimension(count: rows, to: columns * width, from: input.row * width)]
        if columns == 1 || input.column == 1 {
            builder.copy(core: core, to: place, from: from, run: columns * width, dimensions)
        } else {
            builder.copy(
                core: core, to: place, from: from, run: width,
                dimensions + [CopyDimension(count: columns, to: width, from: input.column * width)])
        }
    }

    // MARK: Steps

    private func execute(
        _ step: VectorPlan.Step, _ item: ProductEmitter.Item, _ first: Int, _ count: Int, _ places: Places, _ accumulators: npu_address
    ) {
        var readsAccumulators = false
        for case .place(.input(0)) in step.operands { readsAccumulators = true }
        let writesPanels = problem.output.panelHeight != nil && step.destination == .output(0)
        if writesPanels, count == roundUp(item.rows, to: tile.m), executeWhole(step, item, places, accumulators) { return }
        let columns = step.extent.contains(.columns) ? item.columns : 1
        let width = readsAccumulators || writesPanels ? tile.n : columns
        for column in stride(from: 0, to: columns, by: width) {
            var flags = step.flags
            var operands = [npu_operand](repeating: npu_operand(), count: 3)
            for (index, operand) in step.operands.enumerated() {
                switch operand {
                case .constant: flags |= NPU_VECTOR_CONSTANT_A << UInt32(index)
                case .place(.input(0)):
                    let height = roundUp(item.rows, to: tile.m)
                    operands[index] = (accumulators + (column / tile.n * height + first) * tile.n * 4).operand(
                        problem.arithmetic.accumulator, rowStride: tile.n)
                case .place(let place): operands[index] = self.operand(place, places, item.columns, column, rows: count)
                }
            }
            builder.vector(
                core: core, step.operation, to: operand(step.destination, places, item.columns, column, rows: count), operands[0],
                operands[1],
                operands[2],
                rows: step.extent.contains(.rows) ? count : 1, count: min(width, columns - column), flags: flags, parameter: step.parameter)
        }
    }

    /// A step from the accumulators of a block to all panels of its result, which have the same order: one instruction. False if it is none.
    private func executeWhole(_ step: VectorPlan.Step, _ item: ProductEmitter.Item, _ places: Places, _ accumulators: npu_address) -> Bool {
        var flags = step.flags
        var operands = [npu_operand](repeating: npu_operand(), count: 3)
        for (index, operand) in step.operands.enumerated() {
            switch operand {
            case .constant: flags |= NPU_VECTOR_CONSTANT_A << UInt32(index)
            case .place(.input(0)): operands[index] = accumulators.operand(problem.arithmetic.accumulator)
            case .place: return false
            }
        }
        builder.vector(
            core: core, step.operation, to: places.output.operand(problem.output.type), operands[0], operands[1], operands[2],
            count: roundUp(item.rows, to: tile.m) * roundUp(item.columns, to: tile.n), flags: flags, parameter: step.parameter)
        return true
    }

    private func operand(_ place: VectorPlan.Place, _ places: Places, _ columns: Int, _ column: Int, rows: Int) -> npu_operand {
        let (address, type, extent): (npu_address, npu_type, Extent)
        switch place {
        case .input(let index):
            let input = problem.epilogue.inputs[index - 1]
            (address, type, extent) = (places.inputs[index - 1], npu_type(input.type.rawValue), input.extent)
        case .register(let index):
            (address, type, extent) = (places.registers[index], plan.registers[index].type, plan.registers[index].extent)
        case .output where problem.output.panelHeight != nil:
            let width = problem.output.type.bits / 8
            return (places.output + column * rows * width).operand(problem.output.type, rowStride: tile.n)
        case .output: (address, type, extent) = (places.output, npu_type(problem.output.type.rawValue), .all)
        }
        let (hasRows, hasColumns) = (extent.contains(.rows), extent.contains(.columns))
        return npu_operand(
            address: address + (hasColumns ? column * type.width : 0), row_stride: hasRows ? Int64(hasColumns ? columns : 1) : 0,
            stride: hasColumns ? 1 : 0, type: type.rawValue, reserved: 0)
    }
}

extension Epilogue.Input {
    var extent: Extent { (row == 0 ? [] : Extent.rows).union(column == 0 ? [] : .columns) }
}

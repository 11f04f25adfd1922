// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine

/// Emits a phase: loads a block of the iteration space, runs the plan's instructions on it, stores the results; blocks go to the cores in turn, and each core has two
/// sets of buffers so that copies and instructions overlap.
struct PhaseEmitter {
    private let phase: VectorPhase
    private let builder: ProgramBuilder
    /// The vector unit's memory, all of it.
    private let arena: npu_address
    private let capacity: Int
    private let inputExtents: [Extent]
    private let outputExtents: [Extent]
    private let inputsTransposed: [Bool]
    private let outputsTransposed: [Bool]

    init(_ phase: VectorPhase, _ builder: ProgramBuilder, arena: npu_address, capacity: Int) {
        self.phase = phase
        self.builder = builder
        self.arena = arena
        self.capacity = capacity
        inputExtents = phase.inputs.map { phase.extent(of: $0) }
        outputExtents = phase.outputs.map { phase.extent(of: $0.access) }
        inputsTransposed = phase.inputs.map { phase.isTransposed($0) }
        outputsTransposed = phase.outputs.map { phase.isTransposed($0.access) }
    }

    /// - Parameters:
    ///   - budget: elements that a block should have at most.
    ///   - first: how many blocks have gone to the cores before.
    /// - Returns: how many have gone after.
    func emit(budget: Int, after first: Int) throws(Refusal) -> Int {
        if phase.elementCount == 0 { return first }
        var reductions: [Term] = []
        for output in phase.outputs { output.term.collectReductions(into: &reductions) }
        let whole = VectorPlan(outputs: planOutputs(phase.outputs.indices), extents: inputExtents)
        let columns = phase.columnSizes.reduce(1, *)
        let isLinewise = !reductions.isEmpty || phase.outputs.contains { $0.term.needsWholeLines }
        if !isLinewise {
            return emitElements(whole, budget: budget, columns: columns, after: first)
        } else if let rows = rows(whole, columns: columns, budget: budget) {
            let memory = Memory(self, [whole], rows: rows, columns: columns)
            let line = Box.all(of: phase.columnSizes, limit: columns)[0]
            let boxes = Box.all(of: phase.rowSizes, limit: rows)
            for (index, box) in boxes.enumerated() {
                run(whole, memory, Block(index: first + index, cores: builder.cores, rows: box, columns: line))
            }
            return first + boxes.count
        } else if phase.outputs.count == 1, phase.outputs[0].term.isRunning {
            return emitRunning(whole, columns: columns, after: first)
        } else {
            try require(
                !phase.outputs.contains { $0.term.needsWholeLines }, .memory,
                "a line of \(columns) elements does not fit in the chip's local memory")
            return try emitInPieces(reductions, budget: budget, columns: columns, after: first)
        }
    }

    private func planOutputs(_ indices: some Sequence<Int>) -> [VectorPlan.Output] {
        indices.map { index in
            let output = phase.outputs[index]
            let same = phase.inputs.indices.filter {
                inputExtents[$0] == outputExtents[index] && inputsTransposed[$0] == outputsTransposed[index]
            }
            return VectorPlan.Output(
                index: index, term: output.term, type: output.access.type, extent: outputExtents[index], forwardable: Set(same))
        }
    }

    // MARK: Sizes of blocks

    private func fits(_ plans: [VectorPlan], rows: Int, columns: Int) -> Bool {
        Memory(self, plans, rows: rows, columns: columns).used <= capacity
    }

    /// The most rows of whole lines that fit in memory and budget; nil if not even one does.
    private func rows(_ plan: VectorPlan, columns: Int, budget: Int) -> Int? {
        var rows = max(min(phase.rowSizes.reduce(1, *), budget / columns), 1)
        while !fits([plan], rows: rows, columns: columns) {
            if rows == 1 { return nil }
            rows = max(rows * 3 / 4, 1)
        }
        return rows
    }

    private func emitElements(_ plan: VectorPlan, budget: Int, columns: Int, after first: Int) -> Int {
        var (rows, width) = (1, 1)
        let isTransposing = inputsTransposed.contains(true) || outputsTransposed.contains(true)
        var elements = budget
        repeat {
            // Both sides of a transposition have runs of the same length.
            let most = isTransposing ? max(Int(Double(elements).squareRoot()), 1) : elements
            width = min(columns, max(most, 1))
            rows = max(min(elements / width, phase.rowSizes.reduce(1, *)), 1)
            if isTransposing { width = min(columns, max(elements / rows, 1)) }
            elements = elements * 3 / 4
        } while !fits([plan], rows: rows, columns: width) && elements > 0
        let memory = Memory(self, [plan], rows: rows, columns: width)
        var index = first
        for row in Box.all(of: phase.rowSizes, limit: rows) {
            for column in Box.all(of: phase.columnSizes, limit: width) {
                run(plan, memory, Block(index: index, cores: builder.cores, rows: row, columns: column))
                index += 1
            }
        }
        return index
    }

    /// Lines that do not fit: every depth of reductions goes over the line once, and the results once more.
    private func emitInPieces(_ reductions: [Term], budget: Int, columns: Int, after first: Int) throws(Refusal) -> Int {
        var plans: [VectorPlan] = []
        var (registers, known): ([VectorPlan.Register], [ObjectIdentifier: Int]) = ([], [:])
        let deepest = reductions.reduce(0) { max($0, $1.depth) }
        for depth in 1...deepest {
            let kept = reductions.filter { $0.depth == depth }
            let plan = VectorPlan(outputs: [], kept: kept, extents: inputExtents, registers: registers, known: known)
            registers = plan.registers
            known.merge(plan.registers(of: kept)) { first, _ in first }
            plans.append(plan)
        }
        let (long, short) = (
            phase.outputs.indices.filter { outputExtents[$0].contains(.columns) },
            phase.outputs.indices.filter { !outputExtents[$0].contains(.columns) }
        )
        let last = VectorPlan(outputs: planOutputs(long), extents: inputExtents, registers: registers, known: known)
        let ends = VectorPlan(outputs: planOutputs(short), extents: inputExtents, registers: last.registers, known: known)
        let all = plans + [last, ends]
        var rows = max(min(phase.rowSizes.reduce(1, *), budget / columns), 1)
        var width = min(columns, budget)
        while !fits(all, rows: rows, columns: width) {
            try require(rows > 1 || width > 1, .memory, "the expression does not fit in the chip's local memory")
            if rows > 1 { rows /= 2 } else { width = max(width * 3 / 4, 1) }
        }
        let memory = Memory(self, all, rows: rows, columns: width)
        let pieces = Box.all(of: phase.columnSizes, limit: width)
        let boxes = Box.all(of: phase.rowSizes, limit: rows)
        for (index, box) in boxes.enumerated() {
            let core = (first + index) % builder.cores
            var turn = 0
            func go(_ plan: VectorPlan, _ piece: Box, accumulates: Bool) {
                run(plan, memory, Block(core: core, turn: turn, rows: box, columns: piece), accumulates: accumulates)
                turn += 1
            }
            for plan in plans {
                for (number, piece) in pieces.enumerated() { go(plan, piece, accumulates: number > 0) }
            }
            if !long.isEmpty { for piece in pieces { go(last, piece, accumulates: false) } }
            if !short.isEmpty { go(ends, pieces[0], accumulates: false) }
        }
        return first + boxes.count
    }

    /// A running sum of lines that do not fit: one line after the other, and what a piece comes to is carried to the next.
    private func emitRunning(_ plan: VectorPlan, columns: Int, after first: Int) -> Int {
        let type = phase.outputs[0].term.type ?? NPU_FLOAT32
        var width = columns
        while Memory(self, [plan], rows: 1, columns: width).used > capacity - 64, width > 1 { width = max(width * 3 / 4, 1) }
        let memory = Memory(self, [plan], rows: 1, columns: width)
        let carry = npu_operand(address: arena + memory.used, row_stride: 1, stride: 0, type: type.rawValue, reserved: 0)
        let boxes = Box.all(of: phase.rowSizes, limit: 1)
        for (index, box) in boxes.enumerated() {
            let core = (first + index) % builder.cores
            builder.vector(core: core, NPU_V_COPY, to: carry, npu_operand(), count: 1, flags: 1)
            for (turn, piece) in Box.all(of: phase.columnSizes, limit: width).enumerated() {
                run(plan, memory, Block(core: core, turn: turn, rows: box, columns: piece), carry: carry)
            }
        }
        return first + boxes.count
    }

    // MARK: One block

    private struct Block {
        let core: Int
        /// Which of the two sets of buffers it has.
        let turn: Int
        let rows, columns: Box

        init(index: Int, cores: Int, rows: Box, columns: Box) {
            self.init(core: index % cores, turn: index / cores, rows: rows, columns: columns)
        }

        init(core: Int, turn: Int, rows: Box, columns: Box) {
            self.core = core
            self.turn = turn % 2
            self.rows = rows
            self.columns = columns
        }
    }

    private func run(_ plan: VectorPlan, _ memory: Memory, _ block: Block, accumulates: Bool = false, carry: npu_operand = npu_operand()) {
        for input in plan.inputs.sorted() { load(input, memory, block) }
        for step in plan.steps { execute(step, plan, memory, block, accumulates, carry) }
        for output in phase.outputs.indices where plan.writes(output) { store(output, plan, memory, block) }
    }

    private func load(_ index: Int, _ memory: Memory, _ block: Block) {
        let access = phase.inputs[index]
        builder.copy(
            core: block.core, to: memory.input(index, block.turn), from: device(access, block), width: access.width,
            dimensions(access, inputExtents[index], isTransposed: inputsTransposed[index], block).map { ($0.count, $0.local, $0.device) })
    }

    private func store(_ index: Int, _ plan: VectorPlan, _ memory: Memory, _ block: Block) {
        let access = phase.outputs[index].access
        let local = plan.forwarded[index].map { memory.input($0, block.turn) } ?? memory.output(index, block.turn)
        builder.copy(
            core: block.core, to: device(access, block), from: local, width: access.width,
            dimensions(access, outputExtents[index], isTransposed: outputsTransposed[index], block).map { ($0.count, $0.device, $0.local) })
    }

    private func device(_ access: Access, _ block: Block) -> npu_address {
        let begins = block.rows.begins + block.columns.begins
        return access.address + zip(begins, access.strides).reduce(0) { $0 + $1.0 * $1.1 } * access.width
    }

    /// Of a block in local memory and in the tensor; strides in bytes.
    private func dimensions(_ access: Access, _ extent: Extent, isTransposed: Bool, _ block: Block) -> [(
        count: Int, local: Int, device: Int
    )] {
        let split = block.rows.counts.count
        var result: [(count: Int, local: Int, device: Int)] = []
        var local = access.width
        func add(_ axes: Range<Int>, _ counts: [Int]) {
            for axis in axes.reversed() {
                let count = counts[axis - axes.lowerBound]
                result.append((count, local, access.strides[axis] * access.width))
                local *= count
            }
        }
        let (rows, columns) = (0..<split, split..<access.strides.count)
        if isTransposed {
            add(rows, block.rows.counts)
            add(columns, block.columns.counts)
        } else {
            if extent.contains(.columns) { add(columns, block.columns.counts) }
            if extent.contains(.rows) { add(rows, block.rows.counts) }
        }
        return result.reversed()
    }

    private func execute(
        _ step: VectorPlan.Step, _ plan: VectorPlan, _ memory: Memory, _ block: Block, _ accumulates: Bool, _ carry: npu_operand
    ) {
        var (rows, columns) = (step.extent.contains(.rows) ? block.rows.count : 1, step.extent.contains(.columns) ? block.columns.count : 1)
        if step.isReduction { columns = block.columns.count }
        var operands: [npu_operand] = []
        var flags = step.flags | (accumulates && step.isReduction ? 1 << 3 : 0)
        for (position, operand) in step.operands.enumerated() {
            switch operand {
            case .constant:
                flags |= 1 << UInt32(position)
                operands.append(npu_operand())
            case .place(let place): operands.append(self.operand(place, plan, memory, block))
            }
        }
        if step.operation == NPU_V_RUNNING_SUM { operands.append(carry) }
        while operands.count < 3 { operands.append(npu_operand()) }
        var destination = self.operand(step.destination, plan, memory, block)
        var parameter = step.parameter
        if step.operation == NPU_V_ROW { parameter += Double(block.rows.first) }
        if step.operation == NPU_V_COLUMN { parameter += Double(block.columns.first) }
        // Dense operands need no rows; values of rows alone are a line of their own.
        if !step.isReduction, !step.isLinewise {
            let all = [destination] + operands.filter { $0.type != 0 }
            if rows > 1, columns > 1, all.allSatisfy({ $0.row_stride == $0.stride * Int64(columns) }) {
                (rows, columns) = (1, rows * columns)
            } else if rows > 1, columns == 1 {
                (rows, columns) = (1, rows)
                destination.stride = destination.row_stride
                for index in operands.indices { operands[index].stride = operands[index].row_stride }
            }
        }
        builder.vector(
            core: block.core, step.operation, to: destination, operands[0], operands[1], operands[2], rows: rows, count: columns,
            flags: flags,
            parameter: parameter)
    }

    private func operand(_ place: VectorPlan.Place, _ plan: VectorPlan, _ memory: Memory, _ block: Block) -> npu_operand {
        let (address, type, extent, isTransposed): (npu_address, npu_type, Extent, Bool) =
            switch place {
            case .register(let index): (memory.register(index), plan.registers[index].type, plan.registers[index].extent, false)
            case .input(let index):
                (memory.input(index, block.turn), phase.inputs[index].type, inputExtents[index], inputsTransposed[index])
            case .output(let index):
                (memory.output(index, block.turn), phase.outputs[index].access.type, outputExtents[index], outputsTransposed[index])
            }
        let (row, column) =
            extent == .all
            ? (isTransposed ? (1, block.rows.count) : (block.columns.count, 1))
            : (extent.contains(.rows) ? 1 : 0, extent.contains(.columns) ? 1 : 0)
        return npu_operand(address: address, row_stride: Int64(row), stride: Int64(column), type: type.rawValue, reserved: 0)
    }

    // MARK: Places in local memory

    /// Buffers of inputs and outputs twice, registers once.
    private struct Memory {
        private let arena: npu_address
        private var inputs: [[Int]] = []
        private var outputs: [[Int]] = []
        private var registers: [Int] = []
        private(set) var used = 0

        init(_ emitter: PhaseEmitter, _ plans: [VectorPlan], rows: Int, columns: Int) {
            arena = emitter.arena
            func size(_ extent: Extent, _ type: npu_type) -> Int {
                (extent.contains(.rows) ? rows : 1) * (extent.contains(.columns) ? columns : 1) * type.width
            }
            var next = 0
            func take(_ bytes: Int) -> Int {
                defer { next += roundUp(bytes, to: 64) }
                return next
            }
            for (index, input) in emitter.phase.inputs.enumerated() {
                let bytes = plans.contains { $0.inputs.contains(index) } ? size(emitter.inputExtents[index], input.type) : 0
                inputs.append([take(bytes), take(bytes)])
            }
            for (index, output) in emitter.phase.outputs.enumerated() {
                let bytes =
                    plans.contains { $0.writes(index) && $0.forwarded[index] == nil }
                    ? size(emitter.outputExtents[index], output.access.type) : 0
                outputs.append([take(bytes), take(bytes)])
            }
            for register in plans.last?.registers ?? [] { registers.append(take(size(register.extent, register.type))) }
            used = next
        }

        func input(_ index: Int, _ turn: Int) -> npu_address { arena + inputs[index][turn] }
        func output(_ index: Int, _ turn: Int) -> npu_address { arena + outputs[index][turn] }
        func register(_ index: Int) -> npu_address { arena + registers[index] }
    }
}

extension VectorPlan {
    /// Whether output `index` of the phase is one of the plan's.
    func writes(_ index: Int) -> Bool { forwarded[index] != nil || steps.contains { $0.destination == .output(index) } }
}

extension VectorPlan.Step {
    fileprivate var isLinewise: Bool { operation == NPU_V_ROW || operation == NPU_V_COLUMN || operation == NPU_V_RUNNING_SUM }
}

extension ProgramBuilder {
    /// A copy of elements of `width` bytes; dimensions with the slowest first, strides in bytes. Those that follow on each other on both sides become one run, and where
    /// there are still too many the outer ones become copies of their own.
    func copy(
        core: Int, to destination: npu_address, from source: npu_address, width: Int, _ dimensions: [(count: Int, to: Int, from: Int)]
    ) {
        var (run, kept) = (width, [CopyDimension]())
        for dimension in dimensions.reversed() where dimension.count != 1 {
            if kept.isEmpty, dimension.to == run, dimension.from == run {
                run *= dimension.count
            } else if let inner = kept.first, dimension.to == inner.to * inner.count, dimension.from == inner.from * inner.count {
                kept[0].count *= dimension.count
            } else {
                kept.insert(CopyDimension(count: dimension.count, to: dimension.to, from: dimension.from), at: 0)
            }
        }
        func emit(_ kept: ArraySlice<CopyDimension>, _ to: npu_address, _ from: npu_address) {
            guard kept.count > Int(NPU_COPY_RANK), let outer = kept.first else {
                copy(core: core, to: to, from: from, run: run, Array(kept))
                return
            }
            for index in 0..<outer.count { emit(kept.dropFirst(), to + index * outer.to, from + index * outer.from) }
        }
        emit(kept[...], destination, source)
    }
}

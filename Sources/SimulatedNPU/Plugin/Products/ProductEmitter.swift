// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Emits the program of a product for one blocking.
///
/// Every core goes through its blocks of the result; each is the sum of steps along k. The operands' blocks of coming steps are loaded while the matrix unit works on the
/// present one, and stay in L1 for as long as nothing else needs the place.
final class ProductEmitter {
    let problem: ProductProblem
    let blocking: ProductBlocking
    let builder: ProgramBuilder
    let tile: (m: Int, n: Int, k: Int)
    private let loaderA, loaderB: BlockLoader
    private let epilogue: EpilogueEmitter
    private let accumulators: [npu_address]
    private let lookahead: Int

    /// A block of the result.
    struct Item {
        var batch: Int
        /// Where it begins, and its size.
        var m, n, rows, columns: Int
    }

    private struct Step {
        var item: Item
        var k, depth: Int
        var isLast: Bool
    }

    init(_ problem: ProductProblem, _ blocking: ProductBlocking, _ profile: Profile) throws(Refusal) {
        self.problem = problem
        self.blocking = blocking
        builder = ProgramBuilder(profile, cores: blocking.cores)
        // The rest stays unused, so that a chip with more of it has all programs of one with less.
        _ = try builder.allocate(builder.free(in: NPU_VECTORS) - min(blocking.vectors, builder.free(in: NPU_VECTORS)), in: NPU_VECTORS)
        let config = profile.config
        tile = (Int(config.tile_m), Int(config.tile_n), Int(config.tile_k))
        let arithmetic = problem.arithmetic

        let block = blocking.m * blocking.n * 4
        var accumulators = [try builder.allocate(block, in: NPU_ACCUMULATORS)]
        if builder.free(in: NPU_ACCUMULATORS) >= block { accumulators.append(try builder.allocate(block, in: NPU_ACCUMULATORS)) }
        self.accumulators = accumulators

        let (bytesA, bytesB) = (
            roundUp(blocking.m * blocking.k * arithmetic.unitA.bits / 8 * arithmetic.parts, to: BlockLoader.page),
            roundUp(blocking.k * blocking.n * arithmetic.unitB.bits / 8 * arithmetic.parts, to: BlockLoader.page)
        )
        let depthBlocks = divideUp(problem.k, by: blocking.k)
        let counts = Self.slots(
            room: builder.free(in: NPU_L1), kept: blocking.sharesA ? bytesA : bytesB, other: blocking.sharesA ? bytesB : bytesA,
            depthBlocks: depthBlocks,
            otherBlocks: depthBlocks * (blocking.sharesA ? divideUp(problem.n, by: blocking.n) : divideUp(problem.m, by: blocking.m)))
        guard let counts else { throw Refusal(.memory, "the chip's L1 is too small for a block of a product") }
        let (countA, countB) = blocking.sharesA ? (counts.kept, counts.other) : (counts.other, counts.kept)
        lookahead = min(countA, countB, 3) - 1

        loaderA = try BlockLoader(.a, problem, blocking, builder, slots: countA, slotBytes: bytesA)
        loaderB = try BlockLoader(.b, problem, blocking, builder, slots: countB, slotBytes: bytesB)
        if arithmetic.isStaged {
            // A quarter of the vector unit's memory each, at least a tile's row or column of the block.
            let quarter = builder.free(in: NPU_VECTORS) / 4 / BlockLoader.page * BlockLoader.page
            let stage = min(quarter, max(loaderA.largestPiece, loaderB.largestPiece))
            let places = [try builder.allocate(stage, in: NPU_VECTORS), try builder.allocate(stage, in: NPU_VECTORS)]
            try loaderA.setStages(places, bytes: stage)
            try loaderB.setStages(places, bytes: stage)
        }
        epilogue = try EpilogueEmitter(problem, blocking, builder)
        if problem.b.needsPadding { loaderB.padding = epilogue.paddingB }
    }

    /// How many blocks of each operand L1 holds: all of k of the operand that is kept, if that leaves two places for the other one, which gets the rest.
    private static func slots(room: Int, kept: Int, other: Int, depthBlocks: Int, otherBlocks: Int) -> (kept: Int, other: Int)? {
        guard kept + other <= room else { return nil }
        var count = depthBlocks + 1
        if count * kept + 2 * other > room { count = depthBlocks }
        if count * kept + 2 * other > room { count = min(2, depthBlocks) }
        if count * kept + 2 * other > room { count = 1 }
        return (count, max(min((room - count * kept) / other, otherBlocks + 1), 1))
    }

    func emit(limit: Double = .infinity) throws(Refusal) -> Lowering {
        let items = items
        for core in 0..<builder.cores {
            let mine = items[(items.count * core / builder.cores)..<(items.count * (core + 1) / builder.cores)]
            if !mine.isEmpty { emit(core, mine) }
        }
        return try builder.finish(limit: limit)
    }

    private var items: [Item] {
        var result: [Item] = []
        let (rows, columns) = (divideUp(problem.m, by: blocking.m), divideUp(problem.n, by: blocking.n))
        for batch in 0..<problem.batches {
            for index in 0..<(rows * columns) {
                let (row, column) = blocking.sharesA ? (index / columns, index % columns) : (index % rows, index / rows)
                let (m, n) = (row * blocking.m, column * blocking.n)
                result.append(
                    Item(batch: batch, m: m, n: n, rows: min(blocking.m, problem.m - m), columns: min(blocking.n, problem.n - n)))
            }
        }
        return result
    }

    private func emit(_ core: Int, _ items: ArraySlice<Item>) {
        let steps = items.flatMap { item in
            stride(from: 0, to: problem.k, by: blocking.k).map {
                Step(item: item, k: $0, depth: min(blocking.k, problem.k - $0), isLast: $0 + blocking.k >= problem.k)
            }
        }
        loaderA.begin(core)
        loaderB.begin(core)
        epilogue.begin(core)
        var places: [(a: npu_address, b: npu_address)] = []
        var (slot, waiting): (Int, (Item, npu_address)?) = (0, nil)
        for (index, step) in steps.enumerated() {
            while places.count < min(index + 1 + lookahead, steps.count) {
                let next = steps[places.count]
                places.append(
                    (loaderA.place(of: next.item, k: next.k, depth: next.depth), loaderB.place(of: next.item, k: next.k, depth: next.depth))
                )
            }
            multiply(core, step, places[index].a, places[index].b, into: accumulators[slot])
            if let (item, source) = waiting {
                epilogue.emit(item, from: source)
                waiting = nil
            }
            guard step.isLast else { continue }
            // With two sets of accumulators the next block begins first.
            if accumulators.count > 1 {
                waiting = (step.item, accumulators[slot])
                slot = 1 - slot
            } else {
                epilogue.emit(step.item, from: accumulators[slot])
            }
        }
        if let (item, source) = waiting { epilogue.emit(item, from: source) }
    }

    private func multiply(_ core: Int, _ step: Step, _ a: npu_address, _ b: npu_address, into accumulators: npu_address) {
        let (item, arithmetic) = (step.item, problem.arithmetic)
        var matrix = npu_matrix()
        matrix.accumulators = accumulators
        (matrix.m, matrix.n, matrix.k) = (UInt32(item.rows), UInt32(item.columns), UInt32(step.depth))
        (matrix.a_type, matrix.b_type) = (UInt8(arithmetic.unitA.rawValue), UInt8(arithmetic.unitB.rawValue))
        matrix.accumulate = step.k > 0 ? 1 : 0
        if let zero = epilogue.zeroA(item) {
            matrix.a_zero = zero
            matrix.flags |= UInt8(NPU_MATRIX_A_ZERO)
        }
        if let zero = epilogue.zeroB(item) {
            matrix.b_zero = zero
            matrix.flags |= UInt8(NPU_MATRIX_B_ZERO)
        }
        let depth = roundUp(step.depth, to: tile.k)
        let (partA, partB) = (roundUp(item.rows, to: tile.m) * depth * 2, roundUp(item.columns, to: tile.n) * depth * 2)
        let parts = arithmetic.parts
        // The small products first.
        for sum in (1..<max(parts, 1)).reversed() {
            for part in (0...sum).reversed() {
                (matrix.a, matrix.b) = (a + part * partA, b + (sum - part) * partB)
                matrix.flags = UInt8(NPU_MATRIX_FINITE)
                builder.matrix(core: core, matrix)
                matrix.accumulate = 1
            }
        }
        if parts > 1 { matrix.flags = 0 }
        (matrix.a, matrix.b) = (a, b)
        builder.matrix(core: core, matrix)
    }
}

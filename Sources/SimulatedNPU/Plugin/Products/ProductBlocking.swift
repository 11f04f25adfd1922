// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// How a product is cut into blocks and dealt to cores.
struct ProductBlocking: Hashable {
    /// Of a block: rows, columns, and depth that is added up at a time.
    var m, n, k: Int
    var cores: Int
    /// Neighbouring blocks of a core share a rather than b.
    var sharesA: Bool
    /// Bytes of the vector unit's memory that are used.
    var vectors: Int

    /// The blockings that are tried. The list only grows with the chip: every blocking that a smaller one had is in it.
    static func candidates(for problem: ProductProblem, _ profile: Profile) -> [ProductBlocking] {
        let config = profile.config
        let tile = (m: Int(config.tile_m), n: Int(config.tile_n), k: Int(config.tile_k))
        let accumulators = Int(config.bytes(of: NPU_ACCUMULATORS))
        let capacity = Int(config.bytes(of: NPU_VECTORS))
        let vectors = capacity < 1 << 15 ? [capacity] : [1 << 15, 1 << 17].filter { $0 <= capacity }
        var result: [ProductBlocking] = []
        for m in sizes([16, 64, 128, 256], problem.m, tile.m) {
            for n in sizes([16, 64, 128, 256], problem.n, tile.n) where m * n * 4 <= accumulators {
                let blocks = (divideUp(problem.m, by: m), divideUp(problem.n, by: n))
                let items = problem.batches * blocks.0 * blocks.1
                let isSmall = (m < 64 && m < problem.m) || (n < 64 && n < problem.n)
                if isSmall && items > 8 * Int(config.cores) { continue }
                for k in sizes([64, 256], problem.k, tile.k) {
                    for cores in halvings(of: Int(config.cores)) where cores <= items || cores == 1 {
                        for sharesA in blocks.0 > 1 && blocks.1 > 1 ? [true, false] : [true] {
                            for vectors in vectors {
                                result.append(ProductBlocking(m: m, n: n, k: k, cores: cores, sharesA: sharesA, vectors: vectors))
                                if problem.isPlain { break }
                            }
                        }
                    }
                }
            }
        }
        return result
    }

    /// Whole tiles, none larger than the extent needs.
    private static func sizes(_ wanted: [Int], _ extent: Int, _ tile: Int) -> [Int] {
        let all = roundUp(extent, to: tile)
        var result: [Int] = []
        for size in wanted.map({ min(roundUp($0, to: tile), all) }) where result.last != size { result.append(size) }
        return result
    }

    /// The number, its half, and so on as long as it is even, and 1.
    private static func halvings(of cores: Int) -> [Int] {
        var (result, next) = ([cores], cores)
        while next % 2 == 0 {
            next /= 2
            result.append(next)
        }
        if next != 1 { result.append(1) }
        return result
    }
}

extension ProductProblem {
    /// The fastest program among the candidates.
    func lower(_ profile: Profile) throws(Refusal) -> Lowering {
        try require(k > 0, .shape, "sums of nothing")
        if m == 0 || n == 0 || batches == 0 {
            let builder = ProgramBuilder(profile, cores: 1)
            return try builder.finish()
        }
        let key = signature
        if let known = profile.blocking(for: key) { return try ProductEmitter(self, known, profile).emit() }
        var best: (blocking: ProductBlocking, lowering: Lowering)?
        var refusal: Refusal?
        // Those that could be fastest first; once the best is faster than the rest can be, they need no program.
        let candidates = ProductBlocking.candidates(for: self, profile).map { (blocking: $0, least: leastSeconds($0, profile.config)) }
        let sorted = candidates.sorted { $0.least < $1.least }
        // Some at a time; which is taken depends on their order alone.
        var next = 0
        while next < sorted.count {
            let limit = best?.lowering.program.seconds ?? .infinity
            if limit <= sorted[next].least { break }
            let tried = sorted[next..<min(next + profile.threads, sorted.count)]
            let results = concurrently(tried.count) { index in
                Result { () throws(Refusal) in
                    try ProductEmitter(self, tried[tried.startIndex + index].blocking, profile).emit(limit: limit)
                }
            }
            for (candidate, result) in zip(tried, results) {
                switch result {
                case .success(let lowering):
                    if lowering.program.seconds < best?.lowering.program.seconds ?? .infinity { best = (candidate.blocking, lowering) }
                case .failure(let error): refusal = error
                }
            }
            next += tried.count
        }
        guard let best else { throw refusal ?? Refusal(.memory, "the chip's local memories are too small for a product") }
        profile.remember(best.blocking, for: key)
        return best.lowering
    }

    /// What no program with this blocking is faster than: the matrix unit's work of the core that has most of it.
    private func leastSeconds(_ blocking: ProductBlocking, _ config: npu_config) -> Double {
        let (tileM, tileN, tileK) = (Int(config.tile_m), Int(config.tile_n), Int(config.tile_k))
        let rate =
            arithmetic.unitA == .float16 ? config.float16_rate : arithmetic.unitA == .bfloat16 ? config.bfloat16_rate : config.int8_rate
        let products = arithmetic.parts == 3 ? 6 : arithmetic.parts == 2 ? 3 : 1
        let perTile = max(1, 2 * Double(tileM * tileN * tileK) / rate) * Double(products) / config.clock
        let depth = divideUp(k, by: tileK)
        let tiles = Double(batches * divideUp(m, by: tileM) * divideUp(n, by: tileN) * depth)
        let wholeBlocks = batches * (m / blocking.m) * (n / blocking.n)
        let blockTiles = (blocking.m / tileM) * (blocking.n / tileN) * depth
        return max(tiles / Double(blocking.cores), Double(divideUp(wholeBlocks, by: blocking.cores) * blockTiles)) * perTile
    }

    /// Everything that the time of a program depends on.
    private var signature: String {
        func text(_ operand: ProductOperand) -> String {
            let source =
                switch operand.source {
                case .matrix(let row, let column): "\(row),\(column)"
                case .patches(let patch): "\(patch)"
                case .panels(let height): "panels \(height)"
                }
            return "\(source) \(operand.offsets) \(operand.constant != nil) \(operand.zeroPoint?.count ?? 0) \(operand.bytes)"
        }
        let inputs = epilogue.inputs.map { "\($0.type)\($0.row),\($0.column),\($0.offsets)" }
        return "\(m) \(n) \(k) \(arithmetic) a \(text(a)) b \(text(b)) \(output) \(inputs) \(epilogue.term.outline)"
    }
}

extension Term {
    /// The expression's operations, as text.
    var outline: String {
        switch kind {
        case .input(let index): "i\(index)"
        case .constant(let value): "\(value)"
        case .elementwise(let operation, let operands, _): "\(operation.rawValue)(\(operands.map(\.outline).joined(separator: " ")))"
        case .reduction(let operation, let operand, _): "\(operation.rawValue)[\(operand.outline)]"
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Brings blocks of one operand into L1, in the order of tiles, and remembers which are there.
final class BlockLoader {
    enum Side { case a, b }

    /// Places in L1 begin at multiples of what the clock watches as one.
    static let page = 512

    private let side: Side
    private let operand: ProductOperand
    private let type: DataType
    private let arithmetic: ProductArithmetic
    private let builder: ProgramBuilder
    private let blocking: ProductBlocking
    private let tile: (m: Int, n: Int, k: Int)
    private let source: npu_address
    private let places: [npu_address]
    /// Packed blocks: bytes from one to the next, and which batches share them.
    private var packed: (stride: Int, depthBlocks: Int, outerBlocks: Int, ordinals: [Int: Int])?
    private var stages: [npu_address] = []
    private var stageBytes = 0
    private var nextStage = 0
    /// What windows see outside of the image, where that is not zero but a value of the launch.
    var padding: npu_operand?

    private struct Key: Equatable {
        /// Where the batch begins, and the block in it.
        var offset, outer, k: Int
    }
    private var core = 0
    private var keys: [Key?] = []
    private var uses: [Int] = []
    private var time = 0

    init(_ side: Side, _ problem: ProductProblem, _ blocking: ProductBlocking, _ builder: ProgramBuilder, slots: Int, slotBytes: Int)
        throws(Refusal)
    {
        self.side = side
        self.builder = builder
        self.blocking = blocking
        arithmetic = problem.arithmetic
        operand = side == .a ? problem.a : problem.b
        type = side == .a ? arithmetic.a : arithmetic.b
        let config = builder.config
        tile = (Int(config.tile_m), Int(config.tile_n), Int(config.tile_k))
        var places: [npu_address] = []
        for _ in 0..<slots { places.append(try builder.allocate(slotBytes, in: NPU_L1)) }
        self.places = places
        if let constant = operand.constant, case .matrix(let row, let column) = operand.source {
            let outerExtent = side == .a ? problem.m : problem.n
            let packing = Packing(
                isB: side == .b, type: type, parts: arithmetic.parts, constant: constant, row: row, column: column,
                offsets: Array(Set(operand.offsets)).sorted(), outer: outerExtent, outerBlock: side == .a ? blocking.m : blocking.n,
                depth: problem.k, depthBlock: blocking.k, stride: slotBytes)
            source = builder.constant(bytes: packing.byteCount) { packing.fill($0, config) }
            packed = (
                slotBytes, packing.depthBlocks, packing.outerBlocks,
                Dictionary(uniqueKeysWithValues: packing.offsets.enumerated().map { ($1, $0) })
            )
        } else {
            source = builder.input(operand.input, bytes: operand.bytes)
        }
    }

    /// Bytes of float32 that a whole block has.
    var largestPiece: Int { packed != nil ? 0 : (side == .a ? blocking.m : blocking.n) * blocking.k * 4 }

    /// Where float32 is put before it is split. Throws if not even one column of tiles fits.
    func setStages(_ stages: [npu_address], bytes: Int) throws(Refusal) {
        let least = side == .a ? blocking.m * tile.k * 4 : blocking.k * tile.n * 4
        guard packed != nil || least <= bytes else {
            throw Refusal(.memory, "the vector unit's memory is too small for a block of a product")
        }
        self.stages = stages
        stageBytes = bytes
    }

    func begin(_ core: Int) {
        self.core = core
        keys = places.map { _ in nil }
        uses = places.map { _ in 0 }
        time = 0
    }

    /// The block's place in L1; it is loaded if it is not there.
    func place(of item: ProductEmitter.Item, k: Int, depth: Int) -> npu_address {
        let (outer, extent) = side == .a ? (item.m, item.rows) : (item.n, item.columns)
        let key = Key(offset: operand.offsets[item.batch], outer: outer, k: k)
        time += 1
        if let found = keys.firstIndex(of: key) {
            uses[found] = time
            return places[found]
        }
        let victim = uses.indices.min { uses[$0] < uses[$1] }!
        keys[victim] = key
        uses[victim] = time
        load(key, extent: extent, depth: depth, to: places[victim])
        return places[victim]
    }

    private func load(_ key: Key, extent: Int, depth: Int, to place: npu_address) {
        let (height, width) =
            side == .a
            ? (roundUp(extent, to: tile.m), roundUp(depth, to: tile.k)) : (roundUp(depth, to: tile.k), roundUp(extent, to: tile.n))
        if let packed {
            let outer = key.outer / (side == .a ? blocking.m : blocking.n)
            let block = (packed.ordinals[key.offset]! * packed.outerBlocks + outer) * packed.depthBlocks + key.k / blocking.k
            let unit = side == .a ? arithmetic.unitA : arithmetic.unitB
            builder.copy(
                core: core, to: place, from: source + block * packed.stride, run: height * width * unit.bits / 8 * arithmetic.parts)
        } else if !arithmetic.isStaged {
            fetch(key, extent: extent, depth: depth, to: place)
        } else {
            // Whole columns of tiles lie side by side: a along k, b along n.
            let step = side == .a ? tile.k : tile.n
            let piece = max(stageBytes / (height * step * 4), 1) * step
            for first in stride(from: 0, to: width, by: piece) {
                var part = key
                let stage = stages[nextStage]
                nextStage = 1 - nextStage
                let columns = min(piece, (side == .a ? depth : extent) - first)
                if side == .a {
                    part.k += first
                    fetch(part, extent: extent, depth: columns, to: stage)
                } else {
                    part.outer += first
                    fetch(part, extent: columns, depth: depth, to: stage)
                }
                let (target, count) = (place + first * height * 2, roundUp(columns, to: step) * height)
                for number in 0..<arithmetic.parts {
                    if number > 0 {
                        builder.vector(core: core, NPU_V_REST, to: stage.operand(.float32), stage.operand(.float32), count: count)
                    }
                    builder.vector(
                        core: core, NPU_V_HEAD, to: (target + number * height * width * 2).operand(.bfloat16), stage.operand(.float32),
                        count: count)
                }
            }
        }
    }

    /// Copies a block as it is, into tiles.
    private func fetch(_ key: Key, extent: Int, depth: Int, to place: npu_address) {
        let bytes = type.bits / 8
        switch operand.source {
        case .patches(let template):
            var patch = template
            patch.destination = place
            patch.source = source + key.offset * bytes
            (patch.first_depth, patch.depth) = (UInt64(key.k), UInt64(depth))
            (patch.first_column, patch.columns) = (UInt64(key.outer), UInt64(extent))
            if let padding {
                patch.flags |= NPU_PATCH_KEEPS
                let all = roundUp(depth, to: tile.k) * roundUp(extent, to: tile.n)
                builder.vector(core: core, NPU_V_COPY, to: place.operand(type), padding, count: all)
            }
            builder.patch(core: core, patch)
        case .panels(let panelHeight):
            let (row, column, rows, columns) = side == .a ? (key.outer, key.k, extent, depth) : (key.k, key.outer, depth, extent)
            fetchPanels(
                from: source + (key.offset + column * panelHeight + row * tile.n) * bytes, panelHeight, rows: rows,
                panels: divideUp(columns, by: tile.n), to: place)
        case .matrix(let row, let column):
            let (firstRow, firstColumn, rows, columns) = side == .a ? (key.outer, key.k, extent, depth) : (key.k, key.outer, depth, extent)
            let from = source + (key.offset + firstRow * row + firstColumn * column) * bytes
            let width = side == .a ? tile.k : tile.n
            // One column of tiles after the other, each as many rows as the block has.
            let height = roundUp(rows, to: side == .a ? tile.m : tile.k)
            let whole = columns / width
            func move(_ first: Int, tiles: Int, width part: Int) {
                let (to, from) = (place + first * height * width * bytes, from + first * width * column * bytes)
                var dimensions = [
                    CopyDimension(count: tiles, to: height * width * bytes, from: width * column * bytes),
                    CopyDimension(count: rows, to: width * bytes, from: row * bytes),
                ]
                if column == 1 || part == 1 {
                    builder.copy(core: core, to: to, from: from, run: part * bytes, dimensions)
                } else {
                    dimensions.append(CopyDimension(count: part, to: bytes, from: column * bytes))
                    builder.copy(core: core, to: to, from: from, run: bytes, dimensions)
                }
            }
            if whole > 0 { move(0, tiles: whole, width: width) }
            if columns % width > 0 { move(whole, tiles: 1, width: columns % width) }
        }
    }
}

extension BlockLoader {
    /// Panels side by side make a tile's width. What fills the last one up is copied along, and counts for nothing.
    private func fetchPanels(from: npu_address, _ panelHeight: Int, rows: Int, panels: Int, to place: npu_address) {
        let (bytes, unit) = (type.bits / 8, tile.n)
        let width = side == .a ? tile.k : tile.n
        let height = roundUp(rows, to: side == .a ? tile.m : tile.k)
        let abreast = width / unit
        func move(_ first: Int, tiles: Int, abreast: Int) {
            builder.copy(
                core: core, to: place + first * unit * height * bytes, from: from + first * unit * panelHeight * bytes, width: unit * bytes,
                [
                    (tiles, height * width * bytes, width * panelHeight * bytes), (abreast, unit * bytes, unit * panelHeight * bytes),
                    (rows, width * bytes, unit * bytes),
                ])
        }
        if panels / abreast > 0 { move(0, tiles: panels / abreast, abreast: abreast) }
        if panels % abreast > 0 { move(panels / abreast * abreast, tiles: 1, abreast: panels % abreast) }
    }
}

/// A constant operand as blocks in the order of tiles, one after the other: for each batch, along m (of a) or n (of b), then along k.
private struct Packing: @unchecked Sendable {
    let isB: Bool
    let type: DataType
    let parts: Int
    let constant: UnsafeRawPointer
    let row, column: Int
    let offsets: [Int]
    let outer, outerBlock, depth, depthBlock: Int
    /// Bytes from one block to the next.
    let stride: Int

    var outerBlocks: Int { divideUp(outer, by: outerBlock) }
    var depthBlocks: Int { divideUp(depth, by: depthBlock) }
    var byteCount: Int { offsets.count * outerBlocks * depthBlocks * stride }

    func fill(_ target: UnsafeMutableRawPointer, _ config: npu_config) {
        var config = config
        var place = target
        for offset in offsets {
            for first in Swift.stride(from: 0, to: outer, by: outerBlock) {
                for k in Swift.stride(from: 0, to: depth, by: depthBlock) {
                    let (extent, length) = (min(outerBlock, outer - first), min(depthBlock, depth - k))
                    let from = constant + (offset + (isB ? k * row + first * column : first * row + k * column)) * (type.bits / 8)
                    npu_pack(
                        &config, isB, type.rawValue, from, Int64(row), Int64(column), UInt64(isB ? length : extent),
                        UInt64(isB ? extent : length),
                        UInt32(parts), place)
                    place += stride
                }
            }
        }
    }
}

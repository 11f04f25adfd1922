// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginKit
import ReferenceCPUKernels

/// One attention node. Each thread takes an equal share of the blocks of queries, and has a matrix of scores of one block in the workspace.
final class PreparedAttention: PreparedKernel {
    private let geometry: AttentionGeometry
    private let pool: ThreadPool
    /// Queries of one block.
    private static let block = 32

    init(_ geometry: AttentionGeometry, _ device: CPUDevice) {
        self.geometry = geometry
        pool = device.pool
    }

    private var blocks: Int { (geometry.queries + Self.block - 1) / Self.block }
    private var items: Int { geometry.batch * geometry.queryHeads * blocks }
    private var shares: Int { min(pool.threadCount, items) }
    private var scoresPerShare: Int { (min(Self.block, geometry.queries) * geometry.keys + 15) / 16 * 16 }

    var workspace: Int { shares * scoresPerShare * MemoryLayout<Float>.size }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        func optional(_ index: Int) throws(PluginFailure) -> UnsafeMutableRawPointer? {
            launch.hasInput(index) ? try launch.input(index).hostElements() : nil
        }
        func floats(_ index: Int) throws(PluginFailure) -> UnsafePointer<Float>? {
            UnsafePointer(try optional(index)?.assumingMemoryBound(to: Float.self))
        }
        let task = AttentionTask(
            geometry: geometry, blocks: blocks, block: Self.block, items: items, shares: shares, scoresPerShare: scoresPerShare,
            q: try floats(0)!, k: try floats(1)!, v: try floats(2)!, mask: try optional(3), pastKey: try floats(4),
            pastValue: try floats(5),
            lengths: try optional(6), y: try launch.output(0).hostElements().assumingMemoryBound(to: Float.self),
            kept: launch.hasOutput(3) ? try launch.output(3).hostElements().assumingMemoryBound(to: Float.self) : nil,
            scores: try launch.hostWorkspace(atLeast: workspace).assumingMemoryBound(to: Float.self))
        pool.parallel(shares, with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: AttentionTask.self).pointee
            for share in begin..<end { task.run(share: share) }
        }
        let (g, rows) = (geometry, geometry.keys - geometry.past)
        if launch.hasOutput(1) {
            let present = try launch.output(1).hostElements().assumingMemoryBound(to: Float.self)
            cache(present, g.size, past: task.pastKey, new: task.k, strides: g.k, rows: rows)
        }
        if launch.hasOutput(2) {
            let present = try launch.output(2).hostElements().assumingMemoryBound(to: Float.self)
            cache(present, g.valueSize, past: task.pastValue, new: task.v, strides: g.v, rows: rows)
        }
    }

    /// What is kept for the next call: the past and behind it what is new, as [batch, head, row, entry].
    private func cache(
        _ present: UnsafeMutablePointer<Float>, _ size: Int, past: UnsafePointer<Float>?, new: UnsafePointer<Float>, strides: HeadStrides,
        rows: Int
    ) {
        let task = CacheTask(
            present: present, size: size, past: past, pastRows: geometry.past, new: new, strides: strides, rows: rows, heads: geometry.heads
        )
        pool.parallel(geometry.batch * geometry.heads, grain: max(elementGrain / (geometry.keys * size), 1), with: task) {
            context, begin, end in
            let task = context!.assumingMemoryBound(to: CacheTask.self).pointee
            for item in begin..<end { task.run(item) }
        }
    }
}

private struct CacheTask {
    let present: UnsafeMutablePointer<Float>
    let size: Int
    let past: UnsafePointer<Float>?
    let pastRows: Int
    let new: UnsafePointer<Float>
    let strides: HeadStrides
    let rows, heads: Int

    func run(_ item: Int) {
        let target = present + item * (pastRows + rows) * size
        if let past { memcpy(target, past + item * pastRows * size, pastRows * size * 4) }
        let source = new + item / heads * strides.batch + item % heads * strides.head
        for row in 0..<rows { memcpy(target + (pastRows + row) * size, source + row * strides.row, size * 4) }
    }
}

private struct AttentionTask {
    let geometry: AttentionGeometry
    let blocks, block, items, shares, scoresPerShare: Int
    let q, k, v: UnsafePointer<Float>
    let mask: UnsafeMutableRawPointer?
    let pastKey, pastValue: UnsafePointer<Float>?
    let lengths: UnsafeMutableRawPointer?
    let y: UnsafeMutablePointer<Float>
    let kept: UnsafeMutablePointer<Float>?
    let scores: UnsafeMutablePointer<Float>

    func run(share: Int) {
        let (begin, end) = (share * items / shares, (share + 1) * items / shares)
        for item in begin..<end {
            let (matrix, first) = (item / blocks, item % blocks * block)
            run(
                batch: matrix / geometry.queryHeads, head: matrix % geometry.queryHeads, first: first,
                count: min(block, geometry.queries - first), scores + share * scoresPerShare)
        }
    }

    /// The queries `first` ..< `first + count` of one head.
    private func run(batch: Int, head: Int, first: Int, count: Int, _ scores: UnsafeMutablePointer<Float>) {
        let g = geometry
        let shared = head / (g.queryHeads / g.heads)
        let query = q + batch * g.q.batch + head * g.q.head + first * g.q.row
        let key = k + batch * g.k.batch + shared * g.k.head
        let value = v + batch * g.v.batch + shared * g.v.head
        let output = y + batch * g.y.batch + head * g.y.head + first * g.y.row
        let rows = g.keys - g.past

        var layout = MatrixProduct.Layout(m: count, n: rows, k: g.size, transposeB: true)
        (layout.lda, layout.ldb, layout.ldc) = (g.q.row, g.k.row, g.keys)
        MatrixProduct.product(layout, alpha: g.scale, query, key, scores + g.past)
        let pastKeys = pastKey.map { $0 + batch * g.pastKey.batch + shared * g.pastKey.head }
        let pastValues = pastValue.map { $0 + batch * g.pastValue.batch + shared * g.pastValue.head }
        if let pastKeys, g.past > 0 {
            (layout.n, layout.ldb) = (g.past, g.pastKey.row)
            MatrixProduct.product(layout, alpha: g.scale, query, pastKeys, scores)
        }
        weigh(batch: batch, head: head, first: first, count: count, scores)

        var isFinite = cpu_all_finite(Int64(rows), Int64(g.valueSize), Int64(g.v.row), value)
        if let pastValues { isFinite = isFinite && cpu_all_finite(Int64(g.past), Int64(g.valueSize), Int64(g.valueSize), pastValues) }
        if isFinite {
            var layout = MatrixProduct.Layout(m: count, n: g.valueSize, k: rows)
            (layout.lda, layout.ldb, layout.ldc) = (g.keys, g.v.row, g.y.row)
            MatrixProduct.product(layout, scores + g.past, value, output)
            if let pastValues, g.past > 0 {
                (layout.k, layout.ldb) = (g.past, g.valueSize)
                MatrixProduct.product(layout, scores, pastValues, beta: 1, output)
            }
            return
        }
        for row in 0..<count {
            let (weights, target) = (scores + row * g.keys, output + row * g.y.row)
            for entry in 0..<g.valueSize { target[entry] = 0 }
            if let pastValues { cpu_weighted_sum(Int64(g.past), Int64(g.valueSize), Int64(g.valueSize), weights, pastValues, target) }
            cpu_weighted_sum(Int64(rows), Int64(g.valueSize), Int64(g.v.row), weights + g.past, value, target)
        }
    }

    private func weigh(batch: Int, head: Int, first: Int, count: Int, _ scores: UnsafeMutablePointer<Float>) {
        let g = geometry
        let length = lengths.map { Int($0.loadUnaligned(fromByteOffset: 8 * batch, as: Int64.self)) }
        var how = cpu_attention_row()
        how.keys = Int64(g.keys)
        how.softcap = g.softcap
        how.mask_kind = g.maskKind
        how.mask_length = Int64(g.mask.length)
        how.kept_mode = Int32(g.scoreMode)
        for row in 0..<count {
            let query = first + row
            let visible = g.visible(query: query, length: length)
            (how.first, how.last) = (Int64(visible.first), Int64(visible.last))
            if let mask {
                let start = batch * g.mask.batch + head * g.mask.head + query * g.mask.query
                how.mask = UnsafeRawPointer(mask + start * (g.maskKind == CPU_MASK_BOOL ? 1 : 4))
            }
            if let kept { how.kept = kept + ((batch * g.queryHeads + head) * g.queries + query) * g.keys }
            cpu_attention_weights(&how, scores + row * g.keys)
        }
    }
}

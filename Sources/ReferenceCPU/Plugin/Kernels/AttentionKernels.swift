// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

/// Attention without a matrix of all scores: a block of queries of one head at a time.
let attentionKernels = [
    TunedKernel("Attention", since: 23, types: TypeSet(.float32), widens: true) { node, device throws(Refusal) in
        let kernel = PreparedAttention(try AttentionGeometry(node), device)
        return TunedKernel.Plan(kernel: kernel, workspace: kernel.workspace)
    }
]

/// A tensor of [batch, head, row, entry], in elements; the entries are neighbours.
struct HeadStrides {
    let batch, head, row: Int

    /// Of shape [batch, heads, rows, size], or of [batch, rows, heads * size].
    init(_ rank: Int, heads: Int, rows: Int, size: Int) {
        if rank == 4 {
            (batch, head, row) = (heads * rows * size, rows * size, size)
        } else {
            (batch, head, row) = (heads * rows * size, size, heads * size)
        }
    }
}

/// Sizes, strides and attributes of an attention.
struct AttentionGeometry {
    let batch, queryHeads, heads, queries, past, keys, size, valueSize: Int
    let q, k, v, y, pastKey, pastValue: HeadStrides
    let maskKind: cpu_mask
    /// Strides of the mask for batch, head and query, and its length along the keys.
    let mask: (batch: Int, head: Int, query: Int, length: Int)
    let hasLengths, isCausal: Bool
    let left, right, scoreMode: Int
    let scale, softcap: Float

    init(_ node: NodeView) throws(Refusal) {
        let (query, key, value) = (try node.present(input: 0), try node.present(input: 1), try node.present(input: 2))
        for index in [0, 1, 2, 4, 5] {
            guard let input = node.input(index) else { continue }
            try require(input.type == .float32 && input.strides == nil, .dataType, "input \(index) is no dense float32")
        }
        for index in 0..<min(node.outputCount, 4) {
            guard let output = node.output(index) else { continue }
            try require(output.type == .float32, .dataType, "output \(index) is no float32")
        }
        let precision = node.int("softmax_precision").map { UInt32(truncatingIfNeeded: $0) }
        try require(precision != DataType.float64.rawValue, .attribute, "a softmax in float64")
        let rank = query.shape.count
        try require(
            (rank == 3 || rank == 4) && key.shape.count == rank && value.shape.count == rank, .shape, "ranks that do not fit")
        func split(_ shape: [Int], _ name: String) throws(Refusal) -> (heads: Int, rows: Int, size: Int) {
            if rank == 4 { return (shape[1], shape[2], shape[3]) }
            guard let heads = node.int(name).map({ Int($0) }), heads > 0, shape[2] % heads == 0 else {
                throw Refusal(.attribute, "heads that do not fit")
            }
            return (heads, shape[1], shape[2] / heads)
        }
        let (a, b) = (try split(query.shape, "q_num_heads"), try split(key.shape, "kv_num_heads"))
        let c = try split(value.shape, "kv_num_heads")
        (batch, queryHeads, queries, size) = (query.shape[0], a.heads, a.rows, a.size)
        (heads, valueSize) = (b.heads, c.size)
        try require(
            key.shape[0] == batch && value.shape[0] == batch && b.size == size && c.heads == heads && c.rows == b.rows && heads > 0
                && queryHeads % heads == 0 && batch * queryHeads * queries * size > 0, .shape, "shapes that do not fit")
        past = node.input(4)?.dimensions.dropFirst(2).first ?? 0
        keys = past + b.rows
        try require(keys > 0 && (past == 0) == ((node.input(5)?.count ?? 0) == 0), .shape, "no keys, or a past without values")
        q = HeadStrides(rank, heads: queryHeads, rows: queries, size: size)
        k = HeadStrides(rank, heads: heads, rows: b.rows, size: size)
        v = HeadStrides(rank, heads: heads, rows: b.rows, size: valueSize)
        y = HeadStrides(rank, heads: queryHeads, rows: queries, size: valueSize)
        pastKey = HeadStrides(4, heads: heads, rows: past, size: size)
        pastValue = HeadStrides(4, heads: heads, rows: past, size: valueSize)
        if let given = node.input(3) {
            try require(given.type == .bool || given.type == .float32, .dataType, "a mask of another type")
            let shape = Array(repeating: 1, count: 4 - min(given.rank, 4)) + given.dimensions
            try require(shape.count == 4 && given.strides == nil, .shape, "a mask of rank \(given.rank)")
            let strides = zip(dense(shape), shape).map { $1 == 1 ? 0 : $0 }
            maskKind = given.type == .bool ? CPU_MASK_BOOL : CPU_MASK_FLOAT32
            mask = (strides[0], strides[1], strides[2], min(shape[3], keys))
        } else {
            maskKind = CPU_MASK_NONE
            mask = (0, 0, 0, 0)
        }
        hasLengths = node.input(6) != nil
        isCausal = node.int("is_causal") ?? 0 != 0
        (left, right) = (Int(node.int("left_window_size") ?? -1), Int(node.int("right_window_size") ?? -1))
        scoreMode = Int(node.int("qk_matmul_output_mode") ?? 0)
        scale = node.float("scale") ?? Float(1 / Double(size).squareRoot())
        softcap = node.float("softcap") ?? 0
    }

    /// The keys that a query may see by its position: first and one behind the last.
    func visible(query: Int, length: Int?) -> (first: Int, last: Int) {
        let position = query + (length.map { $0 - queries } ?? past)
        var (first, last) = (0, keys)
        if left >= 0 { first = position - left }
        if isCausal { last = min(last, position + 1) }
        if right >= 0 { last = min(last, position + right + 1) }
        if let length { last = min(last, length) }
        last = max(last, 0)
        return (min(max(first, 0), last), last)
    }
}

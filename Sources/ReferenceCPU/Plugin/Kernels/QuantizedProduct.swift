// SPDX-License-Identifier: Apache-2.0
import ReferenceCPUKernels

/// The steps of one product of packed 8-bit matrices, each on all threads of the pool. See `quantized.h`.
struct QuantizedProduct: Sendable {
    let rows, depth, columns: Int
    let pool: ThreadPool

    private static let panel = Int(CPU_QUANTIZED_PANEL)
    private var pairs: Int { (depth + 1) / 2 }
    private var panels: Int { (columns + Self.panel - 1) / Self.panel }

    /// Bytes of the packed operands and of the sums, in multiples of 64.
    var rowBytes: Int { aligned(rows * pairs * 4) }
    var columnBytes: Int { aligned(panels * Self.panel * pairs * 4) }
    var sumBytes: Int { aligned(rows * columns * 4) }

    private func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }

    func packRows(_ matrix: cpu_quantized_matrix, _ packed: UnsafeMutablePointer<Int16>) {
        pool.parallel(
            rows, grain: max(elementGrain / max(depth, 1), 1), with: Packing(matrix: matrix, depth: depth, columns: 0, packed: packed)
        ) {
            context, begin, end in
            let task = context!.assumingMemoryBound(to: Packing.self).pointee
            withUnsafePointer(to: task.matrix) { cpu_pack_rows($0, Int64(task.depth), task.packed, Int64(begin), Int64(end)) }
        }
    }

    func packColumns(_ matrix: cpu_quantized_matrix, _ packed: UnsafeMutablePointer<Int16>) {
        let task = Packing(matrix: matrix, depth: depth, columns: columns, packed: packed)
        pool.parallel(panels, grain: max(elementGrain / max(depth * Self.panel, 1), 1), with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Packing.self).pointee
            withUnsafePointer(to: task.matrix) {
                cpu_pack_columns($0, Int64(task.depth), Int64(task.columns), task.packed, Int64(begin), Int64(end))
            }
        }
    }

    /// Packs what a window sees, output positions `first` ..< `first + count`.
    func packWindow(
        _ window: cpu_window, _ x: UnsafeRawPointer, isSigned: Bool, zero: Int32, first: Int, count: Int,
        _ packed: UnsafeMutablePointer<Int16>
    ) {
        let task = WindowPacking(
            window: window, x: x, isSigned: isSigned, zero: zero, depth: depth, first: first, count: count, packed: packed)
        pool.parallel(pairs, grain: max(elementGrain / (2 * count), 1), with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: WindowPacking.self).pointee
            withUnsafePointer(to: task.window) {
                cpu_pack_window(
                    $0, task.isSigned, task.zero, task.x, Int64(task.depth), Int64(task.first), Int64(task.first + task.count), task.packed,
                    Int64(begin), Int64(end))
            }
        }
    }

    func multiply(
        _ a: UnsafePointer<Int16>, _ b: UnsafePointer<Int16>, columns: Int, into sums: UnsafeMutablePointer<Int32>, leading: Int
    ) {
        let task = Product(a: a, b: b, rows: rows, pairs: pairs, columns: columns, sums: sums, leading: leading)
        pool.parallel((rows + 3) / 4, grain: max(elementGrain / max(pairs * columns, 1), 1), with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Product.self).pointee
            cpu_quantized_product(
                Int64(task.rows), Int64(task.pairs), Int64(task.columns), task.a, task.b, task.sums, Int64(task.leading), Int64(begin),
                Int64(end))
        }
    }

    func requantize(
        _ how: cpu_requantization, _ sums: UnsafePointer<Int32>, columns: Int, leading: Int, into y: UnsafeMutableRawPointer,
        leading target: Int
    ) {
        let task = Requantization(how: how, sums: sums, columns: columns, leading: leading, y: y, target: target)
        pool.parallel(rows, grain: max(elementGrain / max(columns, 1), 1), with: task) { context, begin, end in
            let task = context!.assumingMemoryBound(to: Requantization.self).pointee
            withUnsafePointer(to: task.how) {
                cpu_requantize(
                    $0, Int64(task.columns), task.sums, Int64(task.leading), task.y, Int64(task.target), Int64(begin), Int64(end))
            }
        }
    }
}

private struct Packing {
    let matrix: cpu_quantized_matrix
    let depth, columns: Int
    let packed: UnsafeMutablePointer<Int16>
}

private struct WindowPacking {
    let window: cpu_window
    let x: UnsafeRawPointer
    let isSigned: Bool
    let zero: Int32
    let depth, first, count: Int
    let packed: UnsafeMutablePointer<Int16>
}

private struct Product {
    let a, b: UnsafePointer<Int16>
    let rows, pairs, columns: Int
    let sums: UnsafeMutablePointer<Int32>
    let leading: Int
}

private struct Requantization {
    let how: cpu_requantization
    let sums: UnsafePointer<Int32>
    let columns, leading: Int
    let y: UnsafeMutableRawPointer
    let target: Int
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Adds the product of two row-major matrices to a third: `c[m, n] += a[m, k] · b[k, n]`. O(mnk).
///
/// Four rows by four columns stay in registers while a stretch of `k` runs in ascending order; the stretch keeps what is read in the caches.
func addProduct(
    of a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, to c: UnsafeMutablePointer<Double>, rows: Int, columns: Int, depth: Int
) {
    let stretch = 256
    guard rows > 0, columns > 0, depth > 0 else { return }
    withUnsafeTemporaryAllocation(of: SIMD4<Double>.self, capacity: min(stretch, depth)) { panel in
        for start in stride(from: 0, to: depth, by: stretch) {
            let length = min(stretch, depth - start)
            for column in stride(from: 0, to: columns, by: 4) {
                let width = min(4, columns - column)
                pack(b + start * columns + column, columns: columns, width: width, length: length, into: panel)
                for row in stride(from: 0, to: rows, by: 4) {
                    let height = min(4, rows - row)
                    // Past the last row, rows are computed twice and not stored.
                    let a0 = a + row * depth + start
                    let a1 = a0 + min(1, height - 1) * depth
                    let a2 = a0 + min(2, height - 1) * depth
                    let a3 = a0 + min(3, height - 1) * depth
                    var (sum0, sum1, sum2, sum3) = (SIMD4<Double>.zero, SIMD4<Double>.zero, SIMD4<Double>.zero, SIMD4<Double>.zero)
                    for k in 0..<length {
                        let values = panel[k]
                        sum0 += values * a0[k]
                        sum1 += values * a1[k]
                        sum2 += values * a2[k]
                        sum3 += values * a3[k]
                    }
                    let target = c + row * columns + column
                    add(sum0, to: target, width: width)
                    if height > 1 { add(sum1, to: target + columns, width: width) }
                    if height > 2 { add(sum2, to: target + 2 * columns, width: width) }
                    if height > 3 { add(sum3, to: target + 3 * columns, width: width) }
                }
            }
        }
    }
}

/// Up to four columns of `b` side by side, zeros beyond `width`.
private func pack(
    _ b: UnsafePointer<Double>, columns: Int, width: Int, length: Int, into panel: UnsafeMutableBufferPointer<SIMD4<Double>>
) {
    for k in 0..<length {
        let source = b + k * columns
        if width == 4 {
            panel[k] = SIMD4(source[0], source[1], source[2], source[3])
        } else {
            var values = SIMD4<Double>.zero
            for column in 0..<width { values[column] = source[column] }
            panel[k] = values
        }
    }
}

@inline(__always)
private func add(_ sum: SIMD4<Double>, to target: UnsafeMutablePointer<Double>, width: Int) {
    for column in 0..<width { target[column] += sum[column] }
}

/// Likewise for integers, which wrap.
func addProduct(
    of a: UnsafePointer<Int64>, _ b: UnsafePointer<Int64>, to c: UnsafeMutablePointer<Int64>, rows: Int, columns: Int, depth: Int
) {
    for row in 0..<rows {
        let target = c + row * columns
        for k in 0..<depth {
            let (factor, source) = (a[row * depth + k], b + k * columns)
            for column in 0..<columns { target[column] &+= factor &* source[column] }
        }
    }
}

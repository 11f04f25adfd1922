// SPDX-License-Identifier: Apache-2.0

/// Row-major matrix products on all threads of the pool: OpenBLAS, or a plain product where it is missing.
///
/// C (m × n) = alpha · op(A) (m × k) · op(B) (k × n) + beta · C; with beta 0 the old C is not read. Addresses may have any alignment; m, n, k may be 0.
package final class MatrixProduct: Sendable {
    /// Shapes and row strides (in elements, of the matrices as they are stored, transposed or not).
    package struct Layout: Sendable {
        package var m, n, k: Int
        package var transposeA, transposeB: Bool
        package var lda, ldb, ldc: Int

        /// Dense matrices.
        package init(m: Int, n: Int, k: Int, transposeA: Bool = false, transposeB: Bool = false) {
            (self.m, self.n, self.k) = (m, n, k)
            (self.transposeA, self.transposeB) = (transposeA, transposeB)
            lda = max(transposeA ? m : k, 1)
            ldb = max(transposeB ? k : n, 1)
            ldc = max(n, 1)
        }
    }

    /// `count` products whose matrices lie a fixed number of elements apart (0: all read the same one).
    package struct Batch: Sendable {
        package var count: Int
        package var strideA, strideB, strideC: Int

        package init(count: Int, strideA: Int, strideB: Int, strideC: Int) {
            self.count = count
            (self.strideA, self.strideB, self.strideC) = (strideA, strideB, strideC)
        }

        package static let single = Batch(count: 1, strideA: 0, strideB: 0, strideC: 0)
    }

    package init() {}

    package func sgemm(
        _ layout: Layout, _ batch: Batch = .single, alpha: Float = 1, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, beta: Float = 0,
        _ c: UnsafeMutablePointer<Float>
    ) {}

    package func dgemm(
        _ layout: Layout, _ batch: Batch = .single, alpha: Double = 1, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, beta: Double = 0,
        _ c: UnsafeMutablePointer<Double>
    ) {}
}

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
        /// Elements before the first matrix.
        package var startA, startB, startC: Int

        package init(count: Int, strideA: Int, strideB: Int, strideC: Int, startA: Int = 0, startB: Int = 0, startC: Int = 0) {
            self.count = count
            (self.strideA, self.strideB, self.strideC) = (strideA, strideB, strideC)
            (self.startA, self.startB, self.startC) = (startA, startB, startC)
        }

        package static let single = Batch(count: 1, strideA: 0, strideB: 0, strideC: 0)
    }

    private let pool: ThreadPool

    package init(pool: ThreadPool) { self.pool = pool }

    package func sgemm(
        _ layout: Layout, _ batch: Batch = .single, alpha: Float = 1, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, beta: Float = 0,
        _ c: UnsafeMutablePointer<Float>
    ) {
        run(Work(layout: layout, batch: batch, alpha: alpha, a: a, b: b, beta: beta, c: c)) { context, begin, end in
            context!.assumingMemoryBound(to: Work<Float>.self).pointee.compute(begin, end)
        }
    }

    package func dgemm(
        _ layout: Layout, _ batch: Batch = .single, alpha: Double = 1, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        beta: Double = 0,
        _ c: UnsafeMutablePointer<Double>
    ) {
        run(Work(layout: layout, batch: batch, alpha: alpha, a: a, b: b, beta: beta, c: c)) { context, begin, end in
            context!.assumingMemoryBound(to: Work<Double>.self).pointee.compute(begin, end)
        }
    }

    /// One product on the calling thread alone: for kernels that share out larger pieces of work themselves.
    static func product(
        _ layout: Layout, alpha: Float = 1, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, beta: Float = 0,
        _ c: UnsafeMutablePointer<Float>
    ) {
        guard layout.m > 0, layout.n > 0 else { return }
        Work(layout: layout, batch: .single, alpha: alpha, a: a, b: b, beta: beta, c: c).compute(0, 1)
    }

    /// Multiply-adds below which a second thread costs more than it brings: some three microseconds, about what it takes to wake one.
    private static let smallestShare = 1 << 17

    private func run<Scalar: BLASScalar>(_ work: Work<Scalar>, _ body: ThreadPool.Body) {
        let layout = work.layout
        guard layout.m > 0, layout.n > 0, work.batch.count > 0 else { return }
        let product = max(layout.m * layout.n * layout.k, 1)
        var work = work
        // Whole products to each thread where there are enough of them, else blocks of rows or columns of 16.
        if work.batch.count < pool.threadCount { work.split = layout.m >= layout.n ? .rows : .columns }
        let items = work.itemCount
        let perItem = max(product * work.batch.count / items, 1)
        pool.parallel(items, grain: max(Self.smallestShare / perItem, 1), with: work, body)
    }
}

/// One call, as the threads share it.
private struct Work<Scalar: BLASScalar> {
    enum Split { case batch, rows, columns }
    static var block: Int { 16 }

    var layout: MatrixProduct.Layout
    var batch: MatrixProduct.Batch
    var alpha: Scalar
    var a: UnsafePointer<Scalar>
    var b: UnsafePointer<Scalar>
    var beta: Scalar
    var c: UnsafeMutablePointer<Scalar>
    var split = Split.batch

    var itemCount: Int {
        switch split {
        case .batch: batch.count
        case .rows: (layout.m + Self.block - 1) / Self.block
        case .columns: (layout.n + Self.block - 1) / Self.block
        }
    }

    func compute(_ begin: Int, _ end: Int) {
        var part = layout
        var (rows, columns) = (0, 0)
        switch split {
        case .batch:
            for index in begin..<end { multiply(part, index, 0, 0) }
            return
        case .rows:
            rows = begin * Self.block
            part.m = min(end * Self.block, layout.m) - rows
        case .columns:
            columns = begin * Self.block
            part.n = min(end * Self.block, layout.n) - columns
        }
        for index in 0..<batch.count { multiply(part, index, rows, columns) }
    }

    private func multiply(_ part: MatrixProduct.Layout, _ index: Int, _ row: Int, _ column: Int) {
        let a = a + batch.startA + index * batch.strideA + (part.transposeA ? row : row * part.lda)
        let b = b + batch.startB + index * batch.strideB + (part.transposeB ? column * part.ldb : column)
        let c = c + batch.startC + index * batch.strideC + row * part.ldc + column
        if part.k == 0 || !Scalar.product(part, alpha: alpha, a, b, beta: beta, c) { plain(part, a, b, c) }
    }

    /// Without OpenBLAS.
    private func plain(
        _ part: MatrixProduct.Layout, _ a: UnsafePointer<Scalar>, _ b: UnsafePointer<Scalar>, _ c: UnsafeMutablePointer<Scalar>
    ) {
        for i in 0..<part.m {
            let target = c + i * part.ldc
            for j in 0..<part.n { target[j] = beta == 0 ? 0 : beta * target[j] }
            for k in 0..<part.k {
                let factor = alpha * (part.transposeA ? a[k * part.lda + i] : a[i * part.lda + k])
                if part.transposeB {
                    for j in 0..<part.n { target[j] += factor * b[j * part.ldb + k] }
                } else {
                    let source = b + k * part.ldb
                    for j in 0..<part.n { target[j] += factor * source[j] }
                }
            }
        }
    }
}

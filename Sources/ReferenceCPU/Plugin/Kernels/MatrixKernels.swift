// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let products = TypeSet(.float32, .float64)

let matrixKernels = [
    TunedKernel("MatMul", since: 1, types: products) { node, device throws(Refusal) in
        let (a, b, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
        try require(a.type == b.type && y.type == a.type, .dataType, "mixed data types")
        try require(!a.shape.isEmpty && !b.shape.isEmpty, .shape, "a scalar")
        let left = a.shape.count == 1 ? [1] + a.shape : a.shape
        let right = b.shape.count == 1 ? b.shape + [1] : b.shape
        let (leftBatch, rightBatch) = (left.dropLast(2), right.dropLast(2))
        let (m, k, n) = (left[left.count - 2], left[left.count - 1], right[right.count - 1])
        try require(right[right.count - 2] == k, .shape, "inner sizes that differ")
        var layout = MatrixProduct.Layout(m: m, n: n, k: k)
        let batch: MatrixProduct.Batch
        if product(rightBatch) == 1 {
            layout = MatrixProduct.Layout(m: m * product(leftBatch), n: n, k: k)
            batch = .single
        } else if product(leftBatch) == 1 {
            batch = .init(count: product(rightBatch), strideA: 0, strideB: k * n, strideC: m * n)
        } else {
            try require(Array(leftBatch) == Array(rightBatch), .shape, "batches that broadcast on both sides")
            batch = .init(count: product(leftBatch), strideA: m * k, strideB: k * n, strideC: m * n)
        }
        return TunedKernel.Plan(kernel: PreparedProduct(layout, batch, a.type, addend: nil, alpha: 1, beta: 0, count: y.view.count, device))
    },
    TunedKernel("Gemm", since: 7, types: products) { node, device throws(Refusal) in
        let (a, b, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
        try node.requireType(a.type)
        try require(a.shape.count == 2 && b.shape.count == 2 && y.shape.count == 2, .shape, "not two axes")
        let (transposeA, transposeB) = (node.int("transA") ?? 0 != 0, node.int("transB") ?? 0 != 0)
        let k = transposeA ? a.shape[0] : a.shape[1]
        try require((transposeB ? b.shape[1] : b.shape[0]) == k, .shape, "inner sizes that differ")
        let layout = MatrixProduct.Layout(m: y.shape[0], n: y.shape[1], k: k, transposeA: transposeA, transposeB: transposeB)
        let beta = Double(node.float("beta") ?? 1)
        var addend: Walk?
        if let c = node.input(2), beta != 0 {
            addend = try Walk(y.shape, [dense(y.shape), try broadcast(c.dimensions, to: y.shape)])
        }
        return TunedKernel.Plan(
            kernel: PreparedProduct(
                layout, .single, a.type, addend: addend, alpha: Double(node.float("alpha") ?? 1), beta: addend == nil ? 0 : beta,
                count: y.view.count, device))
    },
]

private final class PreparedProduct: PreparedKernel {
    private struct Spread {
        let width: Int32
        let walk: UnsafePointer<cpu_walk>
        let from, to: UnsafeMutableRawPointer
    }

    private let layout: MatrixProduct.Layout
    private let batch: MatrixProduct.Batch
    private let type: DataType
    /// Brings the third input to the output's shape.
    private let addend: Walk?
    private let alpha, beta: Double
    private let count: Int
    private let pool: ThreadPool
    private let products: MatrixProduct

    init(
        _ layout: MatrixProduct.Layout, _ batch: MatrixProduct.Batch, _ type: DataType, addend: Walk?, alpha: Double, beta: Double,
        count: Int,
        _ device: CPUDevice
    ) {
        self.layout = layout
        self.batch = batch
        self.type = type
        self.addend = addend
        (self.alpha, self.beta) = (alpha, beta)
        self.count = count
        pool = device.pool
        products = device.products
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let (a, b) = (try launch.input(0).hostElements(), try launch.input(1).hostElements())
        let y = try launch.output(0).hostElements()
        if let addend {
            let spread = Spread(width: Int32(type.bits / 8), walk: addend.address, from: try launch.input(2).hostElements(), to: y)
            pool.parallel(count, grain: elementGrain, with: spread) { context, begin, end in
                let spread = context!.assumingMemoryBound(to: Spread.self).pointee
                cpu_copy(spread.width, spread.walk, spread.from, spread.to, Int64(begin), Int64(end))
            }
        }
        if type == .float32 {
            products.sgemm(
                layout, batch, alpha: Float(alpha), a.assumingMemoryBound(to: Float.self), b.assumingMemoryBound(to: Float.self),
                beta: Float(beta),
                y.assumingMemoryBound(to: Float.self))
        } else {
            products.dgemm(
                layout, batch, alpha: alpha, a.assumingMemoryBound(to: Double.self), b.assumingMemoryBound(to: Double.self), beta: beta,
                y.assumingMemoryBound(to: Double.self))
        }
    }
}

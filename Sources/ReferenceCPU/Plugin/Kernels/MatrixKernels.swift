// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

private let products = TypeSet(.float32, .float64)

let matrixKernels = [
    TunedKernel("MatMul", since: 1, types: products, widens: true) { node, device throws(Refusal) in try matMul(node, device, chain: nil) },
    TunedKernel("Gemm", since: 7, types: products, widens: true) { node, device throws(Refusal) in try gemm(node, device, chain: nil) },
    TunedKernel("FusedMatMul", domain: FusedStep.domain, since: 1, types: products) { node, device throws(Refusal) in
        let y = try node.present(output: 0)
        return try matMul(node, device, chain: try ElementwiseChain(node, y.type, shape: y.shape, operandsFrom: 2))
    },
    TunedKernel("FusedGemm", domain: FusedStep.domain, since: 1, types: products) { node, device throws(Refusal) in
        let y = try node.present(output: 0)
        return try gemm(node, device, chain: try ElementwiseChain(node, y.type, shape: y.shape, operandsFrom: 3))
    },
]

private func matMul(_ node: NodeView, _ device: CPUDevice, chain: ElementwiseChain?) throws(Refusal) -> TunedKernel.Plan {
    let (a, b, y) = (try node.present(input: 0), try node.present(input: 1), try node.present(output: 0))
    try require(a.type == b.type && y.type == a.type, .dataType, "mixed data types")
    let shape = try ProductShape(a.shape, b.shape)
    let (m, n, k) = (shape.m, shape.n, shape.k)
    var layout = MatrixProduct.Layout(m: m, n: n, k: k)
    let batches: [MatrixProduct.Batch]
    let all = Array(shape.left.indices)
    if shape.left == all && shape.right.allSatisfy({ $0 == 0 }) {
        // One matrix on the right: the stack on the left is one tall matrix.
        layout = MatrixProduct.Layout(m: m * all.count, n: n, k: k)
        batches = [.single]
    } else if let strides = stride(shape.left), let others = stride(shape.right) {
        batches = [.init(count: all.count, strideA: strides * m * k, strideB: others * k * n, strideC: m * n)]
    } else {
        batches = all.map { index in
            .init(
                count: 1, strideA: 0, strideB: 0, strideC: 0, startA: shape.left[index] * m * k, startB: shape.right[index] * k * n,
                startC: index * m * n)
        }
    }
    return TunedKernel.Plan(
        kernel: PreparedProduct(
            layout, batches, a.type, addend: nil, alpha: 1, beta: 0, count: y.view.count, chain, operandsFrom: 2, device))
}

private func gemm(_ node: NodeView, _ device: CPUDevice, chain: ElementwiseChain?) throws(Refusal) -> TunedKernel.Plan {
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
            layout, [.single], a.type, addend: addend, alpha: Double(node.float("alpha") ?? 1), beta: addend == nil ? 0 : beta,
            count: y.view.count, chain, operandsFrom: 3, device))
}

private final class PreparedProduct: PreparedKernel {
    private struct Spread {
        let width: Int32
        let walk: UnsafePointer<cpu_walk>
        let from, to: UnsafeMutableRawPointer
    }

    private let layout: MatrixProduct.Layout
    private let batches: [MatrixProduct.Batch]
    private let type: DataType
    /// Brings the third input to the output's shape.
    private let addend: Walk?
    private let alpha, beta: Double
    private let count: Int
    /// Runs over the whole output.
    private let chain: ElementwiseChain?
    private let firstOperand: Int
    private let pool: ThreadPool
    private let products: MatrixProduct

    init(
        _ layout: MatrixProduct.Layout, _ batches: [MatrixProduct.Batch], _ type: DataType, addend: Walk?, alpha: Double, beta: Double,
        count: Int, _ chain: ElementwiseChain?, operandsFrom firstOperand: Int, _ device: CPUDevice
    ) {
        self.chain = chain
        self.firstOperand = firstOperand
        self.layout = layout
        self.batches = batches
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
        for index in 0..<batches.count {
            if type == .float32 {
                products.sgemm(
                    layout, batches[index], alpha: Float(alpha), a.assumingMemoryBound(to: Float.self),
                    b.assumingMemoryBound(to: Float.self), beta: Float(beta), y.assumingMemoryBound(to: Float.self))
            } else {
                products.dgemm(
                    layout, batches[index], alpha: alpha, a.assumingMemoryBound(to: Double.self), b.assumingMemoryBound(to: Double.self),
                    beta: beta, y.assumingMemoryBound(to: Double.self))
            }
        }
        if let chain { pool.run(try chain.task(launch, from: y, to: y, operandsFrom: firstOperand), 0, count) }
    }
}

/// The distance of numbers that all lie equally far apart, the first at 0.
private func stride(_ places: [Int]) -> Int? {
    let step = places.count > 1 ? places[1] : 0
    return places.enumerated().allSatisfy { $1 == $0 * step } ? step : nil
}

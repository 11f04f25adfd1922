// SPDX-License-Identifier: Apache-2.0
import Glibc
import Operators
import ReferenceCPUKernels
import Tensors

/// Matrix products by OpenBLAS: somebody else's blocking and order.
struct OpenBLAS: Sendable {
    private typealias SGEMM =
        @convention(c) (
            Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>?, Int32, UnsafePointer<Float>?, Int32, Float,
            UnsafeMutablePointer<Float>?, Int32
        ) -> Void
    private let sgemm: SGEMM

    /// Nil where the library is missing.
    static let shared = OpenBLAS()

    private init?() {
        // It reads these while it is loaded; left to itself it does not know newer CPUs and starts threads of its own.
        if getenv("OPENBLAS_CORETYPE") == nil, let core = cpu_openblas_core() { setenv("OPENBLAS_CORETYPE", core, 1) }
        setenv("OPENBLAS_NUM_THREADS", "1", 1)
        guard let library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL), let symbol = dlsym(library, "cblas_sgemm") else {
            return nil
        }
        sgemm = unsafeBitCast(symbol, to: SGEMM.self)
    }

    /// MatMul of two matrices and Gemm, the 16-bit types widened to float32; nil for other calls.
    func product(_ name: String, _ context: ReferenceContext) -> [Double]? {
        guard ["MatMul", "Gemm"].contains(name), let a = context.inputs[0], let b = context.inputs[1], a.shape.count == 2,
            b.shape.count == 2,
            case .floats(let left) = a.elements, a.dataType != .float64
        else { return nil }
        let attributes = context.attributes
        let (turnsA, turnsB) = (attributes.flag("transA"), attributes.flag("transB"))
        let (m, depth) = turnsA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
        let n = turnsB ? b.shape[0] : b.shape[1]
        guard m > 0, n > 0, depth > 0 else { return nil }
        let shape = [m, n]
        var result = context.has(2) ? context.inputs[2]!.broadcast(to: shape).floats.map { Float($0) } : [Float](repeating: 0, count: m * n)
        sgemm(
            101, turnsA ? 112 : 111, turnsB ? 112 : 111, Int32(m), Int32(n), Int32(depth), Float(attributes.float("alpha") ?? 1),
            left.map { Float($0) }, Int32(a.shape[1]),
            b.floats.map { Float($0) }, Int32(b.shape[1]), context.has(2) ? Float(attributes.float("beta") ?? 1) : 0, &result, Int32(n))
        return result.map { Double($0) }
    }
}

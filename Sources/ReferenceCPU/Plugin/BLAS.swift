// SPDX-License-Identifier: Apache-2.0
import Glibc
import ReferenceCPUKernels

/// OpenBLAS, opened at run time with the kernels that suit this CPU, one thread per call.
struct BLAS: Sendable {
    fileprivate typealias SGEMM =
        @convention(c) (
            Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>?, Int32, UnsafePointer<Float>?, Int32, Float,
            UnsafeMutablePointer<Float>?, Int32
        ) -> Void
    fileprivate typealias DGEMM =
        @convention(c) (
            Int32, Int32, Int32, Int32, Int32, Int32, Double, UnsafePointer<Double>?, Int32, UnsafePointer<Double>?, Int32, Double,
            UnsafeMutablePointer<Double>?, Int32
        ) -> Void
    fileprivate let sgemm: SGEMM
    fileprivate let dgemm: DGEMM
    /// `OpenBLAS 0.3.21 ... SkylakeX`, as it calls itself.
    let version: String

    /// Nil where the library is missing. Opened once per process: it cannot be unloaded safely.
    static let shared: BLAS? = open()

    private static func open() -> BLAS? {
        var core = cpu_openblas_core()
        if let chosen = getenv("OPENBLAS_CORETYPE"), chosen.pointee != 0 { core = nil }
        // It reads both while it is loaded; afterwards the environment is as it was. Left to itself it does not know newer CPUs, falls to
        // kernels of half their speed, and starts threads of its own.
        let library = withVariable("OPENBLAS_CORETYPE", core) {
            withVariable("OPENBLAS_NUM_THREADS", "1") { dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL) }
        }
        guard let library, let sgemm = dlsym(library, "cblas_sgemm"), let dgemm = dlsym(library, "cblas_dgemm") else { return nil }
        if let set = dlsym(library, "openblas_set_num_threads") {
            unsafeBitCast(set, to: (@convention(c) (Int32) -> Void).self)(1)
        }
        var version = "OpenBLAS"
        if let config = dlsym(library, "openblas_get_config") {
            let text = unsafeBitCast(config, to: (@convention(c) () -> UnsafePointer<CChar>?).self)()
            version = text.map { String(cString: $0) } ?? version
        }
        return BLAS(sgemm: unsafeBitCast(sgemm, to: SGEMM.self), dgemm: unsafeBitCast(dgemm, to: DGEMM.self), version: version)
    }

    /// Sets an environment variable while `body` runs; a nil value leaves it alone.
    private static func withVariable<Result>(_ name: String, _ value: UnsafePointer<CChar>?, _ body: () -> Result) -> Result {
        guard let value else { return body() }
        let before = getenv(name).map { String(cString: $0) }
        setenv(name, value, 1)
        defer { if let before { setenv(name, before, 1) } else { unsetenv(name) } }
        return body()
    }
}

/// An element type that OpenBLAS multiplies matrices of.
protocol BLASScalar: BinaryFloatingPoint {
    /// One row-major product by OpenBLAS on the calling thread; false where the library is missing.
    static func product(
        _ layout: MatrixProduct.Layout, alpha: Self, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>, beta: Self,
        _ c: UnsafeMutablePointer<Self>
    ) -> Bool
}

private let rowMajor: Int32 = 101

extension MatrixProduct.Layout {
    fileprivate var orderA: Int32 { transposeA ? 112 : 111 }
    fileprivate var orderB: Int32 { transposeB ? 112 : 111 }
}

extension Float: BLASScalar {
    static func product(
        _ layout: MatrixProduct.Layout, alpha: Float, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, beta: Float,
        _ c: UnsafeMutablePointer<Float>
    ) -> Bool {
        guard let blas = BLAS.shared else { return false }
        blas.sgemm(
            rowMajor, layout.orderA, layout.orderB, Int32(layout.m), Int32(layout.n), Int32(layout.k), alpha, a, Int32(layout.lda), b,
            Int32(layout.ldb), beta, c, Int32(layout.ldc))
        return true
    }
}

extension Double: BLASScalar {
    static func product(
        _ layout: MatrixProduct.Layout, alpha: Double, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, beta: Double,
        _ c: UnsafeMutablePointer<Double>
    ) -> Bool {
        guard let blas = BLAS.shared else { return false }
        blas.dgemm(
            rowMajor, layout.orderA, layout.orderB, Int32(layout.m), Int32(layout.n), Int32(layout.k), alpha, a, Int32(layout.lda), b,
            Int32(layout.ldb), beta, c, Int32(layout.ldc))
        return true
    }
}

// SPDX-License-Identifier: Apache-2.0
import ReferenceCPUKernels

/// The elementary functions of the reference CPU plugin's kernels, in float32.
enum Polynomials {
    /// Nil where the plugin has no function of its own, and for other types than float32.
    static func call<S: Scalar>(_ function: MathFunction, _ x: S) -> S? {
        guard S.self == Float.self else { return nil }
        let kernel: cpu_unary
        switch function {
        case .exp: kernel = CPU_UNARY_EXP
        case .log: kernel = CPU_UNARY_LOG
        case .tanh: kernel = CPU_UNARY_TANH
        case .erf: kernel = CPU_UNARY_ERF
        default: return nil
        }
        var (input, output) = (Float(x), Float(0))
        return cpu_elementwise(kernel, CPU_TYPE_FLOAT32, cpu_parameters(), &input, &output, 0, 1) ? S(output) : nil
    }

    static func power(_ x: Float, _ y: Float) -> Float? {
        var walk = cpu_walk()
        guard cpu_walk_make(&walk, 1, [1], 2, [1, 1]) else { return nil }
        var (base, exponent, result) = (x, y, Float(0))
        return cpu_pairwise(CPU_BINARY_POW, CPU_TYPE_FLOAT32, &walk, &base, &exponent, &result, 0, 1) ? result : nil
    }
}

import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// The discrete Fourier transform of one length, not scaled: Y[k] = Σ x[n]·e^(∓2πi·kn/N).
///
/// Cooley and Tukey's recursion over the prime factors of the length: O(N·Σ factors), so a large prime costs O(N²).
struct FourierTransform {
    let length: Int
    private let cosines: [Double]
    private let sines: [Double]

    init(length: Int, inverse: Bool) {
        self.length = length
        let angle = (inverse ? 2 : -2) * Double.pi / Double(max(length, 1))
        cosines = (0..<length).map { cos(angle * Double($0)) }
        sines = (0..<length).map { sin(angle * Double($0)) }
    }

    /// Real and imaginary parts in, the same out. Both have `length` elements.
    func callAsFunction(real: [Double], imaginary: [Double]) -> (real: [Double], imaginary: [Double]) {
        transform(real, imaginary, start: 0, step: 1, count: length)
    }

    /// Of the elements `start`, `start + step` ..., `count` of them.
    private func transform(_ real: [Double], _ imaginary: [Double], start: Int, step: Int, count: Int) -> (
        real: [Double], imaginary: [Double]
    ) {
        if count <= 1 { return count == 0 ? ([], []) : ([real[start]], [imaginary[start]]) }
        let factor = (2...count).first { count % $0 == 0 || $0 * $0 > count }.map { count % $0 == 0 ? $0 : count }!
        let part = count / factor
        let parts = (0..<factor).map { transform(real, imaginary, start: start + $0 * step, step: step * factor, count: part) }
        var result = (real: [Double](repeating: 0, count: count), imaginary: [Double](repeating: 0, count: count))
        let scale = length / count
        for k in 0..<count {
            var (sumReal, sumImaginary) = (0.0, 0.0)
            for (index, values) in parts.enumerated() {
                let turn = index * k % count * scale
                let (a, b) = (values.real[k % part], values.imaginary[k % part])
                sumReal += a * cosines[turn] - b * sines[turn]
                sumImaginary += a * sines[turn] + b * cosines[turn]
            }
            (result.real[k], result.imaginary[k]) = (sumReal, sumImaginary)
        }
        return result
    }
}

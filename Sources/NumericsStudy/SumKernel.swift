// SPDX-License-Identifier: Apache-2.0
import Operators
import Tensors

/// Sums of products in any arithmetic.
struct SumKernel {
    let problem: SumProblem
    /// Beyond this the study leaves a call out; steps rounded by hand are slow.
    private static let (mostProducts, mostByHand) = (1_500_000, 150_000)

    /// The sums, before they are stored; nil for calls that the study has no kernel for.
    func run<S: Scalar>(_ machine: Machine<S>) -> [Double]? {
        let arithmetic = machine.arithmetic
        let left = machine.loadFactors(problem.left)
        let right = machine.loadFactors(problem.right)
        let bias = problem.bias.map { machine.load($0) }
        var (leftIndices, rightIndices, a, b) = ([Int](), [Int](), [S](), [S]())
        var products = 0
        var result: [Double] = []
        for output in 0..<problem.shape.reduce(1, *) {
            leftIndices.removeAll(keepingCapacity: true)
            rightIndices.removeAll(keepingCapacity: true)
            problem.terms(output, &leftIndices, &rightIndices)
            products += leftIndices.count
            if products > (arithmetic.isNative ? Self.mostProducts : Self.mostByHand) { return nil }
            let count = leftIndices.count
            if arithmetic.dropsLastTerm, count > 1 {
                leftIndices.removeLast()
                if !rightIndices.isEmpty { rightIndices.removeLast() }
            }
            if arithmetic.repeatsTerm, count > 1 {
                leftIndices[count - 1] = leftIndices[count - 2]
                if !rightIndices.isEmpty { rightIndices[count - 1] = rightIndices[count - 2] }
            }
            a.removeAll(keepingCapacity: true)
            for index in leftIndices { a.append(problem.isAbsolute ? abs(left[index]) : left[index]) }
            var total: S
            if problem.isSquared {
                total = machine.dot(a, a)
            } else if problem.right.isEmpty {
                total = machine.sum(a)
            } else {
                b.removeAll(keepingCapacity: true)
                for index in rightIndices { b.append(right[index]) }
                total = machine.dot(a, b)
            }
            if problem.alpha != 1 { total = machine.mul(S(problem.alpha), total) }
            if let bias, !arithmetic.dropsBias {
                total = machine.add(total, problem.beta == 1 ? bias[output] : machine.mul(S(problem.beta), bias[output]))
            }
            if let divisor = problem.divisor { total = machine.div(total, S(divisor(output, count) - (arithmetic.countsOneLess && count > 1 ? 1 : 0))) }
            result.append(Double(total))
        }
        return result
    }
}

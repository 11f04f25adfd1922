// SPDX-License-Identifier: Apache-2.0
import Operators
import Tensors

/// Sums of products in any arithmetic.
struct SumKernel {
    private let problem: SumProblem
    /// The factors of all output elements one after the other, and where each begins.
    private let left: [Int]
    private let right: [Int]
    private let starts: [Int]
    /// Beyond this the study leaves a call out; steps rounded by hand are slow.
    private static let (mostProducts, mostByHand) = (1_000_000, 150_000)

    init?(_ problem: SumProblem) {
        var (left, right, starts) = ([Int](), [Int](), [0])
        for output in 0..<problem.shape.reduce(1, *) {
            problem.terms(output, &left, &right)
            starts.append(left.count)
            if left.count > Self.mostProducts { return nil }
        }
        (self.problem, self.left, self.right, self.starts) = (problem, left, right, starts)
    }

    /// The sums, before they are stored; nil for calls that are too long.
    func run<S: Scalar>(_ machine: Machine<S>) -> [Double]? {
        let arithmetic = machine.arithmetic
        if !arithmetic.isNative, left.count > Self.mostByHand { return nil }
        var factors = machine.loadFactors(problem.left)
        if problem.isAbsolute { factors = factors.map { abs($0) } }
        let others = machine.loadFactors(problem.right)
        let bias = problem.bias.map { machine.load($0) }
        var (a, b, result) = ([S](), [S](), [Double]())
        for output in 0..<starts.count - 1 {
            let range = starts[output]..<starts[output + 1]
            let count = range.count
            a.removeAll(keepingCapacity: true)
            b.removeAll(keepingCapacity: true)
            for index in range { a.append(factors[left[index]]) }
            if !others.isEmpty { for index in range { b.append(others[right[index]]) } }
            if arithmetic.dropsLastTerm, count > 1 {
                a.removeLast()
                if !b.isEmpty { b.removeLast() }
            }
            if arithmetic.repeatsTerm, count > 1 {
                a[count - 1] = a[count - 2]
                if !b.isEmpty { b[count - 1] = b[count - 2] }
            }
            var total: S
            if problem.isSquared {
                total = machine.dot(a, a)
            } else {
                total = problem.right.isEmpty ? machine.sum(a) : machine.dot(a, b)
            }
            if problem.alpha != 1 { total = machine.mul(S(problem.alpha), total) }
            if let bias, !arithmetic.dropsBias {
                total = machine.add(total, problem.beta == 1 ? bias[output] : machine.mul(S(problem.beta), bias[output]))
            }
            if let divisor = problem.divisor {
                total = machine.div(total, S(divisor(output, count) - (arithmetic.countsOneLess && count > 1 ? 1 : 0)))
            }
            result.append(Double(total))
        }
        return result
    }
}

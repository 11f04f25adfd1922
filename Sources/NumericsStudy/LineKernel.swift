// SPDX-License-Identifier: Apache-2.0
import Foundation
import Operators
import Tensors

/// Softmax, products along an axis, and functions of a sum, in any arithmetic.
enum LineKernel {
    static func softmax<S: Scalar>(_ name: String, _ context: ReferenceContext, _ m: Machine<S>) -> [Double]? {
        let x = context.inputs[0]!
        guard !x.shape.isEmpty, context.version >= 13 else { return nil }
        let axis = context.attributes.int("axis") ?? -1
        let values = m.load(x.floats)
        var result = [Double](repeating: 0, count: values.count)
        for line in flatGroups(x.shape, over: [axis < 0 ? axis + x.shape.count : axis]) {
            let y = name == "Softmax" ? softmax(line.map { values[$0] }, m) : logSoftmax(line.map { values[$0] }, m)
            for (index, element) in line.enumerated() { result[element] = Double(y[index]) }
        }
        return result
    }

    static func softmax<S: Scalar>(_ line: [S], _ m: Machine<S>) -> [S] {
        let exponentials = exponentials(line, m)
        let sum = m.sum(m.arithmetic.dropsLastTerm ? exponentials.dropLast() : exponentials)
        return exponentials.map { m.div($0, sum) }
    }

    private static func logSoftmax<S: Scalar>(_ line: [S], _ m: Machine<S>) -> [S] {
        let greatest = m.arithmetic.skipsMaximum ? 0 : line.reduce(-S.infinity) { $0.isNaN || $0 > $1 ? $0 : $1 }
        let exponentials = exponentials(line, m)
        let logarithm = m.function(.log, m.sum(m.arithmetic.dropsLastTerm ? exponentials.dropLast() : exponentials))
        return line.map { m.sub(m.sub($0, greatest), logarithm) }
    }

    private static func exponentials<S: Scalar>(_ line: [S], _ m: Machine<S>) -> [S] {
        let greatest = m.arithmetic.skipsMaximum ? 0 : line.reduce(-S.infinity) { $0.isNaN || $0 > $1 ? $0 : $1 }
        return line.map { m.function(.exp, m.sub($0, greatest)) }
    }

    /// ReduceProd and CumProd.
    static func product<S: Scalar>(_ name: String, _ context: ReferenceContext, _ m: Machine<S>) -> [Double]? {
        let x = context.inputs[0]!
        guard case .floats = x.elements else { return nil }
        let values = m.load(x.floats)
        var problem: SumProblem?
        var groups: [[Int]] = []
        if name == "CumProd" { problem = SumProblem("CumSum", context) } else { groups = reducedGroups(x.shape, context) ?? [] }
        return (0..<context.output(0).shape.reduce(1, *)).map { output in
            var (factors, none) = ([Int](), [Int]())
            if let problem { problem.terms(output, &factors, &none) } else { factors = groups[output] }
            if m.arithmetic.dropsLastTerm, factors.count > 1 { factors.removeLast() }
            if m.arithmetic.repeatsTerm, factors.count > 1 { factors[factors.count - 1] = factors[factors.count - 2] }
            return Double(product(factors.map { values[$0] }[...], m))
        }
    }

    private static func product<S: Scalar>(_ factors: ArraySlice<S>, _ m: Machine<S>) -> S {
        switch m.arithmetic.order {
        case .sequential, .blocks: return factors.reduce(1, m.mul)
        case .reversed: return factors.reversed().reduce(1, m.mul)
        case .pairwise:
            if factors.count <= 2 { return factors.reduce(1, m.mul) }
            let middle = factors.startIndex + factors.count / 2
            return m.mul(product(factors[..<middle], m), product(factors[middle...], m))
        case .lanes:
            var lanes = [S](repeating: 1, count: 8)
            for (index, factor) in factors.enumerated() { lanes[index & 7] = m.mul(lanes[index & 7], factor) }
            return lanes.reduce(1, m.mul)
        }
    }

    /// ReduceL2, ReduceLogSum and ReduceLogSumExp.
    static func functionOfSum<S: Scalar>(_ name: String, _ context: ReferenceContext, _ m: Machine<S>) -> [Double]? {
        let x = context.inputs[0]!
        guard case .floats = x.elements, let groups = reducedGroups(x.shape, context) else { return nil }
        let values = m.load(x.floats)
        return groups.map { group in
            var line = group.map { values[$0] }
            if m.arithmetic.dropsLastTerm, line.count > 1 { line.removeLast() }
            if m.arithmetic.repeatsTerm, line.count > 1 { line[line.count - 1] = line[line.count - 2] }
            switch name {
            case "ReduceL2": return Double(m.root(m.dot(line, line)))
            case "ReduceLogSum": return Double(m.function(.log, m.sum(line)))
            default:
                let greatest = m.arithmetic.skipsMaximum ? 0 : line.reduce(-S.infinity) { $0.isNaN || $0 > $1 ? $0 : $1 }
                let shift = greatest.isFinite ? greatest : 0
                return Double(m.add(m.function(.log, m.sum(line.map { m.function(.exp, m.sub($0, shift)) })), shift))
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
package import HardwareModel
package import Operators
package import Tensors

/// Decides whether the outputs of one call are right, by the class of the operator and by what the kernel declares about its arithmetic. Made once, it judges any
/// number of outputs. The rules and their derivations are in `docs/numerics.md`.
package struct Judge: Sendable {
    package let call: OperatorCall
    package let facts: NumericFacts
    package let context: ReferenceContext
    /// The reference's results, unrounded; nil for outputs that are not wanted.
    package let results: [ReferenceTensor?]
    var rules: [Rule?]
    /// See `admitValues`.
    var ofNarrowedValues: [Judge] = []

    enum Rule: Sendable {
        /// The same elements: integers, booleans.
        case exact
        case numbers(Acceptance)
        /// Integers that may differ by what rounding the value before may do.
        case steps(lower: [Int64], upper: [Int64])
        /// A check of its own: what is wrong, for a person.
        case property(@Sendable ([HostTensor?]) -> String?)
    }

    /// - Parameter golden: results from somewhere else, in place of the reference's.
    /// - Throws: what the catalogue says against the call; it cannot be judged then.
    package init(_ call: OperatorCall, facts: NumericFacts, golden: [ReferenceTensor?]? = nil) throws(OperatorError) {
        self.call = call
        self.facts = facts
        let definition = call.definition
        context = try definition.context(opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
        let computed: [ReferenceTensor?]
        if let golden { computed = golden } else { computed = try definition.results(context) }
        results = call.wanted.enumerated().map { index, isWanted in isWanted && index < computed.count ? computed[index] : nil }
        var bounds = Bounds(call: call, facts: facts, context: context, results: results)
        if golden != nil { bounds.computed = try definition.results(context) }
        var rules: [Rule?] = []
        for (index, result) in results.enumerated() {
            rules.append(try result.map { result throws(OperatorError) in try bounds.rule(for: result, index) })
        }
        self.rules = rules
        if let type = facts.valueType { try admitValues(narrowedTo: type) }
    }

    package func finding(on actual: [HostTensor?]) -> Finding {
        let finding = ownFinding(on: actual)
        if finding.failure == nil { return finding }
        return ofNarrowedValues.lazy.map { $0.finding(on: actual) }.first { $0.failure == nil } ?? finding
    }

    private func ownFinding(on actual: [HostTensor?]) -> Finding {
        var grade: Grade?
        var deviation: CaseResult.Deviation?
        for (index, result) in results.enumerated() {
            guard let result, let rule = rules[index] else { continue }
            guard index < actual.count, let tensor = actual[index] else {
                return Finding(failure: .shape, message: "output \(index) is missing")
            }
            if let message = mismatch(of: tensor, result, output: index) { return Finding(failure: .shape, message: message) }
            let finding: Finding
            switch rule {
            case .exact: finding = exactly(tensor, result, output: index)
            case .numbers(let acceptance): finding = numbers(tensor, acceptance, output: index)
            case .steps(let lower, let upper): finding = steps(tensor, lower, upper, output: index)
            case .property(let check):
                finding = check(actual).map { Finding(failure: .numeric, message: "output \(index): \($0)") } ?? Finding()
            }
            if finding.failure != nil { return finding }
            if let one = finding.grade { grade = grade == .b ? .b : one }
            if let one = finding.deviation, one.measured / one.bound >= (deviation.map { $0.measured / $0.bound } ?? -1) { deviation = one }
        }
        return Finding(grade: grade, deviation: deviation)
    }

    /// How far each element of an output may be from the reference's; nil where it is judged as a property, or not wanted.
    func tolerance(of output: Int) -> [Double]? {
        guard let result = results[output], let rule = rules[output] else { return nil }
        switch rule {
        case .property: return nil
        case .exact: return [Double](repeating: 0, count: result.count)
        case .steps(let lower, let upper): return zip(lower, upper).map { Double($1) - Double($0) }
        case .numbers(let acceptance):
            return acceptance.expected.indices.map { index in
                if !acceptance.isFree.isEmpty && acceptance.isFree[index] { return .infinity }
                let expected = acceptance.expected[index]
                return expected.isFinite ? max(acceptance.upper[index] - expected, expected - acceptance.lower[index]) : 0
            }
        }
    }

    /// Nil where the output is not judged as numbers, or not wanted.
    func acceptance(of output: Int) -> Acceptance? {
        if case .numbers(let acceptance)? = rules[output] { acceptance } else { nil }
    }

    private func mismatch(of tensor: HostTensor, _ result: ReferenceTensor, output: Int) -> String? {
        if tensor.dataType != result.dataType { return "output \(output) is \(tensor.dataType.name), expected \(result.dataType.name)" }
        if tensor.shape != result.shape { return "output \(output) has shape \(tensor.shape), expected \(result.shape)" }
        return nil
    }

    // MARK: Rules

    private func exactly(_ tensor: HostTensor, _ result: ReferenceTensor, output: Int) -> Finding {
        let (actual, expected) = (tensor.decodedIntegers(), result.wrappedIntegers)
        let wrong = actual.indices.filter { actual[$0] != expected[$0] }
        guard let first = wrong.first else { return Finding(grade: .a) }
        let pattern = cause(actual.map(Double.init), expected.map(Double.init), wrong, result)
        return Finding(
            failure: .numeric,
            message: "output \(output): \(wrong.count) of \(actual.count) elements differ, the first at \(position(first, result.shape)): "
                + "\(actual[first]), expected \(expected[first])\(pattern)")
    }

    private func steps(_ tensor: HostTensor, _ lower: [Int64], _ upper: [Int64], output: Int) -> Finding {
        let actual = tensor.decodedIntegers()
        guard let first = actual.indices.first(where: { actual[$0] < lower[$0] || actual[$0] > upper[$0] }) else {
            return Finding(grade: .a)
        }
        let count = actual.indices.filter { actual[$0] < lower[$0] || actual[$0] > upper[$0] }.count
        let range = lower[first] == upper[first] ? "\(lower[first])" : "\(lower[first]) to \(upper[first])"
        return Finding(
            failure: .numeric,
            message:
                "output \(output): \(count) of \(actual.count) elements differ, the first at \(position(first, tensor.shape)): \(actual[first]), "
                + "expected \(range)")
    }

    private func numbers(_ tensor: HostTensor, _ acceptance: Acceptance, output: Int) -> Finding {
        let format = NumberFormat(tensor.dataType)
        let actual = tensor.decodedDoubles()
        var wrong: [Int] = []
        var worst = (index: -1, ratio: -1.0)
        var isTight = true
        for index in actual.indices {
            if !acceptance.admits(actual[index], at: index, format) {
                wrong.append(index)
            } else if isTight {
                isTight = acceptance.admitsTightly(actual[index], at: index, format)
            }
            let ratio = Self.ratio(actual[index], acceptance, index)
            if ratio > worst.ratio || wrong.last == index && wrong.count == 1 { worst = (index, ratio) }
        }
        let deviation = worst.index < 0 ? nil : deviation(at: worst.index, actual, acceptance, format)
        guard let first = wrong.first else {
            if let message = excess(actual, acceptance, output: output) {
                return Finding(failure: .numeric, deviation: deviation, message: message)
            }
            let statistics = Statistics(actual, acceptance)
            return Finding(grade: isTight && (statistics?.showsNoLostBit ?? true) ? .a : .b, deviation: deviation)
        }
        let shown = wrong.contains(worst.index) ? worst.index : first
        let pattern = cause(actual, acceptance.expected, wrong, results[output]!)
        let (low, high) = (acceptance.lower[shown], acceptance.upper[shown])
        let allowed = low == high || acceptance.expected[shown].isNaN ? "" : ", allowed \(low) to \(high)"
        return Finding(
            failure: .numeric, deviation: self.deviation(at: shown, actual, acceptance, format),
            message:
                "output \(output): \(wrong.count) of \(actual.count) elements are wrong, the worst at \(position(shown, tensor.shape)): \(actual[shown]), "
                + "expected \(acceptance.expected[shown])\(allowed)\(pattern)")
    }

    /// Composites: no single element is wrong, but all together are.
    private func excess(_ actual: [Double], _ acceptance: Acceptance, output: Int) -> String? {
        guard let limit = acceptance.rootMeanSquareLimit else { return nil }
        let errors = zip(actual, acceptance.expected).filter { $0.isFinite && $1.isFinite }.map { $0 - $1 }
        let measured = (errors.reduce(0) { $0 + $1 * $1 } / Double(max(errors.count, 1))).squareRoot()
        if measured <= limit { return nil }
        return
            "output \(output): the root mean square error of \(errors.count) elements is \(measured), more than \(limit): precision was lost on the way"
    }

    private static func ratio(_ value: Double, _ acceptance: Acceptance, _ index: Int) -> Double {
        let expected = acceptance.expected[index]
        if value == expected || value.isNaN && expected.isNaN { return 0 }
        let error = abs(value - expected)
        let bound = max(acceptance.upper[index] - expected, expected - acceptance.lower[index])
        return error.isFinite && bound.isFinite ? error / max(bound, .leastNonzeroMagnitude) : error.isNaN ? .infinity : 0
    }

    private func deviation(at index: Int, _ actual: [Double], _ acceptance: Acceptance, _ format: NumberFormat) -> CaseResult.Deviation {
        let expected = acceptance.expected[index]
        let ulp = format.ulp(expected.isFinite ? expected : format.largest)
        let bound = max(acceptance.upper[index] - expected, expected - acceptance.lower[index])
        return .init(measured: abs(actual[index] - expected) / ulp, bound: bound / ulp, unit: "ulp")
    }

    private func cause(_ actual: [Double], _ expected: [Double], _ wrong: [Int], _ result: ReferenceTensor) -> String {
        Cause(actual: actual, expected: expected, wrong: wrong, shape: result.shape, type: result.dataType).map { "; \($0.words)" } ?? ""
    }

    private func position(_ flat: Int, _ shape: [Int]) -> String {
        "[\(coordinates(of: flat, in: shape).map(String.init).joined(separator: ", "))]"
    }
}

/// The index on each axis of a flat, row-major index.
func coordinates(of flat: Int, in shape: [Int]) -> [Int] {
    var rest = flat
    var result: [Int] = []
    for size in shape.reversed() {
        result.append(rest % max(size, 1))
        rest /= max(size, 1)
    }
    return result.reversed()
}

extension ReferenceTensor {
    /// Integers as the type holds them.
    var wrappedIntegers: [Int64] { (try? hostTensor())?.decodedIntegers() ?? integers }
    /// Floating-point elements rounded to the type.
    var roundedFloats: [Double] { (try? hostTensor())?.decodedDoubles() ?? floats }
}

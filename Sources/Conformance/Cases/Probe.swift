// SPDX-License-Identifier: Apache-2.0
import Graph
package import HardwareModel
package import Operators
package import Tensors

/// A call that shows what arithmetic a kernel really has, beside what it declares (SB-NUM-001).
package struct Probe: Sendable {
    package enum Fact: String, Sendable, CaseIterable {
        /// Products keep the bits of their inputs that are declared: row b multiplies 1 + 2^-b by 1.
        case inputBits = "input-bits"
        /// Sums are kept in the declared type: one large term among ones, at each place in turn, so that some partial sum of any order needs the bits.
        case accumulator
        /// Subnormal numbers survive.
        case denormals
        /// NaN goes through minimum and maximum, on either side.
        case nan
    }

    package let operatorName: String
    package let type: DataType
    package let fact: Fact

    package var id: String { "probes/\(operatorName)/\(type.name)-\(fact.rawValue)" }

    package static let all: [Probe] = table.flatMap { fact, operators in
        operators.flatMap { name in
            let types: [DataType] = [.float64, .float32, .float16, .bfloat16]
            return types.map { Probe(operatorName: name, type: $0, fact: fact) }
        }
    }

    private static let table: [(Fact, [String])] = [
        (.inputBits, ["MatMul", "Gemm", "Conv"]), (.accumulator, ["MatMul", "Gemm", "Conv", "ReduceSum"]),
        (.denormals, ["Add", "Mul", "MatMul"]), (.nan, ["Max", "Min"]),
    ]

    /// Bits of the significand, the hidden one included.
    private var precision: Int {
        switch type {
        case .float64: 53
        case .float32: 24
        case .float16: 11
        default: 8
        }
    }

    package func call(catalog: OperatorCatalog = .standard) throws -> OperatorCall {
        guard let definition = catalog["", operatorName] else {
            throw ConformanceError.internal("there is no operator '\(operatorName)'")
        }
        let inputs: [HostTensor]
        switch fact {
        case .inputBits: inputs = try product(rows: (1..<precision).map { [1 + Double(sign: .plus, exponent: -$0, significand: 1)] })
        case .accumulator:
            let count = 16
            // Fewer bits than the accumulator's, more than a narrower one's. The negative comes five places on: neither its neighbour, nor in the same lane of a vector.
            let term = type == .float32 || type == .float64 ? Double(sign: .plus, exponent: precision - 4, significand: 1) : 0x1p13
            let rows = (0..<count).map { place in (0..<count).map { $0 == place ? term : $0 == (place + 5) % count ? -term : 1 } }
            inputs =
                operatorName == "ReduceSum"
                ? [try tensor(rows.flatMap { $0 }, [count, count]), try tensor64([1])] : try product(rows: rows)
        case .denormals:
            let values = (0..<8).map {
                Double(sign: $0.isMultiple(of: 2) ? .plus : .minus, exponent: smallestExponent, significand: Double(1 + $0))
            }
            switch operatorName {
            case "Add": inputs = [try tensor(values, [8]), try tensor([0], [1])]
            case "Mul": inputs = [try tensor(values, [8]), try tensor([1], [1])]
            default: inputs = try product(rows: values.map { [$0] })
            }
        case .nan: inputs = [try tensor([.nan, 1, .nan, 2], [4]), try tensor([1, .nan, .nan, 3], [4])]
        }
        let opset = definition.since.last ?? 1
        return OperatorCall(
            definition, opset: max(opset, OperatorCatalog.opsets.lowerBound),
            attributes: operatorName == "ReduceSum" ? ["keepdims": .int(0)] : [:],
            inputs: inputs)
    }

    /// What the results say against the declaration; nil if they agree with it.
    package func contradiction(_ actual: [Double], _ facts: NumericFacts, _ call: OperatorCall) -> String? {
        let narrower = facts.valueType.flatMap { type.isNarrowed(to: $0) ? NumberFormat($0).precision : nil }
        if narrower != nil && (fact == .accumulator || fact == .denormals) { return nil }
        switch fact {
        case .inputBits:
            let declared = min(facts.inputBits ?? precision, narrower ?? precision)
            let expected = (1..<precision).map { 1 + Double(sign: .plus, exponent: -$0, significand: 1) }
            guard let lost = zip(actual, expected).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset else { return nil }
            let kept = lost + 1
            return kept < declared
                ? "declares that products keep \(declared) bits of their \(type.name) inputs, but they keep \(kept)" : nil
        case .accumulator:
            if facts.accumulator(for: type) == type, type == .float16 || type == .bfloat16 { return nil }
            guard let expected = try? reference(call), let wrong = actual.indices.first(where: { actual[$0] != expected[$0] }) else {
                return nil
            }
            return "declares sums in \(facts.accumulator(for: type).name), but a sum of ones with a large term at place \(wrong) "
                + "gives \(actual[wrong]), not \(expected[wrong])"
        case .denormals:
            guard !facts.flushesDenormals, let expected = try? reference(call) else { return nil }
            guard let wrong = actual.indices.first(where: { actual[$0] != expected[$0] }) else { return nil }
            return "does not declare that denormals are flushed, but gives \(actual[wrong]) for \(expected[wrong])"
        case .nan:
            guard !facts.ignoresNaN, let lost = actual.prefix(3).firstIndex(where: { !$0.isNaN }) else { return nil }
            return "does not declare that NaN is ignored, but gives \(actual[lost]) where input \(lost == 1 ? 1 : 0) is NaN"
        }
    }

    private func reference(_ call: OperatorCall) throws -> [Double] {
        let outputs = try call.definition.evaluate(opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
        return outputs.first.flatMap { $0 }?.decodedDoubles() ?? []
    }

    /// The exponent of the smallest subnormal number.
    private var smallestExponent: Int {
        switch type {
        case .float64: -1074
        case .float32: -149
        case .float16: -24
        default: -133
        }
    }

    /// Rows times a column of ones, in the form that the operator takes.
    private func product(rows: [[Double]]) throws -> [HostTensor] {
        let (count, depth) = (rows.count, rows[0].count)
        let ones = [Double](repeating: 1, count: depth)
        if operatorName == "Conv" {
            return [try tensor(rows.flatMap { $0 }, [count, depth, 1, 1]), try tensor(ones, [1, depth, 1, 1])]
        }
        return [try tensor(rows.flatMap { $0 }, [count, depth]), try tensor(ones, [depth, 1])]
    }

    private func tensor(_ values: [Double], _ shape: [Int]) throws -> HostTensor { try HostTensor(type, shape, doubles: values) }
    private func tensor64(_ values: [Int64]) throws -> HostTensor { try HostTensor(.int64, [values.count], values) }
}

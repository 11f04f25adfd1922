// SPDX-License-Identifier: Apache-2.0
import Foundation
import HardwareModel
package import Operators
package import Tensors

/// A way to be wrong, planted into the reference's own results: what a kernel with that fault would give. The suite measures itself by them.
package enum PlantedFault: String, Sendable, Hashable, CaseIterable {
    case wrongIndex = "results one place off"
    case zeroedElement = "one element zero"
    case droppedTail = "the last elements of each row missing"
    case staleRow = "a row repeated"
    case swappedAxes = "two axes swapped"
    case offByOne = "one element off by one step"
    case scaled = "scaled by 1.001"
    case droppedTerm = "one input element ignored"
    case lowerInputs = "inputs in a narrower type"
    case lowerAccumulator = "sums in a narrower type"
    case truncation = "rounding toward zero"
    case droppedStep = "the last step left out"
    case swappedSteps = "the first two steps in the wrong order"

    /// The kinds that cases of an operator and type must notice.
    package static func kinds(for definition: OperatorDefinition, type: DataType) -> [PlantedFault] {
        guard definition.numericClass != .random else { return [] }
        var kinds: [PlantedFault] = [.wrongIndex, .zeroedElement, .droppedTail, .staleRow, .swappedAxes]
        guard type.isFloat else { return kinds + [.offByOne] }
        // A thousandth is less than a step of the narrow types.
        let scaled: [PlantedFault] = NumberFormat(type).precision > 11 ? [.scaled] : []
        switch definition.numericClass {
        case .dot, .sum: kinds += scaled + [.droppedTerm, .lowerInputs, .lowerAccumulator]
        case .product, .softmax, .normalisation, .variance: kinds += scaled + [.droppedTerm]
        case .arithmetic: kinds += scaled + [.truncation]
        case .division, .transcendental: kinds += scaled
        case .composite: kinds += [.droppedTerm] + (definition.domain == FusedStep.domain ? [.droppedStep, .swappedSteps] : [])
        case .cast: kinds += [.truncation]
        default: break
        }
        return kinds
    }

    /// The outputs of a kernel with this fault on a judge's call; nil where it makes no difference there, or cannot be planted.
    package func outputs(of judge: Judge) -> [HostTensor?]? {
        guard let index = judge.results.firstIndex(where: { $0 != nil }), let result = judge.results[index],
            let right = try? result.hostTensor()
        else {
            return nil
        }
        guard let wrong = faulty(result, judge, output: index), let tensor = try? wrong.hostTensor(), !Self.same(tensor, right) else {
            return nil
        }
        var outputs = judge.results.map { $0.flatMap { try? $0.hostTensor() } }
        outputs[index] = tensor
        return outputs
    }

    private static func same(_ left: HostTensor, _ right: HostTensor) -> Bool {
        left.decodedDoublesOrIntegers.elementsEqual(right.decodedDoublesOrIntegers) { $0 == $1 || $0.isNaN && $1.isNaN }
    }

    private func faulty(_ result: ReferenceTensor, _ judge: Judge, output: Int) -> ReferenceTensor? {
        let count = result.count
        let row = result.shape.last ?? 1
        guard count > 0 else { return nil }
        switch self {
        case .wrongIndex: return result.gathered((0..<count).map { ($0 + 1) % count }, shape: result.shape)
        case .zeroedElement: return result.replacing { index, value in index == count / 2 ? 0 : value }
        case .droppedTail: return row > 1 ? result.replacing { index, value in index % row == row - 1 ? 0 : value } : nil
        case .staleRow:
            guard count > row, row > 0 else { return nil }
            return result.gathered((0..<count).map { $0 >= count - row ? $0 - row : $0 }, shape: result.shape)
        case .swappedAxes:
            guard result.shape.count >= 2 else { return nil }
            let rows = result.shape[result.shape.count - 2]
            guard rows > 1, row > 1 else { return nil }
            return result.gathered(
                (0..<count).map { $0 - $0 % (rows * row) + ($0 % rows) * row + $0 % (rows * row) / rows }, shape: result.shape)
        case .offByOne: return result.replacing { index, value in index == count / 3 ? (value == 0 ? 1 : value - 1) : value }
        case .scaled:
            let isProduct = [.dot, .sum].contains(judge.call.definition.numericClass)
            guard (isProduct ? judge.facts.keptBits : judge.facts.valueBits) > 10 else { return nil }
            return result.replacing { _, value in value * 1.001 }
        case .droppedTerm:
            return evaluated(judge, output) { value, position, index, size in position == 0 && index == size / 2 ? 0 : value }
        case .lowerInputs:
            let bits = judge.call.inputs.first.flatMap { $0?.dataType } == .float16 ? 8 : 11
            guard NumberFormat(result.dataType).precision > bits, judge.facts.keptBits > bits else { return nil }
            return evaluated(judge, output) { value, _, _, _ in value.rounded(toBits: bits) }
        case .lowerAccumulator:
            let bounds = Bounds(call: judge.call, facts: judge.facts, context: judge.context, results: judge.results)
            guard let terms = bounds.terms, terms >= 16, let magnitudes = (try? bounds.magnitudes(output: output)) ?? nil else {
                return nil
            }
            // The rounding errors of a sum in 11 bits (8 for outputs that have no more), at random as honest rounding's.
            let bits = result.dataType == .float32 || result.dataType == .float64 ? 11 : 8
            guard judge.facts.accumulator.map({ !$0.isFloat || NumberFormat($0).precision > bits }) ?? true, judge.facts.keptBits > bits
            else { return nil }
            let unit = exp2(-Double(bits))
            let random = CounterRandom(seed: 1, case: "lower accumulator", tensor: judge.call.definition.name)
            return result.replacing { index, value in
                value + random.normal(UInt64(index)) * unit * magnitudes[index] * Double(terms).squareRoot() / 2
            }
        case .truncation:
            let format = NumberFormat(result.dataType)
            guard format.precision < 53, !judge.facts.truncates,
                !(judge.facts.valueType.map { result.dataType.isNarrowed(to: $0) } ?? false)
            else { return nil }
            return result.replacing { _, value in value.isFinite && value != 0 ? value.truncated(to: format) : value }
        case .droppedStep: return restepped(judge, output) { Array($0.dropLast()) }
        case .swappedSteps: return restepped(judge, output) { $0.count > 1 ? [$0[1], $0[0]] + $0.dropFirst(2) : $0 }
        }
    }

    /// The reference of a fused operator with other steps.
    private func restepped(_ judge: Judge, _ output: Int, _ change: ([FusedStep]) -> [FusedStep]) -> ReferenceTensor? {
        let attributes = judge.context.attributes
        guard
            let steps = try? FusedStep.steps(
                names: attributes.strings("steps") ?? [], operands: attributes.ints("operands") ?? [],
                reversed: attributes.ints("reversed") ?? [],
                parameters: attributes.floats("parameters") ?? [])
        else { return nil }
        var call = judge.call
        call.attributes.merge(FusedStep.attributes(change(steps))) { $1 }
        guard
            let context = try? call.definition.context(
                opset: call.opset, attributes: call.attributes, inputs: call.inputs, wanted: call.wanted)
        else { return nil }
        return (try? call.definition.results(context))?[output]
    }

    /// The reference with the floating-point inputs changed.
    private func evaluated(
        _ judge: Judge, _ output: Int, _ change: (_ value: Double, _ position: Int, _ index: Int, _ size: Int) -> Double
    ) -> ReferenceTensor? {
        var inputs = judge.context.inputs
        for position in inputs.indices {
            guard let input = inputs[position], case .floats(let values) = input.elements else { continue }
            inputs[position]!.elements = .floats(values.enumerated().map { change($1, position, $0, values.count) })
        }
        let context = ReferenceContext(attributes: judge.context.attributes, inputs: inputs, outputs: judge.context.outputs)
        return (try? judge.call.definition.results(context))?[output]
    }
}

extension ReferenceTensor {
    /// Each element changed, integers by way of numbers.
    fileprivate func replacing(_ change: (Int, Double) -> Double) -> ReferenceTensor? {
        switch elements {
        case .floats(let values): return ReferenceTensor(dataType, shape, .floats(values.enumerated().map { change($0, $1) }))
        case .integers(let values):
            return ReferenceTensor(
                dataType, shape,
                .integers(
                    values.enumerated().map { index, value in
                        let changed = change(index, Double(value))
                        return changed == Double(value) ? value : Int64(changed.clamped)
                    }))
        case .strings, .complex: return nil
        }
    }
}

extension HostTensor {
    fileprivate var decodedDoublesOrIntegers: [Double] { dataType.isFloat ? decodedDoubles() : decodedIntegers().map(Double.init) }
}

extension Double {
    fileprivate var clamped: Double { min(max(self, -0x1p62), 0x1p62) }

    /// Rounded to so many bits of significand.
    fileprivate func rounded(toBits bits: Int) -> Double {
        guard isFinite, self != 0 else { return self }
        let unit = Double(sign: .plus, exponent: Int(exponent) - bits + 1, significand: 1)
        return (self / unit).rounded(.toNearestOrEven) * unit
    }

    fileprivate func truncated(to format: NumberFormat) -> Double {
        let step = format.ulp(self)
        return (self / step).rounded(.towardZero) * step
    }
}

extension NumericFacts {
    /// Bits of the significand that values keep by the declaration.
    fileprivate var valueBits: Int { valueType.map { NumberFormat($0).precision } ?? .max }
    /// Those that the factors of products and the terms of sums keep.
    fileprivate var keptBits: Int { min(inputBits ?? .max, valueBits) }
}

// SPDX-License-Identifier: Apache-2.0
import HardwareModel
import Operators
import Tensors

extension Judge {
    /// Also admits what becomes of the results where some values are rounded to a narrower type and others are not (SB-NUM-004): element by element what lies between the
    /// results on all inputs as they are, on all of them rounded, and on each alone rounded, products of both kinds among them, and off by the rounding of the result. Where outputs are
    /// compared bit by bit, as integers are, all of them must go by either.
    mutating func admitValues(narrowedTo type: DataType) throws(OperatorError) {
        let types: [DataType] = call.inputs.compactMap { $0?.dataType } + results.compactMap { $0?.dataType }
        guard types.contains(where: { $0.isNarrowed(to: type) }) else { return }
        let format = NumberFormat(type)
        let overflows = call.inputs.contains { input in
            input.map { $0.dataType.isFloat && $0.decodedDoubles().contains { $0.isFinite && abs($0) > format.largest } } ?? false
        }
        // All inputs, and each of them alone, next to others that were kept.
        let narrowing: [Int?] = [nil] + (call.inputs.count > 1 ? call.inputs.indices.map { $0 } : [])
        for (position, saturating) in narrowing.map({ ($0, false) }) + (overflows ? narrowing.map { ($0, true) } : []) {
            var (other, facts) = (call, facts)
            facts.valueType = nil
            facts.inputBits = min(facts.inputBits ?? format.precision, format.precision)
            for (index, input) in call.inputs.enumerated() where position ?? index == index {
                other.inputs[index] = input?.narrowed(to: type, saturating: saturating)
            }
            var judge = try Judge(other, facts: facts)
            for index in rules.indices {
                guard case .numbers(var narrowed)? = judge.rules[index], let result = judge.results[index] else { continue }
                if result.dataType.isNarrowed(to: type) { narrowed.narrow(to: format, flushing: facts.flushesDenormals) }
                judge.rules[index] = .numbers(narrowed)
                guard case .numbers(var own)? = rules[index], own.expected.count == narrowed.expected.count else { continue }
                own.widen(by: narrowed)
                own.alternatives += [narrowed.expected] + narrowed.alternatives
                own.isFree =
                    own.isFree.isEmpty
                    ? narrowed.isFree : narrowed.isFree.isEmpty ? own.isFree : zip(own.isFree, narrowed.isFree).map { $0 || $1 }
                own.rootMeanSquareLimit = own.rootMeanSquareLimit.flatMap { limit in narrowed.rootMeanSquareLimit.map { max(limit, $0) } }
                own.typicalErrors = own.typicalErrors.flatMap { errors in narrowed.typicalErrors.map { zip(errors, $0).map(max) } }
                rules[index] = .numbers(own)
            }
            ofNarrowedValues.append(judge)
        }
    }
}

extension HostTensor {
    /// Rounded to a floating-point type and back, where its significands have fewer bits.
    func narrowed(to type: DataType, saturating: Bool = false) -> HostTensor {
        guard dataType.isNarrowed(to: type) else { return self }
        let largest = NumberFormat(type).largest
        let values = saturating ? decodedDoubles().map { $0.isFinite ? min(max($0, -largest), largest) : $0 } : decodedDoubles()
        guard let rounded = try? HostTensor(type, shape, doubles: values),
            let back = try? HostTensor(dataType, shape, doubles: rounded.decodedDoubles())
        else { return self }
        return back
    }
}

extension DataType {
    func isNarrowed(to type: DataType) -> Bool { isFloat && NumberFormat(self).precision > NumberFormat(type).precision }
}

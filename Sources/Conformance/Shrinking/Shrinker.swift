// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
package import Operators
package import Tensors

/// Reduces a failing call: smaller dimensions first, then simpler values, fewer attributes, fewer inputs and outputs. A greedy search that stops when nothing
/// smaller fails, or when its budget is spent.
package struct Shrinker {
    package struct Result {
        package let call: OperatorCall
        package let finding: Finding
        /// Nil where the smaller call crashed.
        package let outputs: [HostTensor?]?
    }

    /// Runs a call; nil if it does not fail.
    private let attempt: (OperatorCall) throws -> (finding: Finding, outputs: [HostTensor?]?)?
    private let limit: Int
    private let seconds: Double

    /// - Parameters:
    ///   - limit: most calls that are run.
    ///   - seconds: no call is begun later than this.
    package init(
        limit: Int = 400, seconds: Double = 5, attempt: @escaping (OperatorCall) throws -> (finding: Finding, outputs: [HostTensor?]?)?
    ) {
        self.attempt = attempt
        self.limit = limit
        self.seconds = seconds
    }

    /// The smallest call found that still fails; nil if none is smaller than `call`.
    package func shrink(_ call: OperatorCall) throws -> Result? {
        let start = ContinuousClock.now
        var tries = 0
        var best: Result?
        var isProgressing = true
        while isProgressing {
            isProgressing = false
            for move in Self.moves {
                var isMoving = true
                while isMoving {
                    isMoving = false
                    for candidate in move(best?.call ?? call) where candidate.isValid {
                        guard tries < limit, (ContinuousClock.now - start).seconds < seconds else { return best }
                        tries += 1
                        guard let failed = try attempt(candidate) else { continue }
                        best = Result(call: candidate, finding: failed.finding, outputs: failed.outputs)
                        (isMoving, isProgressing) = (true, true)
                        break
                    }
                }
            }
        }
        return best
    }

    private static let moves: [@Sendable (OperatorCall) -> [OperatorCall]] = [
        smallerSizes, fewerAxes, fewerAttributes, fewerInputs, fewerOutputs, simplerValues,
    ]

    // MARK: Moves, each giving the boldest candidates first

    /// Every axis of one size becomes shorter at once, since equal sizes mostly belong together; then single axes do.
    @Sendable private static func smallerSizes(_ call: OperatorCall) -> [OperatorCall] {
        var candidates: [OperatorCall] = []
        let sizes = Set(call.inputs.compactMap { $0?.shape }.joined()).filter { $0 > 1 }.sorted(by: >)
        for size in sizes {
            for (smaller, fromEnd) in reductions(of: size) {
                candidates.append(call.slicing(to: smaller, fromEnd: fromEnd) { _, _, axisSize in axisSize == size })
            }
        }
        for (index, input) in call.inputs.enumerated() {
            for (axis, size) in (input?.shape ?? []).enumerated() where size > 1 {
                for (smaller, fromEnd) in reductions(of: size) {
                    candidates.append(call.slicing(to: smaller, fromEnd: fromEnd) { $0 == index && $1 == axis && $2 == size })
                }
            }
        }
        return candidates
    }

    private static func reductions(of size: Int) -> [(Int, fromEnd: Bool)] {
        // Faults often hang on multiples of a vector's or a tile's width and what is left over.
        let around = (1...7).map { 1 << $0 }.flatMap { [$0 - 1, $0, $0 + 1] }
        let less = (0...7).map { size - (1 << $0) }
        let targets = Set([1, size / 2, size - size / 4] + around + less).filter { $0 >= 1 && $0 < size }.sorted()
        return targets.flatMap { [($0, false), ($0, true)] }
    }

    /// An axis of one element, of all inputs that have as many axes.
    @Sendable private static func fewerAxes(_ call: OperatorCall) -> [OperatorCall] {
        let rank = call.inputs.compactMap { $0?.shape.count }.max() ?? 0
        return (0..<rank).compactMap { axis in
            var candidate = call
            for (index, input) in call.inputs.enumerated() {
                guard let input, input.shape.count == rank else { continue }
                guard input.shape[axis] == 1 else { return nil }
                var shape = input.shape
                shape.remove(at: axis)
                candidate.inputs[index] = try? HostTensor(input.dataType, shape, viewing: input.bytes, owner: input.owner)
            }
            return candidate
        }
    }

    @Sendable private static func fewerAttributes(_ call: OperatorCall) -> [OperatorCall] {
        call.attributes.keys.sorted().map { name in
            var candidate = call
            candidate.attributes[name] = nil
            return candidate
        }
    }

    @Sendable private static func fewerInputs(_ call: OperatorCall) -> [OperatorCall] {
        call.inputs.indices.reversed().compactMap { index in
            guard call.inputs[index] != nil else { return nil }
            var candidate = call
            candidate.inputs[index] = nil
            while let last = candidate.inputs.last, last == nil { candidate.inputs.removeLast() }
            return candidate
        }
    }

    @Sendable private static func fewerOutputs(_ call: OperatorCall) -> [OperatorCall] {
        call.wanted.indices.reversed().compactMap { index in
            guard call.wanted[index], call.wanted.filter({ $0 }).count > 1 else { return nil }
            var candidate = call
            candidate.wanted[index] = false
            while candidate.wanted.last == false { candidate.wanted.removeLast() }
            return candidate
        }
    }

    /// One input at a time: all ones; then whole numbers.
    @Sendable private static func simplerValues(_ call: OperatorCall) -> [OperatorCall] {
        call.inputs.indices.flatMap { index -> [OperatorCall] in
            guard let input = call.inputs[index], input.dataType.isFloat else { return [] }
            let values = ReferenceTensor(input).floats
            let ones = values.map { _ in 1.0 }
            let whole = values.map { $0.isFinite ? min(max($0.rounded(), -9), 9) : $0 }
            return [ones, whole].compactMap { simpler in
                guard zip(simpler, values).contains(where: { !($0 == $1 || $0.isNaN && $1.isNaN) }),
                    let tensor = try? HostTensor(input.dataType, input.shape, doubles: simpler)
                else { return nil }
                var candidate = call
                candidate.inputs[index] = tensor
                return candidate
            }
        }
    }
}

extension OperatorCall {
    /// Whether the operator allows this call at all. Runs the reference.
    fileprivate var isValid: Bool {
        (try? definition.evaluate(opset: opset, attributes: attributes, inputs: inputs, wanted: wanted)) != nil
    }

    /// Keeps `size` elements of each axis that `isChosen` (input, axis, size) says, from the front or from the end.
    fileprivate func slicing(to size: Int, fromEnd: Bool, isChosen: (Int, Int, Int) -> Bool) -> OperatorCall {
        var result = self
        for (index, input) in inputs.enumerated() {
            guard let input, input.shape.enumerated().contains(where: { isChosen(index, $0.offset, $0.element) }) else { continue }
            let strides = denseStrides(input.shape)
            var shape = input.shape
            var offset = 0
            for (axis, old) in input.shape.enumerated() where isChosen(index, axis, old) {
                shape[axis] = size
                if fromEnd { offset += (old - size) * strides[axis] }
            }
            let indices = stridedIndices(shape: shape, strides: strides, offset: offset)
            if let sliced = try? ReferenceTensor(input).gathered(indices, shape: shape).hostTensor() { result.inputs[index] = sliced }
        }
        return result
    }
}

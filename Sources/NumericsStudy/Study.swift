// SPDX-License-Identifier: Apache-2.0
package import Conformance
import Dispatch
import Foundation
import HardwareModel
import Operators
import Synchronization
import Tensors

/// Runs the cases of the suite through right and wrong arithmetic and lets the suite's judge decide.
package struct Study: Sendable {
    /// A Python with numpy, and the program that it runs; nil: without numpy.
    package let numpy: (python: String, script: String)?
    package let threads: Int

    package init(numpy: (python: String, script: String)?, threads: Int) {
        self.numpy = numpy
        self.threads = threads
    }

    /// Cases of seed after seed, until so many outputs are judged. Faults are planted into the cases of the first seed.
    package func run(_ subject: StudyClass, leastOutputs: Int, seeds: ClosedRange<UInt64>) throws -> ClassTally {
        var total = ClassTally()
        for seed in seeds {
            let cases = Self.cases(subject, seed: seed)
            total.add(try run(cases, subject, seed: seed, plantsFaults: seed == seeds.lowerBound))
            if total.outputs >= leastOutputs { break }
        }
        return total
    }

    package static func cases(_ subject: StudyClass, seed: UInt64) -> [GeneratedCase] {
        let definitions = subject.operators.compactMap { OperatorCatalog.standard["", $0] }
        return definitions.flatMap { GeneratedCase.newest(of: $0) }.filter { subject.types.contains($0.type) }
    }

    private func run(_ cases: [GeneratedCase], _ subject: StudyClass, seed: UInt64, plantsFaults: Bool) throws -> ClassTally {
        let next = Atomic(0)
        let total = Mutex(ClassTally())
        let problem = Mutex<(any Error)?>(nil)
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            do {
                let numpy = try self.numpy.map { try Numpy(python: $0.python, script: $0.script) }
                var tally = ClassTally()
                while problem.withLock({ $0 == nil }) {
                    let index = next.add(1, ordering: .relaxed).oldValue
                    guard index < cases.count else { break }
                    tally.add(try judged(cases[index], subject, seed: seed, plantsFaults: plantsFaults, numpy))
                }
                total.withLock { $0.add(tally) }
            } catch {
                problem.withLock { $0 = error }
            }
        }
        if let error = problem.withLock({ $0 }) { throw error }
        return total.withLock { $0 }
    }

    /// One case by all implementations and with all faults.
    package func judged(_ one: GeneratedCase, _ subject: StudyClass, seed: UInt64, plantsFaults: Bool, _ numpy: Numpy?) throws -> ClassTally
    {
        var tally = ClassTally()
        let call = try one.call(seed: seed)
        let judge = try Judge(call, facts: .strict)
        let computation = Computation(judge)
        guard let base = subject.implementations.first, let right = try computation.outputs(base.arithmetic) else { return tally }
        tally.cases = 1
        tally.groups = [one.group]
        let count = judge.results.reduce(0) { $0 + ($1?.count ?? 0) }
        var judges: [(facts: NumericFacts, judge: Judge)] = [(.strict, judge)]
        for implementation in subject.implementations where implementation.types?.contains(one.type) ?? true {
            guard let outputs = try outputs(of: implementation, computation, judge, numpy) else { continue }
            if !judges.contains(where: { $0.facts == implementation.facts }) {
                judges.append((implementation.facts, try Judge(call, facts: implementation.facts)))
            }
            let finding = judges.first { $0.facts == implementation.facts }!.judge.finding(on: outputs)
            tally.implementations[implementation.name, default: .init()].add(finding, outputs: count, case: "\(one.id) of seed \(seed)")
        }
        if plantsFaults {
            let grade = judge.finding(on: right).grade
            for fault in Fault.all {
                guard let outputs = try fault.outputs(computation, base: base.arithmetic, right: right) else { continue }
                guard zip(outputs, right).contains(where: { $0 != nil && $1 != nil && !$0!.isSame(as: $1!) }) else { continue }
                var counted = FaultTally()
                counted.runs = 1
                counted.groups = [one.group]
                if fault.isDemanded(call.definition, one.type) { counted.demanded = [one.group] }
                let finding = judge.finding(on: outputs)
                if finding.failure != nil {
                    (counted.failed, counted.caught) = (1, [one.group])
                } else if finding.grade == .b, grade != .b {
                    counted.gradedB = 1
                }
                tally.faults[fault.name] = counted
            }
        }
        return tally
    }

    private func outputs(of implementation: Implementation, _ computation: Computation, _ judge: Judge, _ numpy: Numpy?) throws
        -> [HostTensor?]?
    {
        switch implementation.source {
        case .own: return try computation.outputs(implementation.arithmetic)
        case .openBLAS:
            guard let values = OpenBLAS.shared?.product(judge.call.definition.name, judge.context), let result = judge.results[0] else {
                return nil
            }
            return [try implementation.arithmetic.tensor(values, result.shape, result.dataType)]
        case .numpy:
            guard judge.results.dropFirst().allSatisfy({ $0 == nil }) else { return nil }
            return try numpy?.output(judge).map { [$0] }
        }
    }
}

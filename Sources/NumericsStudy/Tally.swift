// SPDX-License-Identifier: Apache-2.0
package import Conformance
import Tensors

/// What the study counted of one class.
package struct ClassTally: Sendable {
    package var implementations: [String: ImplementationTally] = [:]
    package var faults: [String: FaultTally] = [:]
    /// Cases for which the study has a kernel, and groups of them.
    package var cases = 0
    package var groups: Set<CaseGroup> = []

    package init() {}

    package var outputs: Int { implementations.values.reduce(0) { $0 + $1.outputs } }
    package var falseAlarms: Int { implementations.values.reduce(0) { $0 + $1.falseAlarms.count } }

    mutating func add(_ other: ClassTally) {
        cases += other.cases
        groups.formUnion(other.groups)
        for (name, tally) in other.implementations { implementations[name, default: .init()].add(tally) }
        for (name, tally) in other.faults { faults[name, default: .init()].add(tally) }
    }
}

package struct ImplementationTally: Sendable {
    package var runs = 0
    package var outputs = 0
    package var gradedA = 0
    package var gradedB = 0
    /// The largest error in parts of its bound.
    package var worst = 0.0
    /// Case and message.
    package var falseAlarms: [String] = []

    package init() {}

    mutating func add(_ other: ImplementationTally) {
        runs += other.runs
        outputs += other.outputs
        gradedA += other.gradedA
        gradedB += other.gradedB
        worst = max(worst, other.worst)
        falseAlarms += other.falseAlarms
    }

    mutating func add(_ finding: Finding, outputs count: Int, case id: String) {
        runs += 1
        outputs += count
        if finding.failure != nil { falseAlarms.append("\(id): \(finding.message ?? "")") }
        switch finding.grade {
        case .a?: gradedA += 1
        case .b?: gradedB += 1
        case nil: break
        }
        if finding.failure == nil, let deviation = finding.deviation, deviation.bound > 0, deviation.measured.isFinite {
            worst = max(worst, deviation.measured / deviation.bound)
        }
    }
}

package struct FaultTally: Sendable {
    /// Runs in which the fault made a difference, and those of them that failed, or fell from grade A to B.
    package var runs = 0
    package var failed = 0
    package var gradedB = 0
    package var groups: Set<CaseGroup> = []
    package var caught: Set<CaseGroup> = []
    /// Groups that the suite demands to notice it.
    package var demanded: Set<CaseGroup> = []

    package init() {}

    package var missed: [CaseGroup] {
        groups.subtracting(caught).sorted { ($0.operatorName, $0.type.rawValue) < ($1.operatorName, $1.type.rawValue) }
    }
    package var missedOnDemand: [CaseGroup] { missed.filter(demanded.contains) }

    mutating func add(_ other: FaultTally) {
        runs += other.runs
        failed += other.failed
        gradedB += other.gradedB
        groups.formUnion(other.groups)
        caught.formUnion(other.caught)
        demanded.formUnion(other.demanded)
    }
}

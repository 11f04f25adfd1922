// SPDX-License-Identifier: Apache-2.0
import Foundation
import HardwareModel
import Operators
import Synchronization
import Tensors

/// Whether the cases of a group would notice a kernel that is wrong: each kind of fault is planted into the reference's own results, and one case at
/// least must call it wrong. Shared by all threads of a run.
final class GroupTrust: Sendable {
    private let cases: [CaseGroup: [GeneratedCase]]
    private let seed: UInt64
    private let missed = Mutex<[CaseGroup: [String]]>([:])
    private let shrunk = Mutex<[CaseGroup: Int]>([:])

    /// - Parameter cases: all generated cases of the suite, also those that this run leaves out.
    init(_ cases: [GeneratedCase], seed: UInt64) {
        self.cases = Dictionary(grouping: cases.filter(\.isLatestVersion), by: \.group)
        self.seed = seed
    }

    /// The kinds of faults that no case of the group notices. Computed once for each group; two threads may do it at the same time.
    func missedFaults(of group: CaseGroup, facts: NumericFacts) -> [String]? {
        if let known = missed.withLock({ $0[group] }) { return known }
        guard let members = cases[group] else { return nil }
        var open = Set<PlantedFault>()
        var noticed = Set<PlantedFault>()
        for member in members.sorted(by: { $0.id < $1.id }) {
            guard let call = try? member.call(seed: seed), let judge = try? Judge(call, facts: facts) else { continue }
            for fault in PlantedFault.kinds(for: call.definition, type: member.type) where !noticed.contains(fault) {
                guard let outputs = fault.outputs(of: judge) else { continue }
                if judge.finding(on: outputs).failure == nil { open.insert(fault) } else { noticed.insert(fault) }
            }
        }
        let result = open.subtracting(noticed).map(\.rawValue).sorted()
        missed.withLock { $0[group] = result }
        return result
    }

    /// A few failures of a group are shrunk, not thousands.
    func mayShrink(_ group: CaseGroup) -> Bool {
        shrunk.withLock { counts in
            guard counts[group, default: 0] < 3, counts.values.reduce(0, +) < 60 else { return false }
            counts[group, default: 0] += 1
            return true
        }
    }
}

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
        var planted = Set<PlantedFault>()
        var noticed = Set<PlantedFault>()
        for member in members.sorted(by: { $0.id < $1.id }) {
            let faults = faults(of: member, facts: facts, except: noticed)
            planted.formUnion(faults.planted)
            noticed.formUnion(faults.noticed)
        }
        let result = planted.subtracting(noticed).map(\.rawValue).sorted()
        missed.withLock { $0[group] = result }
        return result
    }

    /// Of every group the fewest cases that notice all that the whole group notices, found greedily; ids in order.
    func smallestSet() -> [String] {
        cases.keys.flatMap { group in
            var remaining = cases[group]!.sorted { $0.id < $1.id }.map { ($0.id, faults(of: $0, facts: .strict, except: []).noticed) }
            var chosen = [remaining[0].0]
            var noticed = remaining[0].1
            while let best = remaining.max(by: { $0.1.subtracting(noticed).count < $1.1.subtracting(noticed).count }),
                !best.1.subtracting(noticed).isEmpty
            {
                chosen.append(best.0)
                noticed.formUnion(best.1)
                remaining.removeAll { $0.1.isSubset(of: noticed) }
            }
            return chosen
        }.sorted()
    }

    /// The faults that can be planted into a case, and those of them that it notices.
    private func faults(
        of member: GeneratedCase, facts: NumericFacts, except known: Set<PlantedFault>
    ) -> (planted: Set<PlantedFault>, noticed: Set<PlantedFault>) {
        guard let call = try? member.call(seed: seed), let judge = try? Judge(call, facts: facts) else { return ([], []) }
        var planted = Set<PlantedFault>()
        var noticed = Set<PlantedFault>()
        for fault in PlantedFault.kinds(for: call.definition, type: member.type) where !known.contains(fault) {
            guard let outputs = fault.outputs(of: judge) else { continue }
            planted.insert(fault)
            if judge.finding(on: outputs).failure != nil { noticed.insert(fault) }
        }
        return (planted, noticed)
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

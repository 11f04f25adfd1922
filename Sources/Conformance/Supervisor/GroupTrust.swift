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
    private struct Key: Hashable {
        let group: CaseGroup
        let facts: NumericFacts
    }
    private let missed = Mutex<[Key: [String]]>([:])
    private let shrunk = Mutex<[CaseGroup: Int]>([:])

    /// - Parameter cases: all generated cases of the suite, also those that this run leaves out.
    init(_ cases: [GeneratedCase], seed: UInt64) {
        self.cases = Dictionary(grouping: cases.filter(\.isLatestVersion), by: \.group)
        self.seed = seed
    }

    /// The kinds of faults that no case of the group notices, of those that the facts do not excuse. Computed once for each group and facts; two threads may do it at
    /// the same time.
    func missedFaults(of group: CaseGroup, facts: NumericFacts) -> [String]? {
        let key = Key(group: group, facts: facts)
        if let known = missed.withLock({ $0[key] }) { return known }
        guard let members = cases[group] else { return nil }
        var planted = Set<PlantedFault>()
        var noticed = Set<PlantedFault>()
        for member in members.sortedByID() {
            let faults = faults(of: member, facts: facts, except: noticed)
            planted.formUnion(faults.planted)
            noticed.formUnion(faults.noticed)
        }
        let result = planted.subtracting(noticed).map(\.rawValue).sorted()
        missed.withLock { $0[key] = result }
        return result
    }

    /// Of every group a few cases that together notice all that the whole group notices: the ids of the smoke tier. The same for every seed.
    static func smokeTier(_ cases: [GeneratedCase]) -> Set<String> {
        let trust = GroupTrust(cases, seed: 0)
        let groups = Array(trust.cases.values)
        let chosen = Mutex(Set<String>())
        DispatchQueue.concurrentPerform(iterations: groups.count) { position in
            let members = groups[position].sortedByID()
            let kinds =
                OperatorCatalog.standard[members[0].domain, members[0].operatorName].map {
                    PlantedFault.kinds(for: $0, type: members[0].type)
                } ?? []
            var noticed = Set<PlantedFault>()
            var ids = [members[0].id]
            for member in members where noticed.count < kinds.count {
                let more = trust.faults(of: member, facts: .strict, except: noticed).noticed
                if more.isEmpty { continue }
                ids.append(member.id)
                noticed.formUnion(more)
            }
            chosen.withLock { $0.formUnion(ids) }
        }
        return chosen.withLock { $0 }
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

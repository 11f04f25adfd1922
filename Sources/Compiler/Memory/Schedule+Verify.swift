// SPDX-License-Identifier: Apache-2.0

extension Schedule {
    /// Follows the bytes through a run: what every step reads must be what the step that made it wrote, nothing in between may have written there, and no launch
    /// may write where it reads, unless output 0 is exactly input 0. Independent of lifetimes and of how the offsets were found. O(n log n).
    ///
    /// - Parameter offsets: by slot, in its arena.
    /// - Returns: what is wrong; nil proves the plan.
    package func firstFault(offsets: [Int]) -> String? {
        var arenas = Set(slots.map(\.device)).map { ($0, Arena(self, device: $0, offsets)) }
            .reduce(into: [Int?: Arena]()) { $0[$1.0] = $1.1 }
        func name(_ slot: Int) -> String { "slot \(slot)" }
        for (index, step) in steps.enumerated() {
            let access = access(step)
            for slot in access.reads where arenas[slots[slot].device]?.holds(slot) != true {
                return "step \(index) reads \(name(slot)), whose bytes are gone or were never written"
            }
            if let (one, other) = collision(access, offsets) {
                return "step \(index) uses \(name(one)) and \(name(other)) in the same bytes"
            }
            for slot in access.writes + access.scratch { arenas[slots[slot].device]?.write(slot) }
            for slot in access.scratch { arenas[slots[slot].device]?.forget(slot) }
        }
        for case .slot(let slot) in outputs where arenas[slots[slot].device]?.holds(slot) != true {
            return "an output is read from \(name(slot)), whose bytes are gone or were never written"
        }
        return nil
    }

    private struct Access {
        var reads: [Int] = []
        var writes: [Int] = []
        var scratch: [Int] = []
        /// May take over the memory of the first read.
        var isInPlace = false
    }

    private func access(_ step: ScheduledStep) -> Access {
        switch step {
        case .input(_, let slot), .constant(_, let slot): return Access(writes: [slot])
        case .copy(let from, let to): return Access(reads: [from], writes: [to])
        case .launch(_, let inputs, let outputs, let workspace):
            var access = Access(writes: outputs.compactMap { $0 }, scratch: workspace.map { [$0] } ?? [])
            for case .slot(let slot)? in inputs { access.reads.append(slot) }
            if case .slot? = inputs.first ?? nil, let output = outputs.first { access.isInPlace = output != nil }
            return access
        }
    }

    /// Two slots of one step, at least one of which is written, that share bytes although the kernel may not be given them so.
    private func collision(_ access: Access, _ offsets: [Int]) -> (Int, Int)? {
        struct Use {
            let slot: Int
            let isWritten: Bool
            let bytes: Range<Int>
        }
        let uses = (access.reads.map { ($0, false) } + (access.writes + access.scratch).map { ($0, true) })
            .map { slot, isWritten in
                Use(slot: slot, isWritten: isWritten, bytes: offsets[slot]..<offsets[slot] + slots[slot].lifetime.byteCount)
            }
            .filter { !$0.bytes.isEmpty }
            .sorted { ($0.bytes.lowerBound, $0.slot) < ($1.bytes.lowerBound, $1.slot) }
        var reach: [Int?: (read: Use?, written: Use?)] = [:]
        for use in uses {
            let device = slots[use.slot].device
            let known = reach[device] ?? (nil, nil)
            for other in use.isWritten ? [known.read, known.written] : [known.written] {
                guard let other, other.bytes.upperBound > use.bytes.lowerBound else { continue }
                let mayShare =
                    access.isInPlace && other.bytes == use.bytes && Set([other.slot, use.slot]) == [access.reads[0], access.writes[0]]
                    && access.reads.count(where: { $0 == access.reads[0] }) == 1
                if !mayShare { return (other.slot, use.slot) }
            }
            func further(_ old: Use?) -> Use { old.map { $0.bytes.upperBound > use.bytes.upperBound ? $0 : use } ?? use }
            reach[device] = use.isWritten ? (known.read, further(known.written)) : (further(known.read), known.written)
        }
        return nil
    }
}

/// Which slots of an arena hold what was written to them.
private struct Arena {
    private var valid: IntervalIndex
    private var isValid: [Bool]
    private let bytes: [Range<Int>]

    init(_ schedule: Schedule, device: Int?, _ offsets: [Int]) {
        bytes = schedule.slots.enumerated().map { offsets[$0]..<offsets[$0] + ($1.device == device ? $1.lifetime.byteCount : 0) }
        valid = IntervalIndex(bytes.map { ($0.lowerBound, max($0.upperBound, $0.lowerBound + 1) - 1) })
        isValid = [Bool](repeating: false, count: bytes.count)
    }

    func holds(_ slot: Int) -> Bool { isValid[slot] || bytes[slot].isEmpty }

    mutating func write(_ slot: Int) {
        guard !bytes[slot].isEmpty else { return }
        while let other = valid.first(meeting: bytes[slot].lowerBound, bytes[slot].upperBound - 1) { forget(other) }
        valid.insert(slot)
        isValid[slot] = true
    }

    mutating func forget(_ slot: Int) {
        guard isValid[slot] else { return }
        valid.remove(slot)
        isValid[slot] = false
    }
}

// SPDX-License-Identifier: Apache-2.0
import Graph
package import Southbound
import Tensors

extension Schedule {
    /// The same run with at most `budget` bytes on one device, arena and constants together: constants come from the host before their use, and values that
    /// are not needed for long wait there.
    ///
    /// - Parameter index: of a device whose memory the host does not reach.
    package func spilling(
        on index: Int, budget: Int, _ placement: Placement, devices: [Device]
    ) throws(SpillError) -> Schedule {
        let alignment = devices[index].alignment
        let planner = planner(for: index, placement, alignment: alignment)
        for (step, uses) in planner.uses.enumerated() {
            let needed = uses.reduce(0) { $0 + planner.sizes[$1.content] }
            guard needed > budget else { continue }
            if step < steps.count, case .launch(let placed, _, _, _) = steps[step] {
                throw SpillError(step: placed, neededBytes: needed, budget: budget)
            }
            throw SpillError(step: nil, neededBytes: needed, budget: budget)
        }
        // An arena may be a little larger than what is live in it: then there is that much less to share.
        var room = budget
        var result = self
        for _ in 0..<8 {
            let residents = planner.residents(budget: room)
            var rewriter = ScheduleRewriter(self, placement, device: index, planner, residents)
            result = rewriter.rewrite(planner.actions(budget: room, residents: residents))
            let arena = ArenaPlan(result.arena(of: index).lifetimes, alignment: alignment).byteCount
            let excess = arena + rewriter.spill.residentBytes - budget
            if excess <= 0 { return result }
            room -= excess
        }
        throw SpillError(step: nil, neededBytes: budget + 1, budget: budget)
    }

    /// What each step needs on the device.
    private func planner(for device: Int, _ placement: Placement, alignment: Int) -> SpillPlanner {
        var contents: [SpillPlanner.Content] = []
        var sizes: [Int] = []
        var numbers: [SpillPlanner.Content: Int] = [:]
        func number(_ content: SpillPlanner.Content) -> Int {
            if let known = numbers[content] { return known }
            let byteCount =
                switch content {
                case .constant(let value): placement.values[value]?.byteCount ?? 0
                case .slot(let slot): slots[slot].lifetime.byteCount
                }
            contents.append(content)
            sizes.append(max((byteCount + alignment - 1) / alignment * alignment, alignment))
            numbers[content] = contents.count - 1
            return contents.count - 1
        }
        var isWritten: Set<Int> = []
        func uses(reads: [SpillPlanner.Content], writes: [Int]) -> [SpillPlanner.Use] {
            let written = Set(writes.map { number(.slot(root($0))) })
            var seen: Set<Int> = []
            return (reads.map(number) + writes.map { number(.slot(root($0))) }).filter { seen.insert($0).inserted }.map { content in
                defer { isWritten.insert(content) }
                let isNew = written.contains(content) && !isWritten.contains(content)
                return SpillPlanner.Use(content: content, isNew: isNew, isChanged: written.contains(content))
            }
        }
        func isHere(_ slot: Int) -> Bool { slots[slot].device == device }
        var all = steps.map { step -> [SpillPlanner.Use] in
            switch step {
            case .input(_, let slot), .constant(_, let slot): return uses(reads: [], writes: [slot].filter(isHere))
            case .copy(let from, let to):
                return uses(reads: [from].filter(isHere).map { .slot(root($0)) }, writes: [to].filter(isHere))
            case .launch(let placed, let inputs, let outputs, let workspace):
                let reads = inputs.compactMap { operand -> SpillPlanner.Content? in
                    switch operand {
                    case .slot(let slot)?: isHere(slot) ? .slot(root(slot)) : nil
                    case .constant(let value)?: placement.steps[placed].device == device ? .constant(value) : nil
                    case nil: nil
                    }
                }
                return uses(reads: reads, writes: (outputs + [workspace]).compactMap { $0 }.filter(isHere))
            }
        }
        let last = outputs.compactMap { source -> SpillPlanner.Content? in
            if case .slot(let slot) = source, isHere(slot) { .slot(root(slot)) } else { nil }
        }
        all.append(uses(reads: last, writes: []))
        return SpillPlanner(contents: contents, sizes: sizes, uses: all)
    }
}

/// Writes a schedule anew with other stays on one device.
private struct ScheduleRewriter {
    private(set) var spill: Spill

    private let old: Schedule
    private let placement: Placement
    private let device: Int
    private let planner: SpillPlanner
    private let residents: Set<Int>
    private var new: Schedule
    /// Slots of the old schedule that are not on the device, by their number there.
    private var kept: [Int: Int] = [:]
    /// By content: where it is on the device now, and where it is on the host, unchanged.
    private var places: [Int: Int] = [:]
    private var hostPlaces: [Int: Int] = [:]
    private let numbers: [SpillPlanner.Content: Int]

    init(_ old: Schedule, _ placement: Placement, device: Int, _ planner: SpillPlanner, _ residents: Set<Int>) {
        self.old = old
        self.placement = placement
        self.device = device
        self.planner = planner
        self.residents = residents
        new = old
        (new.steps, new.slots, new.outputs) = ([], [], [])
        numbers = Dictionary(uniqueKeysWithValues: planner.contents.enumerated().map { ($1, $0) })
        spill = Spill(device: device)
        for content in residents { spill.residentBytes += planner.sizes[content] }
    }

    mutating func rewrite(_ actions: [SpillPlanner.Action]) -> Schedule {
        for action in actions {
            switch action {
            case .evict(let content): evict(content)
            case .load(let content): load(content)
            case .step(let step) where step < old.steps.count: add(old.steps[step], planner.uses[step])
            case .step: break
            }
        }
        new.outputs = old.outputs.map { source in
            guard case .slot(let slot) = source else { return source }
            return .slot(place(of: slot))
        }
        new.spills.append(spill)
        new.renewLifetimes()
        return new
    }

    private mutating func evict(_ content: Int) {
        defer { places[content] = nil }
        guard case .slot(let slot) = planner.contents[content], hostPlaces[content] == nil, let place = places[content] else { return }
        let host = new.addSlot(old.slots[slot].value, device: nil, byteCount: old.slots[slot].lifetime.byteCount)
        copy(from: place, to: host)
        hostPlaces[content] = host
    }

    private mutating func load(_ content: Int) {
        switch planner.contents[content] {
        case .constant(let value):
            let slot = newPlace(content)
            new.steps.append(.constant(value, to: slot))
            spill.constantBytes += new.slots[slot].lifetime.byteCount
        case .slot:
            guard let host = hostPlaces[content] else { return }
            copy(from: host, to: newPlace(content))
        }
    }

    private mutating func copy(from source: Int, to target: Int) {
        new.steps.append(.copy(from: source, to: target))
        spill.valueBytes += new.slots[source].lifetime.byteCount
    }

    private mutating func newPlace(_ content: Int) -> Int {
        let slot: Int
        switch planner.contents[content] {
        case .constant(let value): slot = new.addSlot(value, device: device, byteCount: planner.sizes[content])
        case .slot(let root):
            slot = new.addSlot(old.slots[root].value, device: device, byteCount: old.slots[root].lifetime.byteCount)
        }
        places[content] = slot
        return slot
    }

    /// Where a slot of the old schedule is now.
    private mutating func place(of slot: Int) -> Int {
        if old.slots[slot].device == device {
            let content = numbers[.slot(old.root(slot))]!
            return places[content] ?? newPlace(content)
        }
        if let known = kept[slot] { return known }
        let alias = old.slots[slot].alias.map { place(of: $0) }
        let made = new.addSlot(old.slots[slot].value, device: old.slots[slot].device, byteCount: old.slots[slot].lifetime.byteCount)
        new.slots[made].alias = alias
        kept[slot] = made
        return made
    }

    private mutating func add(_ step: ScheduledStep, _ uses: [SpillPlanner.Use]) {
        for use in uses where use.isChanged { hostPlaces[use.content] = nil }
        switch step {
        case .input(let position, let slot): new.steps.append(.input(position, to: place(of: slot)))
        case .constant(let value, let slot): new.steps.append(.constant(value, to: place(of: slot)))
        case .copy(let from, let to):
            let source = place(of: from)
            new.steps.append(.copy(from: source, to: place(of: to)))
        case .launch(let placed, let inputs, let outputs, let workspace):
            var operands: [Operand?] = []
            for input in inputs { operands.append(input.map { operand(for: $0, isHere: placement.steps[placed].device == device) }) }
            var targets: [Int?] = []
            for output in outputs { targets.append(output.map { place(of: $0) }) }
            let room = workspace.map { place(of: $0) }
            new.steps.append(.launch(step: placed, inputs: operands, outputs: targets, workspace: room))
        }
    }

    private func constantPlace(_ value: ValueID) -> Int? { numbers[.constant(value)].flatMap { places[$0] } }

    private mutating func operand(for old: Operand, isHere: Bool) -> Operand {
        switch old {
        case .slot(let slot): .slot(place(of: slot))
        case .constant(let value): isHere ? constantPlace(value).map { .slot($0) } ?? old : old
        }
    }
}

extension Schedule {
    /// Sets every slot's lifetime to the steps that use it.
    fileprivate mutating func renewLifetimes() {
        for slot in slots.indices { (slots[slot].lifetime.first, slots[slot].lifetime.last) = (.max, .min) }
        func use(_ slot: Int, _ step: Int, _ slots: inout [Slot]) {
            for owner in Set([slot, root(slot)]) {
                slots[owner].lifetime.first = min(slots[owner].lifetime.first, step)
                slots[owner].lifetime.last = max(slots[owner].lifetime.last, step)
            }
        }
        var slots = slots
        for (index, step) in steps.enumerated() {
            switch step {
            case .input(_, let slot), .constant(_, let slot): use(slot, index, &slots)
            case .copy(let from, let to):
                use(from, index, &slots)
                use(to, index, &slots)
            case .launch(_, let inputs, let outputs, let workspace):
                for case .slot(let slot)? in inputs { use(slot, index, &slots) }
                for case let slot? in outputs + [workspace] { use(slot, index, &slots) }
            }
        }
        for case .slot(let slot) in outputs { use(slot, steps.count, &slots) }
        self.slots = slots
    }
}

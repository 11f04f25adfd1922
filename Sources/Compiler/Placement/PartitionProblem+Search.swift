// SPDX-License-Identifier: Apache-2.0

extension PartitionProblem {
    /// Devices that one search weighs against each other, unless the parts are few: with more, tables grow beyond use. Groups of so many take turns.
    private static let mostDevices = 3
    static let fewParts = 64
    private static let mostRounds = 6
    /// Of all rounds together, if there is more than one.
    private static let mostRoundedParts = 60_000

    /// Searches from an assignment for a better one. Each search is exact over everything that it does not hold, so no step makes it worse.
    func improve(_ start: Partition) -> Partition {
        let groups = costs.count <= Self.fewParts ? [Array(0..<deviceCount)] : Self.groups(of: Array(0..<deviceCount))
        var current = start
        var reluctant: Set<Int> = []
        var idle = 0
        for _ in 0..<min(max(Self.mostRoundedParts / max(costs.count, 1), 1), Self.mostRounds) {
            let before = current.seconds
            var isExact = groups.count == 1
            for group in groups {
                var network = Network(self, group, current.devices)
                let found = network.solve(reluctant: &reluctant)
                isExact = isExact && found.isExact
                let seconds = self.seconds(found.devices)
                if seconds < current.seconds { (current.devices, current.seconds) = (found.devices, seconds) }
            }
            if isExact {
                current.isOptimal = true
                break
            }
            // What was held in one round is free in the next, so two in a row have to be without gain.
            idle = current.seconds < before * (1 - 1e-3) ? 0 : idle + 1
            if idle == 2 { break }
        }
        return current
    }

    /// All groups of the most devices that a search weighs.
    private static func groups(of devices: [Int]) -> [[Int]] {
        guard devices.count > mostDevices else { return [devices] }
        var groups: [[Int]] = [[]]
        for device in devices { groups += groups.filter { $0.count < mostDevices }.map { $0 + [device] } }
        return groups.filter { $0.count == mostDevices }
    }
}

/// The parts' devices as variables, costs and copies as tables.
private struct Network {
    /// By part: the devices that it may go to.
    private let choices: [[Int]]
    private let group: [Int]
    private var graph = FactorGraph()
    private var start: [Int]
    /// Tables of more variables are split.
    private static let mostReaders = 3

    /// - Parameter group: devices that parts may move between; what lies elsewhere stays.
    init(_ problem: PartitionProblem, _ group: [Int], _ devices: [Int]) {
        self.group = group
        choices = zip(problem.costs, devices).map { costs, device in
            group.contains(device) ? group.filter { costs[$0].isFinite } : [device]
        }
        start = zip(choices, devices).map { $0.firstIndex(of: $1) ?? 0 }
        for (part, choices) in choices.enumerated() {
            graph.addVariable(size: choices.count, costs: choices.map { problem.costs[part][$0] })
        }
        for flow in problem.flows { add(flow, problem.copies) }
    }

    struct Result {
        let devices: [Int]
        let isExact: Bool
    }

    /// - Parameter reluctant: in: variables that were held before; out: those held now.
    mutating func solve(reluctant: inout Set<Int>) -> Result {
        // The table's size, so that small graphs are solved exactly and large ones in a time that grows with their size.
        let limit = min(max((1 << 25) / max(graph.sizes.count, 1), 1 << 11), 1 << 16)
        let solution = graph.minimum(from: start, limit: limit, reluctant: reluctant)
        reluctant = solution.held
        return Result(devices: zip(choices, solution.values).map { $0[$1] }, isExact: solution.isExact)
    }

    private mutating func add(_ flow: PartitionProblem.Flow, _ copies: CopyCosts) {
        let readers = Set(flow.readers).subtracting([flow.source].compactMap { $0 }).sorted()
        let free = readers.filter { choices[$0].count > 1 }
        let fixed = readers.filter { choices[$0].count == 1 }.reduce(UInt64(0)) { $0 | 1 << UInt64(choices[$1][0]) }
        let cost = { (source: Int?, devices: UInt64) in
            copies.seconds(flow.byteCount, from: source, to: devices, alsoHost: flow.alsoHost)
        }
        if free.count <= Self.mostReaders {
            let scope = (flow.source.map { [$0] } ?? []) + free
            let choices = scope.map { self.choices[$0] }
            let hasSource = flow.source != nil
            graph.addFactor(scope) { values in
                var devices = fixed
                for index in (hasSource ? 1 : 0)..<scope.count { devices |= 1 << UInt64(choices[index][values[index]]) }
                return cost(hasSource ? choices[0][values[0]] : nil, devices)
            }
        } else {
            addChain(flow.source, free, fixed, cost)
        }
    }

    /// What is known when some of the readers have been looked at: where the value comes from, by position among its choices, and where it is wanted so far.
    private struct Delivery {
        let source: Int
        /// A bit for each device of the group.
        let wanted: Int
    }

    /// Many readers: a variable between any two of them holds the delivery so far, so no table has more than three variables.
    private mutating func addChain(_ source: Int?, _ readers: [Int], _ fixed: UInt64, _ cost: (Int?, UInt64) -> Double) {
        let sources = source.map { choices[$0].map(Optional.some) } ?? [nil]
        var states = sources.indices.map { Delivery(source: $0, wanted: 0) }
        var previous = source
        var state = source.map { start[$0] } ?? 0
        for reader in readers {
            let bits = choices[reader].map { 1 << group.firstIndex(of: $0)! }
            var numbers = [Int](repeating: -1, count: sources.count << group.count)
            func code(_ delivery: Delivery, _ choice: Int) -> Int { delivery.source << group.count | delivery.wanted | bits[choice] }
            var next: [Delivery] = []
            for delivery in states {
                for choice in bits.indices where numbers[code(delivery, choice)] < 0 {
                    numbers[code(delivery, choice)] = next.count
                    next.append(Delivery(source: delivery.source, wanted: delivery.wanted | bits[choice]))
                }
            }
            let variable = graph.addVariable(size: next.count)
            state = numbers[code(states[state], start[reader])]
            start.append(state)
            if let previous {
                graph.addFactor([previous, reader, variable]) { numbers[code(states[$0[0]], $0[1])] == $0[2] ? 0 : .infinity }
            } else {
                graph.addFactor([reader, variable]) { numbers[code(states[0], $0[0])] == $0[1] ? 0 : .infinity }
            }
            (states, previous) = (next, variable)
        }
        guard let previous else { return }
        graph.add(
            costs: states.map { delivery in
                let wanted = group.indices.filter { delivery.wanted & (1 << $0) != 0 }.reduce(fixed) { $0 | 1 << UInt64(group[$1]) }
                return cost(sources[delivery.source], wanted)
            }, to: previous)
    }
}

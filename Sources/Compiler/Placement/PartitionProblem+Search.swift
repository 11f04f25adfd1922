// SPDX-License-Identifier: Apache-2.0

extension PartitionProblem {
    /// Devices that one search weighs against each other: with more, tables would grow beyond use, and groups of so many take turns.
    private static let mostDevices = 3
    private static let mostRounds = 6

    /// Searches from an assignment for a better one. Each search is exact over everything that it does not hold, so no step makes it worse.
    func improve(_ start: Partition) -> Partition {
        let groups = Self.groups(of: Array(0..<deviceCount))
        var current = start
        var reluctant: Set<Int> = []
        for _ in 0..<Self.mostRounds {
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
            // What was held in this round is free in the next, so one without gain is not the end yet.
            if current.seconds >= before * (1 - 1e-6) && reluctant.isEmpty { break }
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
    private var graph = FactorGraph()
    private var start: [Int]
    /// Tables of more variables are split.
    private static let mostReaders = 3

    /// - Parameter group: devices that parts may move between; what lies elsewhere stays.
    init(_ problem: PartitionProblem, _ group: [Int], _ devices: [Int]) {
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

    /// What is known when the readers have been looked at one after the other: where the value comes from and where it has been wanted so far.
    private struct Delivery: Hashable {
        let source: Int?
        let devices: UInt64

        func reaching(_ device: Int) -> Delivery { Delivery(source: source, devices: devices | 1 << UInt64(device)) }
    }

    /// Many readers: a variable between any two of them holds the delivery so far, so no table has more than three variables.
    private mutating func addChain(_ source: Int?, _ readers: [Int], _ fixed: UInt64, _ cost: (Int?, UInt64) -> Double) {
        var states = (source.map { choices[$0].map(Optional.some) } ?? [nil]).map { Delivery(source: $0, devices: fixed) }
        var previous = source
        var state = source.map { start[$0] } ?? 0
        for reader in readers {
            let choices = self.choices[reader]
            var numbers: [Delivery: Int] = [:]
            var next: [Delivery] = []
            for delivery in states {
                for device in choices where numbers[delivery.reaching(device)] == nil {
                    numbers[delivery.reaching(device)] = next.count
                    next.append(delivery.reaching(device))
                }
            }
            let variable = graph.addVariable(size: next.count)
            state = numbers[states[state].reaching(choices[start[reader]])]!
            start.append(state)
            let before = states
            if let previous {
                graph.addFactor([previous, reader, variable]) { values in
                    numbers[before[values[0]].reaching(choices[values[1]])] == values[2] ? 0 : .infinity
                }
            } else {
                graph.addFactor([reader, variable]) { values in numbers[before[0].reaching(choices[values[0]])] == values[1] ? 0 : .infinity
                }
            }
            (states, previous) = (next, variable)
        }
        if let previous { graph.add(costs: states.map { cost($0.source, $0.devices) }, to: previous) }
    }
}

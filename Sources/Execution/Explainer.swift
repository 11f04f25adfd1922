// SPDX-License-Identifier: Apache-2.0
package import Compiler
package import Graph
import HardwareModel
import Operators
package import Southbound
package import Tensors

/// Plans a model as a session does, without running it, and says why.
package struct Explainer {
    private let session: Session
    private let devices: [Device]
    private let rules: PlacementRules

    package init(
        _ graph: Graph, devices: [Device], libraries: [OperatorLibrary] = [], rules: PlacementRules,
        measured: any MeasuredCosts = NothingMeasured()
    ) {
        session = Session(graph, devices: devices, libraries: libraries, rules: rules, measured: measured)
        self.devices = devices
        self.rules = rules
    }

    /// - Parameter inputs: by name; their shapes count, and their values where shapes depend on them.
    package func explain(_ inputs: [String: HostTensor]) throws(ExecutionError) -> Explanation {
        let tensors = try session.check(inputs)
        do {
            let optimized = try session.optimize(tensors, rules)
            let placer = session.placer(of: optimized, rules)
            var placement = try session.place(optimized, with: placer)
            return Explanation(
                strategy: rules.strategy.rawValue, devices: devices.map(\.name),
                choice: placement.choice.map { choice in
                    Explanation.Choice(
                        seconds: choice.seconds, copySeconds: choice.copySeconds,
                        secondsOnOneDevice: Dictionary(
                            zip(devices.map(\.name), choice.onOneDevice), uniquingKeysWith: { first, _ in first }
                        )
                        .filter(\.value.isFinite), isOptimal: choice.isOptimal)
                },
                nodes: try nodes(placer, &placement), copies: copies(placement, placer.registry.costs), memory: try memory(placement),
                passes: placement.passes.entries.map(Explanation.Pass.init), pins: try pins(optimized, placement, placer),
                remarks: placement.passes.remarks + placement.remarks)
        } catch {
            throw ExecutionError(error)
        }
    }

    // MARK: Nodes

    private func nodes(_ placer: Placer, _ placement: inout Placement) throws -> [Explanation.Node] {
        let graph = placement.graph
        var nodes: [Explanation.Node] = placement.folded.map { id in
            .init(
                name: graph[id].name, operator: graph[id].operatorName, device: "host", library: nil, kernel: "folded",
                reason: "its value is known before the run", seconds: nil, origin: nil, bids: [])
        }
        var offered: [NodeID: [Placer.DeviceBids]] = [:]
        func bids(_ id: NodeID) throws -> [Placer.DeviceBids] {
            if let known = offered[id] { return known }
            let found = try placer.bids(for: id, &placement)
            offered[id] = found
            return found
        }
        for step in placement.steps {
            let device = devices[step.device].name
            switch step {
            case .view(let view):
                nodes.append(
                    .init(
                        name: graph[view.node].name, operator: graph[view.node].operatorName, device: device, library: nil, kernel: "view",
                        reason: "another shape of '\(graph[view.source].name)', where that lies", seconds: 0, origin: nil, bids: []))
            case .node(let placed):
                let isPart = placed.node != placed.source
                let offers = try bids(placed.source)
                nodes.append(
                    .init(
                        name: graph[placed.node].name, operator: graph[placed.node].operatorName, device: device,
                        library: placed.library.plugin.name, kernel: placed.kernel.name,
                        reason: graph[placed.node].operatorName == "ConvertLayout"
                            ? "brings its input into the layout that is wanted next"
                            : isPart
                                ? "a part of '\(graph[placed.source].name)', which has no kernel of its own"
                                : reason(step.device, placed.source, offers, placer),
                        seconds: placed.cost.seconds, origin: placed.cost.origin.rawValue, bids: isPart ? [] : offers.flatMap(self.bids)))
            case .program(let placed):
                let together = placed.nodes.count == 1 ? "by itself" : "together with \(placed.nodes.count - 1) more"
                for (index, id) in placed.nodes.enumerated() {
                    let offers = try bids(id)
                    nodes.append(
                        .init(
                            name: graph[id].name, operator: graph[id].operatorName, device: device,
                            library: devices[placed.device].plugin.name,
                            kernel: "program", reason: "the compiler of \(devices[placed.device].plugin.name) takes it \(together)",
                            seconds: index == 0 ? placed.cost.seconds : nil, origin: placed.cost.origin.rawValue,
                            bids: offers.flatMap(self.bids)))
                }
            }
        }
        return nodes
    }

    private func reason(_ device: Int, _ id: NodeID, _ offers: [Placer.DeviceBids], _ placer: Placer) -> String {
        if let pin = placer.pin(of: id) { return "pinned by --place \(pin)" }
        let takers = offers.filter { $0.seconds != nil }
        guard takers.count > 1 else { return "no other device takes it" }
        guard rules.strategy == .cost else { return "the first device of the list that takes it" }
        if devices[device].name != rules.lastResort,
            takers.allSatisfy({ $0.device == device || devices[$0.device].name == rules.lastResort })
        {
            return "no other device of the list takes it"
        }
        let here = offers[device].seconds ?? 0
        guard let best = takers.min(by: { ($0.seconds ?? 0) < ($1.seconds ?? 0) }), best.device != device, let least = best.seconds,
            least < here
        else { return "the cheapest of \(takers.count) devices" }
        return "cheaper by itself on \(devices[best.device].name), but copies would cost more"
    }

    private func bids(_ offers: Placer.DeviceBids) -> [Explanation.Bid] {
        let device = devices[offers.device].name
        if offers.isExcluded { return [.init(device: device, accepts: false, reason: "left out by a rule of the user")] }
        var bids = offers.kernels.map { bid in
            Explanation.Bid(
                device: device, library: bid.library.plugin.name, kernel: bid.kernel.name, accepts: true,
                reason: bid.kernel.flags.contains(.generic) ? "generic" : nil, seconds: bid.cost.seconds, origin: bid.cost.origin.rawValue)
        }
        if let parts = offers.parts { bids.insert(.init(device: device, accepts: true, reason: "in parts", seconds: parts), at: 0) }
        bids += offers.refusals.map { .init(device: device, kernel: $0.kernel, accepts: false, reason: $0.reason) }
        return bids.isEmpty ? [.init(device: device, accepts: false, reason: "no kernel is offered for it")] : bids
    }

    // MARK: Copies and memory

    private func copies(_ placement: Placement, _ costs: CostModel) -> [Explanation.Copy] {
        let graph = placement.graph
        var roots: [ValueID: ValueID] = [:]
        var homes: [ValueID: Int] = [:]
        var copies: [Explanation.Copy] = []
        var done: Set<[Int]> = []
        var makers: [ValueID: Int] = [:]
        // Positions among the explanation's nodes.
        var position = placement.folded.count
        func copy(_ value: ValueID, to destination: Int?, reader: Int?) {
            let source = homes[value]
            guard source != destination, done.insert([value.index, destination ?? -1]).inserted else { return }
            let bytes = placement.types[value.index]?.byteCount ?? 0
            if let source, let destination, costs.copies.direct[source][destination] == nil {
                copy(value, to: nil, reader: reader)
                return add(value, nil, destination, bytes, reader)
            }
            add(value, source, destination, bytes, reader)
        }
        func add(_ value: ValueID, _ source: Int?, _ destination: Int?, _ bytes: Int, _ reader: Int?) {
            let seconds = costs.copies.seconds(
                bytes, from: source, to: destination.map { 1 << UInt64($0) } ?? 0, alsoHost: destination == nil)
            copies.append(
                .init(
                    value: graph[value].name, from: source.map { devices[$0].name } ?? "host",
                    to: destination.map { devices[$0].name } ?? "host",
                    bytes: bytes, seconds: seconds, maker: makers[value], reader: reader))
        }
        for step in placement.steps {
            if case .view(let view) = step {
                roots[view.value] = roots[view.source] ?? view.source
                position += 1
                continue
            }
            for case let input? in step.inputs(graph) where placement.values[input] == nil {
                copy(roots[input] ?? input, to: step.device, reader: position)
            }
            if case .program(let placed) = step { position += placed.nodes.count } else { position += 1 }
            for case let output? in step.outputs(graph) { (homes[output], makers[output]) = (step.device, position - 1) }
        }
        for output in graph.outputs where homes[roots[output] ?? output] != nil {
            copy(roots[output] ?? output, to: nil, reader: nil)
        }
        return copies
    }

    private func memory(_ placement: Placement) throws -> [Explanation.Memory] {
        let schedule = try Schedule.leastMemory(placement, devices: devices).schedule
        return schedule.memoryPlans(placement, devices: devices).map { plan in
            .init(
                device: plan.device.map { devices[$0].name } ?? "host",
                space: plan.device.map { devices[$0].model.spaces[plan.space].name } ?? "memory", plannedBytes: plan.byteCount,
                lowerBoundBytes: plan.lowerBound, strategy: plan.strategy, steps: schedule.steps.count,
                tensors: plan.lifetimes.indices.map { index in
                    let lifetime = plan.lifetimes[index]
                    return .init(
                        name: plan.names[index], offset: plan.offsets[index], bytes: lifetime.byteCount, first: lifetime.first,
                        last: lifetime.last)
                })
        }
    }

    // MARK: Pins

    /// Each rule against a placement without it.
    private func pins(_ optimized: Session.Optimized, _ placement: Placement, _ placer: Placer) throws -> [Explanation.Pin] {
        guard rules.strategy == .cost, let choice = placement.choice else { return [] }
        let graph = optimized.inference.graph
        return try rules.pins.enumerated().map { index, pin in
            var without = rules
            without.pins.remove(at: index)
            let free = try session.placer(of: optimized, without).place(optimized.inference).choice
            let text = Compiler.Pin(pin).text
            return .init(
                rule: text, nodes: graph.nodes.indices.filter { placer.pin(of: NodeID($0)) == text }.map { graph.nodes[$0].name },
                seconds: choice.seconds, secondsWithout: free?.seconds ?? choice.seconds)
        }
    }
}

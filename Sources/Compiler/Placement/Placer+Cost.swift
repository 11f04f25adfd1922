// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Southbound
import Tensors

extension Placer {
    /// What goes to one device as a whole: a node, a part of one that no device takes whole, or a group that a plugin's compiler has claimed.
    struct Piece {
        var nodes: [(id: NodeID, scope: Scope)]
        /// Seconds by device, infinite where it is not taken.
        var costs: [Double]
        /// By device: the program of a group.
        var programs: [Int: PlacedProgram] = [:]
    }

    /// The pieces of a graph, and the nodes between them that only rename a value.
    struct Pieces {
        enum Item {
            case piece(Int)
            case view(NodeID, Scope)
        }

        /// In an order of execution.
        var items: [Item] = []
        var pieces: [Piece] = []
        /// Of a value that is a view: the value whose bytes it is.
        var roots: [ValueID: ValueID] = [:]

        func root(_ value: ValueID) -> ValueID { roots[value] ?? value }
    }

    /// Chooses devices so that kernels and copies together cost least, and places every node where it was chosen to run.
    func placeByCost(_ open: [NodeID], _ placement: inout Placement) throws {
        var groups = rules.compiling ? try claims(of: open, &placement) : open.map { Claim(nodes: [$0]) }
        var compiled: [NodeID: Set<Int>] = [:]
        for index in groups.indices {
            for device in groups[index].devices {
                groups[index].programs[device] = try compile(groups[index].nodes, on: device, &placement)
            }
            for id in groups[index].nodes { compiled[id] = Set(groups[index].programs.keys) }
        }
        try askAll(open, except: compiled, placement)
        var pieces = Pieces()
        for group in groups { try add(group, to: &pieces, &placement) }
        let problem = self.problem(pieces, placement)
        let partition = problem.solve()
        placement.choice = PlacementChoice(
            seconds: partition.seconds, copySeconds: problem.copySeconds(partition.devices),
            onOneDevice: devices.indices.map { problem.seconds(problem.allOn($0)) }, isOptimal: partition.isOptimal)
        let firstReaders = self.firstReaders(of: pieces, partition.devices, placement)
        for item in pieces.items {
            switch item {
            case .view(let id, let scope): try placeView(id, scope, firstReaders, &placement)
            case .piece(let index): try place(pieces.pieces[index], on: partition.devices[index], &placement)
            }
        }
    }

    /// One call of each library about all nodes that it may be asked about.
    ///
    /// - Parameter compiled: by node, the devices whose own program takes it: their kernels are not weighed against that.
    private func askAll(_ open: [NodeID], except compiled: [NodeID: Set<Int>], _ placement: Placement) throws {
        let questions = try open.filter { try renaming($0, placement) == nil && isAskedAbout($0, placement) }.map { id in
            let question = try NodeQuestion(id, placement)
            return (question: question, signature: question.signature, scope: scope(of: id), compiled: compiled[id] ?? [])
        }
        for index in devices.indices {
            let asked = questions.filter { $0.scope.allows(index, devices) && !$0.compiled.contains(index) }.map {
                ($0.question, $0.signature)
            }
            try registry.ask(asked, on: index, isGeneric: false)
        }
    }

    private func isAskedAbout(_ id: NodeID, _ placement: Placement) throws -> Bool {
        try !placement.inference.definition(of: graph[id]).isHostOperator && !graph[id].attributes.values.contains(where: \.isGraph)
    }

    // MARK: Pieces

    private func add(_ claim: Claim, to pieces: inout Pieces, _ placement: inout Placement) throws {
        guard !claim.programs.isEmpty else {
            for id in claim.nodes {
                if try runOnHost(id, &placement) { continue }
                try checkInputs(of: id, placement)
                try add(id, scope(of: id), to: &pieces, &placement)
            }
            return
        }
        pieces.items.append(.piece(pieces.pieces.count))
        pieces.pieces.append(try group(claim, &placement))
    }

    /// A node as a piece of its own; if no device takes it whole, its parts.
    private func add(_ id: NodeID, _ scope: Scope, to pieces: inout Pieces, _ placement: inout Placement) throws {
        // An input of the graph that is an output under another name has to be copied.
        if let (source, value) = renaming(id, placement), scope.pin == nil,
            !(graph.inputs.contains(pieces.root(source)) && graph.outputs.contains(value))
        {
            pieces.roots[value] = pieces.root(source)
            pieces.items.append(.view(id, scope))
            return
        }
        let costs = try self.costs(of: id, scope, &placement)
        if costs.contains(where: \.isFinite) {
            pieces.items.append(.piece(pieces.pieces.count))
            pieces.pieces.append(Piece(nodes: [(id, scope)], costs: costs))
            return
        }
        let node = placement.graph[id]
        guard rules.decomposing, scope.depth < Self.depthLimit, let fragment = try fragment(of: node, &placement) else {
            // Says why.
            return try place(id, scope, &placement)
        }
        let inner = scope.inner(tunedOnly: false)
        let before = pieces.items.count
        for part in placement.expand(node, fragment) where try !fold(part, &placement) {
            try add(part, inner, to: &pieces, &placement)
        }
        if scope.depth == 0, pieces.items.count == before { placement.folded.append(id) }
    }

    /// A compiled group as one piece.
    private func group(_ claim: Claim, _ placement: inout Placement) throws -> Piece {
        var costs = [Double](repeating: 0, count: devices.count)
        for id in claim.nodes where renaming(id, placement) == nil {
            for (index, cost) in try self.costs(of: id, scope(of: id), except: Set(claim.programs.keys), &placement).enumerated() {
                costs[index] += cost
            }
        }
        for (device, program) in claim.programs { costs[device] = program.cost.seconds }
        return Piece(nodes: claim.nodes.map { ($0, scope(of: $0)) }, costs: withLastResort(costs), programs: claim.programs)
    }

    /// A device of last resort takes only what no other does.
    private func withLastResort(_ costs: [Double]) -> [Double] {
        guard let last = devices.firstIndex(where: { $0.name == rules.lastResort }) else { return costs }
        guard costs.indices.contains(where: { $0 != last && costs[$0].isFinite }) else { return costs }
        var costs = costs
        costs[last] = .infinity
        return costs
    }

    // MARK: Costs

    /// Seconds of a node by device: its kernel's, else its parts' on that device, else a generic kernel's; infinite where the device does not take it.
    ///
    /// - Parameter compiled: devices whose own program takes the node; they are not asked, and have 0.
    func costs(of id: NodeID, _ scope: Scope, except compiled: Set<Int> = [], _ placement: inout Placement) throws -> [Double] {
        guard !placement.graph[id].attributes.values.contains(where: \.isGraph) else {
            return [Double](repeating: .infinity, count: devices.count)
        }
        let question = try NodeQuestion(id, placement)
        let signature = question.signature
        var costs: [Double] = []
        for index in devices.indices {
            guard scope.allows(index, devices) else {
                costs.append(.infinity)
                continue
            }
            if compiled.contains(index) {
                costs.append(0)
                continue
            }
            if let bid = try registry.answers(question, signature, on: index, isGeneric: false).bids.first {
                costs.append(bid.cost.seconds)
                continue
            }
            let generic = scope.tunedOnly ? nil : try registry.answers(question, signature, on: index, isGeneric: true).bids.first
            let parts = try partsCost(of: id, signature, scope.inner(tunedOnly: generic != nil).limited(to: index), &placement)
            costs.append(parts ?? generic?.cost.seconds ?? .infinity)
        }
        return withLastResort(costs)
    }

    /// Seconds of the node's parts on one device; nil if it does not take them all.
    func partsCost(of id: NodeID, _ signature: NodeSignature, _ scope: Scope, _ placement: inout Placement) throws -> Double? {
        guard rules.decomposing, let device = scope.only else { return nil }
        if let known = registry.partsCosts[device][signature] { return known.isFinite ? known : nil }
        let mark = PlacementMark(placement)
        var cost = Double.infinity
        if try decompose(id, scope, &placement) == nil {
            cost = placement.steps[mark.steps...].reduce(0) { $0 + $1.seconds }
            placement.reset(to: mark, without: placement.graph[id].outputs)
        }
        registry.partsCosts[device][signature] = cost
        return cost.isFinite ? cost : nil
    }

    /// Values between pieces, and to and from the host.
    private func problem(_ pieces: Pieces, _ placement: Placement) -> PartitionProblem {
        let graph = placement.graph
        var flows: [PartitionProblem.Flow] = []
        var numbers: [ValueID: Int] = [:]
        func number(_ value: ValueID, source: Int?) -> Int {
            if let known = numbers[value] { return known }
            numbers[value] = flows.count
            flows.append(.init(source: source, readers: [], byteCount: placement.types[value.index]?.byteCount ?? 0))
            return flows.count - 1
        }
        for (index, piece) in pieces.pieces.enumerated() {
            for (id, _) in piece.nodes {
                for case let input? in graph[id].inputs where placement.values[input] == nil {
                    let flow = number(pieces.root(input), source: nil)
                    if flows[flow].source != index, flows[flow].readers.last != index { flows[flow].readers.append(index) }
                }
                for case let output? in graph[id].outputs { _ = number(output, source: index) }
            }
        }
        for output in graph.outputs {
            if let flow = numbers[pieces.root(output)], flows[flow].source != nil { flows[flow].alsoHost = true }
        }
        flows.removeAll { $0.readers.isEmpty && !$0.alsoHost }
        return PartitionProblem(costs: pieces.pieces.map(\.costs), flows: flows, copies: registry.costs.copies)
    }

    // MARK: Steps

    private func place(_ piece: Piece, on device: Int, _ placement: inout Placement) throws {
        if let program = piece.programs[device] { return placement.append(.program(program)) }
        for (id, scope) in piece.nodes {
            do {
                try place(id, scope.limited(to: device), &placement)
            } catch is NoKernelError {
                // What became known on the way has changed the question.
                try place(id, scope, &placement)
            }
        }
    }

    /// A view lies where its source does; of an input of the graph, where it is read first.
    private func placeView(_ id: NodeID, _ scope: Scope, _ firstReaders: [ValueID: Int], _ placement: inout Placement) throws {
        if try runOnHost(id, &placement) { return }
        guard let (source, value) = renaming(id, placement), let device = placement.homes[source] ?? firstReaders[source] else {
            return try place(id, scope, &placement)
        }
        placement.append(.view(PlacedView(node: id, origin: scope.source, source: source, value: value, device: device)))
    }

    /// By value that is read by views: the device of the first piece that reads its bytes under any name.
    private func firstReaders(of pieces: Pieces, _ chosen: [Int], _ placement: Placement) -> [ValueID: Int] {
        var byRoot: [ValueID: Int] = [:]
        for (index, piece) in pieces.pieces.enumerated() {
            for (id, _) in piece.nodes {
                for case let input? in placement.graph[id].inputs where byRoot[pieces.root(input)] == nil {
                    byRoot[pieces.root(input)] = chosen[index]
                }
            }
        }
        var first: [ValueID: Int] = [:]
        for root in pieces.roots.values { first[root] = byRoot[root] }
        return first
    }
}

extension PlacedStep {
    /// That its kernel is expected to take.
    package var seconds: Double {
        switch self {
        case .node(let placed): placed.cost.seconds
        case .program(let placed): placed.cost.seconds
        case .view: 0
        }
    }
}

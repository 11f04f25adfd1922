// SPDX-License-Identifier: Apache-2.0
package import Compiler
package import Execution
import Foundation
package import Graph
import Operators
import Southbound
package import Tensors

/// Compares a model on one list of devices with another, node by node, and names the first node over its bound.
///
/// Three looks: every node alone on the reference's inputs, by the bound of its operator; fused nodes and compiled programs alone on the reference's inputs, and
/// the model step by step on the device's own values, by the noise floor of what leads to them; the model at once, as `run` does it. `docs/debug.md` has the rules.
/// Values are held only while something still reads them.
package final class Debugger {
    let graph: Graph
    let inputs: [String: HostTensor]
    let target: DeviceSet
    let against: DeviceSet
    let rules: PlacementRules
    let seed: UInt64
    let walk: ReferenceWalk
    /// As the model really runs: fused, compiled.
    let placement: Placement
    var report: DebugReport
    /// Of the first node over its bound.
    package private(set) var evidence: DebugEvidence?

    /// The device's own values, by the placement's.
    var chain: [ValueID: HostTensor] = [:]
    /// Values of the walk that have the same name as one of the placement.
    let counterparts: [String: ValueID]
    /// By value: the last step of the walk, and of the placement, that touches it.
    private var lastInWalk: [ValueID: Int] = [:]
    private var lastInChain: [ValueID: Int] = [:]
    private var lastRead: [ValueID: Int] = [:]
    /// By step of the placement: the walk's steps that it stands for, where it is more than one node.
    private var groups: [Int: [Int]] = [:]

    /// - Parameters:
    ///   - rules: as for a run of the model on `target`.
    ///   - names: of both lists, for the report.
    package init(
        _ graph: Graph, inputs: [String: HostTensor], target: DeviceSet, against: DeviceSet, rules: PlacementRules, seed: UInt64,
        names: (device: String, against: String)
    ) throws {
        self.graph = graph
        (self.inputs, self.target, self.against, self.rules, self.seed) = (inputs, target, against, rules, seed)
        report = DebugReport(device: names.device, against: names.against, seed: seed)
        var single = rules
        single.compiling = false
        single.optimizing = false
        let nodes = try Session(graph, devices: target.devices, libraries: target.libraries, rules: single).placement(inputs)
        walk = ReferenceWalk(nodes, inputs: inputs, target: target, against: against, rules: rules, seed: seed)
        placement = try Session(graph, devices: target.devices, libraries: target.libraries, rules: rules).placement(inputs)
        var counterparts: [String: ValueID] = [:]
        for value in Array(walk.producer.keys) + nodes.graph.inputs { counterparts[nodes.graph[value].name] = value }
        self.counterparts = counterparts
        findGroups()
        findLastUses()
    }

    /// The walk's value of the same name; nil for values that only the rewritten graph has.
    func counterpart(_ value: ValueID) -> ValueID? { counterparts[placement.graph[value].name] }

    /// Runs all of it. `progress` is told after each node how many of how many are done.
    package func run(_ progress: (_ done: Int, _ total: Int, _ node: String) -> Void = { _, _, _ in }) throws -> DebugReport {
        let total = walk.steps.count + placement.steps.count
        var done = 0
        for input in placement.graph.inputs { chain[input] = inputs[placement.graph[input].name] }
        for index in placement.steps.indices {
            let reach = placement.steps[index].outputs(placement.graph).compactMap { $0.flatMap(counterpart) }.compactMap {
                walk.producer[$0]
            }.max()
            while let reach, walk.next <= reach { try advanceWalk(&done, total, progress) }
            try takeStep(index)
            done += 1
            progress(done, total, "")
        }
        while walk.next < walk.steps.count { try advanceWalk(&done, total, progress) }
        try compareCompleteRun()
        return report
    }

    private func advanceWalk(_ done: inout Int, _ total: Int, _ progress: (Int, Int, String) -> Void) throws {
        let index = walk.next
        let outcome = try walk.advance()
        reported[outcome.result.name] = report.nodes.count
        report.nodes.append(outcome.result)
        if let remark = outcome.remark { report.remarks.append(remark) }
        if let evidence = outcome.evidence { note(.alone, outcome.result, outcome.result.message ?? "", evidence) }
        countMemory()
        let node = walk.placement.graph[walk.steps[index].node]
        for case let value? in node.inputs + node.outputs { release(value) }
        done += 1
        progress(done, total, node.name)
    }

    /// The first node over its bound in the earliest phase is the verdict.
    func note(_ phase: DebugReport.Phase, _ node: DebugReport.Node, _ message: String, _ evidence: DebugEvidence?) {
        let order: [DebugReport.Phase] = [.alone, .group, .chained, .complete]
        if let known = report.verdict, order.firstIndex(of: known.phase)! <= order.firstIndex(of: phase)! { return }
        report.verdict = DebugReport.Verdict(
            phase: phase, node: node.name, operator: node.operator, device: node.device, kernel: node.kernel, message: message)
        self.evidence = evidence
    }

    // MARK: Values that are still needed

    private func findGroups() {
        let names = Dictionary(
            walk.steps.enumerated().map { (walk.placement.graph[$1.node].name, $0) }, uniquingKeysWith: { first, _ in first })
        for (index, step) in placement.steps.enumerated() {
            switch step {
            case .view: continue
            case .node(let placed):
                if let known = names[placement.graph[placed.node].name], isSame(known, placed.node) { continue }
            case .program: break
            }
            let inputs = step.inputs(placement.graph).compactMap { $0 }.filter { placement.values[$0] == nil }
            let outputs = step.outputs(placement.graph).compactMap { $0 }
            let (sources, results) = (inputs.compactMap(counterpart), outputs.compactMap(counterpart))
            guard sources.count == inputs.count, results.count == outputs.count,
                let members = GroupCheck.steps(of: walk, from: Set(sources), to: results)
            else { continue }
            groups[index] = members
            walk.keepsNoise.formUnion(members)
            guard case .program(let program) = step else { continue }
            for member in members { walk.programFacts[member] = program.program.numerics }
        }
    }

    /// Whether a node of the placement is one of the walk's, and no rewritten one that has taken its name.
    private func isSame(_ step: Int, _ other: NodeID) -> Bool {
        let (graph, rewritten) = (walk.placement.graph, placement.graph)
        let (one, two) = (graph[walk.steps[step].node], rewritten[other])
        return one.qualifiedName == two.qualifiedName
            && one.inputs.map { $0.map { graph[$0].name } } == two.inputs.map { $0.map { rewritten[$0].name } }
            && one.outputs.map { $0.map { graph[$0].name } } == two.outputs.map { $0.map { rewritten[$0].name } }
    }

    private func findLastUses() {
        for (index, step) in walk.steps.enumerated() {
            let node = walk.placement.graph[step.node]
            for case let value? in node.inputs + node.outputs { lastInWalk[value] = index }
        }
        for (index, step) in placement.steps.enumerated() {
            for case let value? in step.inputs(placement.graph) + step.outputs(placement.graph) {
                lastRead[value] = index
                if let counterpart = counterpart(value) { lastInChain[counterpart] = index }
            }
            // What the group's own nodes read from outside.
            for case let value? in (groups[index] ?? []).flatMap({ walk.placement.graph[walk.steps[$0].node].inputs }) {
                lastInChain[value] = max(lastInChain[value] ?? index, index)
            }
        }
        for output in walk.placement.graph.outputs { lastInWalk[output] = .max }
        for output in placement.graph.outputs { lastRead[output] = .max }
    }

    private var stepsTaken = 0
    /// Of the walk's nodes: their places in the report.
    private var reported: [String: Int] = [:]

    private func release(_ value: ValueID) {
        if lastInWalk[value, default: -1] < walk.next, lastInChain[value, default: -1] < stepsTaken { walk.forget(value) }
    }

    private func countMemory() {
        report.peakBytes = max(
            report.peakBytes, walk.values.values.reduce(0) { $0 + $1.byteCount } + chain.values.reduce(0) { $0 + $1.byteCount })
        let own = walk.values.reduce(0) { $0 + (lastInWalk[$1.key, default: -1] >= walk.next - 1 ? $1.value.reference.byteCount : 0) }
        report.activationBytes = max(report.activationBytes, own)
    }

    // MARK: The chain

    private func takeStep(_ index: Int) throws {
        let step = placement.steps[index]
        let outputs = step.outputs(placement.graph).compactMap { $0 }
        if case .view(let view) = step {
            guard case .known(let type)? = placement.types[view.value.index] else {
                throw ConformanceError.internal("'\(placement.graph[view.value].name)' is a view without a shape")
            }
            chain[view.value] = try chained(view.source).reshaped(type.shape)
        } else {
            let runner = Piece(of: step, placement, outputs: outputs).runner(
                on: target.devices, target.libraries, ruleset(of: step))
            let results = try runner.run(chained)
            for (output, tensor) in zip(outputs, results) { chain[output] = tensor }
            try compare(index, step, outputs, results, runner)
        }
        countMemory()
        stepsTaken = index + 1
        for case let value? in step.inputs(placement.graph) + step.outputs(placement.graph) {
            if lastRead[value] == index { chain[value] = nil }
            if let counterpart = counterpart(value) { release(counterpart) }
        }
        for member in groups[index] ?? [] {
            walk.forgetNoise(of: member)
            for case let value? in walk.placement.graph[walk.steps[member].node].inputs { release(value) }
        }
    }

    private func chained(_ value: ValueID) throws -> HostTensor {
        if let tensor = placement.values[value] ?? chain[value] { return tensor }
        throw ConformanceError.internal("'\(placement.graph[value].name)' was let go before its last use")
    }

    private func compare(_ index: Int, _ step: PlacedStep, _ outputs: [ValueID], _ results: [HostTensor], _ runner: Piece.Runner) throws {
        let pairs = zip(outputs, results).compactMap { output, tensor in counterpart(output).map { ($0, tensor) } }
        let chained = try pairs.map { value, tensor in
            DebugReport.Measure(of: tensor, against: try walk.reference(value), floor: walk.floors[value] ?? .none)
        }.max { $0.ratio < $1.ratio }
        var node = describe(step, results)
        if groups[index] == nil, let known = reported[node.name], report.nodes[known].kernel == node.kernel {
            report.nodes[known].chained = chained
            node = report.nodes[known]
        } else {
            node.chained = chained
            if let members = groups[index] { try check(members, step, pairs.map(\.0), runner, &node) }
            if pairs.isEmpty { node.message = "a pass made it, and the model has no value of its own to compare it with" }
            report.nodes.append(node)
        }
        guard let chained, chained.isOver else { return }
        let evidence = try DebugEvidence(
            runner.piece, inputs: self.chained, expected: pairs.map { try walk.reference($0.0) }, actual: results)
        note(.chained, node, "on the device's own values: \(chained.words)", evidence)
    }

    /// A group by itself; where it is over its bound, its nodes in smaller groups.
    private func check(_ members: [Int], _ step: PlacedStep, _ outputs: [ValueID], _ runner: Piece.Runner, _ node: inout DebugReport.Node)
        throws
    {
        let check = try GroupCheck(walk, members, outputs: outputs, seed: seed)
        let actual = try runner.run { [self] value in try walk.reference(counterpart(value)!) }
        let measure = check.measure(actual)
        node.group = measure
        guard measure.isOver else { return }
        let whole = try DebugEvidence(
            runner.piece, inputs: { try walk.reference(counterpart($0)!) }, expected: check.expected, actual: actual)
        let names = members.map { walk.placement.graph[walk.steps[$0].node].name }
        if let first = try check.firstOver({ $0.runner(on: target.devices, target.libraries, ruleset(of: step)) }) {
            let part = walk.placement.graph[walk.steps[first.step].node]
            node.message = "the group of \(members.count) nodes goes wrong at '\(part.name)' (\(part.qualifiedName))"
            let named = DebugReport.Node(
                name: part.name, operator: part.qualifiedName, dataType: node.dataType, device: node.device, kernel: node.kernel)
            note(.group, named, "as the end of a group that begins with '\(names[0])': \(first.measure.words)", first.evidence)
        } else {
            node.message = "wrong only as a whole: \(names.joined(separator: ", "))"
            note(.group, node, "the group \(names.joined(separator: ", ")), only as a whole: \(measure.words)", whole)
        }
    }
}

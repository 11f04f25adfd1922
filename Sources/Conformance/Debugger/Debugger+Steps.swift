// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Operators
import Southbound
import Tensors

extension Debugger {
    /// The rules under which a step by itself runs as it does in the whole.
    func ruleset(of step: PlacedStep) -> PlacementRules {
        var same = PlacementRules.alone(on: target.devices[step.device], like: rules)
        if case .program = step { same.compiling = true }
        return same
    }

    func describe(_ step: PlacedStep, _ results: [HostTensor]) -> DebugReport.Node {
        let device = target.devices[step.device]
        let type = results.first?.dataType.name ?? ""
        switch step {
        case .node(let placed):
            let node = placement.graph[placed.node]
            return DebugReport.Node(
                name: node.name, operator: node.qualifiedName, dataType: type, device: device.name,
                kernel: "\(placed.library.plugin.name)/\(placed.kernel.name)")
        case .program(let placed):
            let nodes = placed.nodes.map { placement.graph[$0] }
            return DebugReport.Node(
                name: nodes.map(\.name).joined(separator: " + "), operator: nodes.map(\.operatorName).joined(separator: " → "),
                dataType: type,
                device: device.name, kernel: "\(device.plugin.name)/program")
        case .view(let placed):
            let node = placement.graph[placed.node]
            return DebugReport.Node(name: node.name, operator: node.qualifiedName, dataType: type, device: device.name, kernel: "view")
        }
    }

    // MARK: The complete run

    /// Runs the model at once. What is wrong only then is no kernel's fault: copies, memory or order are.
    func compareCompleteRun() throws {
        let whole = Piece(whole: graph)
        let outputs = graph.outputs.map { graph[$0].name }
        guard let all = try measure(whole, outputs), all.isOver, report.verdict == nil else { return }
        // The first end at which the model is wrong.
        let ends = graph.nodes.indices.filter { index in
            graph.nodes[index].outputs.contains { output in output.flatMap { floor(of: graph[$0].name) } != nil }
        }
        var (low, high) = (0, ends.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if try measure(upTo: ends[middle])?.isOver == true { high = middle } else { low = middle + 1 }
        }
        guard low < ends.count, let found = try measure(upTo: ends[low]), found.isOver else {
            report.remarks.append(
                "the complete run was over its bound once (\(all.words)), and was right whenever a part of it was run again")
            note(.complete, last, "in the complete run, once: \(all.words)", nil)
            return
        }
        let node = graph.nodes[ends[low]]
        let known = report.nodes.first { $0.name == node.name } ?? last
        note(
            .complete, known,
            "right alone and step by step, wrong when all before it runs at once (copies, memory or order): \(found.words)", nil)
    }

    private var last: DebugReport.Node {
        report.nodes.last ?? DebugReport.Node(name: "", operator: "", dataType: "", device: report.device, kernel: "")
    }

    private func floor(of name: String) -> ErrorNorms? { counterparts[name].flatMap { walk.floors[$0] } }

    private func measure(upTo index: Int) throws -> DebugReport.Measure? {
        let part = graph.leading(to: NodeID(index))
        return try measure(Piece(whole: part), part.outputs.map { part[$0].name })
    }

    /// - Parameter outputs: names of the piece's outputs.
    private func measure(_ piece: Piece, _ outputs: [String]) throws -> DebugReport.Measure? {
        let actual = try piece.runner(on: target.devices, target.libraries, rules).run { inputs[graph[$0].name]! }
        var kernels = PlacementRules()
        kernels.compiling = false
        kernels.optimizing = false
        let expected = try piece.runner(on: against.devices, against.libraries, kernels).run { inputs[graph[$0].name]! }
        return zip(outputs, zip(actual, expected)).compactMap { name, pair in
            floor(of: name).map { DebugReport.Measure(of: pair.0, against: pair.1, floor: $0) }
        }.max { $0.ratio < $1.ratio }
    }
}

extension Piece {
    init(of step: PlacedStep, _ placement: Placement, outputs: [ValueID]) {
        let nodes: [NodeID] =
            switch step {
            case .node(let placed): [placed.node]
            case .program(let placed): placed.nodes
            case .view(let placed): [placed.node]
            }
        self.init(nodes, of: placement.graph, outputs: outputs, known: placement.values) { value in
            if case .known(let type)? = placement.types[value.index] { type } else { nil }
        }
    }

    /// All of a model; its own values are the larger graph's.
    init(whole graph: Graph) { self.init(graph: graph, inputs: graph.inputs, outputs: graph.outputs) }
}

extension DebugReport.Measure {
    var words: String {
        "off by \(measured.short) (\(unit)), allowed \(bound.short)"
            + (ratio.isFinite ? ", \(ratio.short) times too much in the worse norm" : "")
    }
}

extension Double {
    /// Three significant digits.
    var short: String { String(format: "%.3g", self) }
}

// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Tensors

/// Runs passes over a model's graph, stage by stage, and verifies the graph after each.
package struct PassManager: Sendable {
    private let passes: [Pass]
    private let target: PassTarget
    private let catalog: OperatorCatalog
    private let verifier: PassVerifier?

    /// Rounds of the stage `simplify`; the passes of today settle in three or four.
    private static let mostRounds = 8

    /// - Parameters:
    ///   - passes: within a stage in the given order, but each behind the one that it names.
    ///   - disabled: names of passes that are not run.
    ///   - verifier: compares what the graph computes before and after each pass; nil: its structure alone is verified.
    package init(
        _ passes: [Pass], disabled: Set<String> = [], target: PassTarget = PassTarget(), catalog: OperatorCatalog = .standard,
        verifier: PassVerifier? = nil
    ) {
        self.passes = Self.ordered(passes.filter { !disabled.contains($0.name) })
        self.target = target
        self.catalog = catalog
        self.verifier = verifier
    }

    /// The rewritten graph, inferred. Its inputs are those of the model; its outputs are as many, in the same order and of the same types.
    ///
    /// A plugin's pass that fails, or after which something is wrong, is undone, told in the report, and not run again; the stack's own then throws.
    ///
    /// - Parameters:
    ///   - inference: of the model's graph.
    ///   - inputs: types of the graph's inputs.
    ///   - values: of inputs, as for `GraphInference`.
    package func optimize(
        _ inference: GraphInference, inputs: [ValueID: ConcreteType], values: [ValueID: HostTensor] = [:]
    ) throws -> (inference: GraphInference, report: PassReport) {
        var graph = PassGraph(inference, catalog: catalog, target: target)
        var report = PassReport()
        var dropped = Set<String>()
        let expected = inference.graph.outputs.map { inference.types[$0.index] }
        var checker = try verifier?.checker(inference.graph, inputs: inputs, values: values, catalog: catalog)
        for stage in Pass.Stage.allCases {
            let members = passes.filter { $0.stage == stage }
            for _ in 0..<(stage == .simplify ? Self.mostRounds : 1) {
                let before = graph.editor.rewriteCount
                for pass in members where !dropped.contains(pass.name) {
                    if let fault = try run(pass, &graph, expected, &checker, &report) {
                        dropped.insert(pass.name)
                        report.remarks.append(fault)
                    }
                }
                if graph.editor.rewriteCount == before { break }
            }
        }
        let result = try GraphInference(
            graph.graph, catalog: catalog, inputs: inputs, values: values, dependingOn: inference.valueDependencies)
        return (result, report)
    }

    /// Runs a pass once. Returns what is wrong with it, the graph then as before; nil if nothing is.
    private func run(
        _ pass: Pass, _ graph: inout PassGraph, _ expected: [InferredOutput?], _ checker: inout PassVerifier.Checker?,
        _ report: inout PassReport
    ) throws -> String? {
        let clock = ContinuousClock()
        let start = clock.now
        let index = report.index(of: pass, graph.editor.liveCount)
        let rewrites = graph.editor.rewriteCount
        // A pass of the stack's own is not undone, and costs no copy.
        let before = pass.plugin == nil && checker == nil ? nil : graph
        graph.figures = [:]
        do {
            try pass.run(&graph)
            graph.removeUnwanted()
            try graph.compact()
            guard graph.graph.outputs.map({ graph.types[$0.index] }) == expected else {
                throw GraphError("the graph's outputs have other types or shapes than before")
            }
            if graph.editor.rewriteCount > rewrites {
                if pass.narrows, let type = target.mixed { checker?.allow(type) }
                try checker?.check(graph)
            }
        } catch {
            let fault = PassFault(pass: pass.name, plugin: pass.plugin, reason: "\(error)")
            guard let before, pass.plugin != nil else { throw fault }
            graph = before
            report.entries[index].runs += 1
            report.entries[index].seconds += (clock.now - start) / .seconds(1)
            return fault.description + "; it is undone and not run again"
        }
        report.entries[index].runs += 1
        report.entries[index].rewrites += graph.editor.rewriteCount - rewrites
        report.entries[index].nodesAfter = graph.editor.liveCount
        report.entries[index].figures.merge(graph.figures, uniquingKeysWith: +)
        report.entries[index].seconds += (clock.now - start) / .seconds(1)
        return nil
    }

    /// By stage, each pass behind the one that it names, else in the given order.
    private static func ordered(_ passes: [Pass]) -> [Pass] {
        var waiting = passes
        var order: [Pass] = []
        while !waiting.isEmpty {
            // Who waits for one that is not there, or for each other, does not wait.
            let next = waiting.firstIndex { pass in !waiting.contains { $0.name == pass.after && $0.name != pass.name } } ?? 0
            order.append(waiting.remove(at: next))
        }
        return order
    }
}

/// A pass that failed, or after which the graph is broken or computes something else.
package struct PassFault: Error, Sendable, CustomStringConvertible {
    package let pass: String
    package let plugin: String?
    package let reason: String

    package var description: String {
        let owner = plugin.map { " of plugin '\($0)'" } ?? ""
        return "pass '\(pass)'\(owner): \(reason)"
    }
}

extension PassReport {
    fileprivate mutating func index(of pass: Pass, _ nodeCount: Int) -> Int {
        if let index = entries.firstIndex(where: { $0.name == pass.name }) { return index }
        entries.append(
            Entry(name: pass.name, stage: pass.stage, plugin: pass.plugin, nodesBefore: nodeCount, nodesAfter: nodeCount))
        return entries.count - 1
    }
}

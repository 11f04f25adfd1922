// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Operators
import Southbound
import Tensors

/// One pass of a plugin on one graph, in the worker: the structure is verified here, the numbers by the supervisor, who gets what the rewritten graph computes.
struct PassTrial {
    private let plugin: Plugin
    private let device: Device
    private let libraries: [OperatorLibrary]
    private let graph: Graph
    private let inputs: [ValueID: HostTensor]

    /// - Parameters:
    ///   - device: runs operators of the plugin's own,
    ///   - libraries: with these besides its plugin's.
    init(_ plugin: Plugin, _ device: Device, _ libraries: [OperatorLibrary], _ graph: Graph, _ inputs: [HostTensor]) {
        self.plugin = plugin
        self.device = device
        self.libraries = libraries
        self.graph = graph
        self.inputs = Dictionary(zip(graph.inputs, inputs), uniquingKeysWith: { first, _ in first })
    }

    /// The outputs of the rewritten graph. Throws a `CheckFailure` if the pass breaks a rule.
    func run(_ name: String) throws -> [HostTensor] {
        guard let library = plugin.passLibrary, let pass = Pass.all(of: library).first(where: { $0.name == name }) else {
            throw CheckFailure.unsupported("the plugin has no pass '\(name)'")
        }
        let catalog = OperatorCatalog.standard.with([plugin])
        let before = constants
        let first = try rewritten(by: pass, catalog)
        try expect(constants == before, .memory, "pass '\(name)' writes into a constant of the model")
        let second = try rewritten(by: pass, catalog)
        try expect(
            first.graph.listing == second.graph.listing, .determinism,
            "pass '\(name)' rewrites the same graph in two ways: \(first.graph.summary); \(second.graph.summary)")
        do {
            return try PassVerifier.evaluate(first.graph, inputs, catalog: catalog, types: first.types) {
                try runAlone($0, $1, $2, devices: [device], libraries: libraries)
            }
        } catch let error as ExecutionError {
            throw CheckFailure.failed(.errorCode, "what pass '\(name)' makes does not run: \(error)")
        }
    }

    private func rewritten(by pass: Pass, _ catalog: OperatorCatalog) throws -> GraphInference {
        let types = inputs.mapValues { ConcreteType($0.dataType, $0.shape) }
        let (inference, report) = try PassManager([pass], catalog: catalog)
            .optimize(try GraphInference(graph, inputs: types, values: inputs), inputs: types, values: inputs)
        if let remark = report.remarks.first { throw CheckFailure.failed(.errorCode, remark) }
        return inference
    }

    private var constants: [Data] { graph.constants.sorted { $0.key.index < $1.key.index }.map { Data($0.value.bytes) } }
}

extension Graph {
    /// The nodes by operator, inputs and outputs.
    fileprivate var listing: [String] {
        nodes.map { node in
            "\(node.qualifiedName) \(node.inputs.map { $0?.index ?? -1 }) \(node.outputs.map { $0?.index ?? -1 }) \(node.attributes.keys.sorted())"
        }
    }
}

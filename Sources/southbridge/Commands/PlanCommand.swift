// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Compiler
import Conformance
import Execution
import Foundation
import Graph
import Guidance
import ONNX
import Reports
import Southbound
import Tensors

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Say what to implement next, and what each step unlocks.",
        discussion: """
            Models are planned as 'run --device PLUGIN' plans them, and not run: the suite's networks, or those that are named. Kernels are ranked by the nodes, the
            expected time and the models that they let the plugin run without the CPU, each as if those before it were there. docs/plan.md has the rules.

            EXAMPLES
              southbridge plan ./libchip.so
              southbridge plan ./libchip.so model.onnx --limit 0
              southbridge plan ./libchip.so model.onnx --output cases
              southbridge conform ./libchip.so --corpus cases --suite corpus
            """)

    @Argument(help: "The plugin, or PLUGIN:INDEX.")
    var plugin: String

    @Argument(help: "Models; the suite's networks if left out.", completion: .file(extensions: ["onnx"]))
    var models: [String] = []

    @Option(help: ArgumentHelp("Shape of an input whose dimensions a model leaves open (repeatable).", valueName: "name=1,3,224,224"))
    var shape: [String] = []

    @Option(help: ArgumentHelp("Do not use kernels that match (repeatable).", valueName: "kernel"))
    var deny: [String] = []

    @Option(help: ArgumentHelp("How many kernels to suggest; 0: all.", valueName: "n"))
    var limit = 10

    @Option(
        help: ArgumentHelp("Write a case for each signature of the suggestions, as 'conform --corpus' takes it.", valueName: "dir"),
        completion: .directory)
    var output: String?

    @OptionGroup var flags: PluginFlags

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit must be at least 0") }
        guard !plugin.contains(",") else { throw ValidationError("plan takes one plugin, not the list '\(plugin)'") }
        if models.isEmpty, !shape.isEmpty { throw ValidationError("--shape is for models that are named") }
    }

    /// A model and where its inputs come from.
    private struct Subject {
        let name: String
        let path: String
        /// By position; nil: made from the declared shapes.
        var inputs: [URL]?
    }

    func run() throws {
        let installation = try Installation.locate()
        let folder = try output.map { try Plan.emptyFolder(URL(filePath: $0)) }
        let shapes = try shapes(in: shape)
        let subjects = try models.isEmpty ? networks(installation) : models.map { Subject(name: $0, path: $0) }
        let set = try DeviceSet(plugin, libraries: flags.libraries, options: flags.named, installation: installation)
        var rules = PlacementRules()
        rules.strategy = .cost
        rules.lastResort = set.fallback
        rules.denied = deny
        var planner = Planner(set, rules: rules, offersModels: models.isEmpty)
        let progress = ProgressLine()
        var unused = Set(shapes.keys)
        for (index, subject) in subjects.enumerated() {
            progress.show(index, of: subjects.count, subject.name)
            do {
                let graph = try readModel(path: subject.path).graph
                unused.subtract(graph.inputs.map { graph[$0].name })
                try planner.add(subject.name, graph, inputs(of: subject, graph, shapes))
            } catch {
                guard let failure = CommandFailure(error), !failure.message.contains(subject.name) else { throw error }
                throw CommandFailure(code: failure.code, "\(subject.name): \(failure.message)")
            }
        }
        if let name = unused.sorted().first { throw CommandFailure(code: 2, "--shape \(name): no model has an input '\(name)'") }
        var plan = planner.plan(limit: limit == 0 ? .max : limit)
        if models.isEmpty {
            plan.report.profiles = try Profile.classes.compactMap { name in
                try Profile(named: name, installation).map { planner.profile($0.title, operators: $0.operators, networks: $0.networks) }
            }
        }
        let cases = try folder.map { try plan.writeCases(to: $0) { progress.show($0, of: $1, $2) } }
        progress.finish()
        if flags.json { try printJSON(plan.report) } else { print(plan.report.text) }
        if let output, let cases {
            let without = cases.leftOut > 0 ? "; \(cases.leftOut) signatures have none, and --json says why" : ""
            standardError("\(cases.written) \(cases.written == 1 ? "case" : "cases") in \(output)\(without)")
        }
    }

    private func networks(_ installation: Installation) throws -> [Subject] {
        try Case.networks(installation).map { network in
            Subject(name: network.folder.lastPathComponent, path: network.model.path, inputs: network.dataSets.first?.inputs)
        }
    }

    private func inputs(of subject: Subject, _ graph: Graph, _ shapes: [String: [Int]]) throws -> [String: HostTensor] {
        var tensors: [String: HostTensor] = [:]
        if let files = subject.inputs {
            for (input, file) in zip(graph.inputs, files) { tensors[graph[input].name] = try readTensor(path: file.path).tensor }
        }
        for input in graph.inputs where tensors[graph[input].name] == nil {
            var value = graph[input]
            if let shape = shapes[value.name], let type = value.type { value.type = TensorType(type.dataType, known: shape) }
            guard value.type?.shape != nil else {
                throw CommandFailure(code: 2, "input '\(value.name)' has no declared shape: give it with --shape \(value.name)=1,3,224,224")
            }
            tensors[value.name] = try randomInput(value, seed: 0)
        }
        return tensors
    }
}

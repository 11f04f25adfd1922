// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Compiler
import Execution
import Foundation
import Graph
import ONNX
import Reports
import Southbound

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say which node runs where, by whose kernel, and why.",
        discussion: """
            The model is planned as 'run' plans it, and not run. Unknown dimensions of inputs are 1 unless --shape or --input says otherwise.
            Costs are those that were measured (--measure, kept for later), else what the plugin answers, else what the description of the hardware allows.

            EXAMPLES
              southbridge explain model.onnx --device npu:0,cpu:0
              southbridge explain model.onnx --device npu,cpu --node 'conv1*' --node Softmax
              southbridge explain model.onnx --device npu,cpu --place 'layer4/*=cpu:0' --json
              southbridge explain model.onnx --device npu,cpu --svg pictures
              southbridge explain model.onnx --device npu --mixed float16
            """)

    @Argument(help: "The model.", completion: .file(extensions: ["onnx"]))
    var model: String

    @Option(help: ArgumentHelp("Devices in order of preference.", valueName: "list"))
    var device: String

    @OptionGroup var inputs: InputOptions
    @OptionGroup var placement: PlacementOptions
    @OptionGroup var precision: PrecisionOptions

    @Option(help: ArgumentHelp("List all that was offered for nodes that match, by name or operator (repeatable).", valueName: "pattern"))
    var node: [String] = []

    @Flag(help: "List all that was offered for every node.")
    var verbose = false

    @Option(
        help: ArgumentHelp("Draw the placement to DIR/placement.svg and each device's memory to DIR/memory-DEVICE.svg.", valueName: "dir"),
        completion: .directory)
    var svg: String?

    @OptionGroup var flags: PluginFlags

    func run() throws {
        let mixed = try precision.type()
        let graph = try readModel(path: model).graph
        let tensors = try inputs.tensors(of: graph, seed: inputs.seed ?? 0)
        let set = try DeviceSet(device, libraries: flags.libraries, options: flags.named, installation: try Installation.locate())
        var rules = try placement.rules(set)
        rules.mixed = mixed
        let measured = try placement.measuredCosts(graph, tensors, set, rules)
        let explanation = try Explainer(graph, devices: set.devices, libraries: set.libraries, rules: rules, measured: measured).explain(
            tensors)
        for remark in measured.remarks { standardError("note: \(remark)") }
        if let svg { for file in try draw(explanation, to: svg) { standardError(file) } }
        if flags.json { return try printJSON(explanation) }
        print(explanation.text { node in verbose || self.node.contains { matches(node.name, $0) || matches(node.operator, $0) } })
    }

    /// The files written.
    private func draw(_ explanation: Explanation, to folder: String) throws -> [String] {
        let folder = URL(filePath: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let pictures =
            [("placement", PlacementChart(explanation).svg)]
            + explanation.memory.map { ("memory-\($0.device.replacingOccurrences(of: ":", with: "-"))", MemoryPlanChart($0).svg) }
        return try pictures.map { name, picture in
            let file = folder.appending(path: "\(name).svg")
            try Data(picture.utf8).write(to: file, options: .atomic)
            return file.relativePath
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Conformance
import Execution
import Foundation
import Graph
import ONNX
import Southbound

struct DebugCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "debug",
        abstract: "Compare a model on one device with another, node by node, and name the first node over its bound.",
        discussion: """
            First each node runs alone on the values of the reference device and is held to the bound of its operator; then the model runs step by step on the
            device's own values, fused nodes and compiled programs as they are, and each is held to what right runs may differ in; last it runs at once.
            Ends with 0 if no node is over its bound, with 1 if one is. docs/debug.md says what the bounds are.

            EXAMPLES
              southbridge debug model.onnx --device ./libchip.so,cpu --against cpu
              southbridge debug model.onnx --device npu,cpu --against cpu --input image=cat.npy --output bad
              southbridge debug model.onnx --device npu --against cpu --seed 7 --json
            """)

    @Argument(help: "The model.", completion: .file(extensions: ["onnx"]))
    var model: String

    @Option(help: ArgumentHelp("Devices under test, in order of preference.", valueName: "list"))
    var device: String

    @Option(help: ArgumentHelp("Devices whose values the others are held against.", valueName: "list"))
    var against: String

    @OptionGroup var inputs: InputOptions
    @OptionGroup var placement: PlacementOptions

    @Option(
        help: ArgumentHelp("Write the first bad node there, as a model that 'run' takes, with its values.", valueName: "dir"),
        completion: .directory)
    var output: String?

    @Option(help: ArgumentHelp("Show that many of the worst nodes.", valueName: "n"))
    var worst: Int = 10

    @OptionGroup var flags: PluginFlags

    func validate() throws {
        guard worst >= 0 else { throw ValidationError("--worst must be at least 0") }
    }

    func run() throws {
        let graph = try readModel(path: model).graph
        let seed = inputs.seed ?? UInt64.random(in: 0..<(1 << 53))
        let tensors = try inputs.tensors(of: graph, seed: seed)
        let installation = try Installation.locate()
        let (target, reference) = try devices(installation)
        let debugger = try Debugger(
            graph, inputs: tensors, target: target, against: reference, rules: try placement.rules(target), seed: seed,
            names: (device, against))
        let progress = ProgressLine()
        let report = try debugger.run { progress.show($0, of: $1, $2) }
        progress.finish()
        let files = try output.flatMap { folder in try debugger.evidence.map { try write($0, to: URL(filePath: folder)) } }
        if flags.json { try printJSON(report) } else { print(report, randomInputs: graph.inputs.count > inputs.files.count) }
        if let files { standardError(files) }
        if report.verdict != nil { throw CommandFailure.negative }
    }

    /// Options name a plugin of either list; each list is checked against those that are for it.
    private func devices(_ installation: Installation) throws -> (target: DeviceSet, reference: DeviceSet) {
        let target = try DeviceSet(device, libraries: flags.libraries, options: flags.named, installation: installation)
        return (target, try DeviceSet(against, installation: installation))
    }

    /// Returns the command that runs the node again.
    private func write(_ evidence: DebugEvidence, to folder: URL) throws -> String {
        let inputs = try writeNumpy(evidence.inputs, to: folder.appending(path: "inputs"))
        _ = try writeNumpy(evidence.expected, to: folder.appending(path: "expected"))
        _ = try writeNumpy(evidence.actual, to: folder.appending(path: "actual"))
        let model = folder.appending(path: "model.onnx")
        try modelData(evidence.graph).write(to: model, options: .atomic)
        let given = zip(evidence.inputs, inputs).map { " --input " + shellQuoted("\($0.name)=\($1)") }.joined()
        return "run it again: southbridge run \(shellQuoted(model.path)) --device \(shellQuoted(device))\(given)"
    }

    private func print(_ report: DebugReport, randomInputs: Bool) {
        let ranked = report.nodes.sorted { $0.worstRatio > $1.worstRatio }.prefix(worst)
        if !ranked.isEmpty {
            Swift.print("worst nodes, errors as parts of their bounds (alone on the reference's inputs, as a group on these, chained):")
            for node in ranked {
                let figures = [node.alone, node.group, node.chained].map { measure in
                    (measure.map { ratioText($0.ratio) } ?? "-").leftPadded(to: 9)
                }
                Swift.print("\(figures.joined()) \(node.alone?.grade?.rawValue ?? " ")  \(node.device)  \(node.operator)  \(node.name)")
            }
        }
        let unjudged = report.nodes.filter { $0.alone == nil && $0.group == nil && $0.chained == nil }
        for node in unjudged { Swift.print("not judged: \(node.name) (\(node.operator)): \(node.message ?? "nothing to compare it with")") }
        for remark in report.remarks { Swift.print("note: \(remark)") }
        Swift.print("values held at once: \(byteText(report.peakBytes)); the model's own: \(byteText(report.activationBytes))")
        if randomInputs { Swift.print("random inputs: --seed \(report.seed)") }
        guard let verdict = report.verdict else {
            return Swift.print(TerminalStyle.standardOutput.good("no node of \(report.nodes.count) is over its bound"))
        }
        Swift.print(
            TerminalStyle.standardOutput.bad("first over its bound, \(verdict.phase.words): '\(verdict.node)' (\(verdict.operator))")
                + " on \(verdict.device) by \(verdict.kernel)")
        Swift.print(verdict.message)
    }

    private func ratioText(_ ratio: Double) -> String { ratio.isFinite ? String(format: "%.3g", ratio) : "inf" }
}

extension DebugReport.Phase {
    fileprivate var words: String {
        switch self {
        case .alone: "alone"
        case .group: "in a group"
        case .chained: "chained"
        case .complete: "in the complete run"
        }
    }
}

extension String {
    fileprivate func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}

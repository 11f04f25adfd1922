// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Graph
import ONNX
import Operators
package import Southbound
import Tensors

/// Runs one case of an earlier run again: from its reproducer where the run kept one, else as the suite would.
package struct Reproduction {
    private let folder: URL
    private let log: RunLog
    private let settings: RunSettings
    private let installation: Installation
    private let executable: String

    /// - Parameter folder: that of the run.
    package init(of folder: URL, installation: Installation, executable: String) throws(ConformanceError) {
        self.folder = folder
        self.installation = installation
        self.executable = executable
        let path = RunStore.logFile(in: folder).path
        do {
            log = try RunLog(reading: try Data(contentsOf: URL(fileURLWithPath: path)), source: path)
            settings = try JSONDecoder().decode(RunSettings.self, from: JSONEncoder().encode(JSONValue.object(log.header.options)))
        } catch let error as ReportReadError {
            throw .usage(error.description)
        } catch {
            throw .usage("\(path) cannot be read: \(error.localizedDescription)")
        }
    }

    /// The ids of the run's cases that a person has to look at.
    package var failures: [String] { log.cases.filter { $0.status.needsAttention }.map(\.id).sorted() }

    /// - Parameter plugin: in place of the one that the run tested.
    package func decide(_ id: String, plugin: PluginReference? = nil) throws(ConformanceError) -> CaseResult {
        let testCase = try self.testCase(id)
        let plugin = plugin ?? PluginReference(givenName: nil, path: log.header.plugin.path)
        let target = RunTarget(
            plugin: plugin, options: settings.options, libraries: settings.libraries,
            command: settings.worker.map { .shell($0) } ?? .own(executable), seconds: settings.timeout * settings.timeScale,
            seed: settings.seed, profile: try Profile(named: settings.profile, installation), expected: .none,
            trust: GroupTrust([], seed: settings.seed))
        let logs = FileManager.default.temporaryDirectory.appending(path: "southbridge-reproduce-\(getpid()).log")
        defer { try? FileManager.default.removeItem(at: logs) }
        let runner = CaseRunner(target: target, logPath: logs.path)
        do throws(CaseInterruption) {
            _ = try runner.negotiate()
            return try runner.decide(testCase).result
        } catch {
            throw .usage(error.description)
        }
    }

    private func testCase(_ id: String) throws(ConformanceError) -> Case {
        let files = folder.appending(path: RunStore.failureFolder(id))
        // A golden case is run as the suite runs it: its files hold its results already rounded. So is a graph: its bounds are not in its files.
        if let result = log.cases.first(where: { $0.id == id }),
            ![GoldenCase.suite, GraphCase.suite, PassCase.suite].contains(result.suite),
            access(files.appending(path: "model.onnx").path, R_OK) == 0
        {
            if result.suite == Case.generatedSuite {
                return Case(id: id, level: result.level, body: .call(try call(in: files)), specification: result.specification)
            }
            let model = try ModelCase(reproducer: files)
            return Case(id: id, level: result.level, body: .model(model), specification: result.specification)
        }
        let list = try CaseList(settings, installation: installation)
        guard let testCase = list.cases.first(where: { $0.id == id }) else {
            let some = failures.prefix(3).joined(separator: ", ")
            throw .usage("the run in \(folder.path) has no case '\(id)'" + (some.isEmpty ? "" : "; it has for example \(some)"))
        }
        return testCase
    }

    /// The call that the files of a reproducer hold: a model of one node, and its inputs.
    private func call(in files: URL) throws(ConformanceError) -> CallCase {
        do {
            let graph = try readModel(data: try Data(contentsOf: files.appending(path: "model.onnx"))).graph
            guard let node = graph.nodes.first, graph.nodes.count == 1, let definition = OperatorCatalog.standard.definition(of: node)
            else {
                throw ConformanceError.usage("\(files.path)/model.onnx is not a model of one known operator")
            }
            var tensors = graph.constants
            for (index, value) in graph.inputs.enumerated() {
                tensors[value] = try readTensor(data: try Data(contentsOf: files.appending(path: "input_\(index).pb"))).tensor
            }
            let constants = node.inputs.indices.filter { position in node.inputs[position].map { graph.constants[$0] != nil } ?? false }
            return CallCase(
                call: OperatorCall(
                    definition, opset: node.opset, attributes: node.attributes, inputs: node.inputs.map { $0.flatMap { tensors[$0] } },
                    wanted: node.outputs.map { $0 != nil }),
                constants: Set(constants))
        } catch let error as ConformanceError {
            throw error
        } catch {
            throw .usage("the reproducer in \(files.path) cannot be read: \(error)")
        }
    }
}

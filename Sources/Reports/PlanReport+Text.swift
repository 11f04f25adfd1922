import Foundation
// SPDX-License-Identifier: Apache-2.0
package import Guidance

extension PlanReport {
    /// For a terminal, the first suggestions first.
    package var text: String {
        var lines = [
            "\(plugin.device) runs \(now.nativeNodes) of \(counted(now.nodes, "node")) of \(counted(models.count, "model")), "
                + "\(percent(now.timeShare)) of the expected time; \(now.nativeModels) alone, without the CPU",
            "expected time: shares, in the mean over the models, by the roofline of \(time.device)"
                + (time.assumed ? "; what its description leaves out is assumed" : ""),
        ]
        if suggestions.isEmpty {
            lines.append(models.allSatisfy(\.native) ? "nothing is lacking" : "no kernel helps")
        } else {
            lines += [""] + table + [""]
            if furtherSuggestions > 0 { lines.append("\(furtherSuggestions) more: --limit 0 shows all") }
        }
        lines += models.filter { !$0.native }.map(modelLine)
        let running = models.filter(\.native).map(\.name)
        if !running.isEmpty { lines.append("alone already: \(shortened(running, 8))") }
        if models.count > 1, !allModels.kernels.isEmpty {
            lines.append("all that can run alone do with \(count(allModels))")
        }
        lines += profiles.map { profile in
            if profile.reached { return "profile \(profile.name): all that it demands is offered; conform says whether it is right" }
            let lacks = [
                profile.kernels.isEmpty
                    ? nil : "\(counted(profile.kernels.count, "kernel")) (\(shortened(profile.kernels.map(\.text), 3)))",
                profile.networks.isEmpty ? nil : "\(counted(profile.networks.count, "network")) (\(shortened(profile.networks, 3)))",
            ]
            return "profile \(profile.name): lacks \(lacks.compactMap { $0 }.joined(separator: " and "))"
        }
        return lines.joined(separator: "\n")
    }

    private var table: [String] {
        var rows = [["", "implement", "since", "nodes", "time", "models", "so far"]]
        for (index, step) in suggestions.enumerated() {
            rows.append([
                "\(index + 1)", step.kernel.text, "\(step.since)", "+\(step.unlocks.nodes)", "+\(percent(step.unlocks.timeShare))",
                "+\(step.unlocks.models.count)", percent(step.after.timeShare),
            ])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 1 ? row[column] + padding : padding + row[column]
            }.joined(separator: "  ")
        }
        let indent = String(repeating: " ", count: widths[0] + 2)
        return [lines[0]] + zip(suggestions, lines.dropFirst()).flatMap { step, line in [line] + notes(step).map { indent + $0 } }
    }

    private func notes(_ step: Suggestion) -> [String] {
        var notes: [String] = []
        if !step.unlocks.models.isEmpty { notes.append("then alone: \(shortened(step.unlocks.models, 8))") }
        let parts = step.unlocks.operators.filter { $0 != step.kernel.text.split(separator: " ").first.map(String.init) }
        if !parts.isEmpty { notes.append("in parts: \(shortened(parts, 8))") }
        if !step.together.isEmpty { notes.append("counts together with \(shortened(step.together.map(\.text), 4))") }
        if let refusal = step.refusals.first {
            notes.append(
                "there is a kernel, but \(refusal)" + (step.refusals.count > 1 ? "; \(step.refusals.count - 1) more answers in --json" : "")
            )
        }
        return notes
    }

    private func modelLine(_ model: Model) -> String {
        let line = "\(model.name): \(model.nativeNodes) of \(counted(model.nodes, "node")), \(percent(model.timeShare)) of its time; "
        if let obstacle = model.obstacles.first {
            let node = obstacle.node.isEmpty ? "" : "'\(obstacle.node)' (\(obstacle.operator)): "
            return line + "never alone: \(node)\(obstacle.reason)"
                + (model.obstacles.count > 1 ? " and \(model.obstacles.count - 1) more" : "")
        }
        return line + "lacks \(count(model.lacks)): \(shortened(model.lacks.kernels.map(\.text), 8))"
    }

    private func count(_ set: KernelSet) -> String {
        "\(counted(set.kernels.count, "kernel"))\(set.exact ? ", the fewest that do" : " (fewer may do)")"
    }

    private func counted(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }

    private func shortened(_ words: [String], _ limit: Int) -> String {
        words.prefix(limit).joined(separator: ", ") + (words.count > limit ? " and \(words.count - limit) more" : "")
    }

    private func percent(_ share: Double) -> String { String(format: "%.1f %%", share * 100) }
}

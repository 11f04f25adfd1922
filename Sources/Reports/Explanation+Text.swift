// SPDX-License-Identifier: Apache-2.0
package import Execution
import Foundation
import HardwareModel

extension Explanation {
    /// For a person.
    ///
    /// - Parameter showsBids: of which nodes everything that was offered stands below them.
    package func text(showsBids: (Node) -> Bool) -> String {
        var lines = [heading]
        let shown = nodes.filter { $0.kernel != "folded" }
        let rows = shown.map { [$0.name, $0.operator, $0.device, kernel($0)] }
        let widths = (0..<4).map { column in min(rows.map { $0[column].count }.max() ?? 0, 44) }
        for (node, row) in zip(shown, rows) {
            let cost = node.seconds.map { secondsText($0) } ?? ""
            let cells = row.indices.map { padded(row[$0], widths[$0]) } + [String(repeating: " ", count: max(9 - cost.count, 0)) + cost]
            lines.append((cells + [node.reason]).joined(separator: "  "))
            if showsBids(node) { lines += node.bids.map { "    \(text($0))" } }
        }
        let folded = nodes.count - shown.count
        if folded > 0 { lines.append("\(folded) \(folded == 1 ? "node is" : "nodes are") computed before the run") }
        lines += passes.filter { $0.rewrites > 0 }.map(text) + copyLines + memory.map(text) + pins.map(text) + remarks.map { "note: \($0)" }
        return lines.joined(separator: "\n")
    }

    private var heading: String {
        guard let choice else { return "each node goes to the first device that takes it, of \(devices.joined(separator: ", "))" }
        var parts = ["expected \(secondsText(choice.seconds)), copies \(secondsText(choice.copySeconds)) of it"]
        if !choice.isOptimal { parts.append("the best found") }
        for device in devices {
            if let seconds = choice.secondsOnOneDevice[device] { parts.append("\(secondsText(seconds)) with all on \(device)") }
        }
        return parts.joined(separator: "; ")
    }

    private var copyLines: [String] {
        guard !copies.isEmpty else { return ["no value is copied"] }
        let pairs = Dictionary(grouping: copies) { "\($0.from) → \($0.to)" }.sorted { $0.key < $1.key }
        return pairs.map { pair in
            let bytes: Int = pair.value.reduce(0) { $0 + $1.bytes }
            let seconds: Double = pair.value.reduce(0) { $0 + $1.seconds }
            var names = pair.value.prefix(3).map { "'\($0.value)'" }.joined(separator: ", ")
            if pair.value.count > 3 { names += " and \(pair.value.count - 3) more" }
            return "copy \(pair.key): \(Quantity.bytes.shown(bytes)), \(secondsText(seconds)): \(names)"
        }
    }

    private func kernel(_ node: Node) -> String { node.library.map { "\($0)/\(node.kernel)" } ?? node.kernel }

    private func text(_ bid: Bid) -> String {
        let name = bid.library.flatMap { library in bid.kernel.map { "\(library)/\($0)" } } ?? bid.kernel ?? ""
        let who = name.isEmpty ? bid.device : "\(bid.device) \(name)"
        guard bid.accepts else { return "\(who): no, \(bid.reason ?? "refused")" }
        let cost = bid.seconds.map { " \(secondsText($0))" } ?? ""
        let origin = bid.origin.map { " (\($0))" } ?? ""
        return "\(who):\(cost)\(origin)\(bid.reason.map { ", \($0)" } ?? "")"
    }

    private func text(_ memory: Memory) -> String {
        "memory of \(memory.device) (\(memory.space)): \(Quantity.bytes.shown(memory.plannedBytes)) planned, lower bound \(Quantity.bytes.shown(memory.lowerBoundBytes))"
    }

    private func text(_ pass: Pass) -> String {
        let owner = pass.plugin.map { " of \($0)" } ?? ""
        let figures = (pass.figures ?? [:]).sorted { $0.key < $1.key }.map { ", \($0.value) \($0.key)" }.joined()
        return
            "pass \(pass.name)\(owner): \(pass.rewrites) \(pass.rewrites == 1 ? "rewrite" : "rewrites"), \(pass.nodesBefore) → \(pass.nodesAfter) nodes\(figures)"
    }

    private func text(_ pin: Pin) -> String {
        let change = pin.seconds - pin.secondsWithout
        let effect =
            change > 0
            ? "costs \(secondsText(change)) against the automatic choice" : change < 0 ? "saves \(secondsText(-change))" : "costs nothing"
        return "--place \(pin.rule): \(pin.nodes.count) \(pin.nodes.count == 1 ? "node" : "nodes"); \(effect)"
    }

    private func padded(_ text: String, _ width: Int) -> String {
        if text.count > width { return text.prefix(max(width - 1, 0)) + "…" }
        return text + String(repeating: " ", count: width - text.count)
    }
}

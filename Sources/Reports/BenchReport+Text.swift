// SPDX-License-Identifier: Apache-2.0
package import Benchmark
import Foundation
import HardwareModel

extension BenchReport {
    /// Whether a device gave a wrong result, failed, or was quicker than its own description.
    package var hasWrongResults: Bool {
        let measurements = operators.map(\.plugin) + models.map(\.plugin)
        return measurements.contains { [.wrong, .failed, .refused].contains($0.status) }
    }

    /// For a terminal.
    package var table: String {
        var blocks = [header]
        if !launch.isEmpty {
            blocks.append(
                Self.aligned(
                    [["launch on one element", "many in a row", "host's part", "one, waited for"]]
                        + launch.map {
                            [
                                $0.device, secondsText($0.throughput.median), secondsText($0.submission.median),
                                secondsText($0.roundTrip.median),
                            ]
                        }))
        }
        if !operators.isEmpty {
            blocks.append(block("operator", operators.map { ($0.id, $0.work, $0.plugin, $0.reference, $0.ratio) }))
        }
        if !models.isEmpty { blocks.append(block("network", models.map { ($0.id, $0.work, $0.plugin, $0.reference, $0.ratio) })) }
        let notes = (operators.map { ($0.id, $0.plugin) } + models.map { ($0.id, $0.plugin) }).compactMap { id, result in
            result.message.map { "\(id): \(result.status.rawValue): \($0)" }
        }
        if !notes.isEmpty { blocks.append(notes.joined(separator: "\n")) }
        return blocks.joined(separator: "\n\n")
    }

    private var header: String {
        var lines = ["\(plugin.device)  \(plugin.model.name)\(plugin.model.isSimulated ? " (simulated: its clock is a model's)" : "")"]
        for (word, roofline) in [("declared", plugin.declared), ("measured", plugin.measured)] {
            var facts = roofline.dataTypes.map { "\($0) \(operationRateText(roofline.peak(of: $0) ?? 0, $0))" }
            if roofline.bytesPerSecond > 0 { facts.insert("memory \(Quantity.bytesPerSecond.shown(roofline.bytesPerSecond))", at: 0) }
            if !facts.isEmpty { lines.append("  \(word): \(facts.joined(separator: ", "))") }
        }
        return lines.joined(separator: "\n")
    }

    private typealias Row = (id: String, work: Work, plugin: Measurement, reference: Measurement?, ratio: Statistics?)

    private func block(_ kind: String, _ rows: [Row]) -> String {
        let hasClock = rows.contains { $0.plugin.deviceClock != nil }
        var head = [kind, "median", "± %", "p10", "p90"]
        if hasClock { head += ["by its clock"] }
        head += ["first", "rate", "bandwidth", "of declared", "of measured", "memory"]
        if reference != nil { head += ["reference", "ratio"] }
        let lines = rows.map { row -> [String] in
            guard row.plugin.status == .measured, let host = row.plugin.host else { return [row.id, row.plugin.status.rawValue] }
            let type = row.work.dataType ?? ""
            var cells = [
                row.id, secondsText(host.median), threeDigits((host.uncertainty * 1000).rounded() / 10), secondsText(host.p10),
                secondsText(host.p90),
            ]
            if hasClock { cells.append(row.plugin.deviceClock.map { secondsText($0.median) } ?? "") }
            cells.append(row.plugin.first.map(secondsText) ?? "")
            cells.append(row.plugin.operationsPerSecond.map { operationRateText($0, type) } ?? "")
            cells.append(row.plugin.bytesPerSecond.map { Quantity.bytesPerSecond.shown($0) } ?? "")
            cells.append(row.plugin.shareOfDeclared.map(percent) ?? "")
            cells.append(row.plugin.shareOfMeasured.map(percent) ?? "")
            cells.append(row.plugin.memoryBytes.map { Quantity.bytes.shown($0) } ?? "")
            if reference != nil {
                cells.append(row.reference?.host.map { secondsText($0.median) } ?? row.reference?.status.rawValue ?? "")
                cells.append(row.ratio.map { threeDigits($0.median) } ?? "")
            }
            return cells
        }
        return Self.aligned([head] + lines)
    }

    private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

    /// The first column to the left, the others to the right.
    private static func aligned(_ rows: [[String]]) -> String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + padding : padding + cell
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// The measured points under the declared roof, or under the measured one where none is declared.
    package var rooflineChart: RooflineChart {
        let isDeclared = plugin.declared.bytesPerSecond > 0 && !plugin.declared.peaks.isEmpty
        return RooflineChart(
            title: "\(isDeclared ? "Declared" : "Measured") roofline of \(plugin.model.name)",
            isDeclared ? plugin.declared : plugin.measured,
            points: operators.compactMap { one in
                guard let rate = one.plugin.operationsPerSecond, let type = one.work.dataType else { return nil }
                return .init(
                    name: one.id, dataType: type, intensity: one.work.intensity, operationsPerSecond: rate,
                    share: isDeclared ? one.plugin.shareOfDeclared : one.plugin.shareOfMeasured)
            })
    }
}

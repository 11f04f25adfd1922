// SPDX-License-Identifier: Apache-2.0
import Foundation
package import HardwareModel

/// The way of the data: host, memories from the outermost to the innermost, compute units.
package struct MemoryChart {
    private struct Box {
        let name: String
        let lines: [String]
        let style: SVGDocument.Style
        /// Into or out of it; 0 is unknown.
        let bytesPerSecond: Int
    }

    private let model: DeviceModel

    package init(_ model: DeviceModel) { self.model = model }

    /// Boxes that are equally far from the compute units.
    private var rows: [[Box]] {
        var rows: [[Box]] = []
        rows.append(model.links.map(box))
        rows.append(model.spaces.filter { !$0.isOnChip }.map(box))
        let onChip = model.spaces.filter(\.isOnChip)
        for level in Set(onChip.map(\.level)).sorted(by: { ($0 == 0 ? .max : $0) > ($1 == 0 ? .max : $1) }) {
            rows.append(onChip.filter { $0.level == level }.map(box))
        }
        rows.append(model.units.map(box))
        // More than four boxes abreast have no room for their text.
        return rows.flatMap { row in stride(from: 0, to: row.count, by: 4).map { Array(row[$0..<min($0 + 4, row.count)]) } }
    }

    package var svg: String {
        let width = 600.0, margin = 14.0, gap = 10.0, between = 26.0
        let rows = rows
        let heights = rows.map { Double($0.map(\.lines.count).max() ?? 0) * 17 + 32 }
        var picture = SVGDocument(
            width: width, height: 44 + heights.reduce(0, +) + between * Double(max(rows.count - 1, 0)) + margin,
            title: "Memory of \(model.name)")
        picture.text("Memory of \(model.name)", margin, 24, size: 15, isBold: true, fitting: width - 2 * margin)
        var y = 40.0
        for (row, height) in zip(rows, heights) {
            let boxWidth = (width - 2 * margin - gap * Double(row.count - 1)) / Double(row.count)
            for (index, box) in row.enumerated() {
                let x = margin + Double(index) * (boxWidth + gap)
                if y > 40 {
                    picture.line(x + boxWidth / 2, y - between, x + boxWidth / 2, y, .soft, thickness: thickness(box.bytesPerSecond))
                }
                picture.box(x, y, boxWidth, height, box.style)
                picture.text(box.name, x + 10, y + 20, isBold: true, fitting: boxWidth - 20)
                for (number, line) in box.lines.enumerated() {
                    picture.text(line, x + 10, y + 38 + 17 * Double(number), .soft, size: 12, fitting: boxWidth - 16)
                }
            }
            y += height + between
        }
        return picture.text
    }

    /// Grows with the order of magnitude: 1 at 1 GB/s, 7 at 100 TB/s.
    private func thickness(_ bytesPerSecond: Int) -> Double {
        bytesPerSecond > 0 ? min(max(1 + 1.2 * (log10(Double(bytesPerSecond)) - 9), 1), 8) : 1
    }

    private func box(_ space: MemorySpace) -> Box {
        let capacity = space.capacityBytes > 0 ? Quantity.bytes.shown(space.capacityBytes) : "size unknown"
        return Box(
            name: space.name,
            lines: [space.count > 1 ? "\(space.count) × \(capacity)" : capacity]
                + speed(space.bandwidthBytesPerSecond, space.latencyPicoseconds),
            style: .memory, bytesPerSecond: space.bandwidthBytesPerSecond)
    }

    private func box(_ link: Link) -> Box {
        Box(
            name: link.destination == "host" ? "host" : "link to \(link.destination)",
            lines: speed(link.bandwidthBytesPerSecond, link.latencyPicoseconds), style: .link, bytesPerSecond: link.bandwidthBytesPerSecond)
    }

    private func box(_ unit: ComputeUnit) -> Box {
        let tile = unit.tile
        let shape = unit.kind == .matrix ? ["tile \(tile.m) × \(tile.n) × \(tile.k)"] : tile.n > 0 ? ["\(tile.n) lanes"] : []
        let clock = unit.clockHertz > 0 ? " at \(Quantity.hertz.shown(unit.clockHertz))" : ""
        let peaks = model.roofline.peaks.filter { $0.unit == unit.name }.map {
            "\($0.dataType): \(operationRateText($0.operationsPerSecond, $0.dataType))"
        }
        return Box(name: "\(unit.count) × \(unit.name)\(clock)", lines: shape + peaks, style: .unit, bytesPerSecond: 0)
    }

    private func speed(_ bytesPerSecond: Int, _ latency: Int) -> [String] {
        (bytesPerSecond > 0 ? ["\(Quantity.bytesPerSecond.shown(bytesPerSecond))"] : [])
            + (latency > 0 ? [Quantity.picoseconds.shown(latency)] : [])
    }
}

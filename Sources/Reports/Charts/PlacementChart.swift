// SPDX-License-Identifier: Apache-2.0
package import Execution
import HardwareModel

/// Which device works when: a lane for each, nodes in their order from left to right, and lines where a value is copied.
package struct PlacementChart {
    private let explanation: Explanation

    package init(_ explanation: Explanation) { self.explanation = explanation }

    /// Nodes in a row on one device.
    private struct Stretch {
        let device: String
        var nodes: Range<Int>
    }

    private var stretches: [Stretch] {
        var stretches: [Stretch] = []
        for (index, node) in explanation.nodes.enumerated() where node.kernel != "folded" {
            if let last = stretches.last, last.device == node.device, last.nodes.upperBound == index {
                stretches[stretches.count - 1].nodes = last.nodes.lowerBound..<index + 1
            } else {
                stretches.append(Stretch(device: node.device, nodes: index..<index + 1))
            }
        }
        return stretches
    }

    package var svg: String {
        let stretches = stretches
        let lanes = ["host"] + explanation.devices
        let (left, right, top, height, gap) = (110.0, 16.0, 62.0, 40.0, 26.0)
        let width = 980.0
        var picture = SVGDocument(
            width: width, height: top + Double(lanes.count) * (height + gap) + 10, title: "Placement by \(explanation.strategy)")
        picture.text("Where the nodes run, in order", 14, 24, size: 15, isBold: true)
        picture.text(summary, 14, 44, .soft, size: 12, fitting: width - 28)
        let count = explanation.nodes.count
        let first = explanation.nodes.firstIndex { $0.kernel != "folded" } ?? 0
        func x(_ position: Int) -> Double { left + (width - left - right) * Double(position - first) / Double(max(count - first, 1)) }
        func y(_ lane: Int) -> Double { top + Double(lane) * (height + gap) }
        for (index, lane) in lanes.enumerated() {
            picture.text(lane, left - 12, y(index) + height / 2 + 4, anchor: .end, isBold: true, fitting: left - 24)
            picture.line(left, y(index) + height / 2, width - right, y(index) + height / 2)
        }
        for copy in explanation.copies {
            guard let from = lanes.firstIndex(of: copy.from), let to = lanes.firstIndex(of: copy.to) else { continue }
            let start = copy.maker.map { x($0 + 1) } ?? copy.reader.map(x) ?? left
            let end = copy.reader.map(x) ?? x(count)
            let isDown = to > from
            picture.polyline(
                [(start, y(from) + (isDown ? height : 0)), (end, y(to) + (isDown ? 0 : height))], .link, thickness: 1)
        }
        for stretch in stretches {
            guard let lane = lanes.firstIndex(of: stretch.device) else { continue }
            let boxWidth = max(x(stretch.nodes.upperBound) - x(stretch.nodes.lowerBound) - 1, 1.5)
            picture.box(x(stretch.nodes.lowerBound), y(lane), boxWidth, height, .unit, radius: min(4, boxWidth / 3), hint: hint(stretch))
            if boxWidth > 34 {
                picture.text(
                    stretch.nodes.count == 1 ? explanation.nodes[stretch.nodes.lowerBound].operator : "\(stretch.nodes.count) nodes",
                    x(stretch.nodes.lowerBound) + boxWidth / 2, y(lane) + height / 2 + 4, size: 12, anchor: .middle, fitting: boxWidth - 6)
            }
        }
        return picture.text
    }

    private var summary: String {
        let copies = explanation.copies.count
        let words = explanation.choice.map { choice in
            ["expected: \(secondsText(choice.seconds)), of which copies \(secondsText(choice.copySeconds))"]
                + explanation.devices.compactMap { device in
                    choice.secondsOnOneDevice[device].map { "all on \(device): \(secondsText($0))" }
                }
        }
        return ((words ?? ["strategy \(explanation.strategy)"]) + ["\(copies) \(copies == 1 ? "copy" : "copies")"]).joined(
            separator: "  ·  ")
    }

    private func hint(_ stretch: Stretch) -> String {
        let nodes = explanation.nodes[stretch.nodes]
        let names =
            nodes.prefix(12).map { "\($0.name) (\($0.operator)) by \($0.kernel)" }
            + (nodes.count > 12 ? ["and \(nodes.count - 12) more"] : [])
        return ([stretch.device, secondsText(nodes.reduce(0) { $0 + ($1.seconds ?? 0) })] + names).joined(separator: "\n")
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Execution
import HardwareModel

/// One device's arena over the time of a run: a rectangle for each tensor, from its first step to its last and from its lowest address to its highest.
package struct MemoryPlanChart {
    private let memory: Explanation.Memory

    package init(_ memory: Explanation.Memory) { self.memory = memory }

    package var svg: String {
        let (left, right, top, plotHeight, width) = (86.0, 16.0, 62.0, 320.0, 980.0)
        var picture = SVGDocument(width: width, height: top + plotHeight + 44, title: "Memory plan of \(memory.device)")
        picture.text("Memory of \(memory.device) over the steps of a run", 14, 24, size: 15, isBold: true)
        picture.text(
            "planned \(Quantity.bytes.shown(memory.plannedBytes)), at least \(Quantity.bytes.shown(memory.lowerBoundBytes)) live at once (line); \(memory.tensors.count) tensors in \(memory.space)",
            14, 44, .soft, size: 12, fitting: width - 28)
        let highest = Double(max(memory.plannedBytes, 1))
        let steps = Double(max(memory.steps, (memory.tensors.map(\.last).max() ?? 0) + 1, 1))
        func x(_ step: Int) -> Double { left + (width - left - right) * Double(step) / steps }
        func y(_ offset: Int) -> Double { top + plotHeight * (1 - Double(offset) / highest) }
        picture.line(left, top, left, top + plotHeight)
        picture.line(left, top + plotHeight, width - right, top + plotHeight)
        picture.text("0", left - 8, top + plotHeight + 4, .soft, size: 12, anchor: .end)
        picture.text(Quantity.bytes.shown(memory.plannedBytes), left - 8, top + 4, .soft, size: 12, anchor: .end)
        picture.text("step 0", left, top + plotHeight + 20, .soft, size: 12)
        picture.text("step \(Int(steps))", width - right, top + plotHeight + 20, .soft, size: 12, anchor: .end)
        for tensor in memory.tensors where tensor.bytes > 0 {
            let high = y(tensor.offset + tensor.bytes)
            picture.box(
                x(tensor.first), high, max(x(tensor.last + 1) - x(tensor.first), 0.8), max(y(tensor.offset) - high, 0.4), .memory,
                radius: 0,
                hint: "\(Quantity.bytes.shown(tensor.bytes)) at \(tensor.offset), steps \(tensor.first) to \(tensor.last)")
        }
        let bound = y(memory.lowerBoundBytes)
        picture.polyline([(left, bound), (width - right, bound)], .link, thickness: 1.5)
        return picture.text
    }
}

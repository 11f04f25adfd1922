// SPDX-License-Identifier: Apache-2.0
import Foundation
package import HardwareModel

/// A roofline on logarithmic axes, with measured points if there are any.
package struct RooflineChart {
    package struct Point {
        package let name: String
        package let dataType: String
        /// Operations per byte, and operations per second.
        package let intensity: Double
        package let operationsPerSecond: Double
        /// Of what the roof allows there; nil where no roof is known.
        package let share: Double?

        package init(name: String, dataType: String, intensity: Double, operationsPerSecond: Double, share: Double?) {
            self.name = name
            self.dataType = dataType
            self.intensity = intensity
            self.operationsPerSecond = operationsPerSecond
            self.share = share
        }
    }

    private let title: String
    private let roofline: Roofline
    private let points: [Point]

    /// - Parameter roofline: drawn only if both its bandwidth and a peak are known.
    package init(title: String, _ roofline: Roofline, points: [Point] = []) {
        self.title = title
        self.roofline = roofline
        self.points = points.filter { $0.intensity > 0 && $0.operationsPerSecond > 0 }
    }

    /// Types whose peaks are equal share a roof.
    private var roofs: [(peak: Double, label: String)] {
        let peaks = roofline.dataTypes.compactMap { type in roofline.peak(of: type).map { (peak: $0, type: type) } }
        return Set(peaks.map(\.peak)).sorted(by: >).map { peak in
            let types = peaks.filter { $0.peak == peak }.map(\.type)
            return (peak, "\(types.joined(separator: ", "))  \(operationRateText(peak, types[0]))")
        }
    }

    /// Nil where there is nothing to draw.
    package var svg: String? {
        let roofs = roofline.bytesPerSecond > 0 ? roofs : []
        let ridges = roofs.map { $0.peak / roofline.bytesPerSecond }
        let intensities = ridges + points.map(\.intensity)
        let rates = roofs.map(\.peak) + points.map(\.operationsPerSecond)
        guard let lowest = intensities.min(), let highest = intensities.max(), let slowest = rates.min(), let fastest = rates.max() else {
            return nil
        }
        let left = 62.0, right = 18.0, top = 48.0, plotHeight = 300.0, width = 600.0
        let x = Axis(from: min(lowest / 4, 0.125), to: highest * 20, start: left, end: width - right)
        let floor = points.isEmpty ? min(slowest, x.low * (roofs.isEmpty ? slowest : roofline.bytesPerSecond)) : slowest
        let y = Axis(from: floor / 2, to: fastest * 3, start: top + plotHeight, end: top)
        let rows = (points.count + 1) / 2
        let legendTop = top + plotHeight + 62
        var picture = SVGDocument(width: width, height: top + plotHeight + 52 + (rows > 0 ? Double(rows) * 16 + 22 : 0), title: title)
        picture.text(title, 14, 24, size: 15, isBold: true, fitting: width - 28)
        drawAxes(&picture, x, y)
        for roof in roofs {
            let ridge = roof.peak / roofline.bytesPerSecond
            let start = max(x.low, y.low / roofline.bytesPerSecond)
            guard ridge > start else { continue }
            picture.polyline(
                [(x[start], y[start * roofline.bytesPerSecond]), (x[ridge], y[roof.peak]), (x[x.high], y[roof.peak])], .roof)
            picture.text(roof.label, x[x.high] - 4, y[roof.peak] - 5, .roof, size: 12, anchor: .end)
        }
        if !roofs.isEmpty {
            let from = max(x.low, y.low / roofline.bytesPerSecond)
            let middle = (from * (ridges.min() ?? from)).squareRoot()
            picture.text(
                Quantity.bytesPerSecond.shown(roofline.bytesPerSecond), x[middle] - 6, y[middle * roofline.bytesPerSecond] - 6, .roof,
                size: 12,
                anchor: .end)
        }
        for (index, point) in points.enumerated() {
            let number = "\(index + 1)"
            let share = point.share.map { ", \(threeDigits($0 * 100)) %" } ?? ""
            let line = "\(point.name)  \(operationRateText(point.operationsPerSecond, point.dataType))\(share)"
            let (px, py) = (x[point.intensity], y[point.operationsPerSecond])
            picture.dot(px, py, radius: 4, .point, hint: line)
            picture.text(number, px + 6, py + 4, .point, size: 10)
            let column = Double(index / rows), row = Double(index % rows)
            picture.text("\(number)  \(point.name)\(share)", 14 + column * 292, legendTop + row * 16, .soft, size: 11, fitting: 284)
        }
        return picture.text
    }

    private func drawAxes(_ picture: inout SVGDocument, _ x: Axis, _ y: Axis) {
        for decade in x.decades {
            picture.line(x[decade], y.start, x[decade], y.end)
            picture.text(powerText(decade), x[decade], y.start + 18, .soft, size: 12, anchor: .middle)
        }
        for decade in y.decades {
            picture.line(x.start, y[decade], x.end, y[decade])
            picture.text(prefixText(decade), x.start - 6, y[decade] + 4, .soft, size: 12, anchor: .end)
        }
        picture.line(x.start, y.start, x.end, y.start, .soft)
        picture.line(x.start, y.start, x.start, y.end, .soft)
        picture.text("operations per byte of memory", (x.start + x.end) / 2, y.start + 38, .soft, size: 12, anchor: .middle)
        picture.text("operations per second", x.start - 48, y.end - 8, .soft, size: 12)
    }

    private func powerText(_ value: Double) -> String { value >= 1 ? "\(Int(value))" : threeDigits(value) }

    private func prefixText(_ value: Double) -> String {
        let prefixes = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
        guard let prefix = prefixes.first(where: { value >= $0.0 * 0.999 }) else { return threeDigits(value) }
        return "\(threeDigits(value / prefix.0)) \(prefix.1)"
    }
}

/// A logarithmic axis over at least one decade.
private struct Axis {
    let low, high, start, end: Double

    init(from low: Double, to high: Double, start: Double, end: Double) {
        self.low = low
        self.high = max(high, low * 10)
        self.start = start
        self.end = end
    }

    subscript(value: Double) -> Double { start + (end - start) * log10(value / low) / log10(high / low) }

    /// Powers of ten within, at most ten of them.
    var decades: [Double] {
        let (first, last) = (Int(log10(low).rounded(.up)), Int(log10(high).rounded(.down)))
        guard first <= last else { return [] }
        return stride(from: first, through: last, by: max((last - first) / 9, 1)).map { pow(10, Double($0)) }
    }
}

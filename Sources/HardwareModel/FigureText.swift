// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tensors

extension Quantity {
    /// A figure to three significant digits, for a person: `14.5 GB/s`. `text` is the exact one.
    package func shown(_ value: Double) -> String {
        let units: [(name: String, factor: Double)] =
            switch self {
            case .bytes: [("B", 1), ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("TiB", 1_099_511_627_776)]
            case .bytesPerSecond: [("B/s", 1), ("kB/s", 1e3), ("MB/s", 1e6), ("GB/s", 1e9), ("TB/s", 1e12)]
            case .picoseconds: [("ps", 1), ("ns", 1e3), ("µs", 1e6), ("ms", 1e9), ("s", 1e12)]
            case .hertz: [("Hz", 1), ("kHz", 1e3), ("MHz", 1e6), ("GHz", 1e9)]
            }
        return threeDigits(value, in: units)
    }

    package func shown(_ value: Int) -> String { shown(Double(value)) }
}

/// `295 TFLOP/s`; `OP/s` of types that are no floating-point numbers.
package func operationRateText(_ perSecond: Double, _ dataType: String) -> String {
    let isFloat = DataType.allCases.first { $0.name == dataType }?.isFloat ?? true
    let word = isFloat ? "FLOP/s" : "OP/s"
    return threeDigits(
        perSecond, in: [(word, 1), ("k\(word)", 1e3), ("M\(word)", 1e6), ("G\(word)", 1e9), ("T\(word)", 1e12), ("P\(word)", 1e15)])
}

package func secondsText(_ seconds: Double) -> String { Quantity.picoseconds.shown(seconds * 1e12) }

/// In the largest unit of which there is at least one.
private func threeDigits(_ value: Double, in units: [(name: String, factor: Double)]) -> String {
    // 999.6 kB is 1 MB in three digits.
    let unit = units.last { value >= $0.factor * 0.9995 } ?? units[0]
    return "\(threeDigits(value / unit.factor)) \(unit.name)"
}

/// At least three digits, and no zeros behind the point: 1.5, 73.7, 295, 1048576.
package func threeDigits(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
    let decimals = max(0, 2 - Int(log10(abs(value)).rounded(.down)))
    guard decimals <= 12 else { return String(format: "%.2e", value) }
    var text = String(format: "%.\(decimals)f", value)
    if text.contains(".") {
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
    }
    return text
}

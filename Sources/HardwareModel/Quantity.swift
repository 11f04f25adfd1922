// SPDX-License-Identifier: Apache-2.0

/// A physical figure of a hardware model, kept as a whole number of its base unit and written by people with a prefix: `1.5 GHz`.
package enum Quantity: String, CaseIterable, Sendable {
    case bytes, bytesPerSecond, picoseconds, hertz

    /// Units that a figure may carry, the base unit first; the number of base units in each.
    package var units: [(name: String, factor: Int)] {
        switch self {
        case .bytes: Self.byteUnits
        case .bytesPerSecond: Self.byteUnits.map { ("\($0.name)/s", $0.factor) }
        case .picoseconds:
            [("ps", 1), ("ns", 1000), ("us", 1_000_000), ("µs", 1_000_000), ("ms", 1_000_000_000), ("s", 1_000_000_000_000)]
        case .hertz: [("Hz", 1), ("kHz", 1000), ("MHz", 1_000_000), ("GHz", 1_000_000_000)]
        }
    }

    private static let byteUnits: [(name: String, factor: Int)] = [
        ("B", 1), ("kB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
    ]

    /// What a figure has to look like, for error messages.
    package var expectation: String {
        switch self {
        case .bytes: "bytes, such as 65536 or '64 KiB'"
        case .bytesPerSecond: "bytes per second, such as '1.2 TB/s'"
        case .picoseconds: "a time, such as '500 ns', or picoseconds"
        case .hertz: "a frequency, such as '1.5 GHz', or hertz"
        }
    }

    /// Reads `1200000`, `1.2 MB` or `1.2MB`. Nil where it is no figure of this quantity, or too large.
    package func parse(_ text: String) -> Int? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        var unit = text[number.endIndex...]
        guard let value = Self.decimal(number) else { return nil }
        if unit.isEmpty { return Int(number) }
        if unit.first == " " { unit.removeFirst() }
        guard let factor = units.first(where: { $0.name == unit })?.factor else { return nil }
        if let whole = Int(number) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
            return overflow ? nil : product
        }
        return Int(exactly: (value * Double(factor)).rounded())
    }

    /// The shortest text that reads as `value` again; of several, that with the largest unit.
    package func text(_ value: Int) -> String {
        let candidates = units.map { unit in (text: "\(Self.digits(value, in: unit.factor)) \(unit.name)", factor: unit.factor) }
            .filter { parse($0.text) == value }
        return candidates.min { ($0.text.count, -$0.factor) < ($1.text.count, -$1.factor) }?.text ?? "\(value)"
    }

    /// `value / factor` with at most six decimals.
    private static func digits(_ value: Int, in factor: Int) -> String {
        let scaled = (Double(value) / Double(factor) * 1e6).rounded()
        guard scaled < 1e15, let whole = Int(exactly: scaled) else { return "\(value / factor)" }
        var fraction = String(1_000_000 + whole % 1_000_000).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return fraction.isEmpty ? "\(whole / 1_000_000)" : "\(whole / 1_000_000).\(fraction)"
    }

    /// Digits with at most one point between them, and no leading zero.
    static func decimal(_ text: some StringProtocol) -> Double? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }) else { return nil }
        guard parts[0].count == 1 || parts[0].first != "0" else { return nil }
        return Double(String(text))
    }
}

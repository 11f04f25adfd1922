// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A picture as SVG text: colours follow the reader's light or dark setting, text can be selected and searched, names are escaped.
package struct SVGDocument {
    package let width: Double
    package var height: Double
    package let title: String
    private var elements: [String] = []

    /// Classes of the style sheet.
    package enum Style: String {
        case ink, soft, line, panel, roof, point, memory, unit, link
    }

    package enum Anchor: String { case start, middle, end }

    package init(width: Double, height: Double, title: String) {
        self.width = width
        self.height = height
        self.title = title
    }

    package mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: Style = .line, thickness: Double = 1) {
        add(
            "<line x1=\"\(n(x1))\" y1=\"\(n(y1))\" x2=\"\(n(x2))\" y2=\"\(n(y2))\" class=\"\(style.rawValue)\" stroke-width=\"\(n(thickness))\"/>"
        )
    }

    package mutating func polyline(_ points: [(x: Double, y: Double)], _ style: Style, thickness: Double = 2) {
        let list = points.map { "\(n($0.x)),\(n($0.y))" }.joined(separator: " ")
        add("<polyline points=\"\(list)\" class=\"\(style.rawValue)\" fill=\"none\" stroke-width=\"\(n(thickness))\"/>")
    }

    /// - Parameters:
    ///   - radius: of its corners.
    ///   - hint: shown where a pointer rests on it.
    package mutating func box(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: Style, radius: Double = 4, hint: String? = nil
    ) {
        let shape =
            "<rect x=\"\(n(x))\" y=\"\(n(y))\" width=\"\(n(width))\" height=\"\(n(height))\" rx=\"\(n(radius))\" class=\"\(style.rawValue)\""
        add(hint.map { "\(shape)><title>\(escaped($0))</title></rect>" } ?? "\(shape)/>")
    }

    /// - Parameter hint: shown where a pointer rests on it.
    package mutating func dot(_ x: Double, _ y: Double, radius: Double, _ style: Style, hint: String) {
        add(
            "<circle cx=\"\(n(x))\" cy=\"\(n(y))\" r=\"\(n(radius))\" class=\"\(style.rawValue)\"><title>\(escaped(hint))</title></circle>")
    }

    /// - Parameter fitting: text that would be wider is shortened; what was cut shows where a pointer rests on it.
    package mutating func text(
        _ text: String, _ x: Double, _ y: Double, _ style: Style = .ink, size: Double = 13, anchor: Anchor = .start, isBold: Bool = false,
        fitting limit: Double? = nil
    ) {
        // A letter of the usual sans-serif faces is about 0.56 of its size wide.
        let most = limit.map { max(Int($0 / (size * 0.56)), 1) } ?? .max
        let isCut = text.count > most
        let shown = isCut ? text.prefix(most - 1) + "…" : text[...]
        add(
            "<text x=\"\(n(x))\" y=\"\(n(y))\" class=\"\(style.rawValue)\" font-size=\"\(n(size))\" text-anchor=\"\(anchor.rawValue)\""
                + (isBold ? " font-weight=\"600\"" : "")
                + ">\(escaped(String(shown)))\(isCut ? "<title>\(escaped(text))</title>" : "")</text>")
    }

    package var text: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(n(width)) \(n(height))" style="width: 100%; max-width: \(n(width * 1.7))px" role="img" aria-label="\(escaped(title))">
        <title>\(escaped(title))</title>
        <style>
        svg { --ink: #1c2128; --soft: #57606a; --line: #d5dae0; --paper: #ffffff; --panel: #f5f7f9; --blue: #0b57a4; --green: #1a7f37; --amber: #8a5a00; background: var(--paper); }
        @media (prefers-color-scheme: dark) { svg { --ink: #e3e8ee; --soft: #9aa5b1; --line: #363d46; --paper: #14181d; --panel: #1c2229; --blue: #7fb4ff; --green: #57c271; --amber: #e0b050; } }
        text { font-family: system-ui, sans-serif; fill: var(--ink); stroke: none; } text.soft { fill: var(--soft); } text.roof { fill: var(--blue); }
        line, polyline { stroke: var(--line); } .ink { stroke: var(--ink); } .soft { stroke: var(--soft); } .roof { stroke: var(--blue); } line.link, polyline.link { stroke: var(--amber); }
        rect { fill: var(--panel); stroke: var(--line); } rect.memory { stroke: var(--blue); } rect.unit { stroke: var(--green); } rect.link { stroke: var(--amber); }
        circle { fill: var(--green); stroke: var(--paper); } text.ink, text.soft, text.point { stroke: none; }
        text.roof { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
        </style>
        <rect x="0" y="0" width="\(n(width))" height="\(n(height))" style="fill: var(--paper); stroke: none"/>
        \(elements.joined(separator: "\n"))
        </svg>

        """
    }

    private mutating func add(_ element: String) { elements.append(element) }

    private func n(_ value: Double) -> String {
        let rounded = (value * 100).rounded() / 100
        return Int(exactly: rounded).map(String.init) ?? "\(rounded)"
    }

    private func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            // XML has no way to write most control characters.
            case _ where scalar.value < 32 || scalar.value == 0xfffe || scalar.value == 0xffff: result += "\u{fffd}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

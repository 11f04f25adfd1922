// SPDX-License-Identifier: Apache-2.0
import Yams

/// A description that cannot be read: where, and what was expected there.
package struct DescriptionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Empty where the text came from no file.
    package var file: String
    /// Counted from 1; 0 where the fault has no place.
    package let line: Int
    package let column: Int
    package let message: String

    package init(file: String = "", line: Int = 0, column: Int = 0, _ message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    package var description: String {
        let place = line > 0 ? "line \(line), column \(column)" : ""
        return [file, place, message].filter { !$0.isEmpty }.joined(separator: ": ")
    }

    init(_ node: Node, _ message: String) {
        self.init(line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, message)
    }
}

/// A YAML mapping whose keys are known: every key is one of `Key`, every value is read as what it has to be, and whatever is wrong is
/// refused with its place.
struct YAMLFields<Key: CodingKey & CaseIterable> {
    private let node: Node
    private let path: String
    private var values: [String: Node] = [:]

    init(_ node: Node, path: String = "") throws(DescriptionError) {
        self.node = node
        self.path = path
        guard let mapping = node.mapping else {
            throw DescriptionError(node, "\(path.isEmpty ? "the file" : path): expected keys and values, not \(node.shownForError)")
        }
        let known = Key.allCases.map(\.stringValue)
        for (keyNode, value) in mapping {
            guard let key = keyNode.string, known.contains(key) else {
                let text = keyNode.string ?? ""
                throw DescriptionError(
                    keyNode,
                    "\(path.isEmpty ? "" : "\(path): ")unknown key '\(text)'; the nearest known one is '\(nearest(to: text, in: known))'")
            }
            values[key] = value
        }
    }

    func contains(_ key: Key) -> Bool { values[key.stringValue] != nil }

    /// Text; nil as the default makes the key required.
    func text(_ key: Key, default fallback: String? = nil) throws(DescriptionError) -> String {
        try value(key, fallback, "text (in quotes where it looks like a number)") { node in
            guard let scalar = node.scalar, node.tag == Tag(.str), fallback != nil || !scalar.string.isEmpty else { return nil }
            return scalar.string
        }
    }

    func flag(_ key: Key, default fallback: Bool) throws(DescriptionError) -> Bool {
        try value(key, fallback, "true or false") { node in node.tag == Tag(.bool) ? node.bool : nil }
    }

    func integer(_ key: Key, in range: ClosedRange<Int>, default fallback: Int? = nil) throws(DescriptionError) -> Int {
        try value(key, fallback, "a whole number from \(range.lowerBound) to \(range.upperBound)") { node in
            guard let scalar = node.scalar, scalar.style == .plain, Quantity.decimal(scalar.string) != nil, let number = Int(scalar.string)
            else { return nil }
            return range.contains(number) ? number : nil
        }
    }

    func integers(_ key: Key, in range: ClosedRange<Int>) throws(DescriptionError) -> [Int] {
        try value(key, nil, "a list of whole numbers from \(range.lowerBound) to \(range.upperBound)") { node in
            guard let entries = node.sequence, !entries.isEmpty, entries.count <= 64 else { return nil }
            let numbers = entries.compactMap { $0.scalar.flatMap { Int($0.string) } }.filter(range.contains)
            return numbers.count == entries.count ? numbers : nil
        }
    }

    func number(_ key: Key) throws(DescriptionError) -> Double {
        try value(key, nil, "a number greater than 0") { node in
            guard let scalar = node.scalar, scalar.style == .plain, let number = Quantity.decimal(scalar.string) else { return nil }
            return number > 0 && number.isFinite ? number : nil
        }
    }

    func quantity(_ key: Key, _ quantity: Quantity, default fallback: Int = 0) throws(DescriptionError) -> Int {
        try value(key, fallback, quantity.expectation) { node in node.scalar.flatMap { quantity.parse($0.string) } }
    }

    func choice<Choice: CaseIterable & RawRepresentable<String>>(_ key: Key, of type: Choice.Type) throws(DescriptionError) -> Choice {
        let names = Choice.allCases.map(\.rawValue)
        return try value(key, nil, "one of \(names.joined(separator: ", "))") { node in node.scalar.flatMap { Choice(rawValue: $0.string) }
        }
    }

    /// A data type's name; nil as the default makes the key required.
    func text(_ key: Key, among names: [String], default fallback: String? = nil) throws(DescriptionError) -> String {
        try value(key, fallback, "one of \(names.filter { !$0.isEmpty }.joined(separator: ", "))") { node in
            node.scalar.flatMap { names.contains($0.string) ? $0.string : nil }
        }
    }

    /// A list of mappings; empty where the key is absent.
    func list<Element, ElementKey>(
        _ key: Key, atMost most: Int = 256, _ read: (YAMLFields<ElementKey>) throws(DescriptionError) -> Element
    ) throws(DescriptionError) -> [Element] {
        guard contains(key) else { return [] }
        let elements = try value(key, nil, "a list of at most \(most) entries, each beginning with '- '") { node in
            node.sequence.flatMap { $0.count <= most ? Array($0) : nil }
        }
        var result: [Element] = []
        for (index, element) in elements.enumerated() {
            result.append(try read(YAMLFields<ElementKey>(element, path: "\(fullPath(key))[\(index)]")))
        }
        return result
    }

    func mapping<Element, ElementKey>(
        _ key: Key, default fallback: Element, _ read: (YAMLFields<ElementKey>) throws(DescriptionError) -> Element
    ) throws(DescriptionError) -> Element {
        guard let node = values[key.stringValue] else { return fallback }
        return try read(YAMLFields<ElementKey>(node, path: fullPath(key)))
    }

    private func value<Value>(
        _ key: Key, _ fallback: Value?, _ expectation: String, _ read: (Node) -> Value?
    ) throws(DescriptionError) -> Value {
        guard let found = values[key.stringValue] else {
            if let fallback { return fallback }
            throw DescriptionError(
                node, "\(path.isEmpty ? "" : "\(path): ")the key '\(key.stringValue)' is missing; expected \(expectation)")
        }
        guard let value = read(found) else {
            throw DescriptionError(found, "\(fullPath(key)): expected \(expectation), not \(found.shownForError)")
        }
        return value
    }

    private func fullPath(_ key: Key) -> String { path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)" }
}

extension Node {
    fileprivate var shownForError: String {
        switch self {
        case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "'\(scalar.string.prefix(60))'"
        case .sequence: "a list"
        case .mapping: "a mapping"
        case .alias: "an alias"
        }
    }
}

/// The candidate with the fewest edits from `text`.
private func nearest(to text: String, in candidates: [String]) -> String {
    let lowered = text.lowercased()
    // A key's own beginning counts for more than its length: 'bandwidth' means 'bandwidthBytesPerSecond'.
    func cost(_ candidate: String) -> Int {
        let candidate = candidate.lowercased()
        return candidate.hasPrefix(lowered) && !lowered.isEmpty ? 0 : editDistance(lowered, candidate)
    }
    return candidates.min { cost($0) < cost($1) } ?? ""
}

/// Levenshtein's distance. Of long texts only the beginning counts.
private func editDistance(_ first: String, _ second: String) -> Int {
    let (first, second) = (Array(first.prefix(64)), Array(second.prefix(64)))
    var row = Array(0...second.count)
    for (i, character) in first.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, other) in second.enumerated() {
            (diagonal, row[j + 1]) = (row[j + 1], min(row[j] + 1, row[j + 1] + 1, diagonal + (character == other ? 0 : 1)))
        }
    }
    return row[second.count]
}

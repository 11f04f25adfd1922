// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators on strings. The stack runs them itself.
let textOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "StringConcat", since: [20], "(X: string, Y: string) -> (Z: string)", numericClass: .movement,
        isHostOperator: true,
        infer: { context throws(OperatorError) in
            [.tensor(.string, try broadcastOutput([try context.input(0).shape, try context.input(1).shape]))]
        },
        reference: { context throws(OperatorError) in
            let shape = context.output(0).shape
            let (left, right) = (try context.input(0).broadcast(to: shape), try context.input(1).broadcast(to: shape))
            return [ReferenceTensor(.string, shape, .strings(zip(left.texts, right.texts).map { $0 + $1 }))]
        }),
    OperatorDefinition(
        "StringSplit", since: [20], "(X: string) -> (Y: string, Z: int64)",
        attributes: ["delimiter": .string(""), "maxsplit": .optional(.int)], numericClass: .movement,
        isHostOperator: true,
        infer: { context throws(OperatorError) in
            let texts = try context.value(0)
            let longest = split(texts, context.attributes).map(\.count).max() ?? 0
            return [.tensor(.string, try possible(texts.shape + [longest])), .tensor(.int64, texts.shape)]
        },
        reference: { context throws(OperatorError) in
            let texts = try context.input(0)
            let parts = split(texts, context.attributes)
            let longest = context.output(0).shape.last ?? 0
            let padded = parts.flatMap { $0 + Array(repeating: "", count: longest - $0.count) }
            return [
                ReferenceTensor(.string, context.output(0).shape, .strings(padded)),
                ReferenceTensor(.int64, texts.shape, .integers(parts.map { Int64($0.count) })),
            ]
        }),
    OperatorDefinition(
        "StringNormalizer", since: [10], "(X: string) -> (Y: string)",
        attributes: [
            "case_change_action": .string("NONE"), "is_case_sensitive": .int(0), "locale": .optional(.string),
            "stopwords": .optional(.strings),
        ],
        numericClass: .movement, isHostOperator: true,
        infer: { context throws(OperatorError) in
            let result = try normalized(try context.value(0), context.attributes)
            return [.tensor(.string, result.shape)]
        },
        reference: { context throws(OperatorError) in [try normalized(try context.input(0), context.attributes)] }),
    OperatorDefinition(
        "RegexFullMatch", since: [20], "(X: string) -> (Y: bool)", attributes: ["pattern": .string("")],
        numericClass: .movement,
        isHostOperator: true,
        infer: { context throws(OperatorError) in [.tensor(.bool, try context.input(0).shape)] },
        reference: { context throws(OperatorError) in
            let (texts, pattern) = (try context.input(0), context.attributes.string("pattern")!)
            // RE2 counts in code points, knows \w, \d and \s for ASCII alone, and finds \b wherever \w begins or ends.
            guard
                let expression = try? Regex(pattern).matchingSemantics(.unicodeScalar).asciiOnlyCharacterClasses()
                    .wordBoundaryKind(.simple)
            else {
                throw .unsupported("the pattern '\(pattern)' is no regular expression that is supported")
            }
            let matches = texts.texts.map { (try? expression.wholeMatch(in: $0)) != nil }
            return [ReferenceTensor(.bool, texts.shape, .integers(matches.map { $0 ? 1 : 0 }))]
        }),
]

extension ReferenceTensor {
    var texts: [String] {
        if case .strings(let values) = elements { return values }
        return []
    }
}

/// Each string cut at the delimiter, or at white space if that is empty; what is left after `maxsplit` cuts stays whole.
private func split(_ tensor: ReferenceTensor, _ attributes: NodeAttributes) -> [[String]] {
    let delimiter = Array((attributes.string("delimiter") ?? "").unicodeScalars)
    let limit = attributes.int("maxsplit").flatMap { $0 < 0 ? nil : $0 } ?? .max
    return tensor.texts.map { text in
        let scalars = Array(text.unicodeScalars)
        return (delimiter.isEmpty ? words(scalars[...], limit) : parts(scalars[...], delimiter, limit)).map { part in
            String(String.UnicodeScalarView(part))
        }
    }
}

private func words(_ text: ArraySlice<Unicode.Scalar>, _ limit: Int) -> [ArraySlice<Unicode.Scalar>] {
    var words: [ArraySlice<Unicode.Scalar>] = []
    var rest = text.drop { $0.properties.isWhitespace }
    while !rest.isEmpty {
        if words.count == limit { return words + [rest] }
        let word = rest.prefix { !$0.properties.isWhitespace }
        words.append(word)
        rest = rest[word.endIndex...].drop { $0.properties.isWhitespace }
    }
    return words
}

private func parts(_ text: ArraySlice<Unicode.Scalar>, _ delimiter: [Unicode.Scalar], _ limit: Int) -> [ArraySlice<
    Unicode.Scalar
>] {
    var parts: [ArraySlice<Unicode.Scalar>] = []
    var (start, position) = (text.startIndex, text.startIndex)
    while position + delimiter.count <= text.endIndex, parts.count < limit {
        if text[position..<position + delimiter.count].elementsEqual(delimiter) {
            parts.append(text[start..<position])
            position += delimiter.count
            start = position
        } else {
            position += 1
        }
    }
    return parts + [text[start...]]
}

/// Without the stop words, in the case that is asked for; one empty string if nothing is left.
private func normalized(_ tensor: ReferenceTensor, _ attributes: NodeAttributes) throws(OperatorError)
    -> ReferenceTensor
{
    let shape = tensor.shape
    try require(
        shape.count == 1 || shape.count == 2 && shape[0] == 1, "the input must have shape [C] or [1, C], not \(shape)")
    let isSensitive = attributes.flag("is_case_sensitive")
    let stopWords = Set((attributes.strings("stopwords") ?? []).map { isSensitive ? $0 : $0.lowercased() })
    var kept = tensor.texts.filter { !stopWords.contains(isSensitive ? $0 : $0.lowercased()) }
    switch attributes.string("case_change_action") {
    case "NONE": break
    case "LOWER": kept = kept.map { $0.lowercased() }
    case "UPPER": kept = kept.map { $0.uppercased() }
    case let other:
        throw .invalid("attribute 'case_change_action' must be 'LOWER', 'UPPER' or 'NONE', not '\(other ?? "")'")
    }
    if kept.isEmpty { kept = [""] }
    return ReferenceTensor(.string, shape.dropLast() + [kept.count], .strings(kept))
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

let ngramOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "TfIdfVectorizer", since: [9], "(X: T) -> (Y: float32)", types: ["T": TypeSet(.string, .int32, .int64)],
        attributes: [
            "max_gram_length": .required(.int), "max_skip_count": .required(.int), "min_gram_length": .required(.int),
            "mode": .required(.string), "ngram_counts": .required(.ints), "ngram_indexes": .required(.ints),
            "pool_int64s": .optional(.ints), "pool_strings": .optional(.strings), "weights": .optional(.floats),
        ],
        numericClass: .sum, isHostOperator: true,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            try require(
                x.shape.count == 1 || x.shape.count == 2, "the input must have one or two axes, not shape \(x.shape)")
            return [
                .tensor(
                    .float32, try possible(x.shape.dropLast() + [try GramPool(context.attributes, x.dataType).width]))
            ]
        },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            let pool = try GramPool(context.attributes, x.dataType)
            let tokens = x.dataType == .string ? x.texts : x.integers.map(String.init)
            let length = x.shape.last ?? 0
            var values: [Double] = []
            for row in 0..<product(x.shape.dropLast()) {
                values += pool.counts(Array(tokens[row * length..<(row + 1) * length]))
            }
            return [ReferenceTensor(.float32, context.output(0).shape, .floats(values))]
        })
]

/// The n-grams that are counted. Integers are held by their decimal text.
private struct GramPool {
    let width: Int
    private let lengths: ClosedRange<Int>
    private let skips: Int
    private let mode: String
    /// The number of each gram in the pool's order.
    private var grams: [[String]: Int] = [:]
    private let columns: [Int]
    private let weights: [Double]?

    init(_ attributes: NodeAttributes, _ type: DataType) throws(OperatorError) {
        let (shortest, longest) = (attributes.int("min_gram_length") ?? 0, attributes.int("max_gram_length") ?? 0)
        skips = attributes.int("max_skip_count") ?? 0
        try require(
            shortest > 0 && longest >= shortest && skips >= 0,
            "n-grams of \(shortest) to \(longest) tokens with \(skips) skips")
        lengths = shortest...longest
        mode = attributes.string("mode") ?? ""
        try require(["TF", "IDF", "TFIDF"].contains(mode), "mode '\(mode)' is unknown")
        columns = attributes.ints("ngram_indexes") ?? []
        weights = attributes.floats("weights")
        guard let last = columns.max(), columns.allSatisfy({ $0 >= 0 }), last < 1 << 40 else {
            throw .invalid("ngram_indexes holds no usable column")
        }
        width = last + 1
        try require(
            weights == nil || weights?.count == columns.count,
            "\(weights?.count ?? 0) weights for \(columns.count) n-grams")
        var tokens = attributes.ints("pool_int64s")?.map { "\($0)" }
        if let strings = attributes.strings("pool_strings") {
            try require(tokens == nil, "pool_int64s and pool_strings cannot both be given")
            try require(type == .string, "pool_strings needs an input of strings")
            tokens = strings
        } else {
            try require(type != .string, "pool_int64s needs an input of integers")
        }
        guard let tokens else { throw .invalid("either pool_int64s or pool_strings must be given") }
        let starts = attributes.ints("ngram_counts") ?? []
        var number = 0
        for (index, start) in starts.enumerated() {
            let (end, length) = (index + 1 < starts.count ? starts[index + 1] : tokens.count, index + 1)
            try require(
                start >= 0 && start <= end && end <= tokens.count && (end - start) % length == 0,
                "ngram_counts do not divide the pool")
            for first in stride(from: start, to: end, by: length) {
                grams[Array(tokens[first..<first + length])] = number
                number += 1
            }
        }
        try require(number == columns.count, "\(columns.count) ngram_indexes for \(number) n-grams")
    }

    /// How often each gram occurs in a line of tokens, with every distance from 1 to `skips` + 1 between them, weighted as the mode says.
    func counts(_ tokens: [String]) -> [Double] {
        var found = [Double](repeating: 0, count: columns.count)
        let longest = min(lengths.upperBound, tokens.count)
        for length in min(lengths.lowerBound, longest + 1)..<longest + 1 {
            // One token has no distance to another.
            for distance in 1...(length == 1 ? 1 : min(skips, tokens.count) + 1) {
                let reach = (length - 1) * distance
                guard reach < tokens.count else { break }
                for start in 0..<tokens.count - reach {
                    if let number = grams[stride(from: start, through: start + reach, by: distance).map { tokens[$0] }] {
                        found[number] += 1
                    }
                }
            }
        }
        var row = [Double](repeating: 0, count: width)
        for (number, count) in found.enumerated() {
            let frequency = mode == "IDF" ? min(count, 1) : count
            row[columns[number]] += mode == "TF" ? frequency : frequency * (weights?[number] ?? 1)
        }
        return row
    }
}

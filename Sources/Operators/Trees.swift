import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

let treeOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "TreeEnsemble", domain: "ai.onnx.ml", since: [5], "(X: T) -> (Y: T)",
        types: ["T": TypeSet(.float32, .float64, .float16)],
        attributes: [
            "aggregate_function": .int(1), "leaf_targetids": .required(.ints), "leaf_weights": .required(.tensor),
            "membership_values": .optional(.tensor), "n_targets": .optional(.int), "nodes_falseleafs": .required(.ints),
            "nodes_falsenodeids": .required(.ints), "nodes_featureids": .required(.ints),
            "nodes_hitrates": .optional(.tensor),
            "nodes_missing_value_tracks_true": .optional(.ints), "nodes_modes": .required(.tensor),
            "nodes_splits": .required(.tensor),
            "nodes_trueleafs": .required(.ints), "nodes_truenodeids": .required(.ints), "post_transform": .int(0),
            "tree_roots": .required(.ints),
        ],
        numericClass: .sum,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            try require(x.shape.count == 2, "X must have shape [rows, features], not \(x.shape)")
            let forest = try Forest(context.attributes, features: x.shape[1])
            return [.tensor(x.dataType, try possible([x.shape[0], forest.targets]))]
        },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            let (features, values) = (x.shape[1], x.floats)
            let forest = try Forest(context.attributes, features: features)
            var scores: [Double] = []
            for row in 0..<x.shape[0] { scores += try forest.scores(values[row * features..<(row + 1) * features]) }
            return [ReferenceTensor(x.dataType, context.output(0).shape, .floats(scores))]
        })
]

/// Decision trees as parallel lists; every index is checked before one is followed.
private struct Forest {
    private enum Mode: Int64 { case lessOrEqual, less, greaterOrEqual, greater, equal, notEqual, member }
    private enum Aggregate: Int { case average, sum, minimum, maximum }
    private enum Transform: Int { case none, softmax, logistic, softmaxOverNonzero, probit }
    private struct Node {
        let mode: Mode
        let feature: Int
        let split: Double
        let members: Set<Double>
        let missingIsTrue: Bool
        /// For false and true: the index, and whether it is a leaf's.
        let next: (otherwise: (Int, Bool), taken: (Int, Bool))
    }

    let targets: Int
    private var nodes: [Node] = []
    private let roots: [Int]
    private let leaves: [(target: Int, weight: Double)]
    private let aggregate: Aggregate
    private let transform: Transform

    init(_ attributes: NodeAttributes, features: Int) throws(OperatorError) {
        let modes = attributes.tensor("nodes_modes")?.decodedIntegers() ?? []
        let count = modes.count
        func list(_ name: String) throws(OperatorError) -> [Int] {
            let list = attributes.ints(name) ?? []
            try require(list.count == count, "attribute '\(name)' has \(list.count) entries for \(count) nodes")
            return list
        }
        let weights = attributes.tensor("leaf_weights")?.decodedDoubles() ?? []
        let owners = attributes.ints("leaf_targetids") ?? []
        try require(weights.count == owners.count, "\(owners.count) leaf_targetids for \(weights.count) leaves")
        guard let targets = attributes.int("n_targets") ?? owners.max().map({ $0 &+ 1 }), targets > 0 else {
            throw .invalid("there are no targets")
        }
        try require(owners.allSatisfy { (0..<targets).contains($0) }, "a leaf names a target outside 0..<\(targets)")
        self.targets = targets
        leaves = zip(owners, weights).map { ($0, $1) }
        let (featureIDs, splits) = (
            try list("nodes_featureids"), attributes.tensor("nodes_splits")?.decodedDoubles() ?? []
        )
        try require(splits.count == count, "\(splits.count) nodes_splits for \(count) nodes")
        try require(
            featureIDs.allSatisfy { (0..<features).contains($0) }, "a node names a feature outside 0..<\(features)")
        let missing = attributes.ints("nodes_missing_value_tracks_true") ?? Array(repeating: 0, count: count)
        try require(missing.count == count, "\(missing.count) nodes_missing_value_tracks_true for \(count) nodes")
        let (trueIDs, trueLeaves) = (try list("nodes_truenodeids"), try list("nodes_trueleafs"))
        let (falseIDs, falseLeaves) = (try list("nodes_falsenodeids"), try list("nodes_falseleafs"))
        var sets = Self.members(attributes.tensor("membership_values")?.decodedDoubles() ?? []).makeIterator()
        for index in 0..<count {
            guard let mode = Mode(rawValue: modes[index]) else {
                throw .invalid("node \(index) has the unknown mode \(modes[index])")
            }
            for (id, isLeaf) in [(trueIDs[index], trueLeaves[index]), (falseIDs[index], falseLeaves[index])] {
                try require(
                    id >= 0 && id < (isLeaf != 0 ? leaves.count : count),
                    "node \(index) leads to \(id), which is not there")
            }
            nodes.append(
                Node(
                    mode: mode, feature: featureIDs[index], split: splits[index],
                    members: mode == .member ? Set(sets.next() ?? []) : [],
                    missingIsTrue: missing[index] != 0,
                    next: ((falseIDs[index], falseLeaves[index] != 0), (trueIDs[index], trueLeaves[index] != 0))))
        }
        roots = attributes.ints("tree_roots") ?? []
        try require(roots.allSatisfy { (0..<count).contains($0) }, "a tree's root is not there")
        guard let aggregate = Aggregate(rawValue: attributes.int("aggregate_function") ?? 1),
            let transform = Transform(rawValue: attributes.int("post_transform") ?? 0)
        else { throw .invalid("aggregate_function or post_transform is unknown") }
        (self.aggregate, self.transform) = (aggregate, transform)
    }

    /// One set per node of mode `member`; NaN stands between them.
    private static func members(_ values: [Double]) -> [[Double]] {
        values.split(omittingEmptySubsequences: false) { $0.isNaN }.map(Array.init)
    }

    func scores(_ row: ArraySlice<Double>) throws(OperatorError) -> [Double] {
        var scores = [Double?](repeating: nil, count: targets)
        for root in roots {
            let (target, weight) = leaves[try leaf(from: root, row)]
            guard let score = scores[target] else {
                scores[target] = weight
                continue
            }
            switch aggregate {
            case .average, .sum: scores[target] = score + weight
            case .minimum: scores[target] = min(score, weight)
            case .maximum: scores[target] = max(score, weight)
            }
        }
        return transformed(scores.map { ($0 ?? 0) / (aggregate == .average ? Double(roots.count) : 1) })
    }

    private func leaf(from root: Int, _ row: ArraySlice<Double>) throws(OperatorError) -> Int {
        var index = root
        for _ in 0..<nodes.count {
            let node = nodes[index]
            let (next, isLeaf) = takes(node, row[row.startIndex + node.feature]) ? node.next.taken : node.next.otherwise
            if isLeaf { return next }
            index = next
        }
        throw .invalid("the tree with root \(root) has a cycle")
    }

    private func takes(_ node: Node, _ value: Double) -> Bool {
        if value.isNaN && node.missingIsTrue { return true }
        return switch node.mode {
        case .lessOrEqual: value <= node.split
        case .less: value < node.split
        case .greaterOrEqual: value >= node.split
        case .greater: value > node.split
        case .equal: value == node.split
        case .notEqual: value != node.split
        case .member: node.members.contains(value)
        }
    }

    private func transformed(_ scores: [Double]) -> [Double] {
        switch transform {
        case .none: return scores
        case .logistic: return scores.map(sigmoid)
        case .softmax, .softmaxOverNonzero:
            let counts = scores.map { transform == .softmax || $0 != 0 }
            let largest = scores.max() ?? 0
            let powers = zip(scores, counts).map { $1 ? exp($0 - largest) : 0 }
            let sum = powers.reduce(0, +)
            return sum == 0 ? scores : powers.map { $0 / sum }
        case .probit: return scores.map { 2.0.squareRoot() * inverseErrorFunction(2 * $0 - 1) }
        }
    }
}

/// erf⁻¹ by Newton's method from Winitzki's approximation.
private func inverseErrorFunction(_ x: Double) -> Double {
    guard abs(x) < 1 else { return abs(x) == 1 ? x * .infinity : .nan }
    let (a, logarithm) = (0.147, log1p(-x * x))
    let middle = 2 / (Double.pi * a) + logarithm / 2
    var y = (sqrt(middle * middle - logarithm / a) - middle).squareRoot() * (x < 0 ? -1 : 1)
    for _ in 0..<4 { y -= (erf(y) - x) / (2 / Double.pi.squareRoot() * exp(-y * y)) }
    return y
}

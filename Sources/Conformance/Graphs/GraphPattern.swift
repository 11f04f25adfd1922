// SPDX-License-Identifier: Apache-2.0
import Graph

/// A kind of graph that compilers treat in a way of their own.
package enum GraphPattern: String, CaseIterable, Sendable {
    /// Elementwise operators, one after the other.
    case chain
    case bias
    case gemm
    case convolution
    case convolutionResidual = "convolution-residual"
    case residual
    case perceptron
    case attention
    case diamond
    case usedTwice = "used-twice"
    case square
    case innerOutput = "inner-output"
    case severalOutputs = "several-outputs"
    case constants
    case onlyConstants = "only-constants"
    case broadcast
    case zeroSize = "zero-size"
    case oneElement = "one-element"
    case tail
    case separate
    /// A value times a function of itself.
    case gated
    /// Operators that undo or repeat each other.
    case repeated

    /// Builds the graph.
    func build(_ draft: inout GraphDraft) throws {
        let (rows, columns) = (5, 7)
        switch self {
        case .chain:
            let x = try draft.input([rows, columns]), y = try draft.input([rows, columns])
            let sum = draft.add("Add", x, y)
            let product = draft.add("Mul", sum, try draft.constant([rows, columns]))
            let positive = draft.add("Relu", product)
            draft.output(draft.add("Add", draft.add("Mul", positive, x), try draft.constant([columns])))
        case .bias:
            let x = try draft.input([rows, 6])
            let product = draft.add("MatMul", x, try draft.constant([6, columns]))
            draft.output(draft.add("Relu", draft.add("Add", product, try draft.constant([columns]))))
        case .gemm:
            let x = try draft.input([rows, 6])
            let product = draft.node("Gemm", [x, try draft.constant([columns, 6]), try draft.constant([columns])], ["transB": .int(1)])
            draft.output(draft.add("Relu", product))
        case .convolution, .convolutionResidual:
            let x = try draft.input([1, 3, 6, 6])
            let product = draft.node(
                "Conv", [x, try draft.constant([3, 3, 3, 3]), try draft.constant([3])], ["pads": .ints([1, 1, 1, 1])])
            draft.output(draft.add("Relu", self == .convolution ? product : draft.add("Add", product, x)))
        case .residual:
            let x = try draft.input([rows, columns])
            let product = draft.add("MatMul", x, try draft.constant([columns, columns]))
            let active = draft.add("Relu", draft.add("Add", product, try draft.constant([columns])))
            draft.output(draft.add("Add", active, x))
        case .perceptron:
            let x = try draft.input([4, 6])
            let hidden = draft.add("Relu", draft.add("MatMul", x, try draft.constant([6, 8])))
            draft.output(draft.add("MatMul", hidden, try draft.constant([8, 3])))
        case .attention:
            let q = try draft.input([4, 6]), k = try draft.input([6, 5]), v = try draft.input([5, 3])
            let weights = draft.node("Softmax", [draft.add("MatMul", q, k)], ["axis": .int(-1)])
            draft.output(draft.add("MatMul", weights, v))
        case .diamond:
            let x = try draft.input([rows, columns])
            let top = draft.add("Mul", x, try draft.constant([columns]))
            draft.output(draft.add("Add", draft.add("Relu", top), draft.add("Mul", top, x)))
        case .usedTwice:
            let x = try draft.input([rows, columns]), y = try draft.input([rows, columns])
            let sum = draft.add("Add", x, y)
            let product = draft.add("Mul", sum, y)
            draft.output(draft.add("Add", product, sum))
        case .square:
            let x = try draft.input([rows, columns])
            let sum = draft.add("Add", x, x)
            draft.output(draft.add("Mul", sum, sum))
        case .innerOutput:
            let x = try draft.input([rows, columns]), y = try draft.input([rows, columns])
            let sum = draft.add("Add", x, y)
            draft.output(sum, draft.add("Relu", sum))
        case .severalOutputs:
            let x = try draft.input([rows, columns])
            let product = draft.add("Mul", x, try draft.constant([columns]))
            draft.output(draft.add("Relu", product), draft.add("Add", product, x))
        case .constants:
            let x = try draft.input([rows, columns])
            let first = draft.add("Add", x, try draft.constant([]))
            draft.output(draft.add("Add", draft.add("Mul", first, try draft.constant([rows, 1])), try draft.constant([rows, columns])))
        case .onlyConstants:
            let sum = draft.add("Add", try draft.constant([columns]), try draft.constant([columns]))
            draft.output(draft.add("Mul", try draft.input([rows, columns]), sum))
        case .broadcast:
            let x = try draft.input([rows, 1]), y = try draft.input([columns])
            draft.output(draft.add("Mul", draft.add("Add", x, y), try draft.input([2, 1, 1])))
        case .zeroSize:
            let x = try draft.input([0, 6])
            let product = draft.add("MatMul", x, try draft.constant([6, columns]))
            draft.output(draft.add("Relu", draft.add("Add", product, try draft.constant([columns]))))
        case .oneElement:
            let x = try draft.input([1, 1])
            draft.output(draft.add("Relu", draft.add("Add", draft.add("MatMul", x, try draft.constant([1, 1])), x)))
        case .tail:
            // One more than the tiles of common units.
            let x = try draft.input([17, 33])
            let product = draft.add("MatMul", x, try draft.constant([33, 17]))
            draft.output(draft.add("Relu", draft.add("Add", product, try draft.constant([17]))))
        case .gated:
            let x = try draft.input([rows, columns])
            let gated = draft.add("Mul", x, draft.add("Sigmoid", x))
            draft.output(draft.add("Add", gated, try draft.constant([columns])))
        case .repeated:
            let x = try draft.input([rows, columns])
            let twice = draft.add("Relu", draft.add("Relu", draft.add("Neg", draft.add("Neg", x))))
            draft.output(draft.add("Mul", twice, try draft.constant([columns])))
        case .separate:
            let x = try draft.input([rows, columns]), y = try draft.input([3])
            draft.output(draft.add("Relu", draft.add("Add", x, x)), draft.add("Mul", y, draft.add("Relu", y)))
        }
    }

    /// Three to eight nodes, drawn.
    static func buildRandom(_ draft: inout GraphDraft) throws {
        // Choices hang on the case alone.
        let drawer = draft
        let size = 2 + drawer.choice(0, below: 6)
        var values = [try draft.input([size, size]), try draft.input([size, size])]
        let count = 3 + drawer.choice(1, below: 6)
        for step in 0..<count {
            func pick(_ salt: Int, _ below: Int) -> Int { drawer.choice(16 * (step + 1) + salt, below: below) }
            // Late values are read more often, so that most of the graph hangs together.
            let left = values[max(values.count - 1 - pick(0, values.count), values.count - 1 - pick(1, values.count))]
            let right = pick(2, 3) == 0 ? try draft.constant(pick(3, 2) == 0 ? [size] : [size, size]) : values[pick(4, values.count)]
            let made: ValueID
            switch pick(5, draft.data == .exact ? 9 : 11) {
            case 0, 1: made = draft.add("Add", left, right)
            case 2: made = draft.add("Sub", left, right)
            case 3: made = draft.add("Mul", left, right)
            case 4: made = draft.add("Relu", left)
            case 5: made = draft.add("Neg", left)
            case 6: made = draft.add("Abs", left)
            case 7: made = draft.add("Max", left, right)
            case 8: made = draft.add("MatMul", left, try draft.constant([size, size]))
            case 9: made = draft.add("Tanh", left)
            default: made = draft.add("Sigmoid", left)
            }
            values.append(made)
            if pick(6, 8) == 0 { draft.output(made) }
        }
        draft.outputUnread()
    }
}

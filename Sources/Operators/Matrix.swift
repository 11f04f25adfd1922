// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Products of matrices and what belongs to them.
let matrixOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "MatMul", since: [1, 9, 13], "(A: T, B: T) -> (Y: T)",
        types: ["T": [.floats, TypeSet(.int32, .int64, .uint32, .uint64)]], numericClass: .dot,
        infer: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            return [.tensor(a.dataType, try MatrixShapes(a.shape, b.shape).output)]
        },
        reference: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            let shapes = try MatrixShapes(a.shape, b.shape)
            let elements: ReferenceTensor.Elements =
                if case .integers(let left) = a.elements, case .integers(let right) = b.elements {
                    .integers(batchedProduct(shapes, left, right, zero: 0, addProduct))
                } else {
                    .floats(batchedProduct(shapes, a.floats, b.floats, zero: 0, addProduct))
                }
            return [ReferenceTensor(a.dataType, shapes.output, elements)]
        }
    ).sampled(matMulSamples).summing({ context in context.inputs[0]?.shape.last ?? 1 })
        .differentiated(matMulGradient),
    OperatorDefinition(
        "Gemm", since: [6, 7, 9, 11, 13], "(A: T, B: T, C?: T) -> (Y: T)",
        types: ["T": [.floats, TypeSet(.int32, .int64, .uint32, .uint64)]],
        attributes: ["alpha": .float(1), "beta": .float(1), "transA": .int(0), "transB": .int(0), "broadcast": .int(0)], numericClass: .dot,
        infer: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            try require(a.shape.count == 2 && b.shape.count == 2, "A and B must be matrices, not have shapes \(a.shape) and \(b.shape)")
            let (rows, depth) = context.attributes.flag("transA") ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
            let (inner, columns) = context.attributes.flag("transB") ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
            try require(depth == inner, "matrices of \(rows) by \(depth) and \(inner) by \(columns) cannot be multiplied")
            if context.has(2) {
                let c = try context.input(2).shape
                try require(
                    broadcastShape([c, [rows, columns]]) == [rows, columns], "C of shape \(c) does not broadcast to \([rows, columns])")
            }
            return [.tensor(a.dataType, try possible([rows, columns]))]
        },
        reference: { context throws(OperatorError) in
            var (a, b) = (try context.input(0), try context.input(1))
            if context.attributes.flag("transA") { a = a.transposed([1, 0]) }
            if context.attributes.flag("transB") { b = b.transposed([1, 0]) }
            let output = context.output(0)
            let shapes = try MatrixShapes(a.shape, b.shape)
            let (alpha, beta) = (context.attributes.float("alpha")!, context.attributes.float("beta")!)
            let c = context.has(2) ? try context.input(2).broadcast(to: output.shape) : .zeros(output.dataType, output.shape)
            if case .integers(let left) = a.elements, alpha == 1, beta == 1 {
                let values = batchedProduct(shapes, left, b.integers, zero: 0, addProduct)
                return [ReferenceTensor(output.dataType, output.shape, .integers(zip(values, c.integers).map { $0 &+ $1 }))]
            }
            let values = zip(batchedProduct(shapes, a.floats, b.floats, zero: 0, addProduct), c.floats).map { alpha * $0 + beta * $1 }
            if a.dataType.isFloat { return [ReferenceTensor(output.dataType, output.shape, .floats(values))] }
            return [ReferenceTensor(output.dataType, output.shape, .integers(values.map { Int64(exactly: $0.rounded(.towardZero)) ?? 0 }))]
        }
    ).sampled(gemmSamples).summing({ context in context.inputs[0]?.shape[context.attributes.flag("transA") ? 0 : 1] ?? 1 })
        .decomposing(gemmParts),
    OperatorDefinition(
        "MatMulInteger", since: [10], "(A: T1, B: T2, a_zero_point?: T1, b_zero_point?: T2) -> (Y: int32)",
        types: ["T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8)], numericClass: .integer,
        infer: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            if context.has(2) { try checkPerRow(try context.input(2).shape, of: a.shape, axis: a.shape.count - 2, "a_zero_point") }
            if context.has(3) { try checkPerRow(try context.input(3).shape, of: b.shape, axis: b.shape.count - 1, "b_zero_point") }
            return [.tensor(.int32, try MatrixShapes(a.shape, b.shape).output)]
        },
        reference: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(1))
            let shapes = try MatrixShapes(a.shape, b.shape)
            let left = shifted(a, by: context.has(2) ? try context.input(2) : nil, axis: a.shape.count - 2)
            let right = shifted(b, by: context.has(3) ? try context.input(3) : nil, axis: b.shape.count - 1)
            // Sums of products of eight-bit numbers are exact in float64.
            let values = batchedProduct(shapes, left, right, zero: 0, addProduct)
            return [ReferenceTensor(.int32, shapes.output, .integers(values.map { Int64($0) }))]
        }
    ).sampled(matMulIntegerSamples).decomposing { g throws(OperatorError) in
        // Sums of products of eight-bit numbers fit int32, which wraps where they do not.
        func shifted(_ index: Int, perRow: Bool) throws(OperatorError) -> Term {
            let operand = try g.input(index).cast(to: .int32)
            guard g.has(index + 2) else { return operand }
            return try operand - spread(g.input(index + 2), perRow: perRow).cast(to: .int32)
        }
        return [try g("MatMul", shifted(0, perRow: true), shifted(1, perRow: false))]
    },
    OperatorDefinition(
        "QLinearMatMul", since: [10, 21],
        "(a: T1, a_scale: TS, a_zero_point: T1, b: T2, b_scale: TS, b_zero_point: T2, y_scale: TS, y_zero_point: T3) -> (y: T3)",
        types: ["T1": quantised, "T2": quantised, "T3": quantised, "TS": TypeSet(.float32, .float16, .bfloat16)], numericClass: .quantised,
        infer: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(3))
            for index in 1...2 { try checkPerRow(try context.input(index).shape, of: a.shape, axis: a.shape.count - 2, "input \(index)") }
            for index in 4...5 { try checkPerRow(try context.input(index).shape, of: b.shape, axis: b.shape.count - 1, "input \(index)") }
            for index in 6...7 {
                let shape = try context.input(index).shape
                try require(elementCount(shape) == 1, "input \(index) must be one element, not shape \(shape)")
            }
            return [.tensor(try context.input(7).dataType, try MatrixShapes(a.shape, b.shape).output)]
        },
        reference: { context throws(OperatorError) in
            let (a, b) = (try context.input(0), try context.input(3))
            let shapes = try MatrixShapes(a.shape, b.shape)
            // Scales per row of `a` and per column of `b` are the same for all k, so they are applied to the sums.
            let left = shifted(a, by: try context.input(2), axis: a.shape.count - 2)
            let right = shifted(b, by: try context.input(5), axis: b.shape.count - 1)
            let sums = batchedProduct(shapes, left, right, zero: 0, addProduct)
            let (aScale, bScale) = (try context.input(1).floats, try context.input(4).floats)
            let (rows, columns) = (shapes.rows, shapes.columns)
            let scaled = sums.enumerated().map { index, sum in
                sum * aScale[aScale.count == 1 ? 0 : index / columns % rows] * bScale[bScale.count == 1 ? 0 : index % columns]
            }
            return [quantise(scaled, scale: try context.input(6).floats[0], zeroPoint: try context.input(7), shape: shapes.output)]
        }
    ).sampled(qLinearMatMulSamples).decomposing { g throws(OperatorError) in
        // MatMulInteger refuses small floats, and with it so does this.
        let sums = try g("MatMulInteger", g.input(0), g.input(3), g.input(2), g.input(5)).cast(to: .float32)
        let rowScale = try spread(g.input(1), perRow: true).cast(to: .float32)
        let columnScale = try spread(g.input(4), perRow: false).cast(to: .float32)
        return [try g("QuantizeLinear", sums * rowScale * columnScale, g.input(6).reshaped([]).cast(to: .float32), g.input(7).reshaped([]))]
    },
    OperatorDefinition(
        "Det", since: [11, 22], "(X: T) -> (Y: T)", types: ["T": .floats], numericClass: .composite,
        infer: { context throws(OperatorError) in
            let x = try context.input(0)
            let rank = x.shape.count
            try require(rank >= 2 && x.shape[rank - 1] == x.shape[rank - 2], "shape \(x.shape) is no stack of square matrices")
            return [.tensor(x.dataType, Array(x.shape.dropLast(2)))]
        },
        reference: { context throws(OperatorError) in
            let x = try context.input(0)
            let size = x.shape[x.shape.count - 1]
            let values = x.floats
            let results = (0..<product(x.shape.dropLast(2))).map { index in
                determinant(Array(values[index * size * size..<(index + 1) * size * size]), size: size)
            }
            return [ReferenceTensor(x.dataType, Array(x.shape.dropLast(2)), .floats(results))]
        }
    ).sampled(detSamples),
]

/// The types that quantised products take: eight bits each.
private let quantised = TypeSet(.int8, .uint8, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz)

/// How two stacks of matrices are multiplied, by NumPy's rules: vectors get an axis that the output loses, leading axes broadcast.
struct MatrixShapes {
    let rows: Int
    let columns: Int
    let depth: Int
    let output: [Int]
    /// For every matrix of the output, which matrix of each operand it is made of.
    let leftMatrices: [Int]
    let rightMatrices: [Int]

    init(_ left: [Int], _ right: [Int]) throws(OperatorError) {
        try require(!left.isEmpty && !right.isEmpty, "a scalar cannot be multiplied as a matrix")
        let a = left.count == 1 ? [1] + left : left
        let b = right.count == 1 ? right + [1] : right
        (rows, columns, depth) = (a[a.count - 2], b[b.count - 1], a[a.count - 1])
        let (leading, others) = (Array(a.dropLast(2)), Array(b.dropLast(2)))
        guard b[b.count - 2] == depth, let batch = broadcastShape([leading, others]) else {
            throw .invalid("shapes \(left) and \(right) cannot be multiplied")
        }
        output = try possible(batch + (left.count == 1 ? [] : [rows]) + (right.count == 1 ? [] : [columns]))
        // Without elements there may be ever so many empty matrices: none is listed.
        let isEmpty = rows == 0 || columns == 0
        leftMatrices = isEmpty ? [] : broadcastIndices(from: leading, to: batch)
        rightMatrices = isEmpty ? [] : broadcastIndices(from: others, to: batch)
    }
}

/// All products of two stacks of matrices, with the kernel of their element type.
func batchedProduct<Element>(
    _ shapes: MatrixShapes, _ left: [Element], _ right: [Element], zero: Element,
    _ addProduct: (UnsafePointer<Element>, UnsafePointer<Element>, UnsafeMutablePointer<Element>, Int, Int, Int) -> Void
) -> [Element] {
    let (rows, columns, depth) = (shapes.rows, shapes.columns, shapes.depth)
    var result = [Element](repeating: zero, count: shapes.leftMatrices.count * rows * columns)
    guard depth > 0 else { return result }
    left.withUnsafeBufferPointer { left in
        right.withUnsafeBufferPointer { right in
            result.withUnsafeMutableBufferPointer { result in
                guard let a = left.baseAddress, let b = right.baseAddress, let c = result.baseAddress else { return }
                for (index, matrices) in zip(shapes.leftMatrices, shapes.rightMatrices).enumerated() {
                    addProduct(
                        a + matrices.0 * rows * depth, b + matrices.1 * depth * columns, c + index * rows * columns, rows, columns, depth)
                }
            }
        }
    }
    return result
}

/// Throws unless a scale or zero point is one element or one for each entry of `axis`.
private func checkPerRow(_ shape: [Int], of operand: [Int], axis: Int, _ name: String) throws(OperatorError) {
    guard let count = elementCount(shape), count == 1 || (axis >= 0 && axis < operand.count && count == operand[axis]) else {
        throw .invalid("\(name) of shape \(shape) does not belong to an operand of shape \(operand)")
    }
}

/// The elements less their zero point, which is one for all or one for each entry of `axis`.
private func shifted(_ tensor: ReferenceTensor, by zeroPoint: ReferenceTensor?, axis: Int) -> [Double] {
    let values = tensor.floats
    guard let zeros = zeroPoint?.floats else { return values }
    if zeros.count == 1 { return zeros[0] == 0 ? values : values.map { $0 - zeros[0] } }
    let (size, inner) = (tensor.shape[axis], product(tensor.shape[(axis + 1)...]))
    return values.enumerated().map { $1 - zeros[$0 / inner % size] }
}

/// Divides by the scale, rounds ties to even, adds the zero point and saturates to its type.
func quantise(_ values: [Double], scale: Double, zeroPoint: ReferenceTensor, shape: [Int]) -> ReferenceTensor {
    let type = zeroPoint.dataType
    if case .floats(let zero) = zeroPoint.elements {
        let largest: Double =
            switch type {
            case .float8e4m3fn: 448
            case .float8e4m3fnuz: 240
            default: 57344
            }
        return ReferenceTensor(type, shape, .floats(values.map { min(max($0 / scale + zero[0], -largest), largest) }))
    }
    let zero = Double(zeroPoint.integers[0])
    let (low, high): (Double, Double) = type == .int8 ? (-128, 127) : (0, 255)
    let elements = values.map { value in
        let step = (value / scale).rounded(.toNearestOrEven) + zero
        return step.isNaN ? 0 : Int64(min(max(step, low), high))
    }
    return ReferenceTensor(type, shape, .integers(elements))
}

/// By elimination with partial pivoting.
private func determinant(_ matrix: [Double], size: Int) -> Double {
    var (m, result) = (matrix, 1.0)
    for column in 0..<size {
        let pivot = (column..<size).max { abs(m[$0 * size + column]) < abs(m[$1 * size + column]) } ?? column
        if m[pivot * size + column] == 0 { return 0 }
        if pivot != column {
            for k in 0..<size { m.swapAt(pivot * size + k, column * size + k) }
            result = -result
        }
        result *= m[column * size + column]
        for row in (column + 1)..<max(size, column + 1) {
            let factor = m[row * size + column] / m[column * size + column]
            for k in column..<size { m[row * size + k] -= factor * m[column * size + k] }
        }
    }
    return result
}

// MARK: Decompositions and gradients

private func gemmParts(_ g: FragmentBuilder) throws(OperatorError) -> [Term?] {
    var (a, b) = (try g.wide(0), try g.wide(1))
    let (alpha, beta) = (try g.float("alpha"), try g.float("beta"))
    guard a.type.dataType.isFloat || alpha == 1 && beta == 1 else { throw .unsupported("integers are scaled by parts of one") }
    if g.attributes.flag("transA") { a = try a.transposed([1, 0]) }
    if g.attributes.flag("transB") { b = try b.transposed([1, 0]) }
    var y = try g("MatMul", a, b)
    if alpha != 1 { y = try y * alpha }
    guard g.has(2) else { return [y] }
    let c = try g.wide(2)
    return [try y + (beta == 1 ? c : c * beta)]
}

/// A scale or zero point for all, per row or per column of a matrix, in a shape that broadcasts to it.
private func spread(_ parameter: Term, perRow: Bool) throws(OperatorError) -> Term {
    let count = parameter.count
    return try parameter.reshaped(count == 1 ? [] : perRow ? [count, 1] : [count])
}

/// dA = dY Bᵀ and dB = Aᵀ dY, each summed over the batches that it was broadcast to.
@Sendable private func matMulGradient(_ g: FragmentBuilder, _ given: Gradients) throws(OperatorError) -> [Term?] {
    let (a, b) = (try g.input(0), try g.input(1))
    let left = try a.reshaped(a.rank == 1 ? [1] + a.shape : a.shape)
    let right = try b.reshaped(b.rank == 1 ? b.shape + [1] : b.shape)
    let rows = left.shape[left.rank - 2]
    let columns = right.shape[right.rank - 1]
    let output = try g.output().shape
    let batch = output.dropLast((a.rank == 1 ? 0 : 1) + (b.rank == 1 ? 0 : 1))
    let dy = try given.gradient().reshaped(batch + [rows, columns])
    func turned(_ term: Term) throws(OperatorError) -> Term {
        try term.transposed(Array(0..<term.rank - 2) + [term.rank - 1, term.rank - 2])
    }
    let da = try g("MatMul", dy, turned(right)).summed(to: left.shape)
    let db = try g("MatMul", turned(left), dy).summed(to: right.shape)
    return [try da.reshaped(a.shape), try db.reshaped(b.shape)]
}

// MARK: Samples

/// Rows, columns and depths around the tiles of vector units: just below, at and above 8, 16, 32 and 64.
private let tails: [(rows: Int, depth: Int, columns: Int)] = [
    (1, 1, 1), (1, 64, 1), (7, 15, 17), (16, 16, 16), (17, 17, 17), (15, 33, 31), (33, 7, 65), (64, 64, 64), (65, 31, 33), (1, 129, 100),
    (100, 1, 129), (3, 16, 17),
]

@Sendable private func matMulSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b, c) = (context.size(2...9), context.size(5...40), context.size(3...30))
    func of(_ name: String, _ left: [Int], _ right: [Int]) -> Sample { Sample(name, [.init(type, left), .init(type, right)]) }
    return tails.map { of("tail-\($0.rows)x\($0.depth)x\($0.columns)", [$0.rows, $0.depth], [$0.depth, $0.columns]) } + [
        of("vector-vector", [b], [b]), of("vector-matrix", [b], [b, c]), of("matrix-vector", [a, b], [b]),
        of("batch", [3, a, b], [3, b, c]),
        of("batch-right", [a, b], [3, b, c]), of("batch-left", [3, a, b], [b, c]), of("batch-broadcast", [2, 1, a, b], [3, b, c]),
        of("batch-vector", [2, 3, a, b], [b]), of("no-depth", [a, 0], [0, c]), of("no-rows", [0, b], [b, c]), of("drawn", [a, b], [b, c]),
        of("large", [context.size(40...70), context.size(200...300)], [context.size(200...200), 60]).fitted,
        of("long", [3, context.size(1025...2049)], [1, 5]).fitted,
        // A kernel compiled for a small shape was reused for a large one (tt-metal#54138).
        of("field-small", [32, 32], [32, 32]),
        Sample("field-small-then-large", [.init(type, [64, 32]), .init(type, [32, 64])], after: "field-small"),
    ]
}

extension Sample {
    /// The second matrix as deep as the first.
    fileprivate var fitted: Sample {
        let (left, right) = (inputs[0]!, inputs[1]!)
        return Sample(name, [left, Tensor(right.dataType, [left.shape[1], right.shape[1]], right.values)], attributes)
    }
}

@Sendable private func gemmSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let (m, k, n) = (context.size(2...20), context.size(5...70), context.size(3...40))
    func of(_ name: String, _ c: [Int]?, _ attributes: [String: Attribute] = [:], _ sizes: (Int, Int, Int)? = nil) -> Sample {
        let (m, k, n) = sizes ?? (m, k, n)
        var attributes = attributes
        let isLeftTurned = attributes["transA"] != nil
        let isRightTurned = attributes["transB"] != nil
        if version < 7, c != [m, n] { attributes["broadcast"] = .int(1) }
        let (left, right) = (isLeftTurned ? [k, m] : [m, k], isRightTurned ? [n, k] : [k, n])
        return Sample(name, [.init(type, left), .init(type, right), c.map { .init(type, $0) }].trimmed, attributes)
    }
    let (a, b): ([String: Attribute], [String: Attribute]) = (["transA": .int(1)], ["transB": .int(1)])
    var samples = [
        of("full", [m, n]), of("row", [n]), of("turned-left", [n], a), of("turned-right", [n], b),
        of("both-turned", [m, n], a.merging(b) { $1 }),
        of("large", [70], b, (33, 129, 70)), of("tail", [17], [:], (17, 17, 17)), of("one", [1], [:], (1, 1, 1)),
    ]
    if version >= 7 { samples += [of("column", [m, 1]), of("scalar", []), of("one-element", [1, 1])] }
    if version >= 11 { samples += [of("none", nil), of("none-turned", nil, b)] }
    if type.isFloat {
        samples += [
            of("scaled", [n], ["alpha": .float(0.5), "beta": .float(2)]),
            of("negative", [m, n], ["alpha": .float(-1.25), "beta": .float(0.75)]),
        ]
    }
    return samples
}

/// The second operand's type, for an operator of two 8-bit types.
private let eightBits: [DataType] = [.int8, .uint8]

@Sendable private func matMulIntegerSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let (a, b, c) = (context.size(2...9), context.size(5...70), context.size(3...40))
    return eightBits.flatMap { other in
        func of(_ name: String, _ left: [Int], _ right: [Int], _ zeros: [Sample.Tensor?] = []) -> Sample {
            Sample("\(other.name)-\(name)", [.init(type, left), .init(other, right)] + zeros)
        }
        func zero(_ type: DataType, _ shape: [Int]) -> Sample.Tensor { .init(type, shape, .integers(type == .int8 ? -9...9 : 100...140)) }
        return [
            of("plain", [a, b], [b, c]), of("tail", [17, 33], [33, 17]),
            of("zero-points", [a, b], [b, c], [zero(type, []), zero(other, [])]),
            of("left-zero", [a, b], [b, c], [zero(type, [])]), of("right-zero", [a, b], [b, c], [nil, zero(other, [])]),
            of("per-column", [a, b], [b, c], [zero(type, []), zero(other, [c])]), of("batch", [3, a, b], [3, b, c]),
            of("vector", [b], [b, c]),
            // Pairs of products summed in 16 bits saturate (onnxruntime#6004); the family of extremes brings the values.
            of("field-pair-sums", [4, 64], [64, 16]), of("large", [33, 129], [129, 65], [zero(type, []), zero(other, [])]),
        ]
    }
}

@Sendable private func qLinearMatMulSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    guard type == .int8 || type == .uint8 else { return [] }
    let (a, b, c) = (context.size(2...9), context.size(5...40), context.size(3...40))
    func of(_ name: String, _ left: [Int], _ right: [Int], columns: Int? = nil, scale: DataType = .float32) -> Sample {
        let zero = Sample.Values.integers(type == .int8 ? -9...9 : 118...138)
        return Sample(
            name,
            [
                .init(type, left), .scalar(scale, 0.0625), .init(type, [], zero), .init(type, right),
                columns.map { .init(scale, [$0], .data(0.03125...0.125)) } ?? .scalar(scale, 0.03125),
                .init(type, columns.map { [$0] } ?? [], zero),
                .scalar(scale, 0.5), .init(type, [], zero),
            ])
    }
    var samples = [
        of("plain", [a, b], [b, c]), of("tail", [17, 33], [33, 17]), of("batch", [3, a, b], [3, b, c]),
        of("per-column", [a, b], [b, c], columns: c),
        of("large", [33, 65], [65, 40]),
    ]
    if version >= 21 { samples.append(of("float16-scale", [a, b], [b, c], scale: .float16)) }
    return samples
}

@Sendable private func detSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return [
        ("one", [1, 1]), ("two", [2, 2]), ("three", [3, 3]), ("batch", [5, 4, 4]), ("nested", [2, 3, 3, 3]), ("large", [1009, 2, 2]),
        ("empty-batch", [0, 3, 3]),
    ].map {
        Sample($0.0, [.init(type, $0.1)])
    }
}

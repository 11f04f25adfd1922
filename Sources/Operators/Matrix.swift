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
        }),
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
        }),
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
        }),
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
        }),
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
        }),
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

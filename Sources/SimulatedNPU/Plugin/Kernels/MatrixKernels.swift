// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

let matrixKernels: [LoweredKernel] =
    LoweredKernel.floatProduct("MatMul", since: 1, prefer: { $0.productLayouts($1) }) { node, profile throws(Refusal) in
        let (a, b, y) = (try node.packed(input: 0, profile), try node.packed(input: 1, profile), try node.packed(output: 0, profile))
        return try stackedProduct(a, b, y, 0, 1, profile)
    }
    + LoweredKernel.floatProduct("Gemm", since: 7, prefer: { $0.productLayouts($1) }) { node, profile throws(Refusal) in
        let (a, b, y) = (try node.packed(input: 0, profile), try node.packed(input: 1, profile), try node.packed(output: 0, profile))
        try require(a.shape.count == 2 && b.shape.count == 2 && y.shape.count == 2, .shape, "not two axes")
        let (transposeA, transposeB) = (node.int("transA") ?? 0 != 0, node.int("transB") ?? 0 != 0)
        let k = transposeA ? a.shape[0] : a.shape[1]
        try require((transposeB ? b.shape[1] : b.shape[0]) == k, .shape, "inner sizes that differ")
        guard y.type == a.type, let arithmetic = ProductArithmetic(a.type, b.type, profile) else {
            throw Refusal(.dataType, "types that the matrix unit does not take")
        }
        var epilogue = Epilogue.none(arithmetic)
        let (alpha, beta) = (Double(node.float("alpha") ?? 1), Double(node.float("beta") ?? 1))
        if alpha != 1 { epilogue.term = epilogue.term * .constant(alpha) }
        if let c = try node.optional(input: 2), beta != 0 {
            try require(c.type == a.type, .dataType, "mixed data types")
            let shape = [Int](repeating: 1, count: max(2 - c.shape.count, 0)) + c.shape
            try require(
                shape.count == 2 && (shape[0] == 1 || shape[0] == y.shape[0]) && (shape[1] == 1 || shape[1] == y.shape[1]), .shape,
                "an addend that does not fit")
            epilogue.inputs = [
                Epilogue.Input(
                    input: 2, bytes: c.bytes, type: c.type, row: shape[0] == 1 ? 0 : shape[1], column: shape[1] == 1 ? 0 : 1, offsets: [0])
            ]
            let addend = Term.input(1, npu_type(c.type.rawValue))
            epilogue.term = epilogue.term + (beta == 1 ? addend : addend * .constant(beta))
        }
        return ProductProblem(
            m: y.shape[0], n: y.shape[1], k: k,
            a: try a.side(0, isTransposed: transposeA, matrices: [0], profile),
            b: try b.side(1, isTransposed: transposeB, matrices: [0], profile), arithmetic: arithmetic,
            output: try y.result(matrices: 1, profile), epilogue: epilogue)
    }
    + [
        LoweredKernel("MatMulInteger", since: 10, types: [.int8, .uint8]) { node, profile throws(Refusal) in
            let (a, b, y) = (try node.operand(input: 0), try node.operand(input: 1), try node.operand(output: 0))
            var problem = try stackedProduct(a, b, y, 0, 1, profile)
            problem.a.zeroPoint = try node.zeroPoint(2, of: a.type, count: problem.m)
            problem.b.zeroPoint = try node.zeroPoint(3, of: b.type, count: problem.n)
            return try problem.lower(profile)
        },
        LoweredKernel("QLinearMatMul", since: 10, types: [.int8, .uint8]) { node, profile throws(Refusal) in
            let (a, b, y) = (try node.operand(input: 0), try node.operand(input: 3), try node.operand(output: 0))
            var problem = try stackedProduct(a, b, y, 0, 3, profile)
            problem.a.zeroPoint = try node.zeroPoint(2, of: a.type, count: problem.m)
            problem.b.zeroPoint = try node.zeroPoint(5, of: b.type, count: problem.n)
            let scaleA = try node.scale(1, rows: problem.m, columns: nil, batches: problem.batches)
            let scaleB = try node.scale(4, rows: nil, columns: problem.n, batches: problem.batches)
            problem.epilogue = try node.requantization(
                accumulators: problem.epilogue.term, scales: [scaleA, scaleB], output: (6, 7), y.type, batches: problem.batches)
            return try problem.lower(profile)
        },
    ]

/// The product of two stacks of matrices, stored as it is.
private func stackedProduct(_ a: Operand, _ b: Operand, _ y: Operand, _ inputA: Int, _ inputB: Int, _ profile: Profile) throws(Refusal)
    -> ProductProblem
{
    guard let arithmetic = ProductArithmetic(a.type, b.type, profile) else {
        throw Refusal(.dataType, "types that the matrix unit does not take together")
    }
    let shape = try StackedProduct(a.shape, b.shape)
    var (m, left, right) = (shape.m, shape.left, shape.right)
    let isPacked = [a, b, y].contains { $0.fractal != nil }
    if !isPacked && left == Array(left.indices) && right.allSatisfy({ $0 == 0 }) && !left.isEmpty {
        // One matrix on the right: the stack on the left is one tall matrix.
        (m, left, right) = (m * left.count, [0], [0])
    }
    return ProductProblem(
        m: m, n: shape.n, k: shape.k, a: try a.side(inputA, matrix: shape.m * shape.k, row: shape.k, matrices: left, profile),
        b: try b.side(inputB, matrix: shape.k * shape.n, row: shape.n, matrices: right, profile), arithmetic: arithmetic,
        output: try y.result(matrix: shape.m * shape.n, row: shape.n, matrices: left.count, profile),
        epilogue: .none(arithmetic))
}

extension Operand {
    func matrix(_ input: Int, row: Int, column: Int, offsets: [Int]) -> ProductOperand {
        ProductOperand(
            source: .matrix(row: row, column: column), input: input, bytes: bytes, offsets: offsets,
            constant: view.host.map { UnsafeRawPointer($0) })
    }
}

extension Operand {
    /// A side of a product: which matrix of the stack each product takes, row-major of `matrix` elements and `row` to a row, or in panels.
    fileprivate func side(_ input: Int, matrix: Int, row: Int, matrices: [Int], _ profile: Profile) throws(Refusal) -> ProductOperand {
        guard let form = fractal else { return self.matrix(input, row: row, column: 1, offsets: matrices.map { $0 * matrix }) }
        try requireProductLayout(profile)
        return ProductOperand(source: .panels(height: form.height), input: input, bytes: bytes, offsets: matrices.map { $0 * form.matrix })
    }

    /// A matrix of its own, perhaps read with rows and columns swapped.
    fileprivate func side(_ input: Int, isTransposed: Bool, matrices: [Int], _ profile: Profile) throws(Refusal) -> ProductOperand {
        guard isTransposed else { return try side(input, matrix: 0, row: shape[1], matrices: matrices, profile) }
        try require(fractal == nil, .layout, "a packed matrix that is to be transposed")
        return matrix(input, row: 1, column: shape[1], offsets: matrices)
    }

    fileprivate func result(matrix: Int, row: Int, matrices: Int, _ profile: Profile) throws(Refusal) -> ProductProblem.Output {
        guard let form = fractal else {
            return .init(bytes: bytes, type: type, rowStride: row, offsets: (0..<matrices).map { $0 * matrix })
        }
        try requireProductLayout(profile)
        return .init(
            bytes: bytes, type: type, rowStride: 0, offsets: (0..<matrices).map { $0 * form.matrix }, panelHeight: form.height)
    }

    fileprivate func result(matrices: Int, _ profile: Profile) throws(Refusal) -> ProductProblem.Output {
        try result(matrix: 0, row: shape[1], matrices: matrices, profile)
    }

    private func requireProductLayout(_ profile: Profile) throws(Refusal) {
        try require(view.layout == profile.productLayout && shape.count >= 2, .layout, "a layout that the matrix unit does not take")
    }
}

extension NodeView {
    /// Both sides, unless they are constants, which are packed once anyway, and the result in the chip's layout.
    fileprivate func productLayouts(_ profile: Profile) -> LoweredKernel.Layouts? {
        guard let layout = profile.productLayout, int("transA") ?? 0 == 0, int("transB") ?? 0 == 0, let a = input(0), let b = input(1),
            let y = output(0), min(a.rank, b.rank, y.rank) >= 2, y.count > 0
        else { return nil }
        var inputs = [UInt32](repeating: 0, count: inputCount)
        inputs[0] = a.host == nil ? layout : 0
        inputs[1] = b.host == nil ? layout : 0
        return (inputs, [layout])
    }

    /// A scale of quantised values: one, or one per row or column of the result.
    func scale(_ index: Int, rows: Int?, columns: Int?, batches: Int) throws(Refusal) -> Epilogue.Input {
        let scale = try operand(input: index)
        let count = rows ?? columns ?? 1
        try require(scale.type.isFloat && scale.type != .float64, .dataType, "a scale of type \(scale.type.name)")
        try require(
            scale.count == 1 || (scale.count == count && batches == 1), .shape, "a scale that is neither one nor one per row or column")
        let isOne = scale.count == 1
        return Epilogue.Input(
            input: index, bytes: scale.bytes, type: scale.type, row: !isOne && rows != nil ? 1 : 0,
            column: !isOne && columns != nil ? 1 : 0,
            offsets: [Int](repeating: 0, count: batches))
    }

    /// round(accumulators · first scale · second scale / output's scale) + output's zero point, saturated.
    func requantization(
        accumulators: Term, addends: [Epilogue.Input] = [], scales: [Epilogue.Input], output: (scale: Int, zero: Int), _ type: DataType,
        batches: Int
    ) throws(Refusal) -> Epilogue {
        var inputs = addends + scales
        inputs.append(try scale(output.scale, rows: nil, columns: nil, batches: batches))
        func term(_ index: Int) -> Term { .input(index + 1, npu_type(inputs[index].type.rawValue)) }
        let first = addends.count
        let factor = term(first) * term(first + 1) / term(first + 2)
        var sum = accumulators
        for index in addends.indices { sum = sum + term(index) }
        var result = Term.round(.operation(NPU_V_SCALE, sum, factor))
        if let zero = try optional(input: output.zero) {
            try require(zero.type == type && zero.count == 1, .dataType, "an output's zero point of another type or more than one")
            inputs.append(
                Epilogue.Input(
                    input: output.zero, bytes: zero.bytes, type: type, row: 0, column: 0, offsets: [Int](repeating: 0, count: batches)))
            result = result + term(inputs.count - 1)
        } else {
            try require(type == .uint8, .dataType, "an output of type \(type.name) without a zero point")
        }
        return Epilogue(term: result, inputs: inputs)
    }
}

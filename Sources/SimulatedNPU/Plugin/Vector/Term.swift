// SPDX-License-Identifier: Apache-2.0
import SimulatedNPUMachine

/// A value of a vector expression: what the vector unit computes for every element of an iteration space. Terms that are used twice are computed once.
///
/// Between operations floats are kept in float32 and integers in their own type; the expression's results are rounded once, to the type that they are stored in.
final class Term: Sendable {
    enum Kind: Sendable {
        /// An operand of the phase, by its place in the list.
        case input(Int)
        case constant(Double)
        /// One result for each element.
        case elementwise(npu_vector_operation, [Term], parameter: Double)
        /// One result for each line: over all columns of the iteration space.
        case reduction(npu_vector_operation, Term, flags: UInt32)
    }

    let kind: Kind
    /// In what the value is kept; nil for a constant, which is as wide as what it meets.
    let type: npu_type?

    private init(_ kind: Kind, _ type: npu_type?) {
        self.kind = kind
        self.type = type
    }

    static func input(_ index: Int, _ type: npu_type) -> Term { Term(.input(index), type) }
    static func constant(_ value: Double) -> Term { Term(.constant(value), nil) }

    static func operation(_ operation: npu_vector_operation, _ operands: Term..., parameter: Double = 0) -> Term {
        Term(.elementwise(operation, operands, parameter: parameter), resultType(operation, operands))
    }

    static func reduction(_ operation: npu_vector_operation, _ operand: Term, flags: UInt32 = 0) -> Term {
        let isIndex = operation == NPU_V_GREATEST_INDEX || operation == NPU_V_LEAST_INDEX
        return Term(.reduction(operation, operand, flags: flags), isIndex ? NPU_INT64 : operand.isFloat ? NPU_FLOAT32 : operand.type)
    }

    /// The value rounded or wrapped to `type` on the way.
    func converted(to type: npu_type) -> Term { Term(.elementwise(NPU_V_COPY, [self], parameter: 0), type) }

    var isFloat: Bool { type.map { $0 == NPU_FLOAT32 || $0 == NPU_FLOAT16 || $0 == NPU_BFLOAT16 } ?? false }

    private static func resultType(_ operation: npu_vector_operation, _ operands: [Term]) -> npu_type? {
        switch operation {
        case NPU_V_LOGICAL_NOT, NPU_V_IS_NAN, NPU_V_IS_INFINITE, NPU_V_EQUAL, NPU_V_LESS, NPU_V_LESS_OR_EQUAL: return NPU_BOOL
        case NPU_V_SCALE: return NPU_FLOAT32
        case NPU_V_ROW, NPU_V_COLUMN: return NPU_INT64
        default:
            let domain = operation == NPU_V_SELECT ? operands.dropFirst() : operands[...]
            return domain.contains(where: \.isFloat) ? NPU_FLOAT32 : domain.lazy.compactMap(\.type).first
        }
    }
}

// MARK: Writing expressions

extension Term: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
    convenience init(floatLiteral value: Double) { self.init(.constant(value), nil) }
    convenience init(integerLiteral value: Int) { self.init(.constant(Double(value)), nil) }
}

extension Term {
    static func + (a: Term, b: Term) -> Term { operation(NPU_V_ADD, a, b) }
    static func - (a: Term, b: Term) -> Term { operation(NPU_V_SUBTRACT, a, b) }
    static func * (a: Term, b: Term) -> Term { operation(NPU_V_MULTIPLY, a, b) }
    static func / (a: Term, b: Term) -> Term { operation(NPU_V_DIVIDE, a, b) }
    static prefix func - (a: Term) -> Term { operation(NPU_V_NEGATE, a) }
    static func < (a: Term, b: Term) -> Term { operation(NPU_V_LESS, a, b) }
    static func <= (a: Term, b: Term) -> Term { operation(NPU_V_LESS_OR_EQUAL, a, b) }
    static func max(_ a: Term, _ b: Term) -> Term { operation(NPU_V_MAXIMUM, a, b) }
    static func min(_ a: Term, _ b: Term) -> Term { operation(NPU_V_MINIMUM, a, b) }
    static func exp(_ a: Term) -> Term { operation(NPU_V_EXP, a) }
    static func log(_ a: Term) -> Term { operation(NPU_V_LOG, a) }
    static func tanh(_ a: Term) -> Term { operation(NPU_V_TANH, a) }
    static func erf(_ a: Term) -> Term { operation(NPU_V_ERF, a) }
    static func sigmoid(_ a: Term) -> Term { operation(NPU_V_SIGMOID, a) }
    static func squareRoot(_ a: Term) -> Term { operation(NPU_V_SQUARE_ROOT, a) }
    static func abs(_ a: Term) -> Term { operation(NPU_V_ABSOLUTE, a) }
    static func round(_ a: Term) -> Term { operation(NPU_V_ROUND, a) }
    static func select(_ condition: Term, _ then: Term, _ otherwise: Term) -> Term { operation(NPU_V_SELECT, condition, then, otherwise) }

    static func sum(_ a: Term) -> Term { reduction(NPU_V_SUM, a) }
    static func greatest(_ a: Term) -> Term { reduction(NPU_V_GREATEST, a) }
}

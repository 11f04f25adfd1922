// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// A value of a fragment that is being built; its type is known, so that a decomposition can look at shapes. Lives no longer than its builder.
package struct Term {
    package let value: ValueID
    package let type: ConcreteType
    unowned let builder: FragmentBuilder

    package var shape: [Int] { type.shape }
    package var rank: Int { type.shape.count }
    package var count: Int { product(type.shape) }

    /// This value in another type; itself where the type is the same.
    package func cast(to dataType: DataType) throws(OperatorError) -> Term {
        if type.dataType == dataType { return self }
        return try builder("Cast", self, attributes: ["to": .int(Int64(dataType.rawValue))])
    }

    /// The same elements under another shape; itself where the shape is the same.
    package func reshaped(_ shape: [Int]) throws(OperatorError) -> Term {
        if shape == self.shape { return self }
        // A 0 copies the dimension of the input unless `allowzero` says otherwise.
        let attributes: [String: Attribute] = shape.contains(0) ? ["allowzero": .int(1)] : [:]
        if !attributes.isEmpty, builder.opset < 14 { throw .unsupported("an empty tensor is not reshaped before operator set 14") }
        return try builder("Reshape", self, builder.constant(shape), attributes: attributes)
    }

    /// The axes in another order; itself where the order is the same.
    package func transposed(_ order: [Int]) throws(OperatorError) -> Term {
        if order == Array(order.indices) { return self }
        return try builder("Transpose", self, attributes: ["perm": .ints(order.map(Int64.init))])
    }

    /// A reduction over `axes`, counted from the front; itself where there are none.
    package func reduced(_ operatorName: String, _ axes: [Int], keepsDimensions: Bool = true) throws(OperatorError) -> Term {
        if axes.isEmpty { return self }
        var attributes: [String: Attribute] = keepsDimensions ? [:] : ["keepdims": .int(0)]
        if builder.opset >= (operatorName == "ReduceSum" ? 13 : 18) {
            return try builder(operatorName, self, builder.constant(axes), attributes: attributes)
        }
        attributes["axes"] = .ints(axes.map(Int64.init))
        return try builder(operatorName, self, attributes: attributes)
    }

    /// The part of axis `axis` from `start` on, `length` long, every `step`th element.
    package func sliced(axis: Int, from start: Int, count length: Int, step: Int = 1) throws(OperatorError) -> Term {
        if builder.opset < 10 { throw .unsupported("a slice is not part of a decomposition before operator set 10") }
        let end = builder.constant([start + length * step])
        return try builder("Slice", self, builder.constant([start]), end, builder.constant([axis]), builder.constant([step]))
    }

    /// 1 / this.
    package func inverse() throws(OperatorError) -> Term { try 1 / self }

    package static func + (left: Term, right: Term) throws(OperatorError) -> Term { try left.builder("Add", left, right) }
    package static func - (left: Term, right: Term) throws(OperatorError) -> Term { try left.builder("Sub", left, right) }
    package static func * (left: Term, right: Term) throws(OperatorError) -> Term { try left.builder("Mul", left, right) }
    package static func / (left: Term, right: Term) throws(OperatorError) -> Term { try left.builder("Div", left, right) }
    package static func + (left: Term, right: Double) throws(OperatorError) -> Term { try left + left.same(right) }
    package static func - (left: Term, right: Double) throws(OperatorError) -> Term { try left - left.same(right) }
    package static func * (left: Term, right: Double) throws(OperatorError) -> Term { try left * left.same(right) }
    package static func / (left: Term, right: Double) throws(OperatorError) -> Term { try left / left.same(right) }
    package static func + (left: Double, right: Term) throws(OperatorError) -> Term { try right.same(left) + right }
    package static func - (left: Double, right: Term) throws(OperatorError) -> Term { try right.same(left) - right }
    package static func * (left: Double, right: Term) throws(OperatorError) -> Term { try right.same(left) * right }
    package static func / (left: Double, right: Term) throws(OperatorError) -> Term { try right.same(left) / right }
    package static prefix func - (term: Term) throws(OperatorError) -> Term { try term.builder("Neg", term) }

    /// A scalar constant of this term's type.
    package func same(_ value: Double) throws(OperatorError) -> Term { try builder.constant(value, type.dataType) }

    package func isLess(than other: Term) throws(OperatorError) -> Term { try builder("Less", self, other) }
    package func isLess(than other: Double) throws(OperatorError) -> Term { try isLess(than: same(other)) }

    /// Where this (of type bool) holds `yes`, else `no`.
    package func choose(_ yes: Term, _ no: Term) throws(OperatorError) -> Term { try builder("Where", self, yes, no) }

    /// The sum over all axes that broadcasting from `shape` added or stretched: the gradient of broadcasting.
    package func summed(to shape: [Int]) throws(OperatorError) -> Term {
        let added = rank - shape.count
        let axes = self.shape.indices.filter { $0 < added || shape[$0 - added] == 1 && self.shape[$0] != 1 }
        return try reduced("ReduceSum", axes).reshaped(shape)
    }
}

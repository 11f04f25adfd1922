// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Throws `OperatorError.invalid` with `message` unless `condition` holds.
func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(OperatorError) {
    if !condition { throw .invalid(message()) }
}

/// No tensor has more elements than this; a shape beyond it comes from a broken or hostile model.
private let elementLimit = 1 << 40

/// `shape` if a tensor can have it.
func possible(_ shape: [Int]) throws(OperatorError) -> [Int] {
    guard let count = elementCount(shape), count <= elementLimit else {
        throw .invalid("the output would have the impossible shape \(shape)")
    }
    return shape
}

/// `left * right`. Throws if it overflows.
func multiplied(_ left: Int, _ right: Int) throws(OperatorError) -> Int {
    let (result, overflow) = left.multipliedReportingOverflow(by: right)
    if overflow { throw .invalid("a size of \(left) times \(right) is too large") }
    return result
}

/// `left + right`. Throws if it overflows.
func added(_ left: Int, _ right: Int) throws(OperatorError) -> Int {
    let (result, overflow) = left.addingReportingOverflow(right)
    if overflow { throw .invalid("a size of \(left) plus \(right) is too large") }
    return result
}

/// The product of dimensions. Throws if it overflows.
func multiplied(_ shape: some Sequence<Int>) throws(OperatorError) -> Int {
    guard let count = elementCount(Array(shape)) else { throw .invalid("the dimensions \(Array(shape)) have no product") }
    return count
}

/// `axes` counted from the front. Throws if one is out of range or comes twice.
func normalizedAxes(_ axes: [Int], rank: Int) throws(OperatorError) -> [Int] {
    var result: [Int] = []
    for axis in axes {
        let axis = try normalizedAxis(axis, rank: rank)
        try require(!result.contains(axis), "axis \(axis) is given twice")
        result.append(axis)
    }
    return result
}

/// The integer that a number of any type stands for, as ONNX casts it (towards zero). Throws for NaN, infinities and what 64 bits can't hold.
func integer(_ value: Double) throws(OperatorError) -> Int {
    guard let result = Int(exactly: value.rounded(.towardZero)) else { throw .invalid("\(value) is no usable size or index") }
    return result
}

extension InferenceContext {
    /// An argument that was an attribute before `version` of the operator and is an input from then on; nil if it is left out.
    func integers(attribute: String, before version: Int, input: Int) throws(OperatorError) -> [Int]? {
        if self.version < version { return attributes.ints(attribute) }
        return has(input) ? try integers(input) : nil
    }

    /// The one element of an input of any numeric type.
    func number(_ index: Int) throws(OperatorError) -> Double {
        let values = try value(index).floats
        guard values.count == 1 else { throw .invalid("input \(index) must hold one element, not \(values.count)") }
        return values[0]
    }

    /// The one element of an integer input (or of a floating-point one that holds a whole number).
    func integer(_ index: Int) throws(OperatorError) -> Int {
        let tensor = try value(index)
        guard tensor.count == 1 else { throw .invalid("input \(index) must hold one element, not \(tensor.count)") }
        if case .integers(let elements) = tensor.elements { return Int(elements[0]) }
        return try Operators.integer(tensor.floats[0])
    }

    /// The type that the attribute `name` names by its number; `standard` if it is left out. Throws unless it is one of `types`.
    func dataType(attribute name: String, standard: DataType, among types: TypeSet) throws(OperatorError) -> DataType {
        guard let number = attributes.int(name) else { return standard }
        guard let raw = UInt32(exactly: number), let type = DataType(rawValue: raw), types.contains(type) else {
            throw .invalid("attribute '\(name)' names type \(number), which the operator cannot give")
        }
        return type
    }
}

extension ReferenceContext {
    /// The node as inference sees it when every value is known, so that both read their arguments with the same code.
    var inference: InferenceContext {
        let inputs = inputs
        return InferenceContext(
            attributes: attributes, inputs: inputs.map { $0.map { ConcreteType($0.dataType, $0.shape) } },
            wanted: outputs.map { _ in true }, values: { $0 < inputs.count ? inputs[$0] : nil })
    }
}

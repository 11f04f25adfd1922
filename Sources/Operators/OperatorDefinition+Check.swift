// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

extension OperatorDefinition {
    /// Holds a node against the signature: operator-set version, number of inputs and outputs, types and type variables, attributes.
    ///
    /// - Parameters:
    ///   - inputTypes: one entry per input that the node names; nil is an optional one left out.
    ///   - outputCount: how many outputs the node names, those left out in between included.
    /// - Returns: the operator's version in force.
    @discardableResult
    package func check(
        opset: Int, attributes given: [String: Attribute], inputTypes: [DataType?], outputCount: Int
    ) throws(OperatorError) -> Int {
        if isForeign { return opset }
        guard let version = version(atOpset: opset) else {
            throw .invalid("\(name) came with operator set \(since.first ?? 0), but the model imports \(opset)")
        }
        try checkCount(of: inputs, named: inputTypes.count, "input")
        try checkCount(of: outputs, named: outputCount, "output")
        var bound: [String: DataType] = [:]
        for (index, parameter) in inputs.enumerated() where parameter.arity != .variadic {
            guard index < inputTypes.count, let type = inputTypes[index] else {
                if parameter.arity == .required { throw .invalid("input '\(parameter.name)' of \(name) is missing") }
                continue
            }
            try check(type, for: parameter, bound: &bound)
        }
        if let last = inputs.last, last.arity == .variadic {
            for (index, type) in inputTypes.enumerated().dropFirst(inputs.count - 1) {
                guard let type else { throw .invalid("input \(index) of \(name) is missing") }
                try check(type, for: last, bound: &bound)
            }
        }
        try check(attributes: given)
        return version
    }

    /// Ranks and element counts are limited as in the header (SB-TEN-003).
    static func checkShape(_ shape: [Int], _ what: String) throws(OperatorError) {
        guard shape.count <= 64 else { throw .invalid("\(what) has \(shape.count) axes; at most 64 are allowed") }
        guard elementCount(shape) != nil else { throw .invalid("\(what) has shape \(shape), which no 64-bit number of elements holds") }
    }

    private func checkCount(of parameters: [Parameter], named count: Int, _ word: String) throws(OperatorError) {
        let required = parameters.lastIndex { $0.arity == .required }.map { $0 + 1 } ?? 0
        let isVariadic = parameters.last?.arity == .variadic
        if count < required || (count > parameters.count && !isVariadic) {
            let range =
                isVariadic ? "\(required) or more" : required == parameters.count ? "\(required)" : "\(required) to \(parameters.count)"
            throw .invalid("\(name) has \(range) \(word)\(range == "1" ? "" : "s"), but the node names \(count)")
        }
    }

    private func check(_ type: DataType, for parameter: Parameter, bound: inout [String: DataType]) throws(OperatorError) {
        guard parameter.types.contains(type) else {
            throw .invalid("input '\(parameter.name)' of \(name) cannot have type \(type.name)")
        }
        guard let variable = parameter.typeVariable else { return }
        if let other = bound[variable], other != type {
            throw .invalid(
                "input '\(parameter.name)' of \(name) has type \(type.name), but another input of type \(variable) has \(other.name)")
        }
        bound[variable] = type
    }

    private func check(attributes given: [String: Attribute]) throws(OperatorError) {
        for (attribute, value) in given {
            guard let rule = attributes[attribute] else { throw .invalid("\(name) has no attribute '\(attribute)'") }
            guard rule.kind == value.kind else {
                throw .invalid("attribute '\(attribute)' of \(name) must be of kind \(rule.kind), not \(value.kind)")
            }
        }
        for (attribute, rule) in attributes where rule.isRequired && given[attribute] == nil {
            throw .invalid("\(name) needs attribute '\(attribute)'")
        }
    }
}

extension Attribute {
    package var kind: AttributeRule.Kind {
        switch self {
        case .int: .int
        case .float: .float
        case .string: .string
        case .tensor: .tensor
        case .graph: .graph
        case .ints: .ints
        case .floats: .floats
        case .strings: .strings
        }
    }
}

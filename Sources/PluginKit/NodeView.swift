// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// One operator applied to tensors, as the host describes it. Valid until the call returns; copies nothing.
package struct NodeView {
    package let raw: UnsafePointer<sb_node>

    /// Checks everything that the node points to, so that no accessor can be led astray by a malformed struct.
    init(validating raw: UnsafePointer<sb_node>?) throws(PluginFailure) {
        guard let raw, raw.pointee.size >= MinimumSize.node else { throw .invalid("a node is NULL or shorter than in version 0.1") }
        self.raw = raw
        guard raw.pointee.operator_name.data != nil, raw.pointee.domain.data != nil || raw.pointee.domain.length == 0 else {
            throw .invalid("a node names no operator")
        }
        guard raw.pointee.attribute_count == 0 || raw.pointee.attributes != nil, raw.pointee.input_count == 0 || raw.pointee.inputs != nil,
            raw.pointee.output_count == 0 || raw.pointee.outputs != nil
        else { throw .invalid("a node counts entries of a list that is NULL") }
        for index in 0..<raw.pointee.attribute_count { try AttributeView.validate(raw.pointee.attributes[index]) }
        for index in 0..<(inputCount + outputCount) {
            let pointer = index < inputCount ? raw.pointee.inputs[index] : raw.pointee.outputs[index - inputCount]
            guard pointer != nil else { continue }
            guard let tensor = TensorView(pointer) else { throw .invalid("a tensor of a node is shorter than in version 0.1") }
            try tensor.validate()
        }
    }

    /// A node that a plugin has made itself, for a kernel of its own.
    package init(trusting raw: UnsafePointer<sb_node>) { self.raw = raw }

    func hasOperator(_ name: String, domain: String) -> Bool {
        raw.pointee.operator_name.isEqual(to: name) && raw.pointee.domain.isEqual(to: domain)
    }

    package var domain: String { String(raw.pointee.domain) }
    package var operatorName: String { String(raw.pointee.operator_name) }
    /// The operator-set version in which the operator's meaning was last changed.
    package var version: Int { Int(raw.pointee.version) }

    package var inputCount: Int { raw.pointee.input_count }
    package var outputCount: Int { raw.pointee.output_count }
    /// Nil for an optional input left out, also at the end.
    package func input(_ index: Int) -> TensorView? { index >= 0 && index < inputCount ? TensorView(raw.pointee.inputs[index]) : nil }
    package func output(_ index: Int) -> TensorView? { index >= 0 && index < outputCount ? TensorView(raw.pointee.outputs[index]) : nil }

    /// Whether every tensor is row-major.
    package var isRowMajor: Bool {
        let all = (0..<inputCount).map { input($0) } + (0..<outputCount).map { output($0) }
        return all.allSatisfy { $0 == nil || $0!.layout == SB_LAYOUT_ROW_MAJOR }
    }

    /// `SB_TYPE_*` by which kernels are chosen (SB-OPS-002): that of the first input, of the second for Where, of the first output if there is no input.
    package var dataType: UInt32? { (inputCount > 0 ? input(hasOperator("Where", domain: "") ? 1 : 0) : output(0))?.dataType }
}

extension NodeView {
    package var attributes: some Sequence<AttributeView> {
        (0..<raw.pointee.attribute_count).lazy.map { AttributeView(raw: raw.pointee.attributes[$0]!) }
    }

    package func attribute(_ name: String) -> AttributeView? { attributes.first { $0.hasName(name) } }

    package func int(_ name: String) -> Int64? { attribute(name)?.ints?.first }
    package func ints(_ name: String) -> UnsafeBufferPointer<Int64>? { attribute(name)?.ints }
    package func float(_ name: String) -> Float? { attribute(name)?.floats?.first }
    package func floats(_ name: String) -> UnsafeBufferPointer<Float>? { attribute(name)?.floats }
    package func string(_ name: String) -> String? { attribute(name)?.strings?.first }
    package func tensor(_ name: String) -> TensorView? { attribute(name)?.tensor }
}

/// An attribute of a node.
package struct AttributeView {
    package let raw: UnsafePointer<sb_attribute>

    package var name: String { String(raw.pointee.name) }
    /// The attribute is a list, even if it has one entry.
    package var isList: Bool { raw.pointee.flags & SB_ATTRIBUTE_FLAG_LIST != 0 }

    package var ints: UnsafeBufferPointer<Int64>? {
        raw.pointee.type == SB_ATTRIBUTE_INTS ? UnsafeBufferPointer(start: raw.pointee.ints, count: raw.pointee.count) : nil
    }
    package var floats: UnsafeBufferPointer<Float>? {
        raw.pointee.type == SB_ATTRIBUTE_FLOATS ? UnsafeBufferPointer(start: raw.pointee.floats, count: raw.pointee.count) : nil
    }
    package var strings: [String]? {
        raw.pointee.type == SB_ATTRIBUTE_STRINGS
            ? UnsafeBufferPointer(start: raw.pointee.strings, count: raw.pointee.count).map(String.init) : nil
    }
    package var tensor: TensorView? { raw.pointee.type == SB_ATTRIBUTE_TENSOR ? TensorView(raw.pointee.tensor) : nil }

    func hasName(_ name: String) -> Bool { raw.pointee.name.isEqual(to: name) }

    static func validate(_ raw: UnsafePointer<sb_attribute>?) throws(PluginFailure) {
        guard let attribute = raw?.pointee, attribute.size >= MinimumSize.attribute else {
            throw .invalid("an attribute is NULL or shorter than in version 0.1")
        }
        let isPresent =
            switch attribute.type {
            case SB_ATTRIBUTE_INTS: attribute.count == 0 || attribute.ints != nil
            case SB_ATTRIBUTE_FLOATS: attribute.count == 0 || attribute.floats != nil
            case SB_ATTRIBUTE_STRINGS: attribute.count == 0 || attribute.strings != nil
            case SB_ATTRIBUTE_TENSOR: attribute.tensor != nil
            default: true
            }
        guard attribute.name.data != nil, isPresent else { throw .invalid("an attribute has no name or no value") }
        if attribute.type == SB_ATTRIBUTE_TENSOR {
            guard let tensor = TensorView(attribute.tensor) else {
                throw .invalid("the tensor of an attribute is shorter than in version 0.1")
            }
            try tensor.validate()
        }
    }
}

extension String {
    /// Bytes that are not UTF-8 become replacement characters.
    init(_ string: sb_string) {
        guard let data = string.data else {
            self = ""
            return
        }
        self = String(decoding: UnsafeRawBufferPointer(start: data, count: string.length), as: UTF8.self)
    }
}

extension sb_string {
    func isEqual(to text: String) -> Bool {
        var text = text
        return text.withUTF8 { $0.elementsEqual(UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : length)) }
    }
}

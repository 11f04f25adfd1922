// SPDX-License-Identifier: Apache-2.0
import Graph

extension GraphReader {
    func readAttributes(of node: Onnx_NodeProto, place: String) throws(ONNXError) -> [String: Attribute] {
        var attributes: [String: Attribute] = [:]
        var seen: Set<String> = []
        for proto in node.attribute {
            guard !proto.name.isEmpty else { throw .invalid("\(place): an attribute has no name") }
            guard seen.insert(proto.name).inserted else { throw .invalid("\(place): attribute '\(proto.name)' is given twice") }
            attributes[proto.name] = try readAttribute(proto, place: place)
        }
        return attributes
    }

    /// Nil for a reference to an attribute that the function's caller left out: the node then has none either.
    func readAttribute(_ proto: Onnx_AttributeProto, place: String) throws(ONNXError) -> Attribute? {
        let here = "\(place): attribute '\(proto.name)'"
        if !proto.refAttrName.isEmpty { return try referencedAttribute(proto, here: here) }
        let type = try attributeType(of: proto, here: here)
        switch type {
        case .float: return .float(proto.f)
        case .int: return .int(proto.i)
        case .string: return .string(try checkedText(proto.s, here))
        case .floats: return .floats(proto.floats)
        case .ints: return .ints(proto.ints)
        case .strings: return .strings(try proto.strings.map { data throws(ONNXError) in try checkedText(data, here) })
        case .tensor: return .tensor(try context.tensors.tensor(proto.t, here))
        case .sparseTensor: return .tensor(try context.tensors.tensor(proto.sparseTensor, here))
        case .graph: return .graph(try subgraph(proto.g, here: here))
        case .undefined, .typeProto, .tensors, .graphs, .sparseTensors, .typeProtos:
            throw .unsupported("\(here) is of a kind that is not supported (\(type))")
        }
    }

    private func subgraph(_ proto: Onnx_GraphProto, here: String) throws(ONNXError) -> Graph {
        guard frame.depth < Frame.depthLimit else {
            throw .unsupported("\(here): functions and subgraphs nest deeper than \(Frame.depthLimit) levels")
        }
        var inner = frame
        inner.depth += 1
        return try GraphReader(context: context, frame: inner, name: proto.name, parent: scope).read(proto, requiringInputTypes: false)
    }

    /// The value that the call of the function being inlined gives to the attribute that `proto` refers to.
    private func referencedAttribute(_ proto: Onnx_AttributeProto, here: String) throws(ONNXError) -> Attribute? {
        guard let attributes = frame.attributes else {
            throw .invalid("\(here) refers to attribute '\(proto.refAttrName)' of a function, but stands outside one")
        }
        guard let value = attributes[proto.refAttrName] else { return nil }
        if case .graph(let graph) = value, !graph.captures.isEmpty {
            throw .unsupported("\(here): a graph that a function gets as attribute must not use values of the caller")
        }
        guard !proto.hasType || proto.type == value.type || proto.type == .sparseTensor && value.type == .tensor else {
            throw .invalid("\(here) is of kind \(proto.type), but refers to '\(proto.refAttrName)' of kind \(value.type)")
        }
        return value
    }

    /// The kind that the message says; models older than IR version 2 say none, then the one field that is there tells.
    private func attributeType(of proto: Onnx_AttributeProto, here: String) throws(ONNXError) -> Onnx_AttributeProto.AttributeType {
        let present = proto.presentFields
        if proto.type != .undefined {
            // A default (0, an empty list) may be left out of the file.
            guard present.isEmpty || present == [proto.type] else {
                throw .invalid(
                    "\(here) says that it is of kind \(proto.type), but holds \(present.map { "\($0)" }.joined(separator: ", "))")
            }
            return proto.type
        }
        guard present.count == 1 else { throw .invalid("\(here) does not say of which kind it is") }
        return present[0]
    }

    private func checkedText(_ data: some Collection<UInt8>, _ here: String) throws(ONNXError) -> String {
        guard let string = String(validating: data, as: UTF8.self) else { throw .invalid("\(here): a string is not UTF-8") }
        return string
    }
}

extension Onnx_AttributeProto {
    fileprivate var presentFields: [AttributeType] {
        var fields: [AttributeType] = []
        if hasF { fields.append(.float) }
        if hasI { fields.append(.int) }
        if hasS { fields.append(.string) }
        if hasT { fields.append(.tensor) }
        if hasG { fields.append(.graph) }
        if hasSparseTensor { fields.append(.sparseTensor) }
        if hasTp { fields.append(.typeProto) }
        if !floats.isEmpty { fields.append(.floats) }
        if !ints.isEmpty { fields.append(.ints) }
        if !strings.isEmpty { fields.append(.strings) }
        if !tensors.isEmpty { fields.append(.tensors) }
        if !graphs.isEmpty { fields.append(.graphs) }
        if !sparseTensors.isEmpty { fields.append(.sparseTensors) }
        if !typeProtos.isEmpty { fields.append(.typeProtos) }
        return fields
    }
}

extension Attribute {
    fileprivate var type: Onnx_AttributeProto.AttributeType {
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

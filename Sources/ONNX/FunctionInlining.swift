// SPDX-License-Identifier: Apache-2.0
import Graph

extension GraphReader {
    /// Puts the body of a model's function in the place of a node that calls it. Its inner nodes and values are named `call/name`.
    func inline(_ function: Onnx_FunctionProto, id: FunctionID, call: Onnx_NodeProto, name: String, place: String) throws(ONNXError) {
        if let first = frame.calls.firstIndex(of: id) {
            let circle = (frame.calls[first...] + [id]).map(\.description).joined(separator: " -> ")
            throw .invalid("\(place): the function calls itself: \(circle)")
        }
        guard frame.depth < Frame.depthLimit else {
            throw .unsupported("\(place): functions and subgraphs nest deeper than \(Frame.depthLimit) levels")
        }
        guard call.input.count <= function.input.count, call.output.count <= function.output.count else {
            throw .invalid(
                "\(place) has \(call.input.count) inputs and \(call.output.count) outputs, but function '\(id)' takes \(function.input.count) and gives \(function.output.count)"
            )
        }
        let inner = try Frame(
            opsets: importedOpsets(function.opsetImport, by: "function '\(id)'"),
            attributes: parameters(of: function, id: id, call: call, place: place), prefix: name + "/", calls: frame.calls + [id],
            depth: frame.depth + 1)
        let body = inlining(inner)
        let inputs = try readInputs(of: call, place: place)
        for (index, formal) in function.input.enumerated() {
            guard body.scope.binding(of: formal) == nil else { throw .invalid("function '\(id)' has two inputs named '\(formal)'") }
            if index < inputs.count, let value = inputs[index] {
                body.scope.bind(formal, to: .value(value))
            } else {
                body.scope.bind(formal, to: .absent)
            }
        }
        var copies: [(from: String, to: ValueID)] = []
        for (formal, actual) in zip(function.output, call.output) where !actual.isEmpty {
            let value = scope.declare(actual, prefix: frame.prefix)
            // An output that is an input, or is listed twice, has its value already and needs a node of its own.
            if body.scope.binding(of: formal) == nil {
                body.scope.bind(formal, to: .value(value))
            } else {
                copies.append((formal, value))
            }
        }
        try checkSingleAssignment(function, id: id)
        for node in function.node { for output in node.output where !output.isEmpty { body.scope.declare(output, prefix: inner.prefix) } }
        for (index, node) in function.node.enumerated() { try body.readNode(node, index: index) }
        for copy in copies { try body.addIdentity(copy.from, to: copy.to, name: name, place: place) }
    }

    /// A function's input must not be written in its body: that would write the caller's value.
    private func checkSingleAssignment(_ function: Onnx_FunctionProto, id: FunctionID) throws(ONNXError) {
        var written = Set(function.input)
        for (index, node) in function.node.enumerated() {
            for output in node.output where !output.isEmpty && !written.insert(output).inserted {
                let name = node.name.isEmpty ? "\(node.opType)_\(index)" : node.name
                throw .invalid("function '\(id)': node '\(name)' (\(node.opType)) writes '\(output)', which already has a value")
            }
        }
    }

    private func addIdentity(_ formal: String, to value: ValueID, name: String, place: String) throws(ONNXError) {
        guard case .value(let source)? = scope.binding(of: formal) else {
            throw .invalid("\(place): the function's output '\(formal)' is an input that the call leaves out")
        }
        guard let opset = frame.opsets[""] else {
            throw .unsupported("\(place): a function that hands on an input must import an opset of ONNX")
        }
        scope.builder.graph.addNode(
            Node(name: "\(name)/Identity", operatorName: "Identity", opset: opset, inputs: [source], outputs: [value]))
    }

    /// The attributes that the call gives, and the function's defaults for the others.
    private func parameters(
        of function: Onnx_FunctionProto, id: FunctionID, call: Onnx_NodeProto, place: String
    ) throws(ONNXError) -> [String: Attribute] {
        var values = try readAttributes(of: call, place: place)
        let known = Set(function.attribute).union(function.attributeProto.map(\.name))
        if let stranger = values.keys.filter({ !known.contains($0) }).min() {
            throw .invalid("\(place): function '\(id)' has no attribute '\(stranger)'")
        }
        for standard in function.attributeProto where values[standard.name] == nil {
            values[standard.name] = try readAttribute(standard, place: "function '\(id)'")
        }
        return values
    }
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// The operators on sequences of tensors. How many tensors a sequence has must be known when the model is read: then no sequence is left at run time, only the
/// tensors in it, which any device can work on.
enum SequenceOperator: String {
    case sequenceConstruct = "SequenceConstruct"
    case sequenceEmpty = "SequenceEmpty"
    case sequenceInsert = "SequenceInsert"
    case sequenceErase = "SequenceErase"
    case sequenceAt = "SequenceAt"
    case sequenceLength = "SequenceLength"
    case splitToSequence = "SplitToSequence"
    case concatFromSequence = "ConcatFromSequence"

    /// How many inputs a node may name.
    var inputCounts: ClosedRange<Int> {
        switch self {
        case .sequenceConstruct: 1...Int(Int32.max)
        case .sequenceEmpty: 0...0
        case .sequenceInsert: 2...3
        case .sequenceErase, .splitToSequence: 1...2
        case .sequenceAt: 2...2
        case .sequenceLength, .concatFromSequence: 1...1
        }
    }
}

extension GraphReader {
    /// Puts the tensors of a sequence in the place of the sequence.
    func takeApart(
        _ operation: SequenceOperator, _ proto: Onnx_NodeProto, name: String, opset: Int, attributes: [String: Attribute], place: String
    ) throws(ONNXError) {
        guard operation.inputCounts.contains(proto.input.count), proto.output.count == 1, let output = proto.output.first, !output.isEmpty
        else {
            throw .invalid(
                "\(place) has \(proto.input.count) inputs and \(proto.output.count) outputs, which \(proto.opType) does not have")
        }
        let builder = SequenceNodes(reader: self, name: name, opset: opset)
        func sequence() throws(ONNXError) -> [ValueID] {
            guard case .sequence(let values)? = scope.resolve(proto.input[0]) else {
                throw .invalid("\(place) reads '\(proto.input[0])', which is no sequence at that point")
            }
            return values
        }
        /// The place in a sequence that an input names; nil where it is left out.
        func position(input: Int, upTo count: Int) throws(ONNXError) -> Int? {
            guard input < proto.input.count, !proto.input[input].isEmpty else { return nil }
            guard let given = try constant(proto.input[input], place)?.first else {
                throw .unsupported("\(place): the position '\(proto.input[input])' is not known before the run")
            }
            let position = given < 0 ? Int(clamping: given) + count : Int(clamping: given)
            return position
        }
        func inside(_ position: Int, _ range: Range<Int>) throws(ONNXError) -> Int {
            guard range.contains(position) else {
                throw .invalid("\(place): position \(position) is outside a sequence of \(range.upperBound)")
            }
            return position
        }
        let axis = try integer("axis", attributes, place)
        switch operation {
        case .sequenceEmpty: scope.bind(output, to: .sequence([]))
        case .sequenceConstruct:
            var values: [ValueID] = []
            for input in try readInputs(of: proto, place: place) {
                guard let input else { throw .invalid("\(place) leaves out an input") }
                values.append(input)
            }
            scope.bind(output, to: .sequence(values))
        case .sequenceInsert:
            var values = try sequence()
            guard case .value(let tensor)? = scope.resolve(proto.input[1]) else {
                throw .invalid("\(place) reads '\(proto.input[1])', which is no tensor")
            }
            let target = try position(input: 2, upTo: values.count) ?? values.count
            guard target >= 0, target <= values.count else {
                throw .invalid("\(place): position \(target) is outside a sequence of \(values.count)")
            }
            values.insert(tensor, at: target)
            scope.bind(output, to: .sequence(values))
        case .sequenceErase:
            var values = try sequence()
            values.remove(at: try inside(try position(input: 1, upTo: values.count) ?? values.count - 1, values.indices))
            scope.bind(output, to: .sequence(values))
        case .sequenceAt:
            let values = try sequence()
            let target = try inside(try position(input: 1, upTo: values.count) ?? 0, values.indices)
            builder.add("Identity", [values[target]], to: [scope.declare(output, prefix: frame.prefix)])
        case .sequenceLength:
            try builder.set(scope.declare(output, prefix: frame.prefix), to: [Int64(try sequence().count)], shape: [])
        case .concatFromSequence:
            guard let axis else { throw .invalid("\(place) needs attribute 'axis'") }
            var values = try sequence()
            guard !values.isEmpty else { throw .invalid("\(place) joins an empty sequence") }
            if try integer("new_axis", attributes, place) ?? 0 != 0 {
                values = try values.map { value throws(ONNXError) in try builder.changingAxis("Unsqueeze", value, axis) }
            }
            builder.add("Concat", values, ["axis": .int(Int64(axis))], to: [scope.declare(output, prefix: frame.prefix)])
        case .splitToSequence:
            let keeps = try integer("keepdims", attributes, place) ?? 1 != 0
            scope.bind(output, to: .sequence(try builder.split(proto, axis: axis ?? 0, keepsAxis: keeps, place: place)))
        }
    }

    /// The whole numbers of a value that the model holds; nil for one that is computed.
    fileprivate func constant(_ name: String, _ place: String) throws(ONNXError) -> [Int64]? {
        guard case .value(let value)? = scope.resolve(name) else { throw .invalid("\(place) reads '\(name)', which nothing writes") }
        if let tensor = scope.builder.graph.constants[value] { return tensor.decodedIntegers() }
        for node in scope.builder.graph.nodes where node.operatorName == "Constant" && node.outputs.first == .some(value) {
            switch node.attributes.values.first {
            case .tensor(let tensor)?: return tensor.decodedIntegers()
            case .int(let value)?: return [value]
            case .ints(let values)?: return values
            default: return nil
            }
        }
        return nil
    }

    private func integer(_ name: String, _ attributes: [String: Attribute], _ place: String) throws(ONNXError) -> Int? {
        switch attributes[name] {
        case .int(let value)?: return Int(value)
        case nil: return nil
        default: throw .invalid("\(place): attribute '\(name)' must be a whole number")
        }
    }
}

/// The ordinary nodes that stand for those on sequences.
private struct SequenceNodes {
    let reader: GraphReader
    let name: String
    let opset: Int

    private var builder: GraphBuilder { reader.scope.builder }

    func add(
        _ operatorName: String, _ inputs: [ValueID], _ attributes: [String: Attribute] = [:], to outputs: [ValueID],
        named nodeName: String? = nil
    ) {
        builder.graph.addNode(
            Node(name: nodeName ?? name, operatorName: operatorName, opset: opset, inputs: inputs, outputs: outputs, attributes: attributes)
        )
    }

    func set(_ value: ValueID, to values: [Int64], shape: [Int]) throws(ONNXError) {
        do { builder.graph.constants[value] = try HostTensor(.int64, shape, values) } catch { throw .invalid("\(error)") }
        builder.graph[value].type = TensorType(.int64, known: shape)
    }

    /// Unsqueeze or Squeeze; before version 13 the axes are an attribute.
    func changingAxis(_ operatorName: String, _ value: ValueID, _ axis: Int) throws(ONNXError) -> ValueID {
        let result = builder.addValue("\(name)/\(operatorName)")
        let named = builder.graph[result].name
        if opset < 13 {
            add(operatorName, [value], ["axes": .ints([Int64(axis)])], to: [result], named: named)
        } else {
            add(operatorName, [value, try constant([Int64(axis)], "axes")], to: [result], named: named)
        }
        return result
    }

    private func constant(_ values: [Int64], _ what: String) throws(ONNXError) -> ValueID {
        let value = builder.addValue("\(name)/\(what)")
        try set(value, to: values, shape: [values.count])
        return value
    }

    /// The parts of a tensor along an axis: of one each, of a given size, or of given sizes.
    func split(_ proto: Onnx_NodeProto, axis: Int, keepsAxis: Bool, place: String) throws(ONNXError) -> [ValueID] {
        guard case .value(let source)? = reader.scope.resolve(proto.input[0]) else {
            throw .invalid("\(place) reads '\(proto.input[0])', which is no tensor")
        }
        let sizes: [Int64]
        var dropsAxis = false
        if proto.input.count > 1, !proto.input[1].isEmpty {
            guard case .value(let splitValue)? = reader.scope.resolve(proto.input[1]) else {
                throw .invalid("\(place) reads '\(proto.input[1])', which is no tensor")
            }
            let isScalar = builder.graph.constants[splitValue]?.shape.isEmpty ?? (builder.graph[splitValue].type?.shape?.isEmpty == true)
            if let given = try reader.constant(proto.input[1], place) {
                sizes = isScalar ? try equal(given[0], try length(of: source, axis, place), place) : given
            } else if !isScalar, case .known(let count)? = builder.graph[splitValue].type?.shape?.first {
                return opset < 13
                    ? try slices(of: source, axis, count: count, sizes: splitValue)
                    : parts(of: source, axis, count: count, sizes: splitValue)
            } else {
                throw .unsupported("\(place): into how many parts the tensor is split is not known before the run")
            }
        } else {
            sizes = try equal(1, try length(of: source, axis, place), place)
            dropsAxis = !keepsAxis
        }
        guard sizes.count <= 1 << 16 else { throw .unsupported("\(place): a sequence of \(sizes.count) tensors") }
        let parts: [ValueID]
        if opset < 13 {
            parts = declareParts(sizes.count)
            add("Split", [source], ["axis": .int(Int64(axis)), "split": .ints(sizes)], to: parts)
        } else {
            parts = self.parts(of: source, axis, count: sizes.count, sizes: try constant(sizes, "split"))
        }
        return dropsAxis ? try parts.map { part throws(ONNXError) in try changingAxis("Squeeze", part, axis) } : parts
    }

    private func declareParts(_ count: Int) -> [ValueID] { (0..<count).map { builder.addValue("\(name)/part_\($0)") } }

    private func parts(of source: ValueID, _ axis: Int, count: Int, sizes: ValueID) -> [ValueID] {
        let parts = declareParts(count)
        add("Split", [source, sizes], ["axis": .int(Int64(axis))], to: parts)
        return parts
    }

    /// Before operator set 13 the sizes of a Split were an attribute: slices between running sums of the sizes.
    private func slices(of source: ValueID, _ axis: Int, count: Int, sizes: ValueID) throws(ONNXError) -> [ValueID] {
        let (ends, starts) = (builder.addValue("\(name)/ends"), builder.addValue("\(name)/starts"))
        let (first, axes) = (builder.addValue("\(name)/first"), try constant([Int64(axis)], "axes"))
        try set(first, to: [0], shape: [])
        add("CumSum", [sizes, first], to: [ends], named: "\(name)/ends")
        add("Sub", [ends, sizes], to: [starts], named: "\(name)/starts")
        let parts = declareParts(count)
        for (number, part) in parts.enumerated() {
            let (from, to) = (try constant([Int64(number)], "from_\(number)"), try constant([Int64(number + 1)], "to_\(number)"))
            let (start, end) = (builder.addValue("\(name)/start_\(number)"), builder.addValue("\(name)/end_\(number)"))
            add("Slice", [starts, from, to], to: [start], named: "\(name)/start_\(number)")
            add("Slice", [ends, from, to], to: [end], named: "\(name)/end_\(number)")
            add("Slice", [source, start, end, axes], to: [part], named: "\(name)/part_\(number)")
        }
        return parts
    }

    private func length(of value: ValueID, _ axis: Int, _ place: String) throws(ONNXError) -> Int64 {
        let shape = builder.graph[value].type?.shape
        let position = axis < 0 ? axis + (shape?.count ?? 0) : axis
        guard let shape, shape.indices.contains(position), case .known(let size) = shape[position] else {
            throw .unsupported("\(place): the length of axis \(axis) is not known before the run")
        }
        return Int64(size)
    }

    private func equal(_ size: Int64, _ length: Int64, _ place: String) throws(ONNXError) -> [Int64] {
        guard size > 0 else { throw .invalid("\(place) splits into parts of \(size)") }
        return stride(from: 0, to: length, by: Int64.Stride(size)).map { min(size, length - $0) }
    }
}

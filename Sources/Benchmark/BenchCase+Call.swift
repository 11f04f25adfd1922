// SPDX-License-Identifier: Apache-2.0
package import Conformance
import Graph
package import HardwareModel
package import Operators
package import Tensors

extension BenchCase {
    /// The operator on data that `seed` draws. A long tensor repeats a shorter one, of a length that no row has.
    package func call(seed: UInt64) throws -> OperatorCall {
        guard let definition = OperatorCatalog.standard["", operatorName] else {
            throw ConformanceError.internal("there is no operator '\(operatorName)'")
        }
        let inputs = try inputs.enumerated().map { index, input in
            try input.map { try tensor($0, CounterRandom(seed: seed, case: id, tensor: "x\(index)")) }
        }
        return OperatorCall(definition, opset: OperatorCatalog.opsets.upperBound, attributes: attributes, inputs: inputs)
    }

    private static let period = 65_521

    private func tensor(_ spec: Sample.Tensor, _ random: CounterRandom) throws -> HostTensor {
        let count = elementCount(spec.shape) ?? 0
        let drawn = min(count, Self.period)
        let block: HostTensor
        switch spec.values {
        case .exactly(let values): return try made(spec.dataType, spec.shape, values)
        case .data(let range):
            let range = range ?? -1...1
            let width = range.upperBound - range.lowerBound
            block = try made(spec.dataType, [drawn], (0..<drawn).map { range.lowerBound + width * random.uniform(UInt64($0)) })
        case .integers(let range):
            let span = UInt64(range.upperBound - range.lowerBound + 1)
            block = try HostTensor(
                spec.dataType, [drawn], integers: (0..<drawn).map { range.lowerBound + Int64(random.integer(UInt64($0), below: span)) })
        case .permutation: throw ConformanceError.internal("a benchmark draws no permutations")
        }
        return try HostTensor(spec.dataType, spec.shape) { target in
            var offset = 0
            while offset < target.count {
                let length = min(block.byteCount, target.count - offset)
                UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + length]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: block.bytes[..<length]))
                offset += length
            }
        }
    }

    private func made(_ type: DataType, _ shape: [Int], _ values: [Double]) throws -> HostTensor {
        type.isFloat ? try HostTensor(type, shape, doubles: values) : try HostTensor(type, shape, integers: values.map { Int64($0) })
    }
}

extension OperatorCall {
    /// Types and shapes of the call as a graph. Throws where the catalogue refuses it.
    package func inference() throws -> GraphInference {
        let (graph, inputs) = graph()
        return try GraphInference(graph, given: Dictionary(uniqueKeysWithValues: zip(graph.inputs, inputs)))
    }
}

extension GraphInference {
    init(_ graph: Graph, given: [ValueID: HostTensor]) throws {
        try self.init(graph, inputs: given.mapValues { ConcreteType($0.dataType, $0.shape) }, values: given)
    }

    /// Operations of all nodes. Bytes: inputs, constants and outputs of the graph, each once, for what lies between may stay on the chip.
    package func work() throws -> Work {
        var work = Work()
        var isRead: Set<ValueID> = []
        for node in graph.nodes {
            let definition = try definition(of: node)
            let inputs = node.inputs.map { $0.flatMap { concreteType($0) } }
            let outputs = node.outputs.map { $0.flatMap { concreteType($0) } }
            let type = definition.dataType(inputs: inputs.map(\.?.dataType), outputs: outputs.map(\.?.dataType)) ?? .float32
            let count = definition.operationCount(of: node, inputs: inputs, outputs: outputs)
            if count > 0 { work.operations[type.name, default: 0] += count }
            for (index, input) in node.inputs.enumerated() {
                guard let input, graph.constants[input] != nil || graph.inputs.contains(input), isRead.insert(input).inserted else {
                    continue
                }
                let size = byteCount(input)
                // What picks elements reads no more than it writes.
                work.bytes +=
                    index == 0 && definition.picksElements ? min(size, node.outputs.compactMap { $0 }.map(byteCount).reduce(0, +)) : size
            }
        }
        work.bytes += Set(graph.outputs).map(byteCount).reduce(0, +)
        return work
    }

    private func byteCount(_ value: ValueID) -> Double {
        concreteType(value).flatMap { type in elementCount(type.shape).flatMap { type.dataType.byteCount(of: $0) } }.map(Double.init) ?? 0
    }
}

extension BenchCase {
    /// A part of the call that the reference computes quickly, and the same part of its output.
    package func sampled(_ call: OperatorCall, output: HostTensor, operations: Double, random: CounterRandom) throws -> (
        OperatorCall, HostTensor
    ) {
        guard let first = part.inputs.first, let extent = call.inputs[first.index]?.shape[first.axis], extent > 0 else {
            return (call, output)
        }
        // A share that keeps the float64 reference within some tens of milliseconds.
        let cost = max(operations / 4e6, Double(output.count) / 2e5, 1)
        let length = min(max(Int(Double(extent) / cost), 1), extent)
        let begin = Int(random.integer(0, below: UInt64(extent - length + 1)))
        var sampled = call
        for (index, axis) in part.inputs {
            sampled.inputs[index] = try call.inputs[index]?.slice(axis: axis, begin..<begin + length)
        }
        return (sampled, try output.slice(axis: part.output, begin..<begin + length))
    }
}

extension HostTensor {
    /// A range of one axis. Elements take whole bytes.
    package func slice(axis: Int, _ range: Range<Int>) throws -> HostTensor {
        var shape = shape
        let width = dataType.bits / 8
        let inner = shape[(axis + 1)...].reduce(width, *)
        let outer = shape[..<axis].reduce(1, *)
        let stride = shape[axis] * inner
        shape[axis] = range.count
        return try HostTensor(dataType, shape) { target in
            for row in 0..<outer {
                let source = bytes[(row * stride + range.lowerBound * inner)..<(row * stride + range.upperBound * inner)]
                UnsafeMutableRawBufferPointer(rebasing: target[(row * range.count * inner)..<((row + 1) * range.count * inner)]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source))
            }
        }
    }
}

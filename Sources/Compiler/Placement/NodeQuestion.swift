// SPDX-License-Identifier: Apache-2.0
package import Graph
package import HardwareModel
package import Operators
package import Southbound
package import Tensors

/// What the plugins are asked about a node, apart from which kernel.
package struct NodeQuestion {
    package let node: Node
    /// Of the operator, not of the model's operator set.
    package let version: Int
    /// With the standard's defaults.
    package let attributes: [String: Attribute]
    package let inputs: [TensorDescriptor?]
    package let outputs: [TensorDescriptor?]
    /// An output's shape is known only after the launch.
    package let isBounded: Bool
    package let work: Work

    /// By SB-OPS-002.
    package let dataType: DataType?

    init(_ id: NodeID, _ placement: Placement) throws {
        let node = placement.graph[id]
        let definition = try placement.inference.definition(of: node)
        self.node = node
        inputs = node.inputs.map { $0.flatMap { placement.describe($0, withValue: true) } }
        outputs = node.outputs.map { $0.flatMap { placement.describe($0, withValue: false) } }
        version = definition.version(atOpset: node.opset) ?? node.opset
        attributes = definition.allAttributes(of: node)
        isBounded = node.outputs.contains { output in
            if let output, case .bounded = placement.types[output.index] { true } else { false }
        }
        dataType = definition.dataType(inputs: inputs.map(\.?.dataType), outputs: outputs.map(\.?.dataType))
        work = definition.work(of: node, inputs: inputs.map(\.?.type), outputs: outputs.map(\.?.type))
    }

    /// The node as a kernel is given it.
    func descriptor(for kernel: Kernel) throws(PluginError) -> NodeDescriptor {
        try NodeDescriptor(
            kernel: kernel, domain: node.domain, operatorName: node.operatorName, version: version, attributes: attributes, inputs: inputs,
            outputs: outputs)
    }

    /// Equal for nodes about which a plugin cannot but answer the same: operator, attributes, types and shapes, which inputs are constant, and the values of
    /// small constants, which may be axes or scales. The same on every machine and in every run.
    package var signature: NodeSignature {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        func add(_ number: Int) { withUnsafeBytes(of: Int64(number).littleEndian) { bytes.append(contentsOf: $0) } }
        func add(_ text: String) {
            add(text.utf8.count)
            bytes.append(contentsOf: text.utf8)
        }
        func add(_ tensor: TensorDescriptor?) {
            guard let tensor else { return add(-1) }
            add(Int(tensor.dataType.rawValue))
            add(tensor.shape.count)
            tensor.shape.forEach(add)
            add(tensor.host == nil ? 0 : 1)
            guard let host = tensor.host, tensor.byteCount <= Self.mostConstantBytes else { return }
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: host, count: tensor.byteCount))
        }
        add(node.domain)
        add(node.operatorName)
        add(version)
        for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
            add(name)
            switch value {
            case .int(let number): add(Int(number))
            case .float(let number): add(Int(number.bitPattern))
            case .string(let text): add(text)
            case .ints(let numbers):
                add(numbers.count)
                for number in numbers { add(Int(number)) }
            case .floats(let numbers):
                add(numbers.count)
                for number in numbers { add(Int(number.bitPattern)) }
            case .strings(let texts):
                add(texts.count)
                texts.forEach(add)
            case .tensor(let tensor):
                add(Int(tensor.dataType.rawValue))
                tensor.shape.forEach(add)
                bytes.append(contentsOf: tensor.bytes)
            case .graph: break
            }
        }
        add(inputs.count)
        inputs.forEach(add)
        outputs.forEach(add)
        add(isBounded ? 1 : 0)
        return NodeSignature(bytes: bytes)
    }

    /// Larger constants are weights.
    static let mostConstantBytes = 1024
}

/// See `NodeQuestion.signature`.
package struct NodeSignature: Hashable, Sendable {
    package let bytes: [UInt8]

    /// All bytes at once: an array would give them one by one.
    package func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

extension TensorDescriptor {
    var type: ConcreteType { ConcreteType(dataType, shape) }
    /// 0 where the elements are too many to count.
    var byteCount: Int { elementCount(shape).flatMap(dataType.byteCount(of:)) ?? 0 }
}

extension Placement {
    func describe(_ value: ValueID, withValue: Bool) -> TensorDescriptor? {
        switch types[value.index] {
        case .known(let type)?:
            TensorDescriptor(type.dataType, type.shape, host: withValue ? knownBytes(of: value) : nil)
        case .bounded(let dataType, let shape)?: TensorDescriptor(dataType, shape)
        case nil: nil
        }
    }

    /// The bytes of a constant as plugins see them before the run; nil if it is none, or is not shown to them.
    private func knownBytes(of value: ValueID) -> UnsafeRawPointer? {
        guard let tensor = values[value], tensor.byteCount <= largestKnownConstant else { return nil }
        return tensor.bytes.baseAddress
    }
}

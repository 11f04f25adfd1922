// SPDX-License-Identifier: Apache-2.0
import Operators
import PluginKit
import Tensors

/// A kernel written for speed: one function from a node to what launches it, asked for the support and for the preparation alike.
struct TunedKernel: CPUKernel {
    /// What a node comes to.
    struct Plan {
        let kernel: any PreparedKernel
        /// Bytes that each launch needs.
        var workspace = 0
    }

    /// Why a node is left to the generic kernel.
    struct Refusal: Error {
        let reason: Support.Reason
        let text: String

        init(_ reason: Support.Reason, _ text: String) {
            self.reason = reason
            self.text = text
        }
    }

    let declaration: KernelDeclaration
    private let definition: OperatorDefinition
    /// Whether 16-bit floats are given to it as float32.
    private let widens: Bool
    private let plan: @Sendable (NodeView, CPUDevice) throws(Refusal) -> Plan

    /// - Parameter widens: the kernel sees 16-bit floats as float32 (see `Widening`), and is offered for them where it is for float32.
    init(
        _ operatorName: String, domain: String = "", since: Int, until: Int = 0, types: TypeSet, widens: Bool = false,
        flags: KernelFlags = .deterministic,
        plan: @escaping @Sendable (NodeView, CPUDevice) throws(Refusal) -> Plan
    ) {
        declaration = KernelDeclaration(
            operatorName, domain: domain, operator: operatorName, since: since, until: until,
            types: widens && types.contains(.float32) ? [types, shortFloats] : types,
            flags: flags)
        definition = OperatorCatalog.standard[domain, operatorName]!
        self.widens = widens
        self.plan = plan
    }

    func support(_ node: NodeView, on device: CPUDevice) -> Support {
        if let refusal = definition.refusal(of: node) { return refusal }
        do throws(Refusal) {
            return .yes(workspace: UInt64(try resolve(node, device).workspace))
        } catch {
            return .no(error.reason, error.text)
        }
    }

    func prepare(_ node: NodeView, on device: CPUDevice) throws(PluginFailure) -> any PreparedKernel {
        do throws(Refusal) {
            return try resolve(node, device).kernel
        } catch {
            throw .unsupported(error.text)
        }
    }

    private func resolve(_ node: NodeView, _ device: CPUDevice) throws(Refusal) -> Plan {
        guard widens, let widening = Widening(node) else { return try plan(node, device) }
        return widening.around(try plan(widening.node, device), device)
    }
}

extension KernelFlags {
    static let elementwise: KernelFlags = [.deterministic, .inPlace]
}

/// Elements that one thread should have before a second one is worth waking.
let elementGrain = 16_384

// MARK: Reading nodes

typealias Refusal = TunedKernel.Refusal

func require(_ condition: Bool, _ reason: Support.Reason, _ text: @autoclosure () -> String) throws(Refusal) {
    if !condition { throw Refusal(reason, text()) }
}

extension NodeView {
    /// An input or output that must be there, with its type.
    func present(input index: Int) throws(Refusal) -> (view: TensorView, type: DataType, shape: [Int]) {
        try described(input(index), "input \(index)")
    }

    func present(output index: Int) throws(Refusal) -> (view: TensorView, type: DataType, shape: [Int]) {
        try described(output(index), "output \(index)")
    }

    private func described(_ tensor: TensorView?, _ what: String) throws(Refusal) -> (view: TensorView, type: DataType, shape: [Int]) {
        guard let tensor, let type = tensor.type else { throw Refusal(.other, "\(what) is missing") }
        try require(tensor.strides == nil, .layout, "\(what) has strides")
        return (tensor, type, tensor.dimensions)
    }

    /// The named outputs beyond the first `count` must have been left out.
    func requireOutputs(_ count: Int) throws(Refusal) {
        for index in count..<max(outputCount, count) { try require(output(index) == nil, .other, "output \(index) is wanted") }
    }

    /// All inputs and outputs that are there have one type.
    func requireType(_ wanted: DataType) throws(Refusal) {
        for index in 0..<(inputCount + outputCount) {
            guard let tensor = index < inputCount ? input(index) : output(index - inputCount) else { continue }
            try require(tensor.type == wanted, .dataType, "mixed data types")
        }
    }

    /// An integer list that is an attribute, or an input known before the run. Nil if it is left out.
    func integers(attribute name: String, input index: Int) throws(Refusal) -> [Int]? {
        if let values = ints(name) { return values.map { Int($0) } }
        guard let tensor = input(index) else { return nil }
        guard let address = tensor.host, tensor.strides == nil else { throw Refusal(.other, "input \(index) is not known before the run") }
        switch tensor.type {
        case .int64: return (0..<tensor.count).map { Int(address.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self)) }
        case .int32: return (0..<tensor.count).map { Int(address.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
        default: throw Refusal(.dataType, "input \(index) is no list of integers")
        }
    }

    func axis(_ axis: Int, rank: Int) throws(Refusal) -> Int {
        let result = axis < 0 ? axis + rank : axis
        try require(result >= 0 && result < rank, .attribute, "axis \(axis) is outside rank \(rank)")
        return result
    }
}

func product(_ shape: some Sequence<Int>) -> Int { shape.reduce(1, *) }

/// Bytes of an element; nil for types narrower than a byte.
func width(of type: DataType) -> Int32? { type.bits >= 8 && type != .string ? Int32(type.bits / 8) : nil }

/// Strides in elements of a dense row-major tensor.
func dense(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1) }
    return strides
}

/// Strides by which a tensor is read as if it had shape `target` (NumPy's broadcasting).
func broadcast(_ shape: [Int], to target: [Int]) throws(Refusal) -> [Int] {
    try require(shape.count <= target.count, .shape, "\(shape) does not broadcast to \(target)")
    var strides = [Int](repeating: 0, count: target.count - shape.count)
    for ((size, stride), wanted) in zip(zip(shape, dense(shape)), target.dropFirst(strides.count)) {
        try require(size == wanted || size == 1, .shape, "\(shape) does not broadcast to \(target)")
        strides.append(size == 1 ? 0 : stride)
    }
    return strides
}

// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import Synchronization

/// A node whose program depends on the values of inputs that are on the host only at the launch: lowered there, and again when they change.
final class LatePreparation: PreparedKernel {
    private let node: NodeCopy
    private let name: String
    private let hostInputs: UInt64
    private let device: NPUDevice
    private let lower: @Sendable (NodeView, Profile) throws(Refusal) -> Lowering
    private let latest = Mutex<(values: [[UInt8]], program: PreparedProgram)?>(nil)

    init(
        _ node: NodeView, name: String, hostInputs: UInt64, _ device: NPUDevice,
        _ lower: @escaping @Sendable (NodeView, Profile) throws(Refusal) -> Lowering
    ) {
        self.node = NodeCopy(node)
        self.name = name
        self.hostInputs = hostInputs
        self.device = device
        self.lower = lower
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        var values: [[UInt8]] = []
        for index in 0..<launch.inputCount {
            guard hostInputs & 1 << UInt64(index) != 0, launch.hasInput(index) else {
                values.append([])
                continue
            }
            let tensor = try launch.input(index)
            let width = tensor.dataType == SB_TYPE_INT32 ? 4 : 8
            values.append(Array(UnsafeRawBufferPointer(start: try tensor.hostElements(), count: tensor.count * width)))
        }
        let program = try latest.withLock { latest throws(PluginFailure) in
            if let latest, latest.values == values { return latest.program }
            let program = try prepare(values)
            latest = (values, program)
            return program
        }
        try program.launch(launch)
    }

    private func prepare(_ values: [[UInt8]]) throws(PluginFailure) -> PreparedProgram {
        let lowering: Lowering
        do throws(Refusal) {
            lowering = try node.withValues(values) { view throws(Refusal) in try lower(view, device.profile) }
        } catch {
            throw .unsupported(error.text)
        }
        return try PreparedProgram(lowering, name: name, device)
    }
}

/// A node's description beyond the call that it was given to.
final class NodeCopy: @unchecked Sendable {
    private let node: UnsafeMutablePointer<sb_node>
    private var memory: [UnsafeMutableRawPointer] = []

    init(_ source: NodeView) {
        node = .allocate(capacity: 1)
        node.initialize(to: source.raw.pointee)
        let raw = source.raw.pointee
        node.pointee.domain = copy(raw.domain)
        node.pointee.operator_name = copy(raw.operator_name)
        node.pointee.attributes = list((0..<raw.attribute_count).map { raw.attributes[$0].map { copy($0.pointee) } })
        node.pointee.inputs = list((0..<raw.input_count).map { raw.inputs[$0].map { copy($0.pointee) } })
        node.pointee.outputs = list((0..<raw.output_count).map { raw.outputs[$0].map { copy($0.pointee) } })
    }

    deinit {
        for address in memory { address.deallocate() }
        node.deallocate()
    }

    /// The node with the values of inputs on the host; by one caller at a time.
    func withValues<Result>(_ values: [[UInt8]], _ body: (NodeView) throws(Refusal) -> Result) throws(Refusal) -> Result {
        for (index, bytes) in values.enumerated() where !bytes.isEmpty { setHost(ofInput: index, allocated(bytes)) }
        defer { for (index, bytes) in values.enumerated() where !bytes.isEmpty { setHost(ofInput: index, nil)?.deallocate() } }
        return try body(NodeView(trusting: UnsafePointer(node)))
    }

    /// Returns the address that was there before.
    @discardableResult
    private func setHost(ofInput index: Int, _ address: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let tensor = UnsafeMutablePointer(mutating: node.pointee.inputs[index]) else { return nil }
        defer { tensor.pointee.host = address }
        return tensor.pointee.host
    }

    private func allocated(_ bytes: [UInt8]) -> UnsafeMutableRawPointer {
        let address = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 8)
        address.copyMemory(from: bytes, byteCount: bytes.count)
        return address
    }

    private func array<Value: BitwiseCopyable>(_ values: some Collection<Value>) -> UnsafeMutablePointer<Value> {
        let address = UnsafeMutablePointer<Value>.allocate(capacity: max(values.count, 1))
        _ = UnsafeMutableBufferPointer(start: address, count: values.count).initialize(from: values)
        memory.append(UnsafeMutableRawPointer(address))
        return address
    }

    private func list<Value: BitwiseCopyable>(_ values: [Value?]) -> UnsafePointer<UnsafePointer<Value>?> {
        UnsafePointer(array(values.map { $0.map { UnsafePointer(array([$0])) } }))
    }

    private func copy(_ string: sb_string) -> sb_string {
        guard let data = string.data else { return string }
        return sb_string(data: array(UnsafeBufferPointer(start: data, count: string.length)), length: string.length)
    }

    private func copy(_ tensor: sb_tensor) -> sb_tensor {
        var result = tensor
        result.shape = tensor.shape.map { array(UnsafeBufferPointer(start: $0, count: Int(tensor.rank))) }
        // Values known before are read by the kernels that were prepared in time.
        result.host = nil
        return result
    }

    private func copy(_ attribute: sb_attribute) -> sb_attribute {
        var result = attribute
        result.name = copy(attribute.name)
        result.ints = attribute.ints.map { UnsafePointer(array(UnsafeBufferPointer(start: $0, count: attribute.count))) }
        result.floats = attribute.floats.map { UnsafePointer(array(UnsafeBufferPointer(start: $0, count: attribute.count))) }
        result.strings = attribute.strings.map { UnsafePointer(array(UnsafeBufferPointer(start: $0, count: attribute.count).map(copy))) }
        result.tensor = attribute.tensor.map { UnsafePointer(array([copy($0.pointee)])) }
        return result
    }
}

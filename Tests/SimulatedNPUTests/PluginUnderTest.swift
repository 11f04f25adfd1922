// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import TestSupport
import Testing

/// The plugin through its C tables, as a host sees it.
final class PluginUnderTest {
    private var host = UnsafeMutablePointer<sb_host>.allocate(capacity: 1)
    private let plugin: UnsafePointer<sb_plugin>
    private(set) var instance: OpaquePointer?
    private(set) var device: OpaquePointer?
    private var others: [OpaquePointer] = []
    let driver: UnsafePointer<sb_driver>
    let streams: UnsafePointer<sb_streams>
    let events: UnsafePointer<sb_events>
    private let operators: UnsafePointer<sb_operators>

    init(_ options: [String: String]) throws {
        host.initialize(to: sb_host())
        host.pointee.size = MemoryLayout<sb_host>.size
        host.pointee.version = UInt32(SB_VERSION_MAJOR) << 16 | UInt32(SB_VERSION_MINOR)
        host.pointee.log = { _, _, _ in }
        host.pointee.clock = { _ in 0 }
        var entered: UnsafePointer<sb_plugin>?
        typealias EntryPoint =
            @convention(c) (
                UnsafePointer<sb_host>?, UnsafeMutablePointer<UnsafePointer<sb_plugin>?>?, UnsafeMutablePointer<sb_error>?
            ) -> Int32
        let library = try #require(
            dlopen(products.appending(path: "libsouthbridge_npu.so").path, RTLD_NOW | RTLD_LOCAL | Int32(RTLD_NODELETE)))
        let entry = unsafeBitCast(try #require(dlsym(library, SB_ENTRY_POINT)), to: EntryPoint.self)
        try #require(entry(host, &entered, nil) == SB_OK)
        let table = try #require(entered)
        plugin = table
        driver = try #require(table.group("driver")).assumingMemoryBound(to: sb_driver.self)
        streams = try #require(table.group("streams")).assumingMemoryBound(to: sb_streams.self)
        events = try #require(table.group("events")).assumingMemoryBound(to: sb_events.self)
        operators = try #require(table.group("operators")).assumingMemoryBound(to: sb_operators.self)
        let memory = TestMemory()
        let values = options.map { sb_option(name: memory.string($0), value: memory.string($1)) }
        var started: OpaquePointer?
        let (status, text) = withError { table.pointee.start(host, values, values.count, &started, $0) }
        try #require(status == SB_OK, Comment(rawValue: text))
        instance = started
        withExtendedLifetime(memory) {}
        device = try open(0)
    }

    deinit {
        for device in others { driver.pointee.close(device) }
        if let instance { plugin.pointee.stop(instance) }
        host.deallocate()
    }

    /// Closed with the plugin.
    func open(_ index: UInt32) throws -> OpaquePointer {
        var opened: OpaquePointer?
        let (answer, why) = withError { driver.pointee.open(instance, index, &opened, $0) }
        try #require(answer == SB_OK, Comment(rawValue: why))
        let device = try #require(opened)
        others.append(device)
        return device
    }

    /// The handle of a new buffer; never given back.
    func allocate(_ bytes: UInt64, on device: OpaquePointer? = nil) throws -> OpaquePointer {
        var buffer: OpaquePointer?
        try #require(driver.pointee.allocate(device ?? self.device, 0, bytes, 64, &buffer, nil) == SB_OK)
        return try #require(buffer)
    }

    func makeStream(_ device: OpaquePointer? = nil) throws -> OpaquePointer {
        var stream: OpaquePointer?
        try #require(streams.pointee.create(device ?? self.device, &stream, nil) == SB_OK)
        return try #require(stream)
    }

    func makeEvent(_ device: OpaquePointer? = nil) throws -> OpaquePointer {
        var event: OpaquePointer?
        try #require(events.pointee.create(device ?? self.device, &event, nil) == SB_OK)
        return try #require(event)
    }

    /// The status of a fill of the whole buffer.
    func fill(_ buffer: OpaquePointer, bytes: UInt64, with byte: UInt8, on stream: OpaquePointer?) -> Int32 {
        driver.pointee.fill(device, stream, sb_location(buffer: buffer, host: nil, offset: 0), byte, bytes, nil)
    }

    /// The buffer's first bytes, read past the streams.
    func read(_ buffer: OpaquePointer, count: Int, on device: OpaquePointer? = nil) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let status = bytes.withUnsafeMutableBytes {
            driver.pointee.copy(
                device ?? self.device, nil, sb_location(buffer: nil, host: $0.baseAddress, offset: 0),
                sb_location(buffer: buffer, host: nil, offset: 0), UInt64(count), nil)
        }
        try #require(status == SB_OK)
        return bytes
    }

    /// Expected nanoseconds of a node, by the first kernel that supports it; nil if none does.
    func cost(_ node: TestNode) throws -> Double? {
        for index in 0..<operators.pointee.kernel_count {
            let kernel = operators.pointee.kernels[index]!
            let name = kernel.pointee.operator_name
            guard String(decoding: UnsafeRawBufferPointer(start: name.data, count: name.length), as: UTF8.self) == node.name,
                kernel.pointee.data_types & 1 << UInt64(node.type) != 0
            else { continue }
            let memory = TestMemory()
            var answer = sb_support()
            answer.size = MemoryLayout<sb_support>.size
            let cost = withUnsafeMutablePointer(to: &answer) { answer in
                var (nodes, answers) = ([UnsafePointer<sb_node>?(node.make(kernel, memory))], [UnsafeMutablePointer<sb_support>?(answer)])
                #expect(operators.pointee.support(instance, device, &nodes, 1, &answers, nil) == SB_OK)
                return answer.pointee.supported == 1 ? answer.pointee.cost : nil
            }
            if let cost { return cost }
        }
        return nil
    }
}

extension UnsafePointer<sb_plugin> {
    fileprivate func group(_ name: String) -> UnsafeRawPointer? {
        for index in 0..<pointee.group_count {
            let entry = pointee.groups[index]
            if String(decoding: UnsafeRawBufferPointer(start: entry.name.data, count: entry.name.length), as: UTF8.self) == name {
                return entry.table
            }
        }
        return nil
    }
}

/// A node described by shapes; all tensors have one type.
struct TestNode: CustomStringConvertible {
    var name: String
    var version: UInt32
    var type = SB_TYPE_FLOAT32
    var inputs: [[Int64]]
    var output: [Int64]
    var attributes: [String: [Int64]] = [:]

    var description: String { "\(name) of \(inputs), type \(type)" }

    fileprivate func make(_ kernel: UnsafePointer<sb_kernel>, _ memory: TestMemory) -> UnsafePointer<sb_node> {
        func tensors(_ shapes: [[Int64]]) -> UnsafePointer<UnsafePointer<sb_tensor>?> {
            UnsafePointer(
                memory.array(
                    shapes.map { shape in
                        var tensor = sb_tensor()
                        tensor.size = MemoryLayout<sb_tensor>.size
                        (tensor.data_type, tensor.rank, tensor.shape) = (type, UInt32(shape.count), memory.array(shape))
                        return UnsafePointer<sb_tensor>?(memory.array([tensor]))
                    }))
        }
        let list = attributes.map { name, values in
            var attribute = sb_attribute()
            attribute.size = MemoryLayout<sb_attribute>.size
            (attribute.name, attribute.type, attribute.flags) = (
                memory.string(name), SB_ATTRIBUTE_INTS, values.count > 1 ? SB_ATTRIBUTE_FLAG_LIST : 0
            )
            (attribute.count, attribute.ints) = (values.count, UnsafePointer(memory.array(values)))
            return UnsafePointer<sb_attribute>?(memory.array([attribute]))
        }
        var node = sb_node()
        node.size = MemoryLayout<sb_node>.size
        (node.kernel, node.operator_name, node.version) = (kernel, memory.string(name), version)
        (node.attributes, node.attribute_count) = (UnsafePointer(memory.array(list)), list.count)
        (node.inputs, node.input_count) = (tensors(inputs), inputs.count)
        (node.outputs, node.output_count) = (tensors([output]), 1)
        return UnsafePointer(memory.array([node]))
    }
}

/// C values that live as long as this object.
private final class TestMemory {
    private var allocations: [UnsafeMutableRawPointer] = []
    deinit { for allocation in allocations { allocation.deallocate() } }

    func array<Value>(_ values: [Value]) -> UnsafeMutablePointer<Value> {
        let memory = UnsafeMutablePointer<Value>.allocate(capacity: max(values.count, 1))
        memory.initialize(from: values, count: values.count)
        allocations.append(memory)
        return memory
    }
    func string(_ text: String) -> sb_string { sb_string(data: array(text.utf8.map { CChar(bitPattern: $0) }), length: text.utf8.count) }
}

private func withError(_ body: (UnsafeMutablePointer<sb_error>) -> Int32) -> (status: Int32, message: String) {
    var message = [CChar](repeating: 0, count: 500)
    let status = message.withUnsafeMutableBufferPointer { buffer in
        var error = sb_error()
        error.size = MemoryLayout<sb_error>.size
        (error.message, error.capacity) = (buffer.baseAddress, buffer.count)
        return body(&error)
    }
    return (status, String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
}

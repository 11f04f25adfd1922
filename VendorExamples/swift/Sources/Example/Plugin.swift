// SPDX-License-Identifier: Apache-2.0
//
// A plugin of one Swift file: host memory, and elementwise kernels from two tables.
public import CSouthbridge
import Glibc
package import PluginKit
import Synchronization

package final class Example: Plugin {
    package static let identity = PluginIdentity(name: "swift-example", vendor: "Southbridge", version: "0.1.0")
    package static let options: [OptionSchema] = []
    package static let execution = Execution.inline
    package static let kernels: [any Kernel<Memory>] = unary.map { $0 } + binary.map { $0 }
    package static let table = PluginTable(Example.self) { Example.start($0, $1, $2, $3, $4) }

    package init(host: HostServices, options: OptionValues) throws(PluginFailure) {}
    package var deviceCount: Int { 1 }
    package func open(_ index: Int) -> Memory { Memory() }

    package func hardware(of index: Int) -> HardwareDescription {
        var hardware = HardwareDescription(id: "swift-example-0", name: "Host memory, from Swift", family: .cpu)
        var memory = HardwareDescription.Space(name: "memory", kind: .host, capacity: 0)
        (memory.isAllocatable, memory.isHostVisible) = (true, true)
        hardware.spaces = [memory]
        return hardware
    }
}

/// Host memory behind a handle.
package final class Block: Buffer {
    let bytes: UnsafeMutableRawBufferPointer
    init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }
}

/// The device.
package final class Memory: Device {
    package typealias Stream = InlineStream
    package typealias Event = InlineEvent
    private let allocated = Mutex(0)

    package func allocate(space: Int, bytes: UInt64, alignment: UInt64) throws(PluginFailure) -> Block {
        guard space == 0 else { throw .invalid("there is one memory space, number 0") }
        var address: UnsafeMutableRawPointer?
        guard let count = Int(exactly: bytes), let boundary = Int(exactly: alignment),
            posix_memalign(&address, max(boundary, 64), count) == 0
        else { throw .outOfMemory("the system has no \(bytes) bytes left") }
        allocated.withLock { $0 += count }
        return Block(UnsafeMutableRawBufferPointer(start: address, count: count))
    }

    package func free(_ buffer: Block) {
        Glibc.free(buffer.bytes.baseAddress)
        allocated.withLock { $0 -= buffer.bytes.count }
    }

    package func hostAddress(of buffer: Block) -> UnsafeMutableRawPointer { buffer.bytes.baseAddress! }

    package func copy(
        _ bytes: UInt64, from source: Location<Block>, to destination: Location<Block>, on stream: InlineStream?
    ) throws(PluginFailure) {
        memcpy(try address(destination, bytes), try address(source, bytes), Int(bytes))
    }

    package func fill(_ bytes: UInt64, of destination: Location<Block>, with byte: UInt8, on stream: InlineStream?) throws(PluginFailure) {
        memset(try address(destination, bytes), Int32(byte), Int(bytes))
    }

    package func usage(ofSpace space: Int) throws(PluginFailure) -> UInt64 {
        guard space == 0 else { throw .invalid("there is one memory space, number 0") }
        return UInt64(allocated.withLock { $0 })
    }

    private func address(_ location: Location<Block>, _ count: UInt64) throws(PluginFailure) -> UnsafeMutableRawPointer {
        switch location {
        case .host(let address): return address
        case .buffer(let block, let offset):
            guard offset <= UInt64(block.bytes.count), count <= UInt64(block.bytes.count) - offset else {
                throw .invalid("\(count) bytes at offset \(offset) reach beyond a buffer of \(block.bytes.count)")
            }
            return block.bytes.baseAddress! + Int(offset)
        }
    }
}

extension TensorView {
    fileprivate func floats() throws(PluginFailure) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: try hostElements().assumingMemoryBound(to: Float.self), count: count)
    }
}

private func declared(_ operatorName: String, since: UInt32) -> KernelDeclaration {
    KernelDeclaration(
        name: "\(operatorName.lowercased())_float32", operatorName: operatorName, since: since, dataTypes: 1 << UInt64(SB_TYPE_FLOAT32),
        flags: [.inPlace, .deterministic])
}

/// One input, element by element.
struct Unary: Kernel {
    let declaration: KernelDeclaration
    let function: @Sendable (Float) -> Float

    init(_ operatorName: String, since: UInt32, _ function: @escaping @Sendable (Float) -> Float) {
        declaration = declared(operatorName, since: since)
        self.function = function
    }

    func support(_ node: NodeView, on device: Memory) -> Support { .yes() }
    func prepare(_ node: NodeView, on device: Memory) -> any PreparedKernel { Prepared(function: function) }

    final class Prepared: PreparedKernel {
        let function: @Sendable (Float) -> Float
        init(function: @escaping @Sendable (Float) -> Float) { self.function = function }

        func launch(_ launch: LaunchView) throws(PluginFailure) {
            let (x, y) = (try launch.input(0).floats(), try launch.output(0).floats())
            for index in x.indices { y[index] = function(x[index]) }
        }
    }
}

/// Two inputs of one shape.
struct Binary: Kernel {
    let declaration: KernelDeclaration
    let function: @Sendable (Float, Float) -> Float

    init(_ operatorName: String, since: UInt32, _ function: @escaping @Sendable (Float, Float) -> Float) {
        declaration = declared(operatorName, since: since)
        self.function = function
    }

    func support(_ node: NodeView, on device: Memory) -> Support {
        guard let a = node.input(0), let b = node.input(1), a.shape.elementsEqual(b.shape) else {
            return .no(.shape, "the two inputs must have the same shape")
        }
        return .yes()
    }

    func prepare(_ node: NodeView, on device: Memory) -> any PreparedKernel { Prepared(function: function) }

    final class Prepared: PreparedKernel {
        let function: @Sendable (Float, Float) -> Float
        init(function: @escaping @Sendable (Float, Float) -> Float) { self.function = function }

        func launch(_ launch: LaunchView) throws(PluginFailure) {
            let (a, b, y) = (try launch.input(0).floats(), try launch.input(1).floats(), try launch.output(0).floats())
            for index in y.indices { y[index] = function(a[index], b[index]) }
        }
    }
}

/// NaN goes through all of them.
private let unary = [
    Unary("Relu", since: 6) { $0 < 0 ? 0 : $0 },
    Unary("Neg", since: 6) { -$0 },
    Unary("Abs", since: 6) { abs($0) },
    Unary("Sqrt", since: 6) { $0.squareRoot() },
    Unary("Floor", since: 6) { $0.rounded(.down) },
    Unary("Ceil", since: 6) { $0.rounded(.up) },
    Unary("Reciprocal", since: 6) { 1 / $0 },
]

private let binary = [
    Binary("Add", since: 7) { $0 + $1 },
    Binary("Sub", since: 7) { $0 - $1 },
    Binary("Mul", since: 7) { $0 * $1 },
    Binary("Div", since: 7) { $0 / $1 },
]

// swift-format-ignore: AlwaysUseLowerCamelCase
/// The one symbol that the host looks for.
@c @implementation
public func southbridge_plugin(
    _ host: UnsafePointer<sb_host>?, _ plugin: UnsafeMutablePointer<UnsafePointer<sb_plugin>?>?, _ error: UnsafeMutablePointer<sb_error>?
) -> Int32 {
    Example.table.enter(host, plugin, error)
}

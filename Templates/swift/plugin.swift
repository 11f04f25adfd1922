// SPDX-License-Identifier: Apache-2.0
//
// @NAME@: a plugin for Southbridge. It is complete: it builds, loads, passes the levels `load` and `driver` of the conformance suite, and runs @WORK@ on float32.
// Everything else of a model runs on the CPU until you offer it. The "chip" is host memory and a loop; REPLACE marks where yours comes in. What the protocols ask
// for stands in Sources/PluginKit; the specification behind them is southbridge.h.
public import CSouthbridge
import Glibc
package import PluginKit
import Synchronization

package final class ThisPlugin: Plugin {
    package static let identity = PluginIdentity(name: "@NAME@", vendor: "@VENDOR@", version: "0.1.0")
    package static let options: [OptionSchema] = []
    /// `.inline`: calls on a stream do the work themselves. REPLACE with `.queued` and a `Stream` and `Event` of your own when they only queue it.
    package static let execution = Execution.inline
    // @if kernel
    package static let kernels: [any Kernel<Chip>] = [ReluKernel()]
    // @end
    // @if no kernel
    package static let kernels: [any Kernel<Chip>] = []
    // @end
    // @if graph
    package static let graphCompiler: (any GraphCompiler<Chip>)? = ChainCompiler()
    // @end
    package static let table = PluginTable(ThisPlugin.self) { ThisPlugin.start($0, $1, $2, $3, $4) }

    package init(host: HostServices, options: OptionValues) throws(PluginFailure) {}
    package var deviceCount: Int { 1 }

    /// What the chip is. What is unknown stays 0; the stack derives placement and cost from what is there.
    package func hardware(of index: Int) -> HardwareDescription {
        // REPLACE: a serial number or bus address, the same in every process.
        var hardware = HardwareDescription(id: "@NAME@-0", name: "@NAME@", family: .@FAMILY@)
        var memory = HardwareDescription.Space(name: "memory", kind: .device, capacity: 0)
        memory.isAllocatable = true
        hardware.spaces = [memory]
        return hardware
    }

    package func open(_ index: Int) -> Chip { Chip() }
}

/// Device memory. REPLACE: a device address.
package final class Memory: Buffer {
    let address: UnsafeMutableRawPointer
    let byteCount: Int

    init(address: UnsafeMutableRawPointer, byteCount: Int) {
        self.address = address
        self.byteCount = byteCount
    }

    /// Where `count` bytes from `offset` on lie.
    func range(_ offset: UInt64, _ count: UInt64) throws(PluginFailure) -> UnsafeMutableRawPointer {
        guard offset <= UInt64(byteCount), count <= UInt64(byteCount) - offset else {
            throw .invalid("\(count) bytes at offset \(offset) reach beyond a buffer of \(byteCount)")
        }
        return address + Int(offset)
    }
}

/// An opening of the chip. Called from any thread, also at once.
package final class Chip: Device {
    package typealias Stream = InlineStream
    package typealias Event = InlineEvent
    private let allocated = Mutex(0)

    package func allocate(space: Int, bytes: UInt64, alignment: UInt64) throws(PluginFailure) -> Memory {
        guard space == 0 else { throw .invalid("there is one memory space, number 0") }
        // REPLACE: your allocator.
        var address: UnsafeMutableRawPointer?
        guard let count = Int(exactly: bytes), let boundary = Int(exactly: alignment), posix_memalign(&address, max(boundary, 64), count) == 0,
            let address
        else { throw .outOfMemory("the device's memory is full") }
        allocated.withLock { $0 += count }
        return Memory(address: address, byteCount: count)
    }

    package func free(_ buffer: Memory) {
        Glibc.free(buffer.address)
        allocated.withLock { $0 -= buffer.byteCount }
    }

    package func copy(
        _ bytes: UInt64, from source: Location<Memory>, to destination: Location<Memory>, on stream: InlineStream?
    ) throws(PluginFailure) {
        memcpy(try address(destination, bytes), try address(source, bytes), Int(bytes))  // REPLACE: your copy engine
    }

    package func fill(_ bytes: UInt64, of destination: Location<Memory>, with byte: UInt8, on stream: InlineStream?) throws(PluginFailure) {
        memset(try address(destination, bytes), Int32(byte), Int(bytes))
    }

    package func usage(ofSpace space: Int) throws(PluginFailure) -> UInt64 {
        guard space == 0 else { throw .invalid("there is one memory space, number 0") }
        return UInt64(allocated.withLock { $0 })
    }

    private func address(_ location: Location<Memory>, _ bytes: UInt64) throws(PluginFailure) -> UnsafeMutableRawPointer {
        switch location {
        case .host(let address): address
        case .buffer(let memory, let offset): try memory.range(offset, bytes)
        }
    }
}

extension TensorView {
    /// The elements of a dense float32 tensor.
    fileprivate func floats() throws(PluginFailure) -> UnsafeMutableBufferPointer<Float> {
        guard count > 0 else { return UnsafeMutableBufferPointer(start: nil, count: 0) }
        let (bytes, overflow) = UInt64(count).multipliedReportingOverflow(by: 4)
        guard !overflow, let memory = buffer(as: Memory.self) else { throw .invalid("a tensor lies in no buffer of the device") }
        return UnsafeMutableBufferPointer(start: try memory.range(offset, bytes).assumingMemoryBound(to: Float.self), count: count)
    }
}
// @if kernel

/// One operator that the chip runs. Add a type for each, and its name to `ThisPlugin.kernels`.
struct ReluKernel: Kernel {
    let declaration = KernelDeclaration(
        name: "relu_float32", operatorName: "Relu",  // as the ONNX standard calls it
        since: 6,  // the operator-set version in which its meaning last changed
        dataTypes: 1 << UInt64(SB_TYPE_FLOAT32), flags: [.inPlace, .deterministic])

    /// A node that gets a yes must then run with any values; `.no(.shape, "why")` sends it elsewhere.
    func support(_ node: NodeView, on chip: Chip) -> Support { .yes() }

    func prepare(_ node: NodeView, on chip: Chip) -> any PreparedKernel { Prepared() }

    final class Prepared: PreparedKernel {
        /// Tensors are dense and row-major, because the kernel does not set `.strided`.
        func launch(_ launch: LaunchView) throws(PluginFailure) {
            let (x, y) = (try launch.input(0).floats(), try launch.output(0).floats())
            for index in x.indices { y[index] = x[index] < 0 ? 0 : x[index] }  // REPLACE: start your kernel; NaN stays NaN
        }
    }
}
// @end
// @if graph

/// The chip's own compiler: one pass over memory of each chain of Relu, Neg and Abs.
struct ChainCompiler: GraphCompiler {
    let numerics: sb_numerics? = nil

    /// Equal numbers put nodes into one program: here what follows its only source directly. Such a group cannot be left and entered again.
    func claim(_ graph: GraphView, on chip: Chip) -> [UInt32] {
        var groups = [UInt32](repeating: 0, count: graph.nodes.count)
        for (index, node) in graph.nodes.enumerated() {
            guard Step(node) != nil, let source = node.input(0), source.host == nil else { continue }  // constants are the host's to fold
            let joins = index > 0 && groups[index - 1] > 0 && graph.nodes[index - 1].output(0)?.raw == source.raw && graph.useCount(source) == 1
            groups[index] = joins ? groups[index - 1] : UInt32(index + 1)
        }
        return groups
    }

    /// It may also be asked about a graph that was never claimed. REPLACE: your compiler.
    func compile(_ graph: GraphView, on chip: Chip) throws(PluginFailure) -> any CompiledProgram {
        guard graph.inputs.count == 1, graph.outputs.count == 1, !graph.nodes.isEmpty else { throw Self.noChain }
        var (steps, source) = ([Step](), graph.inputs[0])
        for node in graph.nodes {
            guard let step = Step(node), node.input(0)?.raw == source.raw, graph.useCount(source) == 1, let output = node.output(0) else {
                throw Self.noChain
            }
            steps.append(step)
            source = output
        }
        guard source.raw == graph.outputs[0].raw else { throw Self.noChain }
        return Chain(steps)
    }

    private static let noChain = PluginFailure.unsupported("the graph is no chain of Relu, Neg and Abs on float32")

    /// One byte per step behind a mark. REPLACE: with a version, the kind of chip and a checksum that catches every damage.
    func load(_ artefact: UnsafeRawBufferPointer, on chip: Chip) throws(PluginFailure) -> any CompiledProgram {
        Chain(artefact.dropFirst(Chain.mark.count).dropLast(4).compactMap(Step.init(rawValue:)))
    }

    func verdict(_ artefact: UnsafeRawBufferPointer, on chip: Chip) -> ArtefactVerdict {
        guard artefact.count > Chain.mark.count + 4, artefact.starts(with: Chain.mark),
            artefact.suffix(4).elementsEqual(Chain.checksum(artefact.dropLast(4)))
        else { return .damaged }
        return .compatible
    }
}

enum Step: UInt8 {
    case relu, neg, abs

    init?(_ node: NodeView) {
        guard node.domain.isEmpty, node.dataType == SB_TYPE_FLOAT32 else { return nil }
        switch node.operatorName {
        case "Relu": self = .relu
        case "Neg": self = .neg
        case "Abs": self = .abs
        default: return nil
        }
    }
}

/// Serves any number of executions, also at once.
final class Chain: CompiledProgram {
    static let mark = Array("@NAME@-chain-1".utf8)
    private let steps: [Step]
    let workspace: UInt64 = 0
    let cost = 0.0

    init(_ steps: [Step]) { self.steps = steps }

    func execute(_ execution: ExecutionView) throws(PluginFailure) {
        let (x, y) = (try execution.input(0).floats(), try execution.output(0).floats())
        for index in x.indices {  // REPLACE: start your program
            var value = x[index]
            for step in steps {
                switch step {
                case .relu: value = value < 0 ? 0 : value
                case .neg: value = -value
                case .abs: value = Swift.abs(value)
                }
            }
            y[index] = value
        }
    }

    func save() -> [UInt8] {
        let body = Self.mark + steps.map(\.rawValue)
        return body + Self.checksum(body)
    }

    /// Fletcher's checksum of 32 bits, as bytes; a single changed bit changes it (J. Fletcher, IEEE Trans. Communications 30, 1982).
    static func checksum(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var (first, second) = (UInt32(1), UInt32(0))
        for byte in bytes {
            first = (first + UInt32(byte)) % 65_521
            second = (second + first) % 65_521
        }
        return [first, second].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }
}

extension GraphView {
    /// How often a value is wanted: by nodes, and outside the graph.
    fileprivate func useCount(_ value: TensorView) -> Int {
        outputs.count { $0.raw == value.raw }
            + nodes.reduce(0) { uses, node in uses + (0..<node.inputCount).count { node.input($0)?.raw == value.raw } }
    }
}
// @end

// swift-format-ignore: AlwaysUseLowerCamelCase
/// The one symbol that the host looks for.
@c @implementation
public func southbridge_plugin(
    _ host: UnsafePointer<sb_host>?, _ plugin: UnsafeMutablePointer<UnsafePointer<sb_plugin>?>?, _ error: UnsafeMutablePointer<sb_error>?
) -> Int32 {
    ThisPlugin.table.enter(host, plugin, error)
}

import CSouthbridge
// SPDX-License-Identifier: Apache-2.0
import Compiler
import Foundation
import Graph
import Operators
import Southbound
import Synchronization
import Tensors

/// What is tried, in the worker, on the program that a plugin's compiler makes of a graph. The program is held against itself; whether it is right at all,
/// the supervisor judges in cases of its own.
struct ProgramTrial {
    private let device: Device
    private let compiler: GraphCompiler
    private let graph: Graph
    private let placement: Placement
    private let inputs: [ValueID: HostTensor]
    private let seed: UInt64

    init(_ device: Device, _ graph: Graph, _ inputs: [HostTensor], seed: UInt64) throws {
        guard let compiler = device.plugin.compiler else { throw CheckFailure.unsupported("the plugin has no group 'graphs'") }
        self.device = device
        self.compiler = compiler
        self.graph = graph
        self.seed = seed
        self.inputs = Dictionary(zip(graph.inputs, inputs), uniquingKeysWith: { first, _ in first })
        placement = Placement(try GraphInference(graph, inputs: self.inputs.mapValues { ConcreteType($0.dataType, $0.shape) }))
    }

    func run(_ aspect: GraphCase.Aspect) throws {
        switch aspect {
        case .claim: try claim()
        case .artefact: try artefact()
        case .damage: try damage()
        case .together: try together()
        case .freed: try freed()
        case .run, .chained: throw CheckFailure.unsupported("'\(aspect.rawValue)' is judged by the supervisor")
        }
    }

    // MARK: Aspects

    private func claim() throws {
        let first = try claims()
        for _ in 0..<3 {
            let again = try claims()
            try expect(again == first, .determinism, "the same graph is claimed as \(first), then as \(again)")
        }
        try require(first.contains { $0 > 0 }, "the plugin's compiler claims none of the nodes")
        var grouping = Grouping(graph.nodes.indices.map(NodeID.init), graph)
        for group in Set(first).subtracting([0]).sorted() {
            let nodes = first.indices.filter { first[$0] == group }
            try expect(
                grouping.join(nodes.map(NodeID.init), on: 0), .declaration,
                "group \(group) (nodes \(nodes)) is left and entered again by a path of the graph, or two groups wait for each other")
        }
    }

    private func artefact() throws {
        let subject = try Subject(self)
        var program: CompiledProgram? = try compiler.compile(subject.graph.descriptor, on: device)
        let direct = try subject.execute(program!)
        let saved = try save(program!)
        try checkCapacity(program!, saved.count)
        let verdict = try compiler.verdict(saved, on: device)
        try expect(verdict == .compatible, .declaration, "an artefact that was just saved is called '\(verdict)'")
        program = nil
        for round in 1...2 {
            let loaded = try compiler.load(saved, on: device)
            try expectSame(try subject.execute(loaded), direct, "the program that was loaded (time \(round))")
        }
    }

    private func damage() throws {
        let subject = try Subject(self)
        let program = try compiler.compile(subject.graph.descriptor, on: device)
        let direct = try subject.execute(program)
        let saved = try save(program)
        for count in Set([0, 1, 8, saved.count / 2, saved.count - 1]).filter({ $0 >= 0 && $0 < saved.count }).sorted() {
            try expectDamaged(Array(saved.prefix(count)), "\(count) of \(saved.count) bytes of an artefact", loading: true)
        }
        let random = CounterRandom(seed: seed, case: "damage", tensor: "bits")
        let spread = saved.count <= 512 ? Array(saved.indices) : (0..<256).map { Int(random.integer($0, below: UInt64(saved.count))) }
        for (number, position) in Set(spread + saved.indices.prefix(64) + saved.indices.suffix(16)).sorted().enumerated() {
            var flipped = saved
            let bit = random.integer(UInt64(position) | 1 << 40, below: 8)
            flipped[position] ^= 1 << UInt8(bit)
            try expectDamaged(
                flipped, "an artefact of \(saved.count) bytes with bit \(bit) of byte \(position) flipped", loading: number % 8 == 0)
        }
        try expectDamaged((0..<256).map { UInt8(truncatingIfNeeded: random.word($0 | 1 << 41)) }, "random bytes", loading: true)
        try expectSame(try subject.execute(compiler.load(saved, on: device)), direct, "the whole artefact, after damaged ones,")
        try expectSame(try subject.execute(program), direct, "the program itself, after damaged artefacts,")
    }

    private func together() throws {
        let first = try Subject(self)
        let subjects = [first, try first.reversed(self)]
        let program = try compiler.compile(first.graph.descriptor, on: device)
        let alone = try subjects.map { try $0.execute(program) }
        // Executions are short: many are needed for some to meet.
        let streams = try subjects.map { _ in try device.makeStream() }
        let memory = try subjects.map { try $0.makeMemory(for: program) }
        let start = Barrier(2)
        try onThreads(2) { thread in
            start.wait()
            for round in 1...300 {
                try expectSame(
                    try subjects[thread].execute(program, in: memory[thread], on: streams[thread]), alone[thread],
                    "execution \(round) on stream \(thread), beside another stream,")
            }
        }
    }

    private func freed() throws {
        let copies = try placement.values.mapValues { try ErasableTensor($0) }
        try require(!copies.isEmpty, "the graph has no constant")
        let subject = try Subject(self)
        let direct = try subject.execute(try compiler.compile(subject.graph.descriptor, on: device))
        var erased = graph
        erased.constants = copies.mapValues(\.tensor)
        let types = inputs.mapValues { ConcreteType($0.dataType, $0.shape) }
        let other = try Subgraph(
            subject.nodes, of: Placement(try GraphInference(erased, inputs: types)), plugin: compiler.plugin.name)
        let program = try compiler.compile(other.descriptor, on: device)
        for copy in copies.values { copy.erase() }
        try expectSame(try subject.execute(program), direct, "a program whose graph's constants were overwritten")
    }

    // MARK: Parts

    private func claims() throws -> [UInt32] {
        let all = graph.nodes.indices.map(NodeID.init)
        return try compiler.claim(try Subgraph(all, of: placement, plugin: compiler.plugin.name).descriptor, on: device)
    }

    private func save(_ program: CompiledProgram) throws -> [UInt8] {
        try require(compiler.savesArtefacts, "the plugin's programs cannot be saved")
        return try program.save()
    }

    /// Nothing is written into memory that is too small.
    private func checkCapacity(_ program: CompiledProgram, _ size: Int) throws {
        guard size > 0, let save = compiler.table.save else { return }
        let memory = GuardedBytes([UInt8](repeating: 0x77, count: size - 1))
        var written: UInt64 = 0
        let status = save(program.handle, memory.pointer, UInt64(size - 1), &written, nil)
        try memory.checkGuards("saving \(size) bytes with a capacity of \(size - 1)")
        try expect(
            status == SB_ERROR_INVALID_ARGUMENT, .errorCode,
            "saving \(size) bytes with a capacity of \(size - 1) gives status \(status) instead of SB_ERROR_INVALID_ARGUMENT")
    }

    private func expectDamaged(_ artefact: [UInt8], _ subject: String, loading: Bool) throws {
        let verdict = try compiler.verdict(artefact, on: device)
        try expect(verdict == .damaged, .errorCode, "\(subject): the verdict is '\(verdict)' instead of 'damaged'")
        guard loading else { return }
        do throws(PluginError) {
            _ = try compiler.load(artefact, on: device)
        } catch {
            try expect(
                error.code == .invalidArgument, .errorCode,
                "\(subject): refused with \(error.code), not as an invalid argument: \(error.message)")
            return
        }
        throw CheckFailure.failed(.errorCode, "\(subject): loaded, though it is damaged")
    }

    /// The largest group that is claimed, its inputs' values, and memory for them.
    private struct Subject: Sendable {
        let graph: Subgraph
        let nodes: [NodeID]
        private let device: Device
        private let values: [HostTensor]

        init(_ trial: ProgramTrial) throws {
            let claims = try trial.claims()
            let groups = Dictionary(grouping: claims.indices.filter { claims[$0] > 0 }) { claims[$0] }
            guard let group = groups.min(by: { ($1.value.count, $0.key) < ($0.value.count, $1.key) }) else {
                throw CheckFailure.unsupported("the plugin's compiler claims none of the nodes")
            }
            nodes = group.value.map(NodeID.init)
            graph = try Subgraph(nodes, of: trial.placement, plugin: trial.compiler.plugin.name)
            device = trial.device
            var outer = trial.graph
            outer.outputs = graph.inputs
            values = try evaluate(outer, inputs: trial.inputs)
        }

        private init(graph: Subgraph, nodes: [NodeID], device: Device, values: [HostTensor]) {
            (self.graph, self.nodes, self.device, self.values) = (graph, nodes, device, values)
        }

        /// The same group, with tensors of its own and the elements of each input in reverse.
        func reversed(_ trial: ProgramTrial) throws -> Subject {
            Subject(
                graph: try Subgraph(nodes, of: trial.placement, plugin: trial.compiler.plugin.name), nodes: nodes, device: device,
                values: try values.map { try $0.reversed() })
        }

        /// What one execution after the other runs in.
        struct Memory: Sendable {
            let inputs: [Buffer]
            let outputs: [(buffer: Buffer, byteCount: Int)]
            let workspace: Buffer?
        }

        private static let margin = 256

        func makeMemory(for program: CompiledProgram) throws -> Memory {
            let sizes = graph.descriptor.outputs.map { tensor in
                let count = (0..<Int(tensor.pointee.rank)).reduce(1) { $0 * Int(tensor.pointee.shape[$1]) }
                return DataType(rawValue: tensor.pointee.data_type)?.byteCount(of: count) ?? 0
            }
            return Memory(
                inputs: try values.map { try device.makeBuffer(Array($0.bytes) + [0]) },
                outputs: try sizes.map { (try device.makeBuffer([UInt8](repeating: 0xA5, count: $0 + Self.margin)), $0) },
                workspace: program.workspaceBytes > 0
                    ? try device.makeBuffer([UInt8](repeating: 0xA5, count: program.workspaceBytes)) : nil)
        }

        func execute(_ program: CompiledProgram) throws -> [[UInt8]] {
            try execute(program, in: try makeMemory(for: program), on: try device.makeStream())
        }

        /// The bytes of the outputs; behind them and in the inputs nothing may change.
        func execute(_ program: CompiledProgram, in memory: Memory, on stream: Southbound.Stream) throws -> [[UInt8]] {
            try program.execute(
                graph.descriptor, inputs: memory.inputs, outputs: memory.outputs.map(\.buffer), workspace: memory.workspace, stream: stream)
            for (index, (buffer, value)) in zip(memory.inputs, values).enumerated() {
                try expectEqual(try device.read(buffer), Array(value.bytes) + [0], "input \(index) after an execution")
            }
            return try memory.outputs.enumerated().map { index, output in
                let bytes = try device.read(output.buffer)
                try expect(
                    bytes[output.byteCount...].allSatisfy { $0 == 0xA5 }, .memory, "output \(index): bytes behind its end were written")
                return Array(bytes.prefix(output.byteCount))
            }
        }
    }

    private func expectSame(_ outputs: [[UInt8]], _ expected: [[UInt8]], _ subject: String) throws(CheckFailure) {
        for (index, (one, two)) in zip(outputs, expected).enumerated() where one != two {
            let count = zip(one, two).count { $0 != $1 }
            throw .failed(.numeric, "\(subject) gives other bits: output \(index), \(count) of \(two.count) bytes")
        }
    }

    /// Throws `unsupported` unless there is something to try.
    private func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(CheckFailure) {
        if !condition { throw .unsupported(message()) }
    }
}

/// Lets threads begin at the same time.
private final class Barrier: Sendable {
    private let waiting: Mutex<Int>

    init(_ count: Int) { waiting = Mutex(count) }

    func wait() {
        waiting.withLock { $0 -= 1 }
        while waiting.withLock({ $0 > 0 }) { sched_yield() }
    }
}

/// A constant in memory that can be overwritten.
private final class ErasableTensor: @unchecked Sendable {
    private let memory: UnsafeMutableRawBufferPointer
    let tensor: HostTensor

    init(_ source: HostTensor) throws {
        memory = .allocate(byteCount: max(source.byteCount, 1), alignment: 64)
        if source.byteCount > 0 { memory.copyMemory(from: source.bytes) }
        tensor = try HostTensor(
            source.dataType, source.shape, viewing: UnsafeRawBufferPointer(start: memory.baseAddress, count: source.byteCount), owner: nil)
    }

    deinit { memory.deallocate() }

    func erase() { memory.initializeMemory(as: UInt8.self, repeating: 0xFF) }
}

extension HostTensor {
    /// With the elements in reverse.
    fileprivate func reversed() throws -> HostTensor {
        let width = dataType.bits / 8
        return try HostTensor(dataType, shape) { target in
            for index in 0..<count {
                (target.baseAddress! + index * width).copyMemory(from: bytes.baseAddress! + (count - 1 - index) * width, byteCount: width)
            }
        }
    }
}

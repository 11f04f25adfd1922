// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Compiler
import Glibc
import Graph
import HardwareModel
import Operators
import Southbound
import Tensors

/// A placed and planned graph in the form in which it runs: memory assigned, kernels prepared, every step a plain record of pointers.
final class Program {
    /// One step as it runs. Trivial, so that the loop copies, retains and allocates nothing.
    enum Step {
        case launch(Launch, UnsafePointer<sb_launch>)
        case execute(Execute, UnsafePointer<sb_execution>)
        case copy(Copy, device: OpaquePointer, stream: OpaquePointer?, to: sb_location, from: sb_location, byteCount: Int)
        case copyPeer(
            CopyPeer, device: OpaquePointer, stream: OpaquePointer?, to: sb_location, peer: OpaquePointer, from: sb_location, byteCount: Int
        )
        case hostCopy(to: UnsafeMutableRawPointer, from: UnsafeRawPointer, byteCount: Int)
        /// Records an event on a stream, or holds a stream back until an event.
        case order(Order, OpaquePointer, OpaquePointer)
        /// The calling thread waits for an event or a stream.
        case synchronize(Synchronize, OpaquePointer)

        typealias Launch = @convention(c) (UnsafePointer<sb_launch>?, UnsafeMutablePointer<sb_error>?) -> Int32
        typealias Execute = @convention(c) (UnsafePointer<sb_execution>?, UnsafeMutablePointer<sb_error>?) -> Int32
        typealias Copy =
            @convention(c) (OpaquePointer?, OpaquePointer?, sb_location, sb_location, UInt64, UnsafeMutablePointer<sb_error>?) -> Int32
        typealias CopyPeer =
            @convention(c) (
                OpaquePointer?, OpaquePointer?, sb_location, OpaquePointer?, sb_location, UInt64, UnsafeMutablePointer<sb_error>?
            )
            -> Int32
        typealias Order = @convention(c) (OpaquePointer?, OpaquePointer?, UnsafeMutablePointer<sb_error>?) -> Int32
        typealias Synchronize = @convention(c) (OpaquePointer?, UnsafeMutablePointer<sb_error>?) -> Int32
    }

    let summary: PlanSummary
    let steps: UnsafeMutableBufferPointer<Step>
    /// `steps` and what they belong to.
    let list: StepList
    /// Where each input that is copied lies.
    let inputSlots: [(slot: Int, input: Int)]
    let outputs: [OutputBinding]
    let lanes: Lanes
    /// Of the placement's steps.
    let names: [LaunchNames]

    struct LaunchNames {
        /// Of the node, or of the first of a program's.
        let node: String
        let operatorName: String
        let device: String
        let plugin: String
        let kernel: String
    }

    /// How an output is read after the run.
    enum OutputBinding {
        case constant(HostTensor)
        /// By position, with the type in force.
        case input(Int, InferredOutput?)
        /// `tensor` has the shape in force after the run.
        case device(Device, Buffer, offset: Int, DataType, tensor: UnsafePointer<sb_tensor>)
        /// A step of the run copies it, to a tensor of this type.
        case downloaded(ConcreteType)
    }

    private let inputTypes: [ConcreteType]
    /// Inputs whose values shaped the plan, by position.
    private let shapingInputs: [(position: Int, tensor: HostTensor)]
    /// Of the step that failed last.
    var lastStatus = SB_OK
    // Kept alive for the pointers in `steps`.
    let placement: Placement
    private let launches: CMemory
    let memory: ProgramMemory
    private var states: [PreparedState?]
    /// Plans for other inputs that its session keeps, the latest first.
    var others: [Program] = []
    private var isAbandoned = false

    /// - Parameters:
    ///   - guardBytes: more than 0 keeps every tensor in memory of its own with as many bytes before and after it that belong to nobody.
    ///   - inputScale: more than 1 gives the first kernel strided inputs, each element that many elements after the one before it; `inputs` are laid out so.
    ///   - downloading: copies the outputs to the host as part of the run.
    ///   - omittedWait: see `StepList`.
    init(
        _ placement: Placement, devices: [Device], inputs: [HostTensor], guardBytes: Int = 0, inputScale: Int = 1, downloading: Bool = true,
        memoryRules: MemoryRules = MemoryRules(), omittedWait: Int? = nil
    ) throws {
        let graph = placement.graph
        let (ordered, order) =
            guardBytes == 0 && inputScale == 1
            ? try Schedule.leastMemory(placement, devices: devices)
            : (try Schedule(placement, devices: devices, inPlace: false, inputScale: inputScale), nil)
        let states = try placement.steps.map { step -> PreparedState? in
            guard case .node(let placed) = step else { return nil }
            do throws(PluginError) {
                return try placed.library.prepare(placed.descriptor, on: devices[placed.device])
            } catch {
                throw ExecutionError.device(error, node: graph[placed.node].name)
            }
        }
        let memory = try ProgramMemory(ordered, placement, devices: devices, guardBytes: guardBytes, rules: memoryRules)
        let schedule = memory.schedule
        var builder = StepBuilder(placement, memory, devices: devices, states: states)
        for step in schedule.steps { try builder.add(step, inputs: inputs, inputScale: inputScale) }
        let producers = placement.outputTensors()
        var outputs: [OutputBinding] = []
        for (index, (value, source)) in zip(graph.outputs, schedule.outputs).enumerated() {
            switch source {
            case .constant(let constant):
                outputs.append(.constant(try placement.values[constant]!.reshaped(to: placement.types[value.index])))
            case .input(let position): outputs.append(.input(position, placement.types[value.index]))
            case .slot(let slot):
                if downloading, case .known(let type)? = placement.types[value.index] {
                    try builder.download(slot, output: index)
                    outputs.append(.downloaded(type))
                    continue
                }
                let view = placement.types[value.index].flatMap { builder.launches.tensor($0) }
                guard let tensor = producers[value] ?? view, let type = DataType(rawValue: tensor.pointee.data_type) else {
                    throw GraphError("the graph's output '\(graph[value].name)' is written by nothing")
                }
                let (device, buffer, offset) = memory.place(of: slot)
                outputs.append(.device(device, buffer, offset: offset, type, tensor: tensor))
            }
        }
        builder.leadWithUploads()
        let list = try StepList(builder.planned, builder.lanes, omittedWait: omittedWait)
        steps = .allocate(capacity: list.steps.count)
        _ = steps.initialize(from: list.steps)
        self.list = list
        self.outputs = outputs
        self.memory = memory
        self.states = states
        self.placement = placement
        launches = builder.launches
        lanes = builder.lanes
        inputSlots = schedule.steps.compactMap { if case .input(let position, let slot) = $0 { (slot, position) } else { nil } }
        names = placement.steps.map { LaunchNames($0, graph, devices) }
        inputTypes = inputs.map { ConcreteType($0.dataType, $0.shape) }
        shapingInputs = graph.inputs.enumerated().compactMap { position, input in
            placement.inference.valueDependencies.contains(input) ? (position, inputs[position]) : nil
        }
        summary = PlanSummary(placement, devices: devices, memory: memory, choice: order, waitCount: list.waitCount)
    }

    deinit { steps.deallocate() }

    /// Position of an input whose values, not only their type and shape, shaped the plan.
    var shapingInput: Int? { shapingInputs.first?.position }
    /// Gives its memory back; nothing can be run any more.
    func abandon() {
        isAbandoned = true
        states = []
        memory.giveBack()
    }

    /// Whether a plan made for other inputs serves these, too.
    func fits(_ inputs: [HostTensor]) -> Bool {
        !isAbandoned && inputs.count == inputTypes.count
            && zip(inputs, inputTypes).allSatisfy { $0.dataType == $1.dataType && $0.shape == $1.shape }
            && shapingInputs.allSatisfy { position, tensor in
                tensor.strings == inputs[position].strings
                    && (tensor.byteCount == 0
                        || memcmp(tensor.bytes.baseAddress!, inputs[position].bytes.baseAddress!, tensor.byteCount) == 0)
            }
    }
}

extension Program.LaunchNames {
    fileprivate init(_ step: PlacedStep, _ graph: Graph, _ devices: [Device]) {
        let device = devices[step.device]
        switch step {
        case .node(let placed):
            self.init(
                node: graph[placed.node].name, operatorName: graph[placed.node].operatorName, device: device.name,
                plugin: placed.library.plugin.name, kernel: placed.kernel.name)
        case .program(let placed):
            self.init(
                node: graph[placed.nodes[0]].name, operatorName: "program of \(placed.nodes.count) nodes", device: device.name,
                plugin: device.plugin.name, kernel: "program")
        case .view(let view):
            self.init(
                node: graph[view.node].name, operatorName: graph[view.node].operatorName, device: device.name, plugin: device.plugin.name,
                kernel: "view")
        }
    }
}

extension HostTensor {
    /// The same elements in the shape of a view; itself where the shape is not known.
    func reshaped(to type: InferredOutput?) throws -> HostTensor {
        guard case .known(let type)? = type, type.shape != shape else { return self }
        return try reshaped(type.shape)
    }
}

extension CMemory {
    /// What a view looks like, which no launch writes; nil where its shape depends on data.
    fileprivate func tensor(_ type: InferredOutput) -> UnsafePointer<sb_tensor>? {
        guard case .known(let type) = type else { return nil }
        var tensor = sb_tensor()
        tensor.size = MemoryLayout<sb_tensor>.size
        tensor.data_type = type.dataType.rawValue
        tensor.rank = UInt32(type.shape.count)
        tensor.shape = array(type.shape.map(Int64.init))
        return UnsafePointer(allocate(tensor))
    }
}

extension Placement {
    /// The C tensors that the steps write, by value.
    fileprivate func outputTensors() -> [ValueID: UnsafePointer<sb_tensor>] {
        var tensors: [ValueID: UnsafePointer<sb_tensor>] = [:]
        for step in steps {
            for (value, tensor) in zip(step.outputs(graph), step.outputTensors) {
                if let value, let tensor { tensors[value] = UnsafePointer(tensor) }
            }
        }
        return tensors
    }
}

extension PlanSummary {
    fileprivate init(_ placement: Placement, devices: [Device], memory: ProgramMemory, choice: OrderChoice?, waitCount: Int) {
        let graph = placement.graph
        var nodes: [(source: NodeID, id: NodeID, device: String, kernel: String, facts: NumericFacts)] = placement.folded.map {
            ($0, $0, "host", "folded", .strict)
        }
        var runners: [NodeID: Int] = [:]
        func count(_ source: NodeID, on device: Int) {
            for origin in graph.origins(of: source) { runners[origin] = max(runners[origin] ?? 0, device) }
        }
        for step in placement.steps {
            switch step {
            case .node(let placed):
                nodes.append(
                    (
                        placed.source, placed.node, devices[placed.device].name, "\(placed.library.plugin.name)/\(placed.kernel.name)",
                        placed.facts
                    ))
                count(placed.source, on: placed.device)
            case .program(let placed):
                let device = devices[placed.device]
                for id in placed.nodes {
                    nodes.append((id, id, device.name, "\(device.plugin.name)/program", placed.program.numerics))
                    count(id, on: placed.device)
                }
            case .view(let view):
                nodes.append((view.origin, view.node, devices[view.device].name, "view", .strict))
                count(view.origin, on: view.device)
            }
        }
        // Parts stay in the order in which they run.
        let order = nodes.indices.sorted { (nodes[$0].source.index, $0) < (nodes[$1].source.index, $1) }
        let programs = Dictionary(
            placement.steps.compactMap { step in
                if case .program(let placed) = step { (ObjectIdentifier(placed.program), placed.program) } else { nil }
            }, uniquingKeysWith: { first, _ in first }
        ).values
        let programByteCount = programs.reduce(0) { $0 + $1.residentBytes } + (programs.map(\.executionBytes).max() ?? 0)
        var counts = Dictionary(grouping: runners.values) { devices[$0].name }.mapValues(\.count)
        let folded = graph.modelNodeCount.map { $0 - runners.count } ?? placement.folded.count
        if folded > 0 { counts["host", default: 0] += folded }
        self.init(
            placement: counts,
            nodes: order.map {
                (graph[nodes[$0].id].name, graph[nodes[$0].id].operatorName, nodes[$0].device, nodes[$0].kernel, nodes[$0].facts)
            },
            byteCount: memory.byteCount + programByteCount, programByteCount: programByteCount,
            arenas: memory.plans.map { ($0.device.map { devices[$0].name } ?? "host", $0.byteCount, $0.lowerBound) },
            waitCount: waitCount, remarks: placement.passes.remarks + placement.remarks + memory.remarks, memoryPlans: memory.plans,
            order: choice, spills: memory.schedule.spills, passes: placement.passes)
    }
}

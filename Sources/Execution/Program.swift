import CSouthbridge
// SPDX-License-Identifier: Apache-2.0
import Compiler
import Glibc
import Graph
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
        case hostCopy(to: UnsafeMutableRawPointer, from: UnsafeRawPointer, byteCount: Int)
        case synchronize(Synchronize, OpaquePointer)

        typealias Launch = @convention(c) (UnsafePointer<sb_launch>?, UnsafeMutablePointer<sb_error>?) -> Int32
        typealias Execute = @convention(c) (UnsafePointer<sb_execution>?, UnsafeMutablePointer<sb_error>?) -> Int32
        typealias Copy =
            @convention(c) (OpaquePointer?, OpaquePointer?, sb_location, sb_location, UInt64, UnsafeMutablePointer<sb_error>?) -> Int32
        typealias Synchronize = @convention(c) (OpaquePointer?, UnsafeMutablePointer<sb_error>?) -> Int32
    }

    let summary: PlanSummary
    let steps: UnsafeMutableBufferPointer<Step>
    /// Position of each input's step, to be pointed at the caller's tensor.
    let inputSteps: [(step: Int, input: Int)]
    /// Where each input that is copied lies.
    let inputSlots: [(slot: Int, input: Int)]
    let outputs: [OutputBinding]
    let streams: [Stream?]
    /// By position among `steps`: which of the placement's steps it launches; nil for copies and the like.
    let launched: [Int?]
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
        case input(Int)
        /// `tensor` has the shape in force after the run.
        case device(Device, Buffer, offset: Int, DataType, tensor: UnsafePointer<sb_tensor>)
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
    private let states: [PreparedState?]

    /// - Parameters:
    ///   - guardBytes: more than 0 keeps every tensor in memory of its own with as many bytes before and after it that belong to nobody.
    ///   - inputScale: more than 1 gives the first kernel strided inputs, each element that many elements after the one before it; `inputs` are laid out so.
    init(_ placement: Placement, devices: [Device], inputs: [HostTensor], guardBytes: Int = 0, inputScale: Int = 1) throws {
        let graph = placement.graph
        let schedule = try Schedule(placement, devices: devices, inPlace: guardBytes == 0, inputScale: inputScale)
        let used = Set(placement.steps.map(\.device))
        let streams = try devices.enumerated().map { used.contains($0) ? try $1.makeStream() : nil }
        let states = try placement.steps.map { step -> PreparedState? in
            guard case .node(let placed) = step else { return nil }
            do throws(PluginError) {
                return try placed.library.prepare(placed.descriptor, on: devices[placed.device])
            } catch {
                throw ExecutionError.device(error, node: graph[placed.node].name)
            }
        }
        let memory = try ProgramMemory(schedule, placement, devices: devices, guardBytes: guardBytes)

        let launches = CMemory()
        var steps: [Step] = []
        var launched: [Int?] = []
        var inputSteps: [(step: Int, input: Int)] = []
        var inputSlots: [(slot: Int, input: Int)] = []
        for scheduled in schedule.steps {
            launched.append(nil)
            switch scheduled {
            case .input(let position, let slot):
                inputSteps.append((steps.count, position))
                inputSlots.append((slot, position))
                let source = sb_location(buffer: nil, host: nil, offset: 0)
                steps.append(memory.copy(from: source, to: slot, byteCount: inputs[position].byteCount, streams: streams))
            case .copy(let from, let to):
                steps.append(memory.copy(from: from, to: to, streams: streams))
            case .synchronize(let device):
                if let stream = streams[device], let handle = stream.handle, let function = devices[device].plugin.streams?.synchronize {
                    steps.append(.synchronize(function, handle))
                } else {
                    launched.removeLast()
                }
            case .launch(let step, let inputs, let outputs, let workspace):
                memory.bind(placement.steps[step], inputs: inputs, outputs: outputs)
                launched[launched.count - 1] = step
                switch placement.steps[step] {
                case .node(let placed):
                    if inputScale > 1 { placed.spreadInputs(by: inputScale) }
                    let launch = memory.launch(
                        placed, state: states[step]!, stream: streams[placed.device], workspace: workspace, correlation: step + 1)
                    steps.append(.launch(placed.library.table.launch, launches.allocate(launch)))
                case .program(let placed):
                    let execution = memory.execution(
                        placed, stream: streams[placed.device], workspace: workspace, correlation: step + 1)
                    steps.append(.execute(placed.program.compiler.table.execute, launches.allocate(execution)))
                case .view: break
                }
            }
        }
        self.steps = .allocate(capacity: max(steps.count, 1))
        _ = self.steps.initialize(from: steps)
        self.launches = launches
        self.memory = memory
        self.states = states
        self.streams = streams
        self.placement = placement
        self.inputSteps = inputSteps
        self.inputSlots = inputSlots
        self.launched = launched
        names = placement.steps.map { LaunchNames($0, graph, devices) }
        inputTypes = inputs.map { ConcreteType($0.dataType, $0.shape) }
        shapingInputs = graph.inputs.enumerated().compactMap { position, input in
            placement.inference.valueDependencies.contains(input) ? (position, inputs[position]) : nil
        }
        let producers = placement.outputTensors()
        outputs = try zip(graph.outputs, schedule.outputs).map { value, source in
            switch source {
            case .constant(let constant): return .constant(placement.values[constant]!)
            case .input(let position): return .input(position)
            case .slot(let slot):
                guard let tensor = producers[value], let type = DataType(rawValue: tensor.pointee.data_type) else {
                    throw GraphError("the graph's output '\(graph[value].name)' is written by nothing")
                }
                let (device, buffer, offset) = memory.place(of: slot)
                return .device(device, buffer, offset: offset, type, tensor: tensor)
            }
        }
        summary = PlanSummary(placement, devices: devices, memory: memory)
    }

    deinit { steps.deallocate() }

    /// Whether a plan made for other inputs serves these, too.
    func fits(_ inputs: [HostTensor]) -> Bool {
        inputs.count == inputTypes.count
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

extension PlacedNode {
    fileprivate func spreadInputs(by scale: Int) {
        for (index, tensor) in descriptor.inputs.enumerated() {
            guard let tensor else { continue }
            let shape = (0..<Int(tensor.pointee.rank)).map { Int(tensor.pointee.shape[$0]) }
            descriptor.setStrides(denseStrides(shape).map { $0 * scale }, ofInput: index)
        }
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
    fileprivate init(_ placement: Placement, devices: [Device], memory: ProgramMemory) {
        let graph = placement.graph
        var nodes: [(source: NodeID, id: NodeID, device: String, kernel: String)] = placement.folded.map { ($0, $0, "host", "folded") }
        var runners: [NodeID: Int] = [:]
        func count(_ source: NodeID, on device: Int) {
            for origin in graph.origins(of: source) { runners[origin] = max(runners[origin] ?? 0, device) }
        }
        for step in placement.steps {
            switch step {
            case .node(let placed):
                nodes.append(
                    (placed.source, placed.node, devices[placed.device].name, "\(placed.library.plugin.name)/\(placed.kernel.name)"))
                count(placed.source, on: placed.device)
            case .program(let placed):
                let device = devices[placed.device]
                for id in placed.nodes {
                    nodes.append((id, id, device.name, "\(device.plugin.name)/program"))
                    count(id, on: placed.device)
                }
            case .view(let view):
                nodes.append((view.origin, view.node, devices[view.device].name, "view"))
                count(view.origin, on: view.device)
            }
        }
        // Parts stay in the order in which they run.
        let order = nodes.indices.sorted { (nodes[$0].source.index, $0) < (nodes[$1].source.index, $1) }
        var counts = Dictionary(grouping: runners.values) { devices[$0].name }.mapValues(\.count)
        let folded = graph.modelNodeCount.map { $0 - runners.count } ?? placement.folded.count
        if folded > 0 { counts["host", default: 0] += folded }
        self.init(
            placement: counts,
            nodes: order.map { (graph[nodes[$0].id].name, graph[nodes[$0].id].operatorName, nodes[$0].device, nodes[$0].kernel) },
            byteCount: memory.byteCount,
            arenas: memory.arenas.map { ($0.device.map { devices[$0].name } ?? "host", $0.plan.byteCount, $0.plan.lowerBound) },
            remarks: placement.passes.remarks + placement.remarks, passes: placement.passes)
    }
}

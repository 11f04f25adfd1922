// SPDX-License-Identifier: Apache-2.0
package import Compiler
package import Graph
package import HardwareModel
import Operators
package import Southbound
import Synchronization
package import Tensors

/// A model on a list of devices: placed, planned and prepared for the shapes that it is given, and run as often as wanted.
///
/// The first run with new shapes plans; later ones with the same shapes reuse the plan. One run at a time: concurrent callers wait.
package final class Session: Sendable {
    let graph: Graph
    let devices: [Device]
    private let libraries: [OperatorLibrary]
    let rules: PlacementRules
    let memoryRules: MemoryRules
    /// Keeps what plans give back for the next ones.
    let pools: [DevicePool]
    private let omittedWait: Int?
    private let measured: any MeasuredCosts
    let program = Mutex<Program?>(nil)
    /// Of all plans that were made.
    package let phaseTimes = PhaseTimes()

    /// - Parameters:
    ///   - devices: in order of preference.
    ///   - libraries: operator libraries without a driver.
    ///   - measured: costs of kernels that count more than what plugins say.
    ///   - omittedWait: leaves one of the waits between lanes out, so that a test can show that it is needed.
    package init(
        _ graph: Graph, devices: [Device], libraries: [OperatorLibrary] = [], rules: PlacementRules = PlacementRules(),
        memoryRules: MemoryRules = MemoryRules(), measured: any MeasuredCosts = NothingMeasured(), omittedWait: Int? = nil
    ) {
        self.memoryRules = memoryRules
        pools = devices.map(DevicePool.shared)
        self.omittedWait = omittedWait
        self.measured = measured
        self.graph = graph
        self.devices = devices
        self.libraries = libraries
        self.rules = rules
    }

    /// Runs the model once.
    /// - Parameters:
    ///   - inputs: by name, one for each graph input.
    ///   - control: what may stop the run from outside. It throws `cancelled` or `deadline` then, and the session runs on.
    /// - Returns: the outputs in the graph's order.
    package func run(
        _ inputs: [String: HostTensor], control: RunControl? = nil
    ) throws(ExecutionError) -> [(name: String, tensor: HostTensor)] {
        let tensors = try check(inputs)
        do {
            return try program.withLock { program in
                let current = try plan(tensors, reusing: program)
                program = current
                let results = try current.run(tensors, control: control)
                return zip(graph.outputs, results).map { (graph[$0].name, $1) }
            }
        } catch {
            throw ExecutionError(error)
        }
    }

    /// Runs the model twice, each tensor in memory of its own between guards, and tells what the kernels did to memory that is not theirs.
    /// - Parameter strided: gives a model of one node, whose kernel takes strides, inputs with a gap behind each element.
    /// - Returns: the outputs of the first run in the graph's order, and the first misdeed.
    package func runGuarded(
        _ inputs: [String: HostTensor], strided: Bool = false
    ) throws(ExecutionError) -> (outputs: [(name: String, tensor: HostTensor)], misdeed: MemoryMisdeed?) {
        let tensors = try check(inputs)
        do {
            return try program.withLock { program in
                // What goes by the strides of an input may overrun the output by as much as the input takes.
                let guardBytes = strided ? Program.spreadScale * tensors.reduce(256) { $0 + $1.byteCount } : 256
                let guarded = try plan(tensors, reusing: nil, guardBytes: guardBytes, strided: strided)
                program = strided ? nil : guarded
                let (outputs, misdeed) = try guarded.runGuarded(strided ? try tensors.map(Program.spread) : tensors)
                return (zip(graph.outputs, outputs).map { (graph[$0].name, $1) }, misdeed)
            }
        } catch {
            throw ExecutionError(error)
        }
    }

    /// Runs the model step by step; see `Trace`.
    func timedTrace(_ inputs: [String: HostTensor]) throws(ExecutionError) -> Trace {
        let tensors = try check(inputs)
        do {
            return try program.withLock { program in
                let current = try plan(tensors, reusing: program)
                program = current
                for device in devices { try device.record(true) }
                defer { for device in devices { try? device.record(false) } }
                let timed = try current.runTimed(tensors)
                var activities: [(device: String, activities: [Activity])] = []
                for device in devices where device.recordsActivities {
                    try device.record(false)
                    activities.append((device.name, try device.takeActivities()))
                }
                return Trace(current, timed, activities)
            }
        } catch {
            throw ExecutionError(error)
        }
    }

    /// What the last plan came to; nil before the first run.
    package var summary: PlanSummary? { program.withLock { $0?.summary } }

    func plan(_ inputs: [HostTensor], reusing program: Program?, guardBytes: Int = 0, strided: Bool = false, downloading: Bool = true)
        throws -> Program
    {
        if let known = program?.kept(for: inputs) { return known }
        guard strided else {
            return try makeRoom(after: program, guarded: guardBytes > 0) { rules, memoryRules in
                let placement = try place(inputs, rules)
                return try phaseTimes.measure("plan and prepare") {
                    try Program(
                        placement, devices: devices, inputs: inputs, guardBytes: guardBytes, downloading: downloading,
                        memoryRules: memoryRules,
                        omittedWait: omittedWait)
                }
            }
        }
        let placement = try place(inputs, rules)
        guard placement.steps.count == 1, placement.steps[0].kernel?.flags.contains(.strided) == true, graph.constants.isEmpty else {
            throw ExecutionError.input("strided inputs are for one node whose kernel takes strides")
        }
        return try Program(
            placement, devices: devices, inputs: try inputs.map(Program.spread), guardBytes: guardBytes,
            inputScale: Program.spreadScale)
    }

    /// Which node runs where for inputs of these shapes.
    func place(_ inputs: [HostTensor], _ rules: PlacementRules) throws -> Placement {
        let optimized = try optimize(inputs, rules)
        return try phaseTimes.measure("partition") { try place(optimized, with: placer(of: optimized, rules)) }
    }

    /// The graph after the passes, for inputs of some shapes.
    struct Optimized {
        let inference: GraphInference
        let passes: PassReport
        let catalog: OperatorCatalog
    }

    func optimize(_ inputs: [HostTensor], _ rules: PlacementRules) throws -> Optimized {
        let types = Dictionary(
            zip(graph.inputs, inputs).map { ($0, ConcreteType($1.dataType, $1.shape)) }, uniquingKeysWith: { first, _ in first })
        let values = Dictionary(zip(graph.inputs, inputs), uniquingKeysWith: { first, _ in first })
        let catalog = OperatorCatalog.standard(with: devices, libraries)
        let given = try phaseTimes.measure("infer shapes") { try GraphInference(graph, catalog: catalog, inputs: types, values: values) }
        let (inference, passes) = try phaseTimes.measure("optimize") {
            try Optimization(devices: devices, libraries: libraries, rules: rules, catalog: catalog)
                .run(given, inputs: types, values: values) { [self] in try runAlone($0, $1, $2, devices: devices, libraries: libraries) }
        }
        return Optimized(inference: inference, passes: passes, catalog: catalog)
    }

    func placer(of optimized: Optimized, _ rules: PlacementRules) -> Placer {
        Placer(
            optimized.inference.graph, devices: devices, extraLibraries: libraries, rules: rules, measured: measured,
            catalog: optimized.catalog)
    }

    func place(_ optimized: Optimized, with placer: Placer) throws -> Placement {
        var placement = try placer.place(optimized.inference)
        if placer.rules.optimizing { try LayoutSelection(devices: devices).apply(to: &placement) }
        placement.passes = optimized.passes
        return placement
    }

    func check(_ inputs: [String: HostTensor]) throws(ExecutionError) -> [HostTensor] {
        for name in inputs.keys.sorted() where !graph.inputs.contains(where: { graph[$0].name == name }) {
            let known = graph.inputs.map { "'\(graph[$0].name)'" }.joined(separator: ", ")
            throw .input("the model has no input '\(name)'; it has \(known.isEmpty ? "none" : known)")
        }
        var symbols: [String: Int] = [:]
        var tensors: [HostTensor] = []
        for input in graph.inputs {
            let value = graph[input]
            guard let tensor = inputs[value.name] else { throw .input("input '\(value.name)' is missing") }
            try check(tensor, value, &symbols)
            tensors.append(tensor)
        }
        return tensors
    }

    private func check(_ tensor: HostTensor, _ value: Value, _ symbols: inout [String: Int]) throws(ExecutionError) {
        guard let type = value.type else { return }
        guard tensor.dataType == type.dataType else {
            throw .input("input '\(value.name)' must be \(type.dataType.name), not \(tensor.dataType.name)")
        }
        guard let shape = type.shape else { return }
        var fits = shape.count == tensor.shape.count
        for (dimension, size) in zip(shape, tensor.shape) {
            switch dimension {
            case .known(let expected): fits = fits && expected == size
            case .symbol(let name):
                fits = fits && symbols[name, default: size] == size
                symbols[name] = size
            case .unknown: break
            }
        }
        guard fits else {
            throw .input("input '\(value.name)' must have shape \(type.shapeDescription), not \(tensor.shape)")
        }
    }
}

/// What a plan came to, for people and reports.
package struct PlanSummary: Sendable {
    /// The model's own nodes by the device that runs them; computed by the stack itself, or left out by passes: `host`. A node that runs in parts on several devices counts for the
    /// least preferred of them, so that no device is credited with a node that it could not run alone.
    package let placement: [String: Int]
    /// Node by node: name, operator, device, library and kernel, and what it declares about its arithmetic, in the order of the model's nodes; a node that runs in
    /// parts as these, named `node/part`.
    package let nodes: [(name: String, operatorName: String, device: String, kernel: String, facts: NumericFacts)]
    /// Bytes of arenas, constants and staging memory on all devices and the host, and of compiled programs as far as their compilers tell.
    package let byteCount: Int
    /// What compiled programs hold themselves, and need in a run.
    package let programByteCount: Int
    /// The arenas alone, by device.
    package let arenas: [(device: String, byteCount: Int, lowerBound: Int)]
    /// How often a run waits, for an event or a queue, so that what is done side by side keeps its order; the end of the run not counted.
    package let waitCount: Int
    /// Why nodes that a plugin's compiler claimed go by kernels all the same, and what had to be done for want of memory, for a person.
    package let remarks: [String]
    /// The arenas tensor by tensor.
    package let memoryPlans: [MemoryPlan]
    /// Nil where every node has memory of its own.
    package let order: OrderChoice?
    /// What crosses the links in every run for want of memory.
    package let spills: [Spill]
    /// What the passes came to.
    package let passes: PassReport
}

extension ExecutionError {
    init(_ error: any Error) {
        switch error {
        case let error as ExecutionError: self = error
        case let error as GraphError: self = .model(error.description)
        case let error as NoKernelError: self = .noKernel(error)
        case let error as PluginError: self = .device(error, node: nil)
        default: self = .model("\(error)")
        }
    }
}

extension TensorType {
    package var shapeDescription: String {
        guard let shape else { return "[...]" }
        let dimensions = shape.map { dimension in
            switch dimension {
            case .known(let size): "\(size)"
            case .symbol(let name): name
            case .unknown: "?"
            }
        }
        return "[\(dimensions.joined(separator: ", "))]"
    }
}

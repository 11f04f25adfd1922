// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine

/// What the chip has done since it was opened: counters always, activities while they are recorded. Under the dispatcher's lock.
struct Recorder {
    let config: npu_config
    var isRecording = false
    private var total = npu_counters()
    private var toDevice: UInt64 = 0
    private var fromDevice: UInt64 = 0
    private var fromPeers: UInt64 = 0
    private var activities: [Activity] = []

    init(config: npu_config) { self.config = config }

    /// Always these, in this order.
    var counters: [Counter] {
        func counter(_ name: String, _ unit: String, _ value: UInt64) -> Counter {
            Counter(name: name, unit: unit, value: .cumulative(value))
        }
        let capacity = Double(total.cycles) * Double(config.cores)
        return [
            counter("cycles", "cycles", total.cycles), counter("load_busy", "cycles", total.busy.0),
            counter("store_busy", "cycles", total.busy.1),
            counter("matrix_busy", "cycles", total.busy.2), counter("vector_busy", "cycles", total.busy.3),
            counter("device_read", "bytes", total.device_read), counter("device_written", "bytes", total.device_written),
            counter("l2_read", "bytes", total.l2_read), counter("link_to_device", "bytes", toDevice),
            counter("link_from_device", "bytes", fromDevice),
            counter("link_from_peers", "bytes", fromPeers),
            counter("matrix_operations", "operations", total.matrix_operations),
            counter("vector_operations", "operations", total.vector_operations),
            counter("instructions", "", total.instructions), counter("programs", "", total.programs),
            Counter(name: "matrix_utilization", unit: "%", value: .gauge(capacity > 0 ? 100 * Double(total.busy.2) / capacity : .nan)),
        ]
    }

    mutating func take() -> [Activity] {
        defer { activities = [] }
        return activities
    }

    mutating func count(_ route: CopyRoute, _ byteCount: Int) {
        if case .toDevice = route { toDevice += UInt64(byteCount) }
        if case .fromDevice = route { fromDevice += UInt64(byteCount) }
        if case .fromPeer = route { fromPeers += UInt64(byteCount) }
    }

    /// - Parameter span: when the command occupies its part of the chip, in seconds.
    mutating func add(_ command: Command, _ span: ClosedRange<Double>) {
        switch command {
        case .copy(_, _, let byteCount, let route):
            count(route, byteCount)
            let lane =
                switch route {
                case .withinDevice: "memory"
                case .fromPeer: "peer link"
                case .toDevice, .fromDevice, .withinHost: "link"
                }
            add(lane, "copy", span) { $0.bytes = UInt64(byteCount) }
        case .fill(_, _, let byteCount): add("memory", "fill", span) { $0.bytes = UInt64(byteCount) }
        case .launch(let resident, _, let correlation):
            let program = resident.lowering.program
            total.add(program.counters)
            guard isRecording else { return }
            add("programs", resident.name, span) {
                $0.correlation = correlation
                $0.bytes = program.counters.device_read + program.counters.device_written
                $0.operations = program.counters.matrix_operations + program.counters.vector_operations
            }
            let begin = span.lowerBound + config.launch_latency
            for (lane, item) in program.engineActivities() {
                add(lane, item.name, (begin + item.begin)...(begin + item.end)) { $0.correlation = correlation }
            }
        case .record, .wait: break
        }
    }

    private mutating func add(_ lane: String, _ name: String, _ span: ClosedRange<Double>, _ complete: (inout Activity) -> Void) {
        guard isRecording else { return }
        var activity = Activity(
            lane: lane, name: name, begin: UInt64((span.lowerBound * 1e12).rounded()), end: UInt64((span.upperBound * 1e12).rounded()))
        complete(&activity)
        activities.append(activity)
    }
}

extension npu_counters {
    fileprivate mutating func add(_ other: npu_counters) {
        cycles += other.cycles
        busy.0 += other.busy.0
        busy.1 += other.busy.1
        busy.2 += other.busy.2
        busy.3 += other.busy.3
        device_read += other.device_read
        device_written += other.device_written
        l2_read += other.l2_read
        matrix_operations += other.matrix_operations
        vector_operations += other.vector_operations
        instructions += other.instructions
        programs += other.programs
    }
}

/// A stretch of an engine's work of one kind, in seconds from the start of the program.
struct EngineActivity {
    let name: String
    let begin: Double
    var end: Double
}

extension TileProgram {
    private final class Trace {
        var lanes: [[EngineActivity]] = []
    }

    /// What every engine of every core does, instructions of one kind that follow on each other as one.
    func engineActivities() -> [(lane: String, EngineActivity)] {
        let engines = ["load", "store", "matrix", "vector"]
        let trace = Trace()
        trace.lanes = [[EngineActivity]](repeating: [], count: Int(npu_program_cores(raw)) * engines.count)
        _ = npu_time(
            raw, .infinity, nil,
            { context, core, engine, instruction, begin, end in
                let trace = Unmanaged<Trace>.fromOpaque(context!).takeUnretainedValue()
                let lane = Int(core) * 4 + Int(engine.rawValue)
                let name =
                    switch npu_opcode(instruction!.pointee.opcode) {
                    case NPU_OP_COPY: engine == NPU_ENGINE_LOAD ? "load" : "store"
                    case NPU_OP_FILL: "fill"
                    case NPU_OP_GATHER: "gather"
                    case NPU_OP_MATRIX: "product"
                    case NPU_OP_VECTOR: "vector"
                    default: "patches"
                    }
                if let last = trace.lanes[lane].last, last.name == name, begin <= last.end {
                    trace.lanes[lane][trace.lanes[lane].count - 1].end = end
                } else {
                    trace.lanes[lane].append(EngineActivity(name: name, begin: begin, end: end))
                }
            }, Unmanaged.passUnretained(trace).toOpaque())
        return trace.lanes.enumerated().flatMap { index, items in
            items.map { (lane: "core \(index / engines.count) \(engines[index % engines.count])", $0) }
        }
    }
}

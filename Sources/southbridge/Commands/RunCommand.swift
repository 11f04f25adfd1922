// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Compiler
import Execution
import Foundation
import Graph
import ONNX
import Southbound
import Tensors

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a model.",
        discussion: """
            Inputs are .npy files or ONNX tensors (.pb). An input that is left out is random, its unknown dimensions are 1, and the seed is printed.
            Each node runs where kernels and copies together are expected to take least; 'southbridge explain' tells why. A CPU that the list does not name gets
            only what nobody else runs. --strategy preference gives every node to the first device of the list that runs it.

            EXAMPLES
              southbridge run model.onnx --device cpu
              southbridge run model.onnx --device ./libchip.so,cpu --input image=cat.npy --output results
              southbridge run model.onnx --device cpu --place 'conv1*=cpu:0' --repeat 20 --json
              southbridge run model.onnx --device npu:0,cpu:0 --place @rules.txt --strategy preference
              southbridge run model.onnx --device npu --mixed bfloat16
            """)

    @Argument(help: "The model.", completion: .file(extensions: ["onnx"]))
    var model: String

    @Option(help: ArgumentHelp("Devices in order of preference.", valueName: "list"))
    var device: String

    @Option(help: ArgumentHelp("Write each output to DIR/NAME.npy.", valueName: "dir"), completion: .directory)
    var output: String?

    @OptionGroup var inputs: InputOptions
    @OptionGroup var placement: PlacementOptions
    @OptionGroup var precision: PrecisionOptions

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Run N times and give latencies.", valueName: "n"))
    var repeats: Int = 1

    @Option(
        help: ArgumentHelp(
            "Write a trace that opens in Perfetto: launches in the host's time, activities in the device's.", valueName: "file"),
        completion: .file())
    var trace: String?

    @Option(help: ArgumentHelp("End with exit code 5 when the runs take longer, planning included.", valueName: "seconds"))
    var timeout: Double?

    @Flag(help: "Say what each pass did, and for every node where it ran.")
    var verbose = false

    @OptionGroup var flags: PluginFlags

    func validate() throws {
        guard repeats >= 1 else { throw ValidationError("--repeat must be at least 1") }
        if let timeout, !(timeout > 0 && timeout <= 1e6) {
            throw ValidationError("--timeout takes seconds, more than 0 and at most 1000000")
        }
    }

    func run() throws {
        let mixed = try precision.type()
        let reading = PhaseTimes()
        let graph = try reading.measure("read") { try readModel(path: model).graph }
        let seed = inputs.seed ?? UInt64.random(in: 0..<(1 << 53))
        let tensors = try inputs.tensors(of: graph, seed: seed)
        let installation = try Installation.locate()
        let set = try DeviceSet(device, libraries: flags.libraries, options: flags.named, installation: installation)
        var rules = try placement.rules(set)
        rules.mixed = mixed
        let costs = try placement.measuredCosts(graph, tensors, set, rules)
        let session = Session(graph, devices: set.devices, libraries: set.libraries, rules: rules, measured: costs)

        let ending = RunGuard(seconds: timeout)
        var milliseconds: [Double] = []
        var processorMilliseconds: [Double] = []
        var results: [(name: String, tensor: HostTensor)] = []
        let clock = ContinuousClock()
        var before: [[Counter]] = []
        for repetition in 0..<repeats {
            if repetition == repeats - 1 { before = try set.devices.map { try $0.counters() } }
            let (start, used) = (clock.now, processorMicroseconds())
            results = try session.run(tensors, control: ending.control)
            milliseconds.append((clock.now - start) / .milliseconds(1))
            processorMilliseconds.append(Double(processorMicroseconds() - used) / 1000)
        }
        ending.finish()
        let counters = try zip(set.devices, before).map { device, before in
            RunResult.Counters(device: device.name, before, try device.counters())
        }.filter { !$0.values.isEmpty }
        if let trace { try session.writeTrace(to: URL(filePath: trace), inputs: tensors) }
        let files = try output.map { try writeNumpy(results, to: URL(filePath: $0)) }
        guard let summary = session.summary else { return }
        for remark in costs.remarks + summary.remarks { standardError("note: \(remark)") }
        let result = RunResult(
            device: device, seed: seed, strategy: rules.strategy, placement: summary.placement,
            outputs: results.enumerated().map { index, output in
                .init(name: output.name, shape: output.tensor.shape, dataType: output.tensor.dataType.name, file: files?[index])
            },
            kernels: Dictionary(grouping: summary.nodes.filter { $0.kernel.contains("/") }) { String($0.kernel.split(separator: "/")[0]) }
                .mapValues(\.count),
            latency: RunResult.Latency(milliseconds, processor: processorMilliseconds),
            phases: (reading.phases + session.phaseTimes.phases).map {
                .init(phase: $0.name, milliseconds: $0.duration / .milliseconds(1))
            },
            peakMemoryBytes: summary.byteCount, peakResidentBytes: peakResidentBytes(), memory: RunResult.Memory(summary),
            counters: counters.isEmpty ? nil : counters)
        if flags.json { return try printJSON(result) }
        if verbose {
            print(result.phases.map { "\($0.phase) \(tenths($0.milliseconds)) ms" }.joined(separator: ", "))
            for pass in summary.passes.entries {
                print(
                    "pass \(pass.name)\t\(pass.rewrites) rewrites, \(pass.nodesBefore) → \(pass.nodesAfter) nodes, \(thousandths(pass.seconds * 1000)) ms"
                        + pass.figures.sorted { $0.key < $1.key }.map { ", \($0.value) \($0.key)" }.joined())
            }
            for node in summary.nodes { print("\(node.device)\t\(node.kernel)\t\(node.operatorName)\t\(node.name)") }
        }
        result.print(randomInputs: graph.inputs.count > inputs.files.count)
    }
}

private func usage() -> rusage {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage
}

/// The most memory that this process had at once.
private func peakResidentBytes() -> Int { usage().ru_maxrss * 1024 }

/// What all threads of this process have used so far.
private func processorMicroseconds() -> Int {
    let usage = usage()
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000 + Int(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
}

/// What `run` says, in the keys of its JSON.
private struct RunResult: Encodable {
    struct Output: Encodable {
        let name: String
        let shape: [Int]
        let dataType: String
        let file: String?
    }

    /// Milliseconds; the first run plans and prepares, the percentiles are over the others (over the first if there is no other).
    struct Latency: Encodable {
        let first: Double
        let median: Double
        let p10: Double
        let p90: Double
        /// Median of what all threads together used in a run.
        let processor: Double
        let repeats: Int

        enum CodingKeys: String, CodingKey {
            case first = "first_ms"
            case median = "median_ms"
            case p10 = "p10_ms"
            case p90 = "p90_ms"
            case processor = "processor_ms"
            case repeats
        }

        init(_ milliseconds: [Double], processor: [Double]) {
            func quantile(_ share: Double, _ samples: [Double]) -> Double {
                let rest = (samples.count > 1 ? Array(samples.dropFirst()) : samples).sorted()
                return rest[Int((Double(rest.count - 1) * share).rounded())]
            }
            first = milliseconds.first ?? 0
            median = quantile(0.5, milliseconds)
            p10 = quantile(0.1, milliseconds)
            p90 = quantile(0.9, milliseconds)
            self.processor = quantile(0.5, processor)
            repeats = milliseconds.count
        }
    }

    /// A part of what comes before the first run.
    struct Phase: Encodable {
        let phase: String
        let milliseconds: Double

        enum CodingKeys: String, CodingKey {
            case phase
            case milliseconds = "ms"
        }
    }

    /// What a device that counts has counted in the last run, and its gauges after it.
    struct Counters: Encodable {
        struct Value: Encodable {
            let name: String
            let unit: String
            let value: Double
        }

        let device: String
        let values: [Value]

        init(device: String, _ before: [Counter], _ after: [Counter]) {
            self.device = device
            values = zip(before, after).compactMap { before, after in
                switch (before.value, after.value) {
                case (.cumulative(let first), .cumulative(let last)): Value(name: after.name, unit: after.unit, value: Double(last - first))
                case (_, .gauge(let value)) where value.isFinite: Value(name: after.name, unit: after.unit, value: value)
                default: nil
                }
            }
        }
    }

    /// What lies in the arenas, without constants: the largest sum of live tensors in the model's own order and in the chosen one, and what was planned.
    struct Memory: Encodable {
        struct Arena: Encodable {
            let device: String
            let bytes: Int
            let lowerBound: Int
            let strategy: String

            enum CodingKeys: String, CodingKey {
                case device, bytes, strategy
                case lowerBound = "lower_bound"
            }
        }

        let arenas: [Arena]
        let order: String?
        let givenBound: Int?
        let bound: Int?
        let spilledBytesPerRun: Int
        /// Of compiled programs, as far as their compilers tell.
        let programs: Int

        enum CodingKeys: String, CodingKey {
            case arenas, order, bound
            case programs = "program_bytes"
            case givenBound = "given_order_bound"
            case spilledBytesPerRun = "spilled_bytes_per_run"
        }

        init(_ summary: PlanSummary) {
            arenas = zip(summary.arenas, summary.memoryPlans).map {
                Arena(device: $0.device, bytes: $0.byteCount, lowerBound: $0.lowerBound, strategy: $1.strategy)
            }
            order = summary.order?.name
            givenBound = summary.order?.givenBound
            bound = summary.order?.bound
            spilledBytesPerRun = summary.spills.reduce(0) { $0 + $1.bytesPerRun }
            programs = summary.programByteCount
        }
    }

    let device: String
    let seed: UInt64
    /// By which placement was asked for; a note tells where it could not be.
    let strategy: PlacementRules.Strategy
    let placement: [String: Int]
    let outputs: [Output]
    /// Launches of a run by the library whose kernels they are: a node's, those of its parts, a program's nodes.
    let kernels: [String: Int]
    let latency: Latency
    let phases: [Phase]
    let peakMemoryBytes: Int
    /// Of the process, all included.
    let peakResidentBytes: Int
    let memory: Memory
    let counters: [Counters]?

    enum CodingKeys: String, CodingKey {
        case device, seed, strategy, placement, outputs, kernels, latency, phases, memory, counters
        case peakMemoryBytes = "peak_memory_bytes"
        case peakResidentBytes = "peak_resident_bytes"
    }

    func print(randomInputs: Bool) {
        let places = placement.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        Swift.print("nodes by device (by \(strategy.rawValue)): \(places)")
        for output in outputs {
            Swift.print("output \(output.name): \(output.dataType) \(output.shape)\(output.file.map { " → \($0)" } ?? "")")
        }
        let first = "first run \(tenths(latency.first)) ms"
        Swift.print(
            latency.repeats > 1
                ? "\(first), then median \(thousandths(latency.median)) ms (p10 \(thousandths(latency.p10)), p90 \(thousandths(latency.p90))) of \(latency.repeats - 1)"
                : first)
        Swift.print("memory: \(byteText(peakMemoryBytes))")
        for counters in counters ?? [] {
            Swift.print("\(counters.device) counted in the last run:")
            for counter in counters.values { Swift.print("  \(counter.name): \(text(counter))") }
        }
        if randomInputs { Swift.print("random inputs: --seed \(seed)") }
    }

    private func text(_ counter: Counters.Value) -> String {
        let number =
            counter.value == counter.value.rounded() && abs(counter.value) < 1e15 ? String(Int(counter.value)) : thousandths(counter.value)
        return counter.unit.isEmpty ? number : "\(number) \(counter.unit)"
    }

}

private func thousandths(_ value: Double) -> String { String((value * 1000).rounded() / 1000) }

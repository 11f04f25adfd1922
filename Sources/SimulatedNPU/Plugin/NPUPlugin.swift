// SPDX-License-Identifier: Apache-2.0
public import CSouthbridge
import Glibc
import HardwareModel
package import PluginKit
import SimulatedNPUMachine

/// The simulated NPU, started.
package final class NPUPlugin: Plugin {
    package typealias Device = NPUDevice

    package static let identity = PluginIdentity(name: "npu", vendor: "Southbridge", version: "0.1.0")
    package static let options = [
        profileOption, devicesOption, threadsOption, orderingOption, seedOption, float32Option, graphsOption, FaultPlan.option,
        watchdogOption,
    ]
    private static let profileOption = OptionSchema(
        name: "profile", kind: .string, defaultValue: "edge", help: "the chip: endpoint, edge, cloud, or a YAML file that describes one")
    private static let devicesOption = OptionSchema(
        name: "devices", kind: .integer, defaultValue: "1", help: "chips, 1 to 8, each with its own memory and clock, linked to each other")
    private static let threadsOption = OptionSchema(
        name: "threads", kind: .integer, defaultValue: "0",
        help: "threads that simulate; 0: one per processor. Results and cycles do not depend on it")
    private static let orderingOption = OptionSchema(
        name: "ordering", kind: .string, defaultValue: "prompt",
        help: "prompt: queued work runs at once; adversarial: as late, and in as unexpected an order, as the rules allow")
    private static let seedOption = OptionSchema(
        name: "seed", kind: .integer, defaultValue: "0", help: "what the adversarial ordering draws from")
    private static let float32Option = OptionSchema(
        name: "float32", kind: .string, defaultValue: "bfloat16x3",
        help: "what a float32 becomes for the matrix unit: three parts of bfloat16 (bfloat16x3), two, or one")
    private static let graphsOption = OptionSchema(
        name: "graphs", kind: .boolean, defaultValue: "true",
        help: "whether the chip's compiler takes subgraphs; else every node goes by a kernel")
    private static let watchdogOption = OptionSchema(
        name: "watchdog", kind: .integer, defaultValue: "0",
        help: "seconds after which a device that hangs is reported to who waits for it; 0: never")
    package static let execution = Execution.queued
    package static let kernels: [any Kernel<NPUDevice>] = allKernels
    package static let graphCompiler: (any GraphCompiler<NPUDevice>)? = NPUGraphCompiler()
    package static let table = PluginTable(NPUPlugin.self) { NPUPlugin.start($0, $1, $2, $3, $4) }

    private let profile: Profile
    private let threads: Int
    private let isAdversarial: Bool
    private let seed: Int
    private let compilesGraphs: Bool
    private let board: Board
    private let faults: FaultPlan
    private let watchdog: Int

    package init(host: HostServices, options: OptionValues) throws(PluginFailure) {
        let float32 = try options.choice(
            Self.float32Option, Dictionary(uniqueKeysWithValues: Profile.Float32.allCases.map { ($0.rawValue, $0) }))
        let count = try options.integer(Self.devicesOption, in: 1...8)
        let asked = try options.integer(Self.threadsOption, in: 0...1024)
        threads = asked == 0 ? max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1) : asked
        profile = try Profile(options.string(Self.profileOption), float32: float32, devices: count, threads: threads)
        board = Board(profile, count: count)
        isAdversarial = try options.choice(Self.orderingOption, ["prompt": false, "adversarial": true])
        seed = try options.integer(Self.seedOption, in: 0...Int.max)
        compilesGraphs = try options.boolean(Self.graphsOption)
        faults = try FaultPlan(options)
        watchdog = try options.integer(Self.watchdogOption, in: 0...86400)
    }

    package var deviceCount: Int { board.ledgers.count }

    package func hardware(of index: Int) -> HardwareDescription { profile.description(of: index, among: deviceCount) }

    package func open(_ index: Int) throws(PluginFailure) -> NPUDevice {
        let memory = try DeviceMemory(ledger: board.ledgers[index])
        var config = profile.config
        guard let machine = npu_machine_create(&config, UInt32(threads), isAdversarial) else {
            throw .outOfMemory("the system has no memory for the chip's local memories")
        }
        let dispatcher = Dispatcher(
            machine: machine, timing: CommandTiming(config: config, peers: profile.peers),
            queueDepth: profile.model.queueDepth,
            order: isAdversarial ? .adversarial(seed: UInt64(seed) &+ UInt64(index)) : .prompt(), faults: faults,
            watchdog: Double(watchdog))
        return NPUDevice(
            profile, index, of: board, compilesGraphs: compilesGraphs, memory: memory, dispatcher: dispatcher, faults: faults)
    }
}

extension OptionValues {
    /// Throws a failure that names the option if its value is none of the names.
    fileprivate func choice<Value>(_ option: OptionSchema, _ values: [String: Value]) throws(PluginFailure) -> Value {
        guard let value = values[string(option)] else {
            throw .invalid("option '\(option.name)' must be \(values.keys.sorted().joined(separator: " or ")), not '\(string(option))'")
        }
        return value
    }
}

// swift-format-ignore: AlwaysUseLowerCamelCase
/// The one symbol that the host looks for.
@c @implementation
public func southbridge_plugin(
    _ host: UnsafePointer<sb_host>?, _ plugin: UnsafeMutablePointer<UnsafePointer<sb_plugin>?>?, _ error: UnsafeMutablePointer<sb_error>?
) -> Int32 {
    NPUPlugin.table.enter(host, plugin, error)
}

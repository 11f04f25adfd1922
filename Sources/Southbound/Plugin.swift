// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
package import HardwareModel
import Synchronization

/// A loaded and started plugin. It is stopped when the last reference to it, to one of its devices or to anything made of them goes.
package final class Plugin: @unchecked Sendable {
    /// The given name, else the one that the plugin declares.
    package let name: String
    package let identity: PluginIdentity
    package let optionSchema: [OptionSchema]
    /// What it was started with.
    package let givenOptions: [String: String]
    /// What `start` returned.
    package let instance: OpaquePointer?
    /// The groups as full-size copies: a member that the plugin's own table does not reach is NULL here.
    package let driver: sb_driver?
    package let streams: sb_streams?
    package let events: sb_events?
    /// The kernels, if the plugin has the group "operators".
    package private(set) var library: OperatorLibrary?
    /// The plugin's own compiler, if it has the group "graphs".
    package private(set) var compiler: GraphCompiler?
    package let observation: sb_observation?
    /// Its passes over graphs, if the plugin has the group "passes".
    package private(set) var passLibrary: PassLibrary?
    package let memory: sb_memory?
    /// The groups that the plugin offers and this host knows.
    package var groupNames: [String] {
        let groups: [(name: String, isThere: Bool)] = [
            ("driver", driver != nil), ("streams", streams != nil), ("events", events != nil), ("operators", library != nil),
            ("graphs", compiler != nil), ("observation", observation != nil),
            ("passes", passLibrary != nil), ("memory", memory != nil),
        ]
        return groups.filter(\.isThere).map(\.name)
    }
    /// 0 for an operator library that brings no device.
    package let deviceCount: Int

    private let table: sb_plugin
    private let services: HostServices
    private let state = Mutex(State())

    private struct State {
        var openDevices = 0
        var stopsWhenClosed = false
        var isStopped = false
        var models: [Result<DeviceModel, PluginError>]?
    }

    private static let mostDevices = 1024

    /// Loads the library, checks everything that it says about itself, and starts it with the given options.
    package static func load(
        _ reference: PluginReference, options: [String: String] = [:], log: PluginLog? = nil
    ) throws(PluginError) -> Plugin {
        try load(reference, log: log) { _, _ in options }
    }

    /// The same with the options that stand under the plugin's name.
    ///
    /// - Parameter measuring: sets the option `measure` to true where the plugin has one and the user does not set it: the description of a device may then
    ///   take some time and holds figures that were measured.
    package static func load(
        _ reference: PluginReference, namedOptions: NamedOptions, measuring: Bool = false
    ) throws(PluginError) -> Plugin {
        try load(reference, log: nil) { name, schema in
            let measure = measuring && schema.contains { $0.name == "measure" && $0.kind == .boolean } ? ["measure": "true"] : [:]
            return namedOptions[name].merging(measure) { given, _ in given }
        }
    }

    private static func load(
        _ reference: PluginReference, log: PluginLog?, options: (String, [OptionSchema]) -> [String: String]
    ) throws(PluginError) -> Plugin {
        let services = HostServices(log: log)
        let library = try SharedLibrary(path: reference.path, plugin: reference.givenName ?? reference.path)
        let negotiation = try Negotiation(library, host: services, givenName: reference.givenName)
        let name = reference.givenName ?? negotiation.identity.name
        return try Plugin(negotiation, name: name, options: options(name, negotiation.options), services)
    }

    private init(_ negotiation: Negotiation, name: String, options: [String: String], _ services: HostServices)
        throws(PluginError)
    {
        self.name = name
        self.services = services
        identity = negotiation.identity
        optionSchema = negotiation.options
        givenOptions = options
        table = negotiation.table
        driver = negotiation.driver
        streams = negotiation.streams
        events = negotiation.events
        observation = negotiation.observation
        memory = negotiation.memory
        try OptionSchema.check(options, against: negotiation.options, plugin: name)
        let instance = try Self.start(negotiation.table, options: options, services, plugin: name)
        self.instance = instance
        do {
            deviceCount = try Self.countDevices(negotiation.driver, instance, plugin: name)
        } catch {
            negotiation.table.stop?(instance)
            services.silence()
            throw error
        }
        library = negotiation.operators.map { OperatorLibrary(plugin: self, table: $0.table, kernels: $0.kernels, layouts: $0.layouts) }
        passLibrary = negotiation.passes.map { PassLibrary(plugin: self, table: $0.table, passes: $0.list) }
        compiler = negotiation.graphs.map { GraphCompiler(plugin: self, table: $0.table, numerics: $0.numerics) }
    }

    deinit { stop() }

    private static func start(
        _ table: sb_plugin, options: [String: String], _ services: HostServices, plugin: String
    ) throws(PluginError) -> OpaquePointer? {
        guard let start = table.start else { return nil }
        let memory = CMemory()
        let list: [sb_option] = options.sorted { $0.key < $1.key }.map {
            sb_option(name: memory.string($0.key), value: memory.string($0.value))
        }
        var instance: OpaquePointer?
        do {
            try withStatus(plugin: plugin, doing: "start") { error in
                withExtendedLifetime(memory) {
                    start(services.pointer, memory.array(list), list.count, &instance, error)
                }
            }
        } catch {
            let isOption = error.code == .invalidArgument && !options.isEmpty
            throw PluginError(
                isOption ? .badOption : .startFailed, plugin: plugin, error.message, isRetryable: error.isRetryable)
        }
        return instance
    }

    private static func countDevices(_ driver: sb_driver?, _ instance: OpaquePointer?, plugin: String)
        throws(PluginError) -> Int
    {
        guard let driver else { return 0 }
        guard let count = driver.count else { return 1 }
        var devices: UInt32 = 0
        do {
            try withStatus(plugin: plugin, doing: "count devices") { count(instance, &devices, $0) }
        } catch {
            throw PluginError(.startFailed, plugin: plugin, error.message, isRetryable: error.isRetryable)
        }
        guard devices > 0 else {
            throw PluginError(.noDevice, plugin: plugin, "the plugin has a driver, but finds no device on this machine")
        }
        guard devices <= mostDevices else {
            throw PluginError(
                .invalidDescription, plugin: plugin,
                "a plugin of \(devices) devices cannot be; at most \(mostDevices) are allowed")
        }
        return Int(devices)
    }

    /// The hardware model of a device, which need not be open. Described once and remembered.
    package func model(ofDevice index: Int) throws(PluginError) -> DeviceModel {
        try checkIndex(index)
        let result = state.withLock { state in
            if state.models == nil, !state.isStopped { state.models = describeDevices() }
            return state.models?[index]
        }
        guard let result else { throw stopped }
        return try result.get()
    }

    /// The model as the plugin describes the device now, not the remembered one.
    package func describeAgain(device index: Int) throws(PluginError) -> DeviceModel {
        try checkIndex(index)
        guard let driver else { throw PluginError(.noGroup, plugin: name, "the plugin has no group 'driver'") }
        return try PluginReader(plugin: name).model(of: index, count: deviceCount, driver, instance)
    }

    /// Opens a device; every opening is independent of the others.
    package func openDevice(_ index: Int) throws(PluginError) -> Device {
        try checkIndex(index)
        let model = try model(ofDevice: index)
        guard let driver else { throw PluginError(.noGroup, plugin: name, "the plugin has no group 'driver'") }
        let isRunning = state.withLock { state in
            if !state.isStopped, !state.stopsWhenClosed { state.openDevices += 1 }
            return !state.isStopped && !state.stopsWhenClosed
        }
        guard isRunning else { throw stopped }
        do throws(PluginError) {
            var handle: OpaquePointer?
            try withStatus(plugin: name, doing: "open device \(index)") {
                driver.open(instance, UInt32(index), &handle, $0)
            }
            guard let handle else {
                throw PluginError(
                    .callFailed, plugin: name, "opening device \(index) succeeded, but gave no handle (NULL)")
            }
            return Device(plugin: self, driver: driver, index: index, handle: handle, model: model)
        } catch {
            deviceClosed()
            throw error
        }
    }

    /// Called by a device after its handle is given back.
    func deviceClosed() {
        let isLast = state.withLock { state in
            state.openDevices -= 1
            return state.openDevices == 0 && state.stopsWhenClosed
        }
        if isLast { stop() }
    }

    /// Stops the plugin, at once or when its last open device is closed. Nothing can be opened afterwards.
    package func stop() {
        let isNow = state.withLock { state in
            state.stopsWhenClosed = true
            guard state.openDevices == 0, !state.isStopped else { return false }
            state.isStopped = true
            return true
        }
        guard isNow else { return }
        table.stop?(instance)
        services.silence()
    }

    private var stopped: PluginError { PluginError(.invalidArgument, plugin: name, "the plugin has been stopped") }

    private func checkIndex(_ index: Int) throws(PluginError) {
        guard (0..<deviceCount).contains(index) else {
            let count = deviceCount == 0 ? "it has no device" : "it has \(deviceCount), numbered from 0"
            throw PluginError(.unknownDevice, plugin: name, "there is no device \(index): \(count)")
        }
    }

    private func describeDevices() -> [Result<DeviceModel, PluginError>] {
        guard let driver else { return [] }
        let reader = PluginReader(plugin: name)
        var owners: [String: Int] = [:]
        return (0..<deviceCount).map { index in
            do throws(PluginError) {
                let model = try reader.model(of: index, count: deviceCount, driver, instance)
                if let other = owners.updateValue(index, forKey: model.id) {
                    throw PluginError(
                        .invalidDescription, plugin: name,
                        "devices \(other) and \(index) have the same id '\(model.id)'")
                }
                return .success(model)
            } catch {
                return .failure(error)
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Southbound
package import Tensors

/// The passes that a plan for some devices runs: the stack's own and those of the devices' plugins.
package struct Optimization {
    private let devices: [Device]
    private let libraries: [OperatorLibrary]
    private let rules: PlacementRules
    private let catalog: OperatorCatalog

    /// - Parameters:
    ///   - devices: in order of preference.
    ///   - libraries: operator libraries without a driver.
    package init(devices: [Device], libraries: [OperatorLibrary], rules: PlacementRules, catalog: OperatorCatalog = .standard) {
        self.devices = devices
        self.libraries = libraries
        self.rules = rules
        self.catalog = catalog
    }

    /// The graph as it is to be placed; as it is, if the rules want no passes. Parameters as for `PassManager.optimize`.
    ///
    /// - Parameter runner: runs nodes of plugins' own operators, where numbers are verified.
    package func run(
        _ inference: GraphInference, inputs: [ValueID: ConcreteType], values: [ValueID: HostTensor], runner: PassVerifier.Runner? = nil
    ) throws -> (inference: GraphInference, report: PassReport) {
        guard rules.optimizing else { return (inference, PassReport()) }
        let manager = PassManager(
            passes, disabled: rules.disabledPasses, target: target, catalog: catalog,
            verifier: rules.verifyingPasses ? PassVerifier(runner: runner) : nil)
        return try manager.optimize(inference, inputs: inputs, values: values)
    }

    /// The plugins' before the stack's own, as the header says.
    private var passes: [Pass] {
        var all = Pass.builtIn
        var foreign: [Pass] = []
        for library in Plugin.distinct(devices, libraries).compactMap(\.passLibrary) {
            let passes = Pass.all(of: library, besides: all)
            foreign += passes
            all += passes
        }
        return foreign + Pass.builtIn
    }

    private var target: PassTarget {
        // What is fused for a device is lost to those before it, and to a compiler, which is given the model's own operators. But an operator and its steps come apart again as
        // they were: where costs decide, a device that lacks the fused operator is weighed with the parts. A device of last resort must not bring others to that.
        let asked = devices.prefix { !rules.compiling || $0.plugin.compiler == nil }
        let first = kernelLibraries(asked.prefix(1))
        let weighsCosts = rules.strategy == .cost && devices.allSatisfy(\.model.saysWhatItCosts)
        let all = weighsCosts ? kernelLibraries(asked.prefix(1) + asked.dropFirst().filter { $0.name != rules.lastResort }) : first
        let pins = rules.pins.map(\.pattern)
        return PassTarget(
            offers: { domain, operatorName, version, type in
                (domain == FusedStep.domain ? all : first).contains { $0.hasOwnKernel(domain, operatorName, version, type) }
            },
            narrows: narrows, isPinned: { node in pins.contains { matches(node.name, $0) || matches(node.operatorName, $0) } },
            mixed: rules.mixed)
    }

    private func kernelLibraries(_ asked: ArraySlice<Device>) -> [OperatorLibrary] {
        asked.compactMap(\.plugin.library) + libraries.filter { library in asked.contains { library.serves($0) } }
    }

    private var narrows: @Sendable (String, String, Int, DataType, DataType) -> Bool {
        let owners = devices.map { device in
            (device.name == rules.lastResort, (device.plugin.library.map { [$0] } ?? []) + libraries.filter { $0.serves(device) })
        }
        return { domain, operatorName, version, type, narrow in
            let takers = owners.filter { $0.1.contains { $0.hasOwnKernel(domain, operatorName, version, type) } }
            let named = takers.filter { !$0.0 }
            return (named.isEmpty ? takers : named).contains { $0.1.contains { $0.hasOwnKernel(domain, operatorName, version, narrow) } }
        }
    }
}

extension OperatorLibrary {
    /// One that is not generic.
    fileprivate func hasOwnKernel(_ domain: String, _ operatorName: String, _ version: Int, _ type: DataType) -> Bool {
        candidates(domain: domain, operatorName: operatorName, version: version, dataType: type).contains { !$0.flags.contains(.generic) }
    }
}

extension Plugin {
    /// The plugins of devices and of libraries, each once.
    fileprivate static func distinct(_ devices: [Device], _ libraries: [OperatorLibrary]) -> [Plugin] {
        var plugins: [Plugin] = []
        for plugin in devices.map(\.plugin) + libraries.map(\.plugin) where !plugins.contains(where: { $0 === plugin }) {
            plugins.append(plugin)
        }
        return plugins
    }
}

extension OperatorCatalog {
    /// The catalogue with the operators of the plugins that a plan is for.
    package static func standard(with devices: [Device], _ libraries: [OperatorLibrary]) -> OperatorCatalog {
        standard.with(Plugin.distinct(devices, libraries))
    }
}

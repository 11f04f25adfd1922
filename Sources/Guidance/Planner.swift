// SPDX-License-Identifier: Apache-2.0
package import Compiler
package import Execution
package import Graph
import Southbound
package import Tensors

/// Finds out what a plugin lacks to run models alone, and in which order to write it.
///
/// Models are judged as `run --device PLUGIN` plans them: after the passes, by the same registry and decompositions, with the reference CPU for what is left. A kernel
/// that is not there yet is tried by assuming it and planning again.
package struct Planner {
    private let deviceSet: DeviceSet
    private let rules: PlacementRules
    let offersModels: Bool
    private(set) var table = WishTable()
    private(set) var models: [ModelGaps] = []

    /// - Parameters:
    ///   - set: the plugin's device, and the reference CPU behind it.
    ///   - offersModels: the models are the suite's, so that one that runs counts for its level `models`.
    package init(_ set: DeviceSet, rules: PlacementRules, offersModels: Bool) {
        (deviceSet, self.rules, self.offersModels) = (set, rules, offersModels)
    }

    var device: Device { deviceSet.devices[0] }

    /// Looks at a model for inputs of these shapes.
    package mutating func add(_ name: String, _ graph: Graph, _ inputs: [String: HostTensor]) throws {
        let session = Session(graph, devices: deviceSet.devices, libraries: deviceSet.libraries, rules: rules)
        let needs = try session.needs(inputs)
        // Only a placement can say yes.
        let isNative = try needs.allSatisfy(\.isNative) && session.runsOnFirstDevice(inputs)
        var gaps = try ModelGaps(name, needs, isNative: isNative, &table)
        if gaps.isNative || !gaps.obstacles.isEmpty {
            models.append(gaps)
            return
        }
        let found = SmallestSet(gaps.needs(beyond: WishSet()))
        (gaps.smallest, gaps.isExact) = (found.wishes, found.isExact && needs.allSatisfy(\.ways.isComplete))
        try verify(&gaps, graph, inputs)
        models.append(gaps)
    }

    /// Plans with the set as if it were there. Passes make use of kernels that are new to them, and may then lack others.
    private mutating func verify(_ gaps: inout ModelGaps, _ graph: Graph, _ inputs: [String: HostTensor]) throws {
        for _ in 0..<4 {
            let session = try assuming(gaps.smallest, graph)
            if try session.runsOnFirstDevice(inputs) { return }
            let rest = try ModelGaps(gaps.name, try session.needs(inputs), isNative: false, &table)
            let more = SmallestSet(rest.needs(beyond: WishSet())).wishes
            guard !more.isEmpty else { break }
            gaps.smallest = gaps.smallest.union(more)
            gaps.isExact = false
        }
        if try assuming(gaps.smallest, graph).runsOnFirstDevice(inputs) { return }
        gaps.obstacles.append(
            .init(node: "", operator: "", reason: "the kernels that its nodes lack do not suffice to keep all of it on \(device.name)"))
        gaps.smallest = WishSet()
    }

    private func assuming(_ wishes: WishSet, _ graph: Graph) throws -> Session {
        let library = try OperatorLibrary.assuming(table.wishes(in: wishes), of: device.plugin)
        return Session(graph, devices: deviceSet.devices, libraries: deviceSet.libraries + [library], rules: rules)
    }
}

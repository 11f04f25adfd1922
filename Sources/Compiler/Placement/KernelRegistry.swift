// SPDX-License-Identifier: Apache-2.0
import Graph
import HardwareModel
import Operators
package import Southbound
import Tensors

/// All libraries that serve a list of devices, what they answer about nodes, and in which order their kernels come.
///
/// A device is served by its own plugin's library and, if the host sees its memory, by libraries of other plugins. Each library is asked once about all nodes
/// that are alike. One thread at a time.
package final class KernelRegistry {
    package let devices: [Device]
    package let costs: CostModel
    /// Those that serve each device, those that the user prefers first.
    package let libraries: [[OperatorLibrary]]
    private let rules: PlacementRules
    private let measured: any MeasuredCosts
    private var answers: [Key: Answers] = [:]
    /// By device: seconds of the parts of nodes that have no kernel there; infinite where they do not all run.
    var partsCosts: [[NodeSignature: Double]]
    /// Calls of plugins, and nodes that they were asked about.
    package private(set) var callCount = 0
    package private(set) var questionCount = 0

    private struct Key: Hashable {
        let signature: NodeSignature
        let device: Int
        let isGeneric: Bool
    }

    package init(
        devices: [Device], extraLibraries: [OperatorLibrary] = [], rules: PlacementRules, measured: any MeasuredCosts = NothingMeasured()
    ) {
        self.devices = devices
        self.rules = rules
        self.measured = measured
        costs = CostModel(devices)
        partsCosts = [[NodeSignature: Double]](repeating: [:], count: devices.count)
        libraries = devices.map { device in
            let own = [device.plugin.library].compactMap { $0 }
            let all = own + extraLibraries.filter { extra in extra.serves(device) && !own.contains { $0 === extra } }
            return all.filter { rules.preferred.contains($0.plugin.name) } + all.filter { !rules.preferred.contains($0.plugin.name) }
        }
    }

    /// A kernel that takes a node.
    package struct Bid {
        package let library: OperatorLibrary
        package let kernel: Kernel
        package let answer: SupportAnswer
        package let cost: CostEstimate
    }

    /// What the kernels of one kind, generic or not, say about a node on a device.
    package struct Answers {
        /// The best first: preferred libraries, then the cheapest if all say what they cost, then by priority, then in the libraries' order.
        package var bids: [Bid] = []
        /// Of kernels that do not take it, and why.
        package var refusals: [Refusal] = []
    }

    package struct Refusal {
        package let kernel: String
        package let device: String
        package let reason: String
        package var text: String { "\(kernel) on \(device): \(reason)" }
    }

    /// - Parameter isGeneric: generic kernels are asked apart from the others.
    package func answers(_ question: NodeQuestion, _ signature: NodeSignature, on device: Int, isGeneric: Bool) throws(PluginError)
        -> Answers
    {
        let key = Key(signature: signature, device: device, isGeneric: isGeneric)
        if let known = answers[key] { return known }
        try ask([(question, signature)], on: device, isGeneric: isGeneric)
        return answers[key] ?? Answers()
    }

    /// Asks about many nodes at once, so that later questions are answered from memory.
    package func ask(_ questions: [(question: NodeQuestion, signature: NodeSignature)], on device: Int, isGeneric: Bool) throws(PluginError)
    {
        var open: [(key: Key, question: NodeQuestion)] = []
        var seen: Set<NodeSignature> = []
        for (question, signature) in questions where seen.insert(signature).inserted {
            let key = Key(signature: signature, device: device, isGeneric: isGeneric)
            if answers[key] == nil { open.append((key, question)) }
        }
        for (key, _) in open { answers[key] = Answers() }
        for library in libraries[device] {
            var asked: [(key: Key, question: NodeQuestion, descriptor: NodeDescriptor)] = []
            for (key, question) in open {
                for kernel in library.candidates(
                    domain: question.node.domain, operatorName: question.node.operatorName, version: question.version,
                    dataType: question.dataType ?? .float32)
                where kernel.flags.contains(.generic) == isGeneric && (!question.isBounded || kernel.flags.contains(.reportsShape)) {
                    if isDenied(kernel, of: library) {
                        answers[key]?.refusals.append(refusal(kernel, library, device, "denied by the user"))
                    } else {
                        asked.append((key, question, try question.descriptor(for: kernel)))
                    }
                }
            }
            if asked.isEmpty { continue }
            callCount += 1
            questionCount += asked.count
            for ((key, question, descriptor), answer) in zip(asked, try library.support(asked.map(\.descriptor), on: devices[device])) {
                let kernel = descriptor.kernel
                guard answer.isSupported else {
                    answers[key]?.refusals.append(refusal(kernel, library, device, answer.message.isEmpty ? "refused" : answer.message))
                    continue
                }
                if let reason = memoryRefusal(of: question, workspaceBytes: answer.workspaceBytes, on: device) {
                    answers[key]?.refusals.append(refusal(kernel, library, device, reason))
                    continue
                }
                let known = measured.seconds(key.signature, kernel: kernel.name, of: library.plugin, on: devices[device])
                let cost =
                    known.map { CostEstimate($0, .measured) }
                    ?? costs.estimate(question.work, answer: answer.costNanoseconds, isGeneric: isGeneric, on: device)
                answers[key]?.bids.append(Bid(library: library, kernel: kernel, answer: answer, cost: cost))
            }
        }
        for (key, _) in open {
            guard let bids = answers[key]?.bids, bids.count > 1 else { continue }
            answers[key]?.bids = bids.sorted(by: order(of: bids))
        }
    }

    /// Bids stand in the order of the libraries and, within one, of priority; sorting is stable.
    private func order(of bids: [Bid]) -> (Bid, Bid) -> Bool {
        let allSayCosts = bids.allSatisfy { $0.cost.origin != .roofline }
        return { [rules] first, second in
            let (a, b) = (rules.preferred.contains(first.library.plugin.name), rules.preferred.contains(second.library.plugin.name))
            if a != b { return a }
            if allSayCosts, first.cost.seconds != second.cost.seconds { return first.cost.seconds < second.cost.seconds }
            return first.kernel.priority > second.kernel.priority
        }
    }

    /// Why a device has no room for a node even if nothing else is there: all that a launch touches is on the device at once.
    func memoryRefusal(of question: NodeQuestion, workspaceBytes: Int = 0, on index: Int) -> String? {
        let device = devices[index]
        let capacity = device.model.spaces[0].capacityBytes
        guard capacity > 0, !device.isHostVisible else { return nil }
        let needed = (question.inputs + question.outputs).reduce(workspaceBytes) { $0 + ($1?.byteCount ?? 0) }
        // A part is left for what buffers take beside their bytes.
        guard needed > capacity - capacity / 32 else { return nil }
        return "it has \(Quantity.bytes.shown(capacity)) of memory; a launch needs \(Quantity.bytes.shown(needed))"
    }

    private func refusal(_ kernel: Kernel, _ library: OperatorLibrary, _ device: Int, _ reason: String) -> Refusal {
        Refusal(kernel: "\(library.plugin.name)/\(kernel.name)", device: devices[device].name, reason: reason)
    }

    private func isDenied(_ kernel: Kernel, of library: OperatorLibrary) -> Bool {
        (rules.onlyKernel.map { $0 != "\(library.plugin.name)/\(kernel.name)" } ?? false)
            || rules.denied.contains { matches(kernel.name, $0) || matches("\(library.plugin.name)/\(kernel.name)", $0) }
    }
}

/// Costs of kernels that were measured.
package protocol MeasuredCosts: Sendable {
    /// Seconds of a launch; nil where nothing was measured.
    func seconds(_ signature: NodeSignature, kernel: String, of plugin: Plugin, on device: Device) -> Double?
}

package struct NothingMeasured: MeasuredCosts {
    package init() {}
    package func seconds(_ signature: NodeSignature, kernel: String, of plugin: Plugin, on device: Device) -> Double? { nil }
}

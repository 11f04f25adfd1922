// SPDX-License-Identifier: Apache-2.0
import Compiler
import Graph
import HardwareModel
import Operators
import Southbound
import Tensors

extension Planner {
    /// - Parameter limit: of suggestions.
    package func plan(limit: Int) -> Plan {
        var report = PlanReport(
            plugin: .init(
                name: device.plugin.name, device: device.name, kernels: device.plugin.library?.kernels.count ?? 0,
                compiler: device.plugin.compiler != nil),
            time: .init(
                device: device.name, assumed: device.model.roofline.bytesPerSecond <= 0 || device.model.roofline.peaks.isEmpty),
            now: state(with: WishSet()))
        report.models = models.map { model in
            let standing = model.standing(with: WishSet())
            return .init(
                name: model.name, nodes: model.nodes.count, nativeNodes: standing.nodes, timeShare: standing.share, native: model.isNative,
                lacks: kernelSet(model.smallest, model.isExact), obstacles: model.obstacles)
        }
        let all = SmallestSet(Array(Set(models.filter(\.obstacles.isEmpty).flatMap { $0.needs(beyond: WishSet()) })))
        report.allModels = kernelSet(all.wishes, all.isExact && models.allSatisfy(\.isExact))
        let steps = Ranking(models, table).steps()
        report.furtherSuggestions = max(steps.count - limit, 0)
        var (met, calls) = (WishSet(), [[PlannedCall]]())
        for step in steps.prefix(limit) {
            let (suggestion, asked) = suggestion(step, after: met)
            report.suggestions.append(suggestion)
            calls.append(asked)
            met = met.union(WishSet([step.wish]))
        }
        return Plan(report: report, calls: calls)
    }

    /// What the plugin lacks to a profile.
    ///
    /// - Parameters:
    ///   - name: as it stands in reports: "edge/1".
    ///   - operators: names in the default domain by data type. What a compiler takes of them only the suite can tell: a plugin without kernels lacks them here.
    ///   - networks: that have to run alone, of the models looked at.
    package func profile(_ name: String, operators: [String: [String]], networks: [String]) -> PlanReport.Profile {
        let kernels = operators.flatMap { type, names in names.map { (type: type, name: $0) } }.filter { wanted in
            guard let type = DataType.allCases.first(where: { $0.name == wanted.type }),
                let version = OperatorCatalog.standard["", wanted.name]?.since.last
            else { return true }
            let kernels = device.plugin.library?.candidates(domain: "", operatorName: wanted.name, version: version, dataType: type) ?? []
            return kernels.allSatisfy { $0.flags.contains(.generic) }
        }.map { PlanReport.Kernel(domain: "", operator: $0.name, dataType: $0.type) }
        let native = Set(models.filter(\.isNative).map(\.name))
        let missing = networks.filter { !native.contains($0) }
        return .init(
            name: name, reached: kernels.isEmpty && missing.isEmpty, kernels: kernels.sorted { $0.text < $1.text }, networks: missing)
    }

    private func kernelSet(_ wishes: WishSet, _ isExact: Bool) -> PlanReport.KernelSet {
        .init(kernels: table.wishes(in: wishes).map(PlanReport.Kernel.init), exact: isExact)
    }

    private func state(with wishes: WishSet) -> PlanReport.State {
        let standings = models.map { $0.standing(with: wishes) }
        let native = standings.count(where: \.isNative)
        let offersKernels = !(device.plugin.library?.kernels.isEmpty ?? true) || !wishes.isEmpty
        let level =
            native > 0 && offersModels && (offersKernels || device.plugin.compiler != nil)
            ? "models" : device.plugin.compiler != nil ? "graphs" : offersKernels ? "operators" : "rejects"
        return .init(
            nodes: models.reduce(0) { $0 + $1.nodes.count }, nativeNodes: standings.reduce(0) { $0 + $1.nodes },
            timeShare: standings.isEmpty ? 0 : standings.reduce(0) { $0 + $1.share } / Double(standings.count), nativeModels: native,
            level: level)
    }

    private func suggestion(_ step: Ranking.Step, after met: WishSet) -> (PlanReport.Suggestion, [PlannedCall]) {
        let wish = table.wishes[step.wish]
        let then = met.union(WishSet([step.wish]))
        let (before, after) = (state(with: met), state(with: then))
        var gain = PlanReport.Gain(
            nodes: after.nativeNodes - before.nativeNodes, nodesInParts: 0, timeShare: after.timeShare - before.timeShare, operators: [],
            models: models.filter { !$0.standing(with: met).isNative && $0.standing(with: then).isNative }.map(\.name))
        var calls: [NodeSignature: PlannedCall] = [:]
        for model in models {
            for node in model.nodes where !node.isNative(with: met) {
                if node.isNative(with: then) {
                    if node.need.operatorName != wish.qualifiedName { gain.nodesInParts += 1 }
                    if !gain.operators.contains(node.need.operatorName) { gain.operators.append(node.need.operatorName) }
                }
                for call in node.need.calls where call.wish == wish {
                    calls[call.signature, default: PlannedCall(call)].uses.append(.init(model: model.name, node: call.name))
                }
            }
        }
        gain.operators.sort()
        // The most asked for first.
        let asked = calls.values.sorted { one, other in
            one.uses.count != other.uses.count
                ? one.uses.count > other.uses.count : one.call.signature.bytes.lexicographicallyPrecedes(other.call.signature.bytes)
        }
        let versions = Set(asked.map(\.call.version)).sorted()
        var refusals: [String] = []
        for refusal in asked.flatMap(\.call.refusals) where !refusals.contains(refusal) { refusals.append(refusal) }
        let suggestion = PlanReport.Suggestion(
            kernel: .init(wish), since: versions.first ?? 1, versions: versions, refusals: refusals, unlocks: gain, after: after,
            together: gain.nodes > 0 ? [] : table.wishes(in: step.bundle).filter { $0 != wish }.map(PlanReport.Kernel.init),
            signatures: asked.map(\.signature))
        return (suggestion, asked)
    }
}

/// A plan and, by suggestion and signature, what its cases are made of.
package struct Plan {
    package var report: PlanReport
    let calls: [[PlannedCall]]
}

/// One signature that a kernel would be asked for, and where.
struct PlannedCall {
    let call: WishedCall
    var uses: [PlanReport.Signature.Use] = []

    init(_ call: WishedCall) { self.call = call }

    var signature: PlanReport.Signature {
        .init(
            version: call.version, opset: call.node.opset,
            inputs: call.inputs.map { input in
                input.map { .init(dataType: $0.type.dataType.name, shape: $0.type.shape, constant: $0.isConstant) }
            },
            outputs: call.outputs.map { type in type.map { .init(dataType: $0.dataType.name, shape: $0.shape, constant: false) } },
            attributes: call.attributes.mapValues(AttributeText.init), reportsShape: call.reportsShape, nodes: uses)
    }
}

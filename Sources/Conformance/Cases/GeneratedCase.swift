// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Graph
package import Operators
package import Tensors

/// One operator on data of our own, known by its names until it is run: the same names and seed give the same call on any machine.
package struct GeneratedCase: Sendable, Hashable {
    package let domain: String
    package let operatorName: String
    /// An entry of `OperatorDefinition.since`.
    package let version: Int
    package let type: DataType
    package let sample: String
    package let family: DataFamily
    package let isLatestVersion: Bool

    /// `operators/Conv/float32-stride-2-wide`; a version that is not the newest stands behind the type.
    package var id: String {
        let prefix = domain.isEmpty ? "" : "\(domain)."
        let version = isLatestVersion ? "" : "-v\(version)"
        return "\(Case.generatedSuite)/\(prefix)\(operatorName)/\(type.name)\(version)-\(sample)-\(family.rawValue)"
    }

    /// Cases that together must notice each kind of planted fault.
    package var group: CaseGroup { CaseGroup(domain: domain, operatorName: operatorName, type: type) }

    /// The operator on the values that `seed` draws.
    package func call(seed: UInt64, catalog: OperatorCatalog = .standard) throws -> OperatorCall {
        guard let definition = catalog[domain, operatorName] else {
            throw ConformanceError.internal("there is no operator '\(operatorName)'")
        }
        let samples = definition.samples(type: type, version: version, seed: seed)
        guard let sample = samples.first(where: { $0.name == sample }) else {
            throw ConformanceError.internal("\(operatorName) has no sample '\(sample)' for \(type.name)")
        }
        return try family.call(definition, opset: definition.sampledOpset(version: version), sample, seed: seed, case: id)
    }
}

extension GeneratedCase {
    /// What is run just before; nil for most. See `Sample.after`.
    func predecessor(seed: UInt64, catalog: OperatorCatalog = .standard) -> GeneratedCase? {
        guard let samples = catalog[domain, operatorName]?.samples(type: type, version: version, seed: seed),
            let earlier = samples.first(where: { $0.name == sample })?.after
        else { return nil }
        return GeneratedCase(
            domain: domain, operatorName: operatorName, version: version, type: type, sample: earlier, family: family,
            isLatestVersion: isLatestVersion)
    }

    /// The inputs that are known before the run, as weights are, by position: those behind the first, in every other case. A plugin may treat them in its
    /// own way.
    package func constants(of call: OperatorCall, seed: UInt64) -> Set<Int> {
        guard CounterRandom(seed: seed, case: id, tensor: "constants").integer(0, below: 2) == 0 else { return [] }
        return Set(call.inputs.indices.dropFirst())
    }
}

/// An operator for one data type.
package struct CaseGroup: Sendable, Hashable {
    package let domain: String
    package let operatorName: String
    package let type: DataType
}

/// The calls of one operator and type, of its newest version.
package struct Offer: Sendable {
    package let group: CaseGroup
    package let version: Int
    package let members: [GeneratedCase]

    package var id: String { "offers/\(group.domain.isEmpty ? "" : group.domain + ".")\(group.operatorName)/\(group.type.name)" }

    package static func all(_ cases: [GeneratedCase]) -> [Offer] {
        Dictionary(grouping: cases.filter(\.isLatestVersion), by: \.group).map { group, members in
            Offer(group: group, version: members[0].version, members: members.sortedByID())
        }
    }
}

extension Sequence<GeneratedCase> {
    /// Ids are made once for each.
    func sortedByID() -> [GeneratedCase] { map { ($0.id, $0) }.sorted { $0.0 < $1.0 }.map(\.1) }
}

/// A call that is at hand.
package struct CallCase: Sendable {
    package let call: OperatorCall
    /// Positions of inputs that are known before the run.
    package let constants: Set<Int>
}

extension OperatorDefinition {
    package func samples(type: DataType, version: Int, seed: UInt64) -> [Sample] {
        // float8e8m0 has no zero to fill with.
        guard let samples, type != .float8e8m0 || !["Pad", "CenterCropPad", "Trilu"].contains(name) else { return [] }
        var context = SampleContext(type: type, version: version, operatorName: name, seed: seed)
        return samples(&context)
    }

    /// The operator set that a call of a version is made at. Fused operators are of the set of their parts, of which the newest has all.
    package func sampledOpset(version: Int) -> Int {
        domain == FusedStep.domain ? OperatorCatalog.opsets.upperBound : max(version, OperatorCatalog.opsets.lowerBound)
    }

    /// The data types of nodes that a plugin can be given.
    package var sampledTypes: [DataType] {
        guard let parameter = typingParameter else { return [] }
        return DataType.allCases.filter { parameter.types.contains($0) && ![.string, .complex].contains($0.kind) }
    }

    /// The versions that models of the operator sets of this catalogue can mean, newest first.
    package var sampledVersions: [Int] {
        let oldest = since.last { $0 <= OperatorCatalog.opsets.lowerBound }
        return since.filter { $0 >= OperatorCatalog.opsets.lowerBound || $0 == oldest }.reversed()
    }
}

extension GeneratedCase {
    /// Those of the standard catalogue, made once.
    static let standard = all()

    /// All cases of a catalogue. Every sample is run with its first family of data, the larger ones with each; older versions with one data type.
    package static func all(catalog: OperatorCatalog = .standard) -> [GeneratedCase] {
        catalog.all.flatMap { $0.samples == nil ? [] : cases(of: $0) }
    }

    /// Those of the newest version of one operator.
    package static func newest(of definition: OperatorDefinition) -> [GeneratedCase] {
        cases(of: definition).filter(\.isLatestVersion)
    }

    /// Nothing here hangs on the sizes that a seed draws, or ids would differ from run to run: families and versions are chosen on the samples of seed 0.
    private static func cases(of definition: OperatorDefinition) -> [GeneratedCase] {
        var cases: [GeneratedCase] = []
        let types = definition.sampledTypes
        for (age, version) in definition.sampledVersions.enumerated() {
            let isLatest = age == 0
            for type in isLatest ? types : oldType(among: types) {
                for sample in definition.samples(type: type, version: version, seed: 0) {
                    let families = DataFamily.families(for: definition, sample, type: type)
                    for family in isLatest ? families : Array(families.prefix(1)) {
                        cases.append(
                            GeneratedCase(
                                domain: definition.domain, operatorName: definition.name, version: version, type: type, sample: sample.name,
                                family: family, isLatestVersion: isLatest))
                    }
                }
            }
        }
        return cases
    }

    /// A type that old versions had, too.
    private static func oldType(among types: [DataType]) -> [DataType] {
        let common: [DataType] = [.float32, .int64, .int32, .bool, .uint8]
        return common.first { types.contains($0) }.map { [$0] } ?? Array(types.prefix(1))
    }
}

extension OperatorCall {
    /// The call as a graph of one node. Inputs in `constants` (by position) are known before the run, as weights are; all others are the graph's.
    package func graph(constants: Set<Int> = []) -> (graph: Graph, inputs: [HostTensor]) {
        var graph = Graph(name: "case")
        var given: [HostTensor] = []
        let inputs = inputs.enumerated().map { index, tensor in
            tensor.map { tensor in
                let value = graph.addValue("x\(index)", type: TensorType(tensor.dataType, known: tensor.shape))
                if constants.contains(index) {
                    graph.constants[value] = tensor
                } else {
                    graph.inputs.append(value)
                    given.append(tensor)
                }
                return value
            }
        }
        let outputs = wanted.enumerated().map { index, isWanted in isWanted ? graph.addValue("y\(index)") : nil }
        graph.outputs = outputs.compactMap { $0 }
        graph.addNode(
            Node(
                name: "node", domain: definition.domain, operatorName: definition.name, opset: opset, inputs: inputs, outputs: outputs,
                attributes: attributes))
        return (graph, given)
    }
}

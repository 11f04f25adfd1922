// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Operators
package import Tensors

/// A relation tried on one of the generated calls.
package struct RelatedCase: Sendable {
    package let base: GeneratedCase
    package let relation: Relation

    /// `relations/Softmax/float32-last-shifted`.
    package var id: String {
        let prefix = base.domain.isEmpty ? "" : "\(base.domain)."
        return "\(Self.suite)/\(prefix)\(base.operatorName)/\(base.type.name)-\(base.sample)-\(relation.rawValue)"
    }

    package static let suite = "relations"
    private static let types: [DataType] = [.float32, .float16, .bfloat16, .int64]
    private static let samplesPerType = 3

    /// What may be tried; `holds` says where the relation really is one.
    package static func candidates(catalog: OperatorCatalog = .standard) -> [RelatedCase] {
        catalog.all.filter { $0.samples != nil && $0.numericClass != .random }.flatMap { definition -> [RelatedCase] in
            let version = definition.sampledVersions[0]
            let sampled = definition.sampledTypes
            return types.filter { sampled.contains($0) }.flatMap { type -> [RelatedCase] in
                let suitable = definition.samples(type: type, version: version, seed: 0).filter(\.isSuitable).prefix(samplesPerType)
                return suitable.flatMap { sample in
                    Relation.allCases.map { relation in
                        RelatedCase(
                            base: GeneratedCase(
                                domain: definition.domain, operatorName: definition.name, version: version, type: type, sample: sample.name,
                                family: relation.family, isLatestVersion: true),
                            relation: relation)
                    }
                }
            }
        }
    }

    /// Whether the operator has the relation, as the call of seed 0 shows: ids must not hang on the run's seed. Runs the reference twice.
    package var holds: Bool {
        guard let call = try? base.call(seed: 0) else { return false }
        return relation.related(to: call) != nil
    }
}

extension Sample {
    /// Large enough to have a batch, small enough to be tried for every relation.
    fileprivate var isSuitable: Bool {
        guard let first = inputs.first.flatMap({ $0 }), after == nil else { return false }
        return first.shape.count >= 2 && first.shape[0] > 1 && (4...2000).contains(first.shape.reduce(1, *))
    }
}

extension RelatedCall {
    /// Whether the results of both calls agree as the relation says, up to the rounding errors that either may have.
    package func finding(on results: [HostTensor?], _ others: [HostTensor?], _ judge: Judge, _ otherJudge: Judge) -> Finding {
        for index in results.indices {
            guard let tensor = results[index], let other = others[index], let slack = judge.tolerance(of: index),
                let otherSlack = otherJudge.tolerance(of: index)
            else { continue }
            let result = ReferenceTensor(tensor)
            guard let expected = map(result), isPrefix ? other.count >= expected.count : other.shape == expected.shape else {
                return Finding(failure: .shape, message: "output \(index) of the other call has shape \(other.shape)")
            }
            // The map is linear but for a constant: what it makes of a step is the difference.
            let stepped = zip(result.floats, slack).map { $0 + $1 }
            let moved = map(ReferenceTensor(result.dataType, result.shape, result.dataType.isFloat ? .floats(stepped) : result.elements))!
            let least = result.dataType.isFloat ? underflow * NumberFormat(result.dataType).smallest : 0
            let (wanted, reached, actual) = (expected.floats, moved.floats, ReferenceTensor(other).floats)
            for element in wanted.indices {
                if wanted[element] == actual[element] || wanted[element].isNaN && actual[element].isNaN { continue }
                let allowed = abs(reached[element] - wanted[element]) + otherSlack[element] + least
                if abs(actual[element] - wanted[element]) <= allowed || allowed == .infinity { continue }
                return Finding(
                    failure: .numeric,
                    message:
                        "output \(index), element \(element): the other call gives \(actual[element]); by the first it is \(wanted[element]), give or take \(allowed)"
                )
            }
        }
        return Finding()
    }
}

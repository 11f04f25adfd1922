// SPDX-License-Identifier: Apache-2.0
package import Graph

/// All operators that the stack knows, by domain and name.
package struct OperatorCatalog: Sendable {
    package static let standard = OperatorCatalog(families: [
        elementwiseOperators, activationOperators, arithmeticOperators, logicOperators, castOperators,
        reductionOperators,
        axisOperators, softmaxOperators, quantizationOperators, lossOperators, optimizerOperators, randomOperators,
        shapeOperators, creationOperators, movementOperators, paddingOperators, indexingOperators, selectionOperators,
        matrixOperators, einsumOperators, convolutionOperators, transposedConvolutionOperators, poolingOperators,
        normalizationOperators,
        resizeOperators, attentionOperators, linearAttentionOperators, recurrentOperators, samplingOperators,
        deformableConvolutionOperators,
        detectionOperators, signalOperators, controlFlowOperators, optionalOperators, textOperators, ngramOperators,
        featureOperators,
        treeOperators, flexAttentionOperators, fusedOperators,
    ])

    /// The newest operator-set version of the default domain that the catalogue follows, and the oldest.
    package static let opsets = 6...28

    /// Of the default domain by name, of all others by domain and name.
    private var standard: [String: OperatorDefinition] = [:]
    private var others: [String: [String: OperatorDefinition]] = [:]
    private var resolver: (@Sendable (_ domain: String, _ name: String) -> OperatorDefinition)?

    package init(families: [[OperatorDefinition]]) {
        for definition in families.joined() {
            let isNew =
                definition.domain.isEmpty
                ? standard.updateValue(definition, forKey: definition.name) == nil
                : others[definition.domain, default: [:]].updateValue(definition, forKey: definition.name) == nil
            precondition(isNew, "operator '\(definition.name)' is defined twice")
        }
    }

    /// The same catalogue, with operators in domains that it does not have defined by `resolver`.
    package func resolving(_ resolver: @escaping @Sendable (_ domain: String, _ name: String) -> OperatorDefinition) -> OperatorCatalog {
        var copy = self
        copy.resolver = resolver
        return copy
    }

    package subscript(domain: String, name: String) -> OperatorDefinition? {
        if domain.isEmpty { return standard[name] }
        if let own = others[domain] { return own[name] }
        return resolver?(domain, name)
    }

    /// All definitions, by name; without those of a resolver.
    package var all: [OperatorDefinition] {
        (Array(standard.values) + others.values.flatMap(\.values)).sorted { ($0.domain, $0.name) < ($1.domain, $1.name) }
    }

    package func definition(of node: Node) -> OperatorDefinition? { self[node.domain, node.operatorName] }
}

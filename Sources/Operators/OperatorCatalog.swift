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
        treeOperators, flexAttentionOperators,
    ])

    /// The newest operator-set version of the default domain that the catalogue follows, and the oldest.
    package static let opsets = 6...28

    private let definitions: [String: OperatorDefinition]

    package init(families: [[OperatorDefinition]]) {
        definitions = Dictionary(uniqueKeysWithValues: families.joined().map { ("\($0.domain)::\($0.name)", $0) })
    }

    package subscript(domain: String, name: String) -> OperatorDefinition? { definitions["\(domain)::\(name)"] }

    /// All definitions, by name.
    package var all: [OperatorDefinition] { definitions.values.sorted { ($0.domain, $0.name) < ($1.domain, $1.name) } }

    package func definition(of node: Node) -> OperatorDefinition? { self[node.domain, node.operatorName] }
}

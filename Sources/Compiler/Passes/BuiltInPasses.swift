// SPDX-License-Identifier: Apache-2.0

extension Pass {
    /// The stack's own passes, in the order in which they run within their stages.
    package static let builtIn: [Pass] = [
        .shapeFolding, .constantFolding, .algebra, .commonSubexpressions, .deadCode, .normalizationFolding, .layerNormalizationFusion,
        .geluFusion, .attentionFusion, .mixedPrecision, .epilogueFusion, .elementwiseFusion,
    ]
}

// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

extension Pass {
    static let normalizationFolding = Pass(
        "fold-batch-normalization", help: "put a BatchNormalization of constants into the weights of the convolution before it",
        stage: .fuse
    ) { graph in
        for id in graph.nodes {
            guard let node = graph.node(id), node.isStandard("BatchNormalization"), node.opset >= 9, node.int("training_mode") ?? 0 == 0,
                node.inputs.count == 5, node.outputs.dropFirst().allSatisfy({ $0 == nil || graph.editor.useCount(of: $0!) == 0 }),
                let convolution = graph.node(writing: node.inputs[0], "Conv"), graph.isUsedOnce(node.inputs[0]),
                !graph.target.isPinned(node), !graph.target.isPinned(convolution.node),
                let folded = Folded(convolution.node, node, graph)
            else { continue }
            let weights = graph.addConstant(folded.weights, name: "\(convolution.node.name)/weights")
            let bias = graph.addConstant(folded.bias, name: "\(convolution.node.name)/bias")
            graph.substitute(
                id, by: "Conv", opset: convolution.node.opset, [convolution.node.inputs[0], weights, bias], convolution.node.attributes,
                for: [convolution.id], named: convolution.node.name)
        }
    }
}

/// Weights and bias of a convolution with the normalization behind it in them: W s and (B - mean) s + bias, with s = scale / sqrt(variance + epsilon).
private struct Folded {
    let weights: HostTensor
    let bias: HostTensor

    init?(_ convolution: Node, _ normalization: Node, _ graph: PassGraph) {
        let statistics = normalization.inputs.dropFirst().map { graph.constant($0) }
        guard let weights = graph.constant(convolution.inputs[1]), let channels = weights.shape.first, channels > 0,
            weights.dataType == .float32 || weights.dataType == .float64,
            statistics.allSatisfy({ $0?.dataType == weights.dataType && $0?.count == channels })
        else { return nil }
        let hasBias = convolution.inputs.count > 2 && convolution.inputs[2] != nil
        let given = hasBias ? graph.constant(convolution.inputs[2]) : nil
        if hasBias, given == nil { return nil }
        let (scale, shift) = (statistics[0]!.decodedDoubles(), statistics[1]!.decodedDoubles())
        let (mean, variance) = (statistics[2]!.decodedDoubles(), statistics[3]!.decodedDoubles())
        let epsilon = normalization.float("epsilon") ?? Double(Float(1e-5))
        let factors = zip(scale, variance).map { $0 / ($1 + epsilon).squareRoot() }
        guard factors.allSatisfy(\.isFinite) else { return nil }
        let old = given?.decodedDoubles() ?? [Double](repeating: 0, count: channels)
        let each = weights.count / channels
        do {
            bias = try HostTensor(
                weights.dataType, [channels], doubles: (0..<channels).map { (old[$0] - mean[$0]) * factors[$0] + shift[$0] })
            if weights.dataType == .float32 {
                let source = weights.elements(as: Float.self)
                self.weights = try HostTensor(
                    .float32, weights.shape, source.indices.map { Float(Double(source[$0]) * factors[$0 / each]) })
            } else {
                let source = weights.elements(as: Double.self)
                self.weights = try HostTensor(.float64, weights.shape, source.indices.map { source[$0] * factors[$0 / each] })
            }
        } catch { return nil }
    }
}

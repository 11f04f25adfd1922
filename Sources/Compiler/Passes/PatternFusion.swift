// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

/// A pattern, and the operator of the standard that does the same.
private struct FusionRule: Sendable {
    let root: String
    let pattern: Pattern
    let operatorName: String
    /// Of the operator, whatever the model imports.
    let opset: Int
    /// Inputs and attributes; nil where the match is not the operator after all.
    let make: @Sendable (Match, PassGraph) -> (inputs: [ValueID?], attributes: [String: Attribute])?
}

extension Pass {
    static let layerNormalizationFusion = fusion(
        "fuse-layer-normalization", "make LayerNormalization of its parts, where a device has a kernel for it", layerNormalizationRules)
    static let geluFusion = fusion("fuse-gelu", "make Gelu of its parts, with Erf or Tanh, where a device has a kernel for it", geluRules)

    private static func fusion(_ name: String, _ help: String, _ rules: [FusionRule]) -> Pass {
        Pass(name, help: help, stage: .fuse) { graph in
            for id in graph.nodes {
                guard let node = graph.node(id), node.domain.isEmpty, node.opset >= 8 else { continue }
                for rule in rules where rule.root == node.operatorName {
                    guard let type = graph.type(node.outputs.first ?? nil)?.dataType, type.isFloat,
                        graph.target.offers("", rule.operatorName, rule.opset, type), let match = Match(rule.pattern, at: id, &graph),
                        let (inputs, attributes) = rule.make(match, graph)
                    else { continue }
                    if graph.substitute(id, by: rule.operatorName, opset: rule.opset, inputs, attributes, for: match.members) { break }
                }
            }
        }
    }

    // MARK: Layer normalization

    /// (x - mean) / sqrt(mean of squares + epsilon), then perhaps times a scale and plus a bias. Longer patterns first.
    private static let layerNormalizationRules: [FusionRule] = {
        let centred = Pattern.node("Sub", [.value("x"), .node("ReduceMean", [.value("x")], named: "mean")], named: "centred")
        let square = Pattern.either([.node("Pow", [centred, .number(2)]), .mul(centred, centred)])
        let deviation = Pattern.node("Sqrt", [.add(.node("ReduceMean", [square], named: "variance"), .scalar("epsilon"))])
        let normal = Pattern.either([
            .node("Div", [centred, deviation]), .mul(centred, .node("Reciprocal", [deviation])),
            .mul(centred, .node("Div", [.number(1), deviation])),
        ])
        let scaled = Pattern.mul(normal, .value("scale"))
        func rule(_ root: String, _ pattern: Pattern) -> FusionRule {
            FusionRule(root: root, pattern: pattern, operatorName: "LayerNormalization", opset: 17, make: layerNormalization)
        }
        return [rule("Add", .add(scaled, .value("bias"))), rule("Mul", scaled)]
    }()

    @Sendable private static func layerNormalization(_ match: Match, _ graph: PassGraph) -> (
        inputs: [ValueID?], attributes: [String: Attribute]
    )? {
        guard let x = match.values["x"], let scale = match.values["scale"], let shape = graph.type(x)?.shape, let width = shape.last,
            let epsilon = match.numbers["epsilon"], epsilon >= 0
        else { return nil }
        // Both means run over the last axis, and keep it.
        for name in ["mean", "variance"] where graph.type(match.values[name])?.shape != shape.dropLast() + [1] { return nil }
        // With other axes of size 1 the shapes do not tell which axis it was.
        guard width > 1, graph.type(scale)?.shape == [width] else { return nil }
        let bias = match.values["bias"]
        if bias != nil, graph.type(bias)?.shape != [width] { return nil }
        return ([x, scale] + (bias.map { [$0] } ?? []), ["axis": .int(-1), "epsilon": .float(Float(epsilon))])
    }

    // MARK: Gelu

    private static let geluRules: [FusionRule] = {
        let x = Pattern.value("x")
        let root = 0.5.squareRoot()
        let erf = Pattern.add(.node("Erf", [.either([.mul(x, .number(root)), .node("Div", [x, .number(1 / root)])])]), .number(1))
        let cube = Pattern.either([
            .node("Pow", [x, .number(3)]), .mul(x, .mul(x, x)), .mul(x, .node("Pow", [x, .number(2)])),
        ])
        let inner = Pattern.either([
            .add(x, .mul(cube, .number(0.044715))), .mul(x, .add(.mul(.mul(x, x), .number(0.044715)), .number(1))),
        ])
        let tanh = Pattern.add(.node("Tanh", [.mul(inner, .number((2 / Double.pi).squareRoot()))]), .number(1))
        func rules(_ factor: Pattern, _ approximate: String) -> [FusionRule] {
            let forms: [Pattern] = [
                .mul(.mul(x, factor), .number(0.5)), .mul(x, .mul(factor, .number(0.5))), .mul(.mul(x, .number(0.5)), factor),
            ]
            return [
                FusionRule(root: "Mul", pattern: .either(forms), operatorName: "Gelu", opset: 20) { match, _ in
                    ([match.values["x"]], ["approximate": .string(approximate)])
                }
            ]
        }
        return rules(erf, "none") + rules(tanh, "tanh")
    }()
}

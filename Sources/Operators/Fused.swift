// SPDX-License-Identifier: Apache-2.0
package import Graph
import Tensors

/// Operators that passes make of several: an operator, or nothing, and behind it elementwise steps on its result. They stand in the domain `southbridge`,
/// version 1; a node's `opset` is that of the operators that it stands for.
///
/// A device that has no kernel for one runs its parts. Intermediate results keep more precision than their type, never less.
let fusedOperators: [OperatorDefinition] = [
    fused("FusedConv", of: "Conv", inputs: 3, "(X: T, W: T, B?: T, operands: T...) -> (Y: T)", fusedConvSamples),
    fused("FusedMatMul", of: "MatMul", inputs: 2, "(A: T, B: T, operands: T...) -> (Y: T)", fusedMatMulSamples),
    fused("FusedGemm", of: "Gemm", inputs: 3, "(A: T, B: T, C?: T, operands: T...) -> (Y: T)", fusedGemmSamples),
    fused("FusedElementwise", of: nil, inputs: 1, "(X: T, operands: T...) -> (Y: T)", fusedElementwiseSamples),
]

/// One elementwise step of a fused operator: an operator of the default domain on the value so far and perhaps one further input.
package struct FusedStep: Sendable, Hashable {
    package static let domain = "southbridge"

    package var operatorName: String
    /// Which of the further inputs is the other operand; nil for an operator of one input.
    package var operand: Int?
    /// The further input stands on the left.
    package var isReversed: Bool
    /// The values of the operator's attributes that `parameters` names, in that order; of Clip the limits.
    package var parameters: [Float]

    package init(_ operatorName: String, operand: Int? = nil, isReversed: Bool = false, parameters: [Float] = []) {
        self.operatorName = operatorName
        self.operand = operand
        self.isReversed = isReversed
        self.parameters = parameters
    }

    /// Operators of one input that can be a step, with their attributes, all of them floats.
    package static let unary: [String: [String]] = [
        "Abs": [], "Celu": ["alpha"], "Clip": [], "Cos": [], "Elu": ["alpha"], "Erf": [], "Exp": [], "HardSigmoid": ["alpha", "beta"],
        "HardSwish": [], "LeakyRelu": ["alpha"], "Log": [], "Mish": [], "Neg": [], "Reciprocal": [], "Relu": [],
        "Selu": ["alpha", "gamma"],
        "Sigmoid": [], "Sin": [], "Softplus": [], "Softsign": [], "Sqrt": [], "Tanh": [], "ThresholdedRelu": ["alpha"],
    ]
    package static let binary: Set<String> = ["Add", "Sub", "Mul", "Div"]

    /// How the steps stand among a node's attributes.
    package static func attributes(_ steps: [FusedStep]) -> [String: Attribute] {
        [
            "steps": .strings(steps.map(\.operatorName)), "operands": .ints(steps.map { Int64($0.operand ?? -1) }),
            "reversed": .ints(steps.map { $0.isReversed ? 1 : 0 }),
            "parameters": .floats(steps.flatMap { step in (0..<2).map { $0 < step.parameters.count ? step.parameters[$0] : 0 } }),
        ]
    }

    /// Throws `OperatorError.invalid` where the attributes do not fit each other.
    package static func steps(
        names: [String], operands: [Int], reversed: [Int], parameters: [Double]
    ) throws(OperatorError) -> [FusedStep] {
        try require(
            operands.count == names.count && reversed.count == names.count && parameters.count == 2 * names.count,
            "the lists of steps have different lengths")
        var steps: [FusedStep] = []
        for (index, name) in names.enumerated() {
            let isBinary = binary.contains(name)
            try require(isBinary || unary[name] != nil, "'\(name)' is no elementwise step")
            try require(isBinary == (operands[index] >= 0), "step '\(name)' has operand \(operands[index])")
            steps.append(
                FusedStep(
                    name, operand: isBinary ? operands[index] : nil, isReversed: reversed[index] != 0,
                    parameters: parameters[2 * index...2 * index + 1].map { Float($0) }))
        }
        return steps
    }

    fileprivate static func steps(_ attributes: NodeAttributes) throws(OperatorError) -> [FusedStep] {
        try steps(
            names: attributes.strings("steps") ?? [], operands: attributes.ints("operands") ?? [],
            reversed: attributes.ints("reversed") ?? [],
            parameters: attributes.floats("parameters") ?? [])
    }

    /// Of the operator itself. Clip's limits are inputs there, infinite ones left out.
    fileprivate var attributes: [String: Attribute] {
        Dictionary(zip(Self.unary[operatorName] ?? [], parameters).map { ($0, .float($1)) }, uniquingKeysWith: { first, _ in first })
    }
}

private let stepRules: [String: AttributeRule] = [
    "steps": .required(.strings), "operands": .required(.ints), "reversed": .required(.ints), "parameters": .required(.floats),
]

/// - Parameters:
///   - base: the operator before the steps; nil: the steps begin with input 0.
///   - inputs: of the base, optional ones included.
private func fused(_ name: String, of base: String?, inputs: Int, _ signature: StaticString, _ samples: @escaping SampleGenerator)
    -> OperatorDefinition
{
    let rules = base.flatMap { fusedBases[$0] }?.attributes ?? [:]
    let definition = OperatorDefinition(
        name, domain: FusedStep.domain, since: [1], signature, types: ["T": .floats], attributes: rules.merging(stepRules) { $1 },
        numericClass: .composite,
        infer: { context throws(OperatorError) in
            var type = try context.input(0)
            if let base = base.flatMap({ fusedBases[$0] }) {
                let inferred = try base.infer(
                    InferenceContext(attributes: base.own(context.attributes), inputs: Array(context.inputs.prefix(inputs)), wanted: [true])
                    { _ in
                        nil
                    })
                guard case .known(let known)? = inferred.first else { throw .invalid("the shape of \(name) depends on data") }
                type = known
            }
            for step in try FusedStep.steps(context.attributes) {
                guard let operand = step.operand else { continue }
                let other = try context.input(inputs + operand)
                try require(
                    broadcastShape([type.shape, other.shape]) == type.shape,
                    "operand \(operand) of shape \(other.shape) does not fit \(type.shape)")
            }
            return [.known(type)]
        },
        reference: { context throws(OperatorError) in
            var value = try context.input(0)
            if let base = base.flatMap({ fusedBases[$0] }), let reference = base.reference {
                guard
                    let result = try reference(
                        ReferenceContext(
                            attributes: base.own(context.attributes), inputs: Array(context.inputs.prefix(inputs)), outputs: context.outputs
                        )
                    ).first ?? nil
                else { throw .unsupported("the reference of \(base.name) gives nothing") }
                value = result
            }
            for step in try FusedStep.steps(context.attributes) { value = try run(step, value, context, after: inputs) }
            return [value]
        }
    )
    .decomposing { g throws(OperatorError) in
        var value: Term
        if let base {
            var terms: [Term?] = []
            for index in 0..<inputs { terms.append(g.has(index) ? try g.input(index) : nil) }
            while let last = terms.last, last == nil { terms.removeLast() }
            value = try g.add(base, terms, g.attributes.all.filter { stepRules[$0.key] == nil })
        } else {
            value = try g.input(0)
        }
        for step in try FusedStep.steps(g.attributes) {
            if let operand = step.operand {
                let other = try g.input(inputs + operand)
                value = try step.isReversed ? g(step.operatorName, other, value) : g(step.operatorName, value, other)
            } else if step.operatorName == "Clip", g.opset >= 11 {
                let low = step.parameters[0] > -.infinity ? try value.same(Double(step.parameters[0])) : nil
                let high = step.parameters[1] < .infinity ? try value.same(Double(step.parameters[1])) : nil
                value = try g.add("Clip", [value, low] + (high.map { [$0] } ?? []), [:])
            } else if step.operatorName == "Clip" {
                if step.parameters[0] > -.infinity { value = try g("Max", value, value.same(Double(step.parameters[0]))) }
                if step.parameters[1] < .infinity { value = try g("Min", value, value.same(Double(step.parameters[1]))) }
            } else {
                value = try g(step.operatorName, value, attributes: step.attributes)
            }
        }
        return [value]
    }
    .sampled(samples)
    guard let base = base.flatMap({ fusedBases[$0] }), let terms = base.terms else { return definition }
    return definition.summing { context throws(OperatorError) in
        try terms(
            ReferenceContext(
                attributes: base.own(context.attributes), inputs: Array(context.inputs.prefix(inputs)), outputs: context.outputs))
    }
}

extension OperatorDefinition {
    /// A fused node's attributes as the operator in it sees them, in its newest version.
    fileprivate func own(_ attributes: NodeAttributes) -> NodeAttributes {
        NodeAttributes(version: since.last ?? 1, given: attributes.all.filter { stepRules[$0.key] == nil }, rules: self.attributes)
    }
}

/// Found here and not in the catalogue, which these are part of.
private let fusedBases: [String: OperatorDefinition] = Dictionary(
    uniqueKeysWithValues: (convolutionOperators + matrixOperators).filter { ["Conv", "MatMul", "Gemm"].contains($0.name) }.map {
        ($0.name, $0)
    })

private let fusedSteps: [String: OperatorDefinition] = Dictionary(
    uniqueKeysWithValues: (elementwiseOperators + activationOperators + arithmeticOperators)
        .filter { FusedStep.unary[$0.name] != nil || FusedStep.binary.contains($0.name) }.map { ($0.name, $0) })

private func run(_ step: FusedStep, _ value: ReferenceTensor, _ context: ReferenceContext, after inputs: Int) throws(OperatorError)
    -> ReferenceTensor
{
    if step.operatorName == "Clip" {
        var clipped = value
        let (low, high) = (Double(step.parameters[0]), Double(step.parameters[1]))
        clipped.elements = .floats(value.floats.map { propagatingMinimum(propagatingMaximum($0, low), high) })
        return clipped
    }
    guard let definition = fusedSteps[step.operatorName], let reference = definition.reference, let version = definition.since.last else {
        throw .invalid("'\(step.operatorName)' is no elementwise step")
    }
    var operands: [ReferenceTensor?] = [value]
    if let operand = step.operand { operands.insert(try context.input(inputs + operand), at: step.isReversed ? 0 : 1) }
    let attributes = NodeAttributes(version: version, given: step.attributes, rules: definition.attributes)
    let type = ConcreteType(value.dataType, value.shape)
    guard let result = try reference(ReferenceContext(attributes: attributes, inputs: operands, outputs: [.known(type)])).first ?? nil
    else {
        throw .unsupported("the reference of \(step.operatorName) gives nothing")
    }
    return result
}

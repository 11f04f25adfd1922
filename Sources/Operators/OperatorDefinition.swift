// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// One operator of the catalogue, with everything the stack knows about it: signature, shape inference, float64 reference, numeric class, samples, decomposition,
/// gradient.
package struct OperatorDefinition: Sendable {
    package let name: String
    /// Empty for ONNX's default domain.
    package let domain: String
    /// Every operator-set version at which ONNX changed the operator, ascending.
    package let since: [Int]
    package let inputs: [Parameter]
    package let outputs: [Parameter]
    package let attributes: [String: AttributeRule]
    /// The types that each type variable of the signature may take.
    package let types: [String: TypeSet]
    package let numericClass: NumericClass
    /// The stack runs it itself (control flow, sequences, constants); no plugin is asked.
    package let isHostOperator: Bool
    /// Types and shapes of the outputs from those of the inputs. See `InferenceContext`.
    package let infer: @Sendable (InferenceContext) throws(OperatorError) -> [InferredOutput]
    /// The meaning, in float64 for floating-point types and exactly for the others. See `ReferenceContext`.
    package let reference: (@Sendable (ReferenceContext) throws(OperatorError) -> [ReferenceTensor?])?
    /// The value of the only output where types and shapes alone determine it (Shape, Size); nil for every other operator.
    package let valueFromTypes: (@Sendable (InferenceContext) throws(OperatorError) -> ReferenceTensor)?
    /// What the conformance suite tries; nil for operators that no plugin is asked for. See `Sample`.
    package var samples: SampleGenerator?
    /// See `summing`; nil where no output element is a sum or a product of many.
    package var terms: (@Sendable (ReferenceContext) throws(OperatorError) -> Int)?
    /// Output 0 has the type and the bytes of input 0, only its shape may differ.
    package var isView = false
    /// A plugin's own operator: it alone knows which inputs, attributes and versions there are, and there is no reference.
    package private(set) var isForeign = false
    /// See `decomposing`.
    package var decomposer: Decomposer?
    /// See `differentiated`.
    package var differentiator: Differentiator?

    /// - Parameters:
    ///   - signature: `"(X: T, min?: T, rest: T...) -> (Y: T)"`. A type is a variable of `types` or a `DataType` name; `?` marks an
    ///     optional parameter, `...` a variadic one (last only), and `V*` a variadic one whose arguments may have different types of V.
    package init(
        _ name: String, domain: String = "", since: [Int], _ signature: StaticString, types: [String: TypeSet] = [:],
        attributes: [String: AttributeRule] = [:], numericClass: NumericClass, isHostOperator: Bool = false,
        infer: @escaping @Sendable (InferenceContext) throws(OperatorError) -> [InferredOutput],
        reference: (@Sendable (ReferenceContext) throws(OperatorError) -> [ReferenceTensor?])?,
        valueFromTypes: (@Sendable (InferenceContext) throws(OperatorError) -> ReferenceTensor)? = nil
    ) {
        self.name = name
        self.domain = domain
        self.since = since
        (inputs, outputs) = Parameter.parse(signature: "\(signature)", types: types)
        self.attributes = attributes
        self.types = types
        self.numericClass = numericClass
        self.isHostOperator = isHostOperator
        self.infer = { context throws(OperatorError) in
            for (index, input) in context.inputs.enumerated() {
                if let input { try Self.checkShape(input.shape, "input \(index) of \(name)") }
            }
            let outputs = try infer(context)
            for (index, output) in outputs.enumerated() { try Self.checkShape(output.largestShape, "output \(index) of \(name)") }
            return outputs
        }
        self.reference = reference
        self.valueFromTypes = valueFromTypes
    }

    /// An operator that only plugins know. Its version is that which the node names.
    package init(
        foreign name: String, domain: String, infer: @escaping @Sendable (InferenceContext) throws(OperatorError) -> [InferredOutput]
    ) {
        self.init(
            name, domain: domain, since: [1], "(inputs: T*) -> (outputs: T*)", types: ["T": .anyButString], numericClass: .composite,
            infer: infer,
            reference: nil)
        isForeign = true
    }

    /// Position of the input whose type is a node's data type (SB-OPS-002): the first one with a type variable of the standard, else the first; nil without inputs.
    package var typingInput: Int? { inputs.isEmpty ? nil : inputs.firstIndex { $0.typeVariable != nil } ?? 0 }

    /// A node's data type; that of the first output where the input is left out.
    package func dataType(inputs types: [DataType?], outputs: [DataType?]) -> DataType? {
        (typingInput.flatMap { types.indices.contains($0) ? types[$0] : nil }) ?? (outputs.first ?? nil)
    }

    /// What the data types of nodes are the types of.
    package var typingParameter: Parameter? { typingInput.map { inputs[$0] } ?? outputs.first }

    /// The version of the operator that a model importing `opset` means; nil if the operator is younger than that.
    package func version(atOpset opset: Int) -> Int? { isForeign ? opset : since.last { $0 <= opset } }
}

/// A formal input or output.
package struct Parameter: Sendable {
    package enum Arity: Sendable { case required, optional, variadic }
    package let name: String
    package let arity: Arity
    /// Nil if the parameter has one fixed set of types.
    package let typeVariable: String?
    package let types: TypeSet
}

/// A set of data types.
package struct TypeSet: OptionSet, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ types: DataType...) { self.init(rawValue: types.reduce(0) { $0 | 1 << UInt64($1.rawValue) }) }
    package init(_ types: [DataType]) { self.init(rawValue: types.reduce(0) { $0 | 1 << UInt64($1.rawValue) }) }
    package func contains(_ type: DataType) -> Bool { rawValue & (1 << UInt64(type.rawValue)) != 0 }

    package static let floats = TypeSet(.float16, .bfloat16, .float32, .float64)
    package static let float8 = TypeSet(.float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz)
    package static let signedIntegers = TypeSet(.int8, .int16, .int32, .int64)
    package static let unsignedIntegers = TypeSet(.uint8, .uint16, .uint32, .uint64)
    package static let integers: TypeSet = [signedIntegers, unsignedIntegers]
    package static let numeric: TypeSet = [floats, integers]
    package static let signedNumeric: TypeSet = [floats, signedIntegers]
    package static let bool = TypeSet(.bool)
    package static let indices = TypeSet(.int32, .int64)
    package static let any = TypeSet(DataType.allCases)
    package static let anyButString = TypeSet(DataType.allCases.filter { $0 != .string })
}

package struct AttributeRule: Sendable {
    package enum Kind: Sendable { case int, float, string, tensor, graph, ints, floats, strings }
    package let kind: Kind
    package let isRequired: Bool
    package let defaultValue: Attribute?

    package static func int(_ value: Int64) -> AttributeRule { .init(kind: .int, isRequired: false, defaultValue: .int(value)) }
    package static func float(_ value: Float) -> AttributeRule { .init(kind: .float, isRequired: false, defaultValue: .float(value)) }
    package static func string(_ value: String) -> AttributeRule { .init(kind: .string, isRequired: false, defaultValue: .string(value)) }
    package static func ints(_ value: [Int64]) -> AttributeRule { .init(kind: .ints, isRequired: false, defaultValue: .ints(value)) }
    /// Present or absent, with a meaning of its own when absent.
    package static func optional(_ kind: Kind) -> AttributeRule { .init(kind: kind, isRequired: false, defaultValue: nil) }
    package static func required(_ kind: Kind) -> AttributeRule { .init(kind: kind, isRequired: true, defaultValue: nil) }
}

/// Which rule of `numerics.md` judges the operator's results.
package enum NumericClass: String, Sendable {
    case movement, integer, arithmetic, division, cast, transcendental, dot, sum, product, variance, softmax, normalisation, composite,
        quantised, random, property
}

package enum OperatorError: Error, Sendable, CustomStringConvertible {
    /// The node breaks the operator's rules.
    case invalid(String)
    /// Types or shapes cannot be told before the value of this input is known on the host.
    case needsValue(input: Int)
    /// The rules hold, but this catalogue does not cover it.
    case unsupported(String)

    package var description: String {
        switch self {
        case .invalid(let reason), .unsupported(let reason): reason
        case .needsValue(let input): "the value of input \(input) must be known before the output's shape is"
        }
    }
}

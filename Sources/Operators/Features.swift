// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Operators of ONNX's domain for classical machine learning that prepare features.
let featureOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "ArrayFeatureExtractor", domain: "ai.onnx.ml", since: [1], "(X: T, Y: int64) -> (Z: T)",
        types: ["T": TypeSet(.float32, .float64, .int64, .int32, .string)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (x, y) = (try context.input(0), try context.input(1))
            try require(!x.shape.isEmpty, "X must have an axis to select from")
            let leading = x.shape.count == 1 ? [1] : Array(x.shape.dropLast())
            return [.tensor(x.dataType, try possible(leading + [try multiplied(y.shape)]))]
        },
        reference: { context throws(OperatorError) in
            let (x, indices) = (try context.input(0), try context.input(1).integers)
            let size = x.shape[x.shape.count - 1]
            if let outside = indices.first(where: { $0 < 0 || $0 >= Int64(size) }) {
                throw .invalid("index \(outside) is outside an axis of size \(size)")
            }
            let positions = (0..<product(x.shape.dropLast())).flatMap { row in indices.map { row * size + Int($0) } }
            return [x.gathered(positions, shape: context.output(0).shape)]
        }
    ).sampled(featureExtractorSamples),
    OperatorDefinition(
        "Binarizer", domain: "ai.onnx.ml", since: [1], "(X: T) -> (Y: T)",
        types: ["T": TypeSet(.float32, .float64, .int64, .int32)],
        attributes: ["threshold": .float(0)], numericClass: .movement,
        infer: { context throws(OperatorError) in [.known(try context.input(0))] },
        reference: { context throws(OperatorError) in
            let (x, threshold) = (try context.input(0), context.attributes.float("threshold")!)
            let isAbove = x.floats.map { $0 > threshold }
            let elements: ReferenceTensor.Elements =
                x.dataType.isFloat ? .floats(isAbove.map { $0 ? 1 : 0 }) : .integers(isAbove.map { $0 ? 1 : 0 })
            return [ReferenceTensor(x.dataType, x.shape, elements)]
        }
    ).sampled(binarizerSamples),
    OperatorDefinition(
        "LabelEncoder", domain: "ai.onnx.ml", since: [2, 4], "(X: T1) -> (Y: T2)", types: ["T1": labels, "T2": labels],
        attributes: [
            "default_float": .float(-0.0), "default_int64": .int(-1), "default_string": .string("_Unused"),
            "default_tensor": .optional(.tensor), "keys_floats": .optional(.floats), "keys_int64s": .optional(.ints),
            "keys_strings": .optional(.strings), "keys_tensor": .optional(.tensor), "values_floats": .optional(.floats),
            "values_int64s": .optional(.ints), "values_strings": .optional(.strings),
            "values_tensor": .optional(.tensor),
        ],
        numericClass: .movement, isHostOperator: true,
        infer: { context throws(OperatorError) in
            [.tensor(try labelList("values", context.attributes).dataType, try context.input(0).shape)]
        },
        reference: { context throws(OperatorError) in
            let (x, keys) = (try context.input(0), try labelList("keys", context.attributes))
            let values = try labelList("values", context.attributes)
            try require(
                keys.dataType == x.dataType,
                "keys of type \(keys.dataType.name) for an input of type \(x.dataType.name)")
            try require(keys.count == values.count, "\(keys.count) keys for \(values.count) values")
            let places = Dictionary(zip(keys.labels, 0...), uniquingKeysWith: { $1 })
            let pool = values.reshaped([values.count]).pooled(with: [try otherwise(context.attributes, values.dataType)]
            )
            return [pool.gathered(x.labels.map { places[$0] ?? values.count }, shape: x.shape)]
        }),
]

private let labels = TypeSet(.string, .int64, .float32, .int32, .int16, .float64)

extension ReferenceTensor {
    /// What makes two labels the same: the text, the integer, or the float with all NaN alike.
    fileprivate var labels: [AnyHashable] {
        switch elements {
        case .strings(let values): values
        case .integers(let values): values
        case .floats(let values), .complex(let values):
            values.map { $0.isNaN ? Double.nan.bitPattern : ($0 + 0).bitPattern }
        }
    }
}

private func labelList(_ role: String, _ attributes: NodeAttributes) throws(OperatorError) -> ReferenceTensor {
    let given = ["_tensor", "_strings", "_int64s", "_floats"].compactMap { attributes[role + $0] }
    try require(given.count == 1, "LabelEncoder has one list of \(role), not \(given.count)")
    switch given[0] {
    case .tensor(let tensor) where labels.contains(tensor.dataType): return ReferenceTensor(tensor)
    case .strings(let values): return ReferenceTensor(.string, [values.count], .strings(values))
    case .ints(let values): return ReferenceTensor(.int64, [values.count], .integers(values))
    case .floats(let values): return ReferenceTensor(.float32, [values.count], .floats(values.map(Double.init)))
    default: throw .invalid("the \(role) have a type that LabelEncoder does not take")
    }
}

/// What an input without a key becomes.
private func otherwise(_ attributes: NodeAttributes, _ type: DataType) throws(OperatorError) -> ReferenceTensor {
    if let tensor = attributes.tensor("default_tensor") {
        try require(
            tensor.dataType == type && tensor.count == 1, "default_tensor must hold one element of type \(type.name)")
        return ReferenceTensor(tensor).reshaped([1])
    }
    switch type.kind {
    case .string: return ReferenceTensor(type, [1], .strings([attributes.string("default_string")!]))
    case .float: return ReferenceTensor(type, [1], .floats([attributes.float("default_float")!]))
    default: return ReferenceTensor(type, [1], .integers([Int64(attributes.int("default_int64")!)]))
    }
}

// MARK: Samples

@Sendable private func featureExtractorSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let b = context.size(11...40)
    return [
        Sample("matrix", [.init(type, [5, b]), .init(.int64, [7], .integers(0...Int64(b - 1)))]),
        Sample("vector", [.init(type, [b]), .init(.int64, [3], .integers(0...Int64(b - 1)))]),
        Sample("large", [.init(type, [33, b]), .init(.int64, [40], .integers(0...Int64(b - 1)))]),
    ]
}

@Sendable private func binarizerSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    return unarySamples(&context) + [Sample("threshold", [.init(type, [9, 129])], ["threshold": .float(0.75)])]
}

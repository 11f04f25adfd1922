import Foundation
// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Conversions between types.
let castOperators: [OperatorDefinition] = [
    OperatorDefinition(
        "Cast", since: [1, 6, 9, 13, 19, 21, 23, 24, 25, 28], "(input: T1) -> (output: T2)", types: ["T1": castable, "T2": castable],
        attributes: ["to": .required(.int), "saturate": .int(1), "round_mode": .string("up")], numericClass: .cast,
        infer: { context throws(OperatorError) in
            [.tensor(try context.dataType(attribute: "to", standard: .float32, among: castable), try context.input(0).shape)]
        },
        reference: { context throws(OperatorError) in
            [try cast(try context.input(0), to: context.output(0).dataType, context.attributes)]
        }
    ).sampled(castSamples),
    OperatorDefinition(
        "CastLike", since: [15, 19, 21, 23, 24, 25], "(input: T1, target_type: T2) -> (output: T2)",
        types: ["T1": castable, "T2": castable], attributes: ["saturate": .int(1), "round_mode": .string("up")], numericClass: .cast,
        infer: { context throws(OperatorError) in [.tensor(try context.input(1).dataType, try context.input(0).shape)] },
        reference: { context throws(OperatorError) in
            [try cast(try context.input(0), to: context.output(0).dataType, context.attributes)]
        }
    ).sampled(castLikeSamples),
    OperatorDefinition(
        "BitCast", since: [26], "(input: T1) -> (output: T2)", types: ["T1": .anyButString, "T2": .anyButString],
        attributes: ["to": .required(.int)], numericClass: .movement,
        infer: { context throws(OperatorError) in
            let (input, target) = (try context.input(0), try context.dataType(attribute: "to", standard: .float32, among: .anyButString))
            guard input.dataType.bits == target.bits else {
                throw .invalid("\(input.dataType.name) and \(target.name) do not have the same width")
            }
            return [.tensor(target, input.shape)]
        },
        reference: { context throws(OperatorError) in
            let (input, target) = (try context.input(0), context.output(0))
            do {
                let source = try input.hostTensor()
                let copy = try HostTensor(target.dataType, target.shape) { bytes in
                    withExtendedLifetime(source) { bytes.copyMemory(from: source.bytes) }
                }
                return [ReferenceTensor(copy)]
            } catch { throw .unsupported("\(error)") }
        }
    ).sampled(bitCastSamples),
]

private let castable = TypeSet(DataType.allCases.filter { $0.kind != .complex })

private func cast(_ input: ReferenceTensor, to target: DataType, _ attributes: NodeAttributes) throws(OperatorError) -> ReferenceTensor {
    if input.dataType == target { return input }
    func result(_ elements: ReferenceTensor.Elements) -> ReferenceTensor { ReferenceTensor(target, input.shape, elements) }
    switch (input.elements, target.kind) {
    case (.floats(let values), .float): return result(.floats(try rounded(values, to: target, attributes)))
    case (.floats(let values), .bool): return result(.integers(values.map { $0 == 0 ? 0 : 1 }))
    case (.floats(let values), .signedInteger), (.floats(let values), .unsignedInteger):
        // ONNX leaves open what becomes of values out of range; its own results saturate down to 8 bits and wrap below, so both are followed.
        let integers = values.map((target.bits < 8 ? DataType.int64 : target).integer(truncating:))
        return result(.integers(integers))
    case (.integers, .float) where target == .float64: return result(.floats(input.floats))
    case (.integers(let values), .float):
        return result(.floats(try rounded(values.map(input.dataType.doubleRoundedToOdd), to: target, attributes)))
    case (.integers(let values), .bool): return result(.integers(values.map { $0 == 0 ? 0 : 1 }))
    case (.integers, .signedInteger), (.integers, .unsignedInteger): return result(input.elements)
    case (.floats(let values), .string): return result(.strings(values.map { text($0, of: input.dataType) }))
    case (.integers(let values), .string):
        return result(.strings(values.map { input.dataType == .uint64 ? "\(UInt64(bitPattern: $0))" : "\($0)" }))
    case (.strings(let texts), .float): return result(.floats(try rounded(try texts.map(number), to: target, attributes)))
    case (.strings(let texts), .bool): return result(.integers(try texts.map(number).map { $0 == 0 ? 0 : 1 }))
    case (.strings(let texts), _):
        return result(
            .integers(
                try texts.map { text throws(OperatorError) in
                    if let value = Int64(text) { return value }
                    if let value = UInt64(text) { return Int64(bitPattern: value) }
                    return target.integer(truncating: try number(text))
                }))
    default: throw .unsupported("\(input.dataType.name) cannot be cast to \(target.name)")
    }
}

/// Rounds where the encoding alone would not do what the attributes say: the 8-bit floats, which may saturate, and float8e8m0's rounding mode.
private func rounded(_ values: [Double], to target: DataType, _ attributes: NodeAttributes) throws(OperatorError) -> [Double] {
    let saturate = attributes.flag("saturate")
    if target == .float8e8m0 {
        let rounding: ScaleFormat.Rounding
        switch attributes.string("round_mode") {
        case "up": rounding = .up
        case "down": rounding = .down
        case "nearest": rounding = .nearestTiesUp
        case let other: throw .invalid("attribute 'round_mode' must be 'up', 'down' or 'nearest', not '\(other ?? "")'")
        }
        return values.map { ScaleFormat.decode(ScaleFormat.encode($0, rounding: rounding, saturate: saturate)) }
    }
    guard TypeSet.float8.contains(target) else { return values }
    do { return try ReferenceTensor.rounded(values, to: target, saturate: saturate) } catch { throw .unsupported("\(error)") }
}

/// The shortest decimal number that reads back as the same value of its type (bfloat16 and narrower: of float32).
private func text(_ value: Double, of type: DataType) -> String {
    switch type {
    case .float64: "\(value)"
    case .float16: "\(Float16(value))"
    default: "\(Float(value))"
    }
}

private func number(_ text: String) throws(OperatorError) -> Double {
    switch text.lowercased() {
    case "true": return 1
    case "false": return 0
    default: break
    }
    guard let value = Double(text.trimmingCharacters(in: .whitespaces)) else {
        throw .invalid("the string '\(text.prefix(40))' is not a number")
    }
    return value
}

// MARK: Samples

/// The types that a cast of `version` may give.
private func targets(_ context: SampleContext) -> [DataType] {
    var types: [DataType] = [.float64, .float32, .float16, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .bool]
    if context.version >= 13 { types.append(.bfloat16) }
    if context.version >= 19 { types += [.float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz] }
    if context.version >= 21 { types += [.int4, .uint4] }
    return types
}

/// Values that every target type holds, and, by the families, those that it does not. What is no number of an integer type has samples of its own.
private func castValues(from type: DataType, to target: DataType) -> Sample.Values {
    guard type.isFloat, target.isInteger else { return .data() }
    return target.kind == .unsignedInteger
        ? .data(0...Double(min(1 << min(target.bits, 20), 200) - 1))
        : .data(-Double(1 << min(target.bits - 1, 7))...Double(min(1 << (min(target.bits, 20) - 1), 128) - 1))
}

@Sendable private func castSamples(_ context: inout SampleContext) -> [Sample] {
    let (type, version) = (context.type, context.version)
    let shape = [context.size(5...9), 2 * context.size(20...60) + 1]
    return targets(context).flatMap { target in
        let to: [String: Attribute] = ["to": .int(Int64(target.rawValue))]
        let values = castValues(from: type, to: target)
        var samples = [
            Sample("to-\(target.name)", [.init(type, shape, values)], to),
            Sample("to-\(target.name)-scalar", [.init(type, [], values)], to),
        ]
        if type.isFloat, type.bits > 4, target.isInteger {
            // NaN and infinity to integer differed by device (pytorch#180159). ONNX leaves the results open, but not that they depend on the place.
            let strangers = [.nan, .infinity, -.infinity, 3e38, -3e38, 1.5, -2, 0, 1].filter {
                $0.magnitude <= 2 || type != .float64 || !$0.isFinite
            }
            samples.append(
                Sample(
                    "to-\(target.name)-field-not-a-number", [.init(type, [67], .exactly((0..<67).map { strangers[$0 % strangers.count] }))],
                    to))
        }
        if type.isFloat, type.bits > 4, target.isFloat {
            samples.append(Sample("to-\(target.name)-all", [.init(type, [300, 5], .data())], to))
        }
        if version >= 19, type.isFloat, target.isFloat, target.bits == 8 {
            samples.append(Sample("to-\(target.name)-unsaturated", [.init(type, shape)], to.merging(["saturate": .int(0)]) { $1 }))
        }
        return samples
    }
}

@Sendable private func castLikeSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let shape = [context.size(5...9), 2 * context.size(20...60) + 1]
    return targets(context).map {
        Sample("to-\($0.name)", [.init(type, shape, castValues(from: type, to: $0)), .init($0, [2], .integers(0...1))])
    }
}

@Sendable private func bitCastSamples(_ context: inout SampleContext) -> [Sample] {
    let type = context.type
    let shape = [context.size(5...9), 2 * context.size(20...60) + 1]
    return [DataType.float64, .float32, .float16, .bfloat16, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64].filter {
        $0.bits == type.bits
    }.map {
        Sample("to-\($0.name)", [.init(type, shape)], ["to": .int(Int64($0.rawValue))])
    }
}

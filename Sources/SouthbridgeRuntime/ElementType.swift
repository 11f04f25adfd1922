// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import Tensors

/// What a tensor's elements are: `float32`, `int64`, `bfloat16` ...
public struct ElementType: Sendable, Hashable, CustomStringConvertible {
    let dataType: DataType

    init(_ dataType: DataType) { self.dataType = dataType }

    /// Nil if no type has this name.
    public init?(_ name: String) {
        guard let type = DataType.allCases.first(where: { $0.name == name }) else { return nil }
        dataType = type
    }

    /// The name that the command line uses, too.
    public var name: String { dataType.name }
    public var description: String { name }
    /// Of one element.
    public var bits: Int { dataType.bits }
}

/// A Swift type whose values have the bytes of a tensor's elements.
public protocol TensorElement: BitwiseCopyable, Sendable {
    static var elementType: ElementType { get }
}

extension Float: TensorElement { public static var elementType: ElementType { ElementType(.float32) } }
extension Double: TensorElement { public static var elementType: ElementType { ElementType(.float64) } }
extension Float16: TensorElement { public static var elementType: ElementType { ElementType(.float16) } }
extension Bool: TensorElement { public static var elementType: ElementType { ElementType(.bool) } }
extension Int8: TensorElement { public static var elementType: ElementType { ElementType(.int8) } }
extension Int16: TensorElement { public static var elementType: ElementType { ElementType(.int16) } }
extension Int32: TensorElement { public static var elementType: ElementType { ElementType(.int32) } }
extension Int64: TensorElement { public static var elementType: ElementType { ElementType(.int64) } }
extension UInt8: TensorElement { public static var elementType: ElementType { ElementType(.uint8) } }
extension UInt16: TensorElement { public static var elementType: ElementType { ElementType(.uint16) } }
extension UInt32: TensorElement { public static var elementType: ElementType { ElementType(.uint32) } }
extension UInt64: TensorElement { public static var elementType: ElementType { ElementType(.uint64) } }
